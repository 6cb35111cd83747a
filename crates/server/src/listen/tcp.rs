//! The TCP listener.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpStream};

use super::Listener;

/// A bound TCP address.
pub(crate) struct Tcp {
    listener: TcpListener,
    address: SocketAddr,
}

impl Tcp {
    pub(crate) async fn bind(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// The address with its actual port.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Listener for Tcp {
    type Stream = TcpStream;

    async fn accept(&self) -> io::Result<Option<TcpStream>> {
        let (stream, _) = self.listener.accept().await?;
        // Calls are small: waiting to fill a packet only makes them slow.
        stream.set_nodelay(true)?;
        Ok(Some(stream))
    }
}
