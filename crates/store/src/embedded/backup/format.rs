//! A backup's bytes: what both its writer and its reader know.
//!
//! ```text
//! "countersign backup, format 1\n"
//! frames    kind (1) | length of the body (4) | CRC-32 of kind, length and body (4) | body
//!   'h'     once, first: the directory's format (8)
//!   's'     a key has this value from here on: length of the key (2), key, value
//!   'd'     a key has none from here on: key
//!   'e'     once, last: how many 's' (8), how many 'd' (8), the last commit (8), SHA-256 of all before (32)
//! ```
//!
//! Numbers are big-endian; keys and values are those of the database (`layout.rs`), checksums
//! included. Frames hold in their order: a key may have several.

use std::io::{self, Read};

use aws_lc_rs::digest::{Context, SHA256};
use bytes::{BufMut, Bytes, BytesMut};

use crate::{Change, Key};

/// The first line: whose it is, and which format of backups.
pub(in super::super) const MAGIC: &[u8] = b"countersign backup, format 1\n";

/// The largest piece that a backup is handed on in, in bytes: what a message on a stream carries
/// without being large.
pub(super) const CHUNK_BYTES_MAX: usize = 32 * 1024;

/// The largest body: a record of the largest key and the largest value, and what is stored with it,
/// which is well below 256 bytes.
pub(in super::super) const BODY_BYTES_MAX: usize = Key::BYTES_MAX + Change::VALUE_BYTES_MAX + 256;

const HEADER: u8 = b'h';
const SET: u8 = b's';
const DELETE: u8 = b'd';
const END: u8 = b'e';

/// Kind, length, checksum.
const FRAME_BYTES: usize = 1 + 4 + 4;

/// The last frame's numbers.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub(in super::super) struct Totals {
    pub(in super::super) sets: u64,
    pub(in super::super) deletes: u64,
    /// The commit whose state it is.
    pub(in super::super) commit: u64,
}

/// Writes frames, and gives them out in chunks.
pub(super) struct Packer {
    buffer: BytesMut,
    hash: Context,
    totals: Totals,
}

impl Packer {
    /// Begins, with the magic line and the header.
    pub(super) fn new(directory_format: u64) -> Self {
        let mut packer = Self {
            buffer: BytesMut::with_capacity(2 * CHUNK_BYTES_MAX),
            hash: Context::new(&SHA256),
            totals: Totals::default(),
        };
        packer.hash.update(MAGIC);
        packer.buffer.put_slice(MAGIC);
        packer.frame(HEADER, &[&directory_format.to_be_bytes()]);
        packer
    }

    /// A key's value, or that it has none.
    pub(super) fn item(&mut self, key: &[u8], value: Option<&[u8]>) {
        match value {
            Some(value) => {
                // The longest key is below 2 KiB.
                self.frame(SET, &[&(key.len() as u16).to_be_bytes(), key, value]);
                self.totals.sets += 1;
            }
            None => {
                self.frame(DELETE, &[key]);
                self.totals.deletes += 1;
            }
        }
    }

    /// The next full chunk, if there is one.
    pub(super) fn chunk(&mut self) -> Option<Bytes> {
        (self.buffer.len() >= CHUNK_BYTES_MAX)
            .then(|| self.buffer.split_to(CHUNK_BYTES_MAX).freeze())
    }

    /// Ends, and gives what is left.
    pub(super) fn finish(mut self, commit: u64) -> impl Iterator<Item = Bytes> {
        let Totals { sets, deletes, .. } = self.totals;
        let hash = self.hash.clone().finish();
        let [sets, deletes, commit] = [sets, deletes, commit].map(u64::to_be_bytes);
        self.frame(END, &[&sets, &deletes, &commit, hash.as_ref()]);
        let mut buffer = self.buffer;
        std::iter::from_fn(move || {
            let bytes = buffer.len().min(CHUNK_BYTES_MAX);
            (bytes > 0).then(|| buffer.split_to(bytes).freeze())
        })
    }

    fn frame(&mut self, kind: u8, parts: &[&[u8]]) {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let begins = self.buffer.len();
        self.buffer.put_u8(kind);
        self.buffer.put_u32(length as u32);
        self.buffer.put_u32(checksum(kind, length as u32, parts));
        parts.iter().for_each(|part| self.buffer.put_slice(part));
        self.hash.update(&self.buffer[begins..]);
    }
}

/// What is wrong with a backup's bytes.
pub(in super::super) enum Unreadable {
    System(io::Error),
    /// Not one of ours, cut off, changed: in words.
    Wrong(String),
    Newer(String),
}

/// What a frame says.
pub(in super::super) enum Frame<'a> {
    Item(&'a [u8], Option<&'a [u8]>),
    /// The last one, and it is true.
    End(Totals),
}

/// Reads frames, and checks everything that they say of themselves.
pub(in super::super) struct Unpacker<R> {
    reader: R,
    body: Vec<u8>,
    offset: u64,
    hash: Context,
    totals: Totals,
}

impl<R: Read> Unpacker<R> {
    /// Reads the beginning. Returns the directory's format too.
    pub(in super::super) fn new(reader: R) -> Result<(Self, u64), Unreadable> {
        let mut unpacker = Self {
            reader,
            body: Vec::new(),
            offset: 0,
            hash: Context::new(&SHA256),
            totals: Totals::default(),
        };
        let mut magic = [0; MAGIC.len()];
        unpacker.fill(&mut magic)?;
        if magic != *MAGIC {
            let (family, _) = MAGIC.split_at(MAGIC.len() - 2);
            return Err(if magic.starts_with(family) {
                let line = String::from_utf8_lossy(&magic).trim_end().to_owned();
                Unreadable::Newer(format!("it begins with \"{line}\""))
            } else {
                Unreadable::Wrong("it does not begin as a backup does".to_owned())
            });
        }
        unpacker.hash.update(&magic);
        let kind = unpacker.frame()?;
        let format = <[u8; 8]>::try_from(&unpacker.body[..]).ok();
        match format.filter(|_| kind == HEADER) {
            Some(format) => Ok((unpacker, u64::from_be_bytes(format))),
            None => Err(unpacker.wrong("the header is missing")),
        }
    }

    /// The next frame. Nothing is read after the end, which it checks to be one.
    pub(in super::super) fn next(&mut self) -> Result<Frame<'_>, Unreadable> {
        let hash = self.hash.clone();
        match self.frame()? {
            SET => {
                self.totals.sets += 1;
                let split = self.body.split_first_chunk().and_then(|(length, rest)| {
                    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
                });
                match split {
                    Some((key, value)) => Ok(Frame::Item(key, Some(value))),
                    None => Err(self.wrong("a frame is shorter than its key")),
                }
            }
            DELETE => {
                self.totals.deletes += 1;
                Ok(Frame::Item(&self.body, None))
            }
            END => self.end(hash.finish().as_ref()),
            _ => Err(self.wrong("a frame has no known kind")),
        }
    }

    fn end(&mut self, hash: &[u8]) -> Result<Frame<'_>, Unreadable> {
        let Some((numbers, given)) = self.body.split_at_checked(24) else {
            return Err(self.wrong("the last frame is too short"));
        };
        let number = |at: usize| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&numbers[at * 8..at * 8 + 8]);
            u64::from_be_bytes(bytes)
        };
        let totals = Totals {
            sets: number(0),
            deletes: number(1),
            commit: number(2),
        };
        if (totals.sets, totals.deletes) != (self.totals.sets, self.totals.deletes) {
            return Err(self.wrong("frames are missing"));
        }
        if given != hash {
            return Err(self.wrong("the hash over everything does not match"));
        }
        match self.reader.read(&mut [0]) {
            Ok(0) => Ok(Frame::End(totals)),
            Ok(_) => Err(self.wrong("something follows its end")),
            Err(error) => Err(Unreadable::System(error)),
        }
    }

    fn frame(&mut self) -> Result<u8, Unreadable> {
        let mut head = [0; FRAME_BYTES];
        self.fill(&mut head)?;
        let [kind, l0, l1, l2, l3, c0, c1, c2, c3] = head;
        let length = u32::from_be_bytes([l0, l1, l2, l3]);
        if length as usize > BODY_BYTES_MAX {
            return Err(self.wrong("a frame is longer than any of ours"));
        }
        let mut body = std::mem::take(&mut self.body);
        body.resize(length as usize, 0);
        self.fill(&mut body)?;
        self.body = body;
        if checksum(kind, length, &[&self.body]) != u32::from_be_bytes([c0, c1, c2, c3]) {
            return Err(self.wrong("the checksum of a frame does not match"));
        }
        self.hash.update(&head);
        self.hash.update(&self.body);
        Ok(kind)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), Unreadable> {
        match self.reader.read_exact(bytes) {
            Ok(()) => {
                self.offset += bytes.len() as u64;
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(self.wrong("it is cut off: its last frame is missing"))
            }
            Err(error) => Err(Unreadable::System(error)),
        }
    }

    fn wrong(&self, what: &str) -> Unreadable {
        Unreadable::Wrong(format!("{what} (near byte {})", self.offset))
    }
}

fn checksum(kind: u8, length: u32, parts: &[&[u8]]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&[kind]);
    hasher.update(&length.to_be_bytes());
    parts.iter().for_each(|part| hasher.update(part));
    hasher.finalize()
}

#[cfg(test)]
mod tests;
