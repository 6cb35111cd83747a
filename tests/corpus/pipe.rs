//! A connection on which the header block of each call is replaced: HTTP/2 that no client would
//! write, with a client behind it that reads the answer.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::net::TcpStream;
use tonic::metadata::MetadataMap;
use tonic::transport::{Channel, Endpoint};
use tonic::{Response, Status};

use crate::method::{Messages, Method};

/// RFC 9113 §6.
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// RFC 9113 §4.2: no peer has to take more in a frame.
const FRAME_BYTES_MAX: usize = 16_384;

const PREFACE_BYTES: usize = 24;

/// One connection, for one call at a time.
pub(crate) struct Pipe {
    channel: Channel,
    block: Arc<Mutex<Vec<u8>>>,
}

impl Pipe {
    pub(crate) async fn connect(address: &str) -> Self {
        let address: SocketAddr = address.trim_start_matches("http://").parse().unwrap();
        let block = Arc::new(Mutex::new(Vec::new()));
        let next = Arc::clone(&block);
        let connector = tower::service_fn(move |_: http::Uri| {
            let block = Arc::clone(&next);
            async move {
                let server = TcpStream::connect(address).await?;
                let (near, far) = tokio::io::duplex(64 * 1024);
                tokio::spawn(pass_on(far, server, block));
                Ok::<_, io::Error>(TokioIo::new(near))
            }
        });
        let channel = Endpoint::from_static("http://localhost")
            .connect_with_connector(connector)
            .await
            .unwrap();
        Self { channel, block }
    }

    /// A call with this header block, and with these messages after it.
    pub(crate) async fn call(
        &self,
        block: Vec<u8>,
        method: Method,
        messages: Messages,
    ) -> Result<Response<()>, Status> {
        *self.block.lock() = block;
        let none = MetadataMap::new();
        method.call(&self.channel, none, messages).await
    }
}

async fn pass_on(client: DuplexStream, mut server: TcpStream, block: Arc<Mutex<Vec<u8>>>) {
    let (mut asks, mut answers) = tokio::io::split(client);
    let (mut from_server, mut to_server) = server.split();
    let asking = async {
        let mut preface = [0; PREFACE_BYTES];
        asks.read_exact(&mut preface).await?;
        to_server.write_all(&preface).await?;
        loop {
            let mut head = [0; 9];
            asks.read_exact(&mut head).await?;
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut payload = vec![0; length as usize];
            asks.read_exact(&mut payload).await?;
            let frames = match head[3] {
                HEADERS => replaced(head, &block.lock()),
                _ => [&head[..], &payload].concat(),
            };
            to_server.write_all(&frames).await?;
        }
    };
    let asking: &mut (dyn Future<Output = io::Result<()>> + Send + Unpin) = &mut Box::pin(asking);
    // Whoever ends first ends both: the other is dropped with its side of the connection.
    tokio::select! {
        _ = asking => {}
        _ = tokio::io::copy(&mut from_server, &mut answers) => {}
    }
}

/// HEADERS, and CONTINUATION as needed, for the stream of `head`.
fn replaced(head: [u8; 9], block: &[u8]) -> Vec<u8> {
    let mut frames = Vec::new();
    let pieces = block.chunks(FRAME_BYTES_MAX);
    let last = pieces.len().saturating_sub(1);
    for (number, piece) in pieces.enumerate() {
        let length = u32::try_from(piece.len()).unwrap().to_be_bytes();
        let (kind, flags) = match number {
            0 => (HEADERS, head[4] & END_STREAM),
            _ => (CONTINUATION, 0),
        };
        let end = if number == last { END_HEADERS } else { 0 };
        frames.extend([length[1], length[2], length[3], kind, flags | end]);
        frames.extend(&head[5..]);
        frames.extend(piece);
    }
    frames
}

/// How a block begins: the table of what was said before is emptied (RFC 7541 §6.3: size 0, then
/// 4096 again), so that no call depends on another one.
const EMPTIED: [u8; 4] = [0x20, 0x3f, 0xe1, 0x1f];

/// Literals without indexing and without Huffman coding (RFC 7541 §6.2.2).
pub(crate) fn block(fields: &[(&str, &[u8])]) -> Vec<u8> {
    let mut block = EMPTIED.to_vec();
    for (name, value) in fields {
        block.push(0);
        for text in [name.as_bytes(), value] {
            length(&mut block, text.len());
            block.extend(text);
        }
    }
    block
}

/// RFC 7541 §5.1, with a prefix of seven bits.
fn length(onto: &mut Vec<u8>, length: usize) {
    let Some(mut rest) = length.checked_sub(0x7f) else {
        return onto.push(u8::try_from(length).unwrap());
    };
    onto.push(0x7f);
    while rest >= 0x80 {
        onto.push(0x80 | u8::try_from(rest & 0x7f).unwrap());
        rest >>= 7;
    }
    onto.push(u8::try_from(rest).unwrap());
}

/// What stands for a text in Huffman coding, which is not read here. No field has it.
const CODED: &[u8] = b"\0";

/// The shortest name that counts, `dpop`, has four letters, and no code has less than five bits
/// (RFC 7541, appendix B).
const CODED_NAME_BYTES_MAX: usize = 2;

/// What a block says, if it is written as [`block`] writes, or in another kind of literal.
pub(crate) fn read(block: &[u8]) -> Option<Vec<(&[u8], &[u8])>> {
    let mut rest = block.strip_prefix(&EMPTIED)?;
    let mut fields = Vec::new();
    while let Some((kind, after)) = rest.split_first() {
        // With indexing, without it, and never indexed (RFC 7541 §6.2).
        if ![0x40, 0x00, 0x10].contains(kind) {
            return None;
        }
        rest = after;
        let name = match text(&mut rest)? {
            (name, false) => name,
            (name, true) if name.len() <= CODED_NAME_BYTES_MAX => CODED,
            (_, true) => return None,
        };
        let value = match text(&mut rest)? {
            (value, false) => value,
            (_, true) => CODED,
        };
        fields.push((name, value));
    }
    Some(fields)
}

/// The next text, and whether it is in Huffman coding (RFC 7541 §5.2).
fn text<'b>(rest: &mut &'b [u8]) -> Option<(&'b [u8], bool)> {
    let (first, mut after) = rest.split_first()?;
    let mut length = usize::from(first & 0x7f);
    if length == 0x7f {
        for shift in [0, 7, 14] {
            let (byte, next) = after.split_first()?;
            after = next;
            length += usize::from(byte & 0x7f) << shift;
            if *byte < 0x80 {
                break;
            }
        }
    }
    let (text, after) = after.split_at_checked(length)?;
    *rest = after;
    Some((text, first & 0x80 != 0))
}

/// How many bytes a length takes.
pub(crate) fn written(size: usize) -> usize {
    let mut bytes = Vec::new();
    length(&mut bytes, size);
    bytes.len()
}
