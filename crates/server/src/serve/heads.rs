//! Heads of HTTP/1.1 requests that say twice where their body ends.
//!
//! Of a length and an encoding hyper takes the encoding, hands the request on without the length,
//! and ends the connection after the answer (RFC 9112 §6.3). So nothing can be smuggled behind it;
//! but a service that is to refuse such a request does not see that it is one. It shows only in the
//! bytes, which are looked at here before hyper reads them.

const LENGTH: &[u8] = b"content-length:";
const ENCODING: &[u8] = b"transfer-encoding:";

/// More of a line is not looked at.
const LINE_BYTES: usize = ENCODING.len();

/// How a connection over HTTP/2 begins (RFC 9113 §3.4).
const HTTP_2: &[u8] = b"PRI * HTTP/2.0";

/// Among the extensions of a request whose head may have both.
#[derive(Copy, Clone, Debug)]
pub(crate) struct EndsTwice;

/// The lines that have come over a connection, bodies too: only a sender that writes heads into its
/// bodies is taken for worse than it is.
#[derive(Default)]
pub(super) struct Heads {
    line: [u8; LINE_BYTES],
    came: usize,
    lines: Lines,
    length: bool,
    encoding: bool,
}

/// What the lines are.
#[derive(Copy, Clone, PartialEq, Eq, Default)]
enum Lines {
    #[default]
    Unknown,
    OfHttp1,
    /// There are none.
    OfHttp2,
}

impl Heads {
    /// Looks at what came next; whether a head with both fields is among it.
    pub(super) fn read(&mut self, bytes: &[u8]) -> bool {
        let mut both = false;
        let mut rest = bytes;
        while self.lines != Lines::OfHttp2 && !rest.is_empty() {
            let end = rest.iter().position(|byte| *byte == b'\n');
            let line = &rest[..end.unwrap_or(rest.len())];
            let room = &mut self.line[self.came..];
            let taken = room.len().min(line.len());
            room[..taken].copy_from_slice(&line[..taken]);
            self.came += taken;
            let Some(end) = end else {
                break;
            };
            both |= self.line_ends();
            rest = &rest[end + 1..];
        }
        both
    }

    /// Whether there are both now.
    fn line_ends(&mut self) -> bool {
        let line = &self.line[..std::mem::take(&mut self.came)];
        if self.lines == Lines::Unknown {
            self.lines = match line.starts_with(HTTP_2) {
                true => Lines::OfHttp2,
                false => Lines::OfHttp1,
            };
        }
        if matches!(line, b"" | b"\r") {
            self.length = false;
            self.encoding = false;
        }
        self.length |= begins(line, LENGTH);
        self.encoding |= begins(line, ENCODING);
        self.length && self.encoding
    }
}

fn begins(line: &[u8], field: &[u8]) -> bool {
    line.get(..field.len())
        .is_some_and(|name| name.eq_ignore_ascii_case(field))
}

#[cfg(test)]
mod tests {
    use super::*;

    const POST: &str = "POST /token HTTP/1.1\r\nHost: x\r\n";

    #[test]
    fn a_head_with_both_is_found_however_it_comes() {
        for (bytes, expected) in [
            (
                "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
                true,
            ),
            (
                "transfer-encoding:chunked\r\nX: y\r\nCONTENT-LENGTH:5\r\n\r\n",
                true,
            ),
            ("Content-Length: 5\nTransfer-Encoding: chunked\n\n", true),
            ("Content-Length: 5\r\n\r\nhello", false),
            (
                "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
                false,
            ),
            (
                "X-Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
                false,
            ),
            (
                "X: Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
                false,
            ),
            (
                "Content-Length-X: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
                false,
            ),
        ] {
            // After another request, whose body has no end of its own.
            let before = format!("{POST}Content-Length: 3\r\n\r\na=b");
            let both = format!("{before}{POST}{bytes}");
            for size in [1, 7, both.len()] {
                let mut heads = Heads::default();
                let pieces = both.as_bytes().chunks(size);
                let found = pieces.filter(|piece| heads.read(piece)).count() > 0;
                assert_eq!(found, expected, "{size}: {both}");
            }
        }
    }

    #[test]
    fn one_request_after_the_other_has_its_own_head() {
        let mut heads = Heads::default();
        for field in ["Content-Length: 0", "Transfer-Encoding: chunked"].repeat(3) {
            assert!(!heads.read(format!("{POST}{field}\r\n\r\n").as_bytes()));
        }
    }

    #[test]
    fn frames_of_http_2_are_no_lines() {
        let mut heads = Heads::default();
        let both = "\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n";
        assert!(!heads.read(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
        assert!(!heads.read(both.as_bytes()));
        // Not where it is no beginning.
        let mut heads = Heads::default();
        assert!(!heads.read(b"GET / HTTP/1.1\r\nPRI * HTTP/2.0"));
        assert!(heads.read(both.as_bytes()));
    }
}
