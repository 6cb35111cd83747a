//! What stands in front of a server and does not take the first connection's call.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

/// How the first connection ends, once it has brought a call.
#[derive(Copy, Clone, Debug)]
pub(crate) enum How {
    /// With GOAWAY, which says that no stream was looked at.
    Goaway,
    /// With GOAWAY, which says that the stream was looked at, and is answered no more.
    GoawayAfter,
    /// The stream alone, for this reason (RFC 9113 §7).
    Reset(u8),
    /// After the head of an answer.
    Answering,
    /// Without a word.
    Cut,
}

/// RFC 9113 §7.
pub(crate) const NO_ERROR: u8 = 0;
pub(crate) const INTERNAL_ERROR: u8 = 2;
pub(crate) const REFUSED_STREAM: u8 = 7;
pub(crate) const CANCEL: u8 = 8;
pub(crate) const ENHANCE_YOUR_CALM: u8 = 11;

/// Frames of RFC 9113 §4.1: length, type, flags, stream; then what they carry.
const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
const GOAWAY_NONE_NO_ERROR: [u8; 17] = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
const GOAWAY_AFTER_ONE: [u8; 17] = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0];
const RESET_ONE: [u8; 12] = [0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0];
/// `:status: 200`, and no end.
const HEADERS_OF_ONE: [u8; 10] = [0, 0, 1, 1, 4, 0, 0, 0, 1, 0x88];
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
    match how {
        How::Goaway => caller.write_all(&GOAWAY_NONE_NO_ERROR).await.unwrap(),
        How::GoawayAfter => caller.write_all(&GOAWAY_AFTER_ONE).await.unwrap(),
        How::Answering => caller.write_all(&HEADERS_OF_ONE).await.unwrap(),
        How::Reset(reason) => {
            let reset = [&RESET_ONE[..], &[reason], &GOAWAY_AFTER_ONE].concat();
            caller.write_all(&reset).await.unwrap();
        }
        How::Cut => {}
    }
}
