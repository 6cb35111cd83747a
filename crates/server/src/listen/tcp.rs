//! The TCP listener.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::{Listener, has_gone};

/// How many connections may wait to be accepted: as many as Linux lets anybody have
/// (`net.core.somaxconn`). A thousand callers that come back at once after a restart fit; who does
/// not fit is not told, and tries again after a second.
const BACKLOG: u32 = 4_096;

/// A bound TCP address.
pub(crate) struct Tcp {
    listener: TcpListener,
    address: SocketAddr,
}

impl Tcp {
    pub(crate) fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4(),
            SocketAddr::V6(_) => TcpSocket::new_v6(),
        }?;
        // A restart takes the address although connections of the last run linger.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        let listener = socket.listen(BACKLOG)?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// The address with its actual port.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Listener for Tcp {
    type Accepted = std::net::TcpStream;
    type Stream = TcpStream;

    async fn accept(&self) -> io::Result<Option<std::net::TcpStream>> {
        match self.listener.accept().await {
            Ok((stream, _)) => stream.into_std().map(Some),
            Err(error) if has_gone(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn waiting(self) -> impl Iterator<Item = std::net::TcpStream> {
        // By the system's own call: what the runtime knows of the socket may be old.
        let listener = self.listener.into_std().ok();
        std::iter::from_fn(move || {
            loop {
                match listener.as_ref()?.accept() {
                    Ok((stream, _)) if stream.set_nonblocking(true).is_ok() => return Some(stream),
                    Ok(_) => {}
                    Err(error) if has_gone(&error) => {}
                    Err(_) => return None,
                }
            }
        })
    }

    fn open(accepted: std::net::TcpStream) -> io::Result<TcpStream> {
        // Calls are small: waiting to fill a packet only makes them slow.
        accepted.set_nodelay(true)?;
        TcpStream::from_std(accepted)
    }
}
