//! What stands in front of a server and does not take the first connection's call.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

/// How the first connection ends, once it has brought a call.
#[derive(Copy, Clone)]
pub(crate) enum How {
    /// With GOAWAY, which says that no stream was looked at.
    Goaway,
    /// Without a word.
    Cut,
}

/// Frames of RFC 9113 §4.1: length, type, flags, stream; then what they carry.
const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
const GOAWAY_NONE_NO_ERROR: [u8; 17] = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
const HEADERS: u8 = 1;

const PREFACE_BYTES: usize = 24;

/// Its URL. All connections but the first reach the server at `url`.
pub(crate) async fn in_front_of(url: &str, how: How) -> String {
    let server = url.trim_start_matches("http://").to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let own = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (first, _) = listener.accept().await.unwrap();
        leave(first, how).await;
        while let Ok((mut caller, _)) = listener.accept().await {
            let mut server = TcpStream::connect(&server).await.unwrap();
            tokio::spawn(async move { copy_bidirectional(&mut caller, &mut server).await });
        }
    });
    own
}

async fn leave(mut caller: TcpStream, how: How) {
    caller.write_all(&SETTINGS).await.unwrap();
    let mut preface = [0; PREFACE_BYTES];
    caller.read_exact(&mut preface).await.unwrap();
    loop {
        let mut head = [0; 9];
        caller.read_exact(&mut head).await.unwrap();
        let bytes = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut carried = vec![0; bytes as usize];
        caller.read_exact(&mut carried).await.unwrap();
        if head[3] == HEADERS {
            break;
        }
    }
    if let How::Goaway = how {
        caller.write_all(&GOAWAY_NONE_NO_ERROR).await.unwrap();
    }
}
