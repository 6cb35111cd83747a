//! What must not be told, in every form that it could be told in.

use std::collections::BTreeMap;

use aho_corasick::AhoCorasick;
use countersign_jose::base64url;

/// Something secret, and where it may be all the same.
pub(crate) struct Mark {
    /// For people.
    pub(crate) what: String,
    bytes: Vec<u8>,
    /// The names of places, or how they begin.
    allowed: Vec<String>,
}

/// Something that was said somewhere.
pub(crate) struct Heard {
    /// Where: `log`, `spans`, `store`, `refusals`, `answer of …`, `output of …`.
    pub(crate) place: String,
    pub(crate) bytes: Vec<u8>,
}

/// All secrets of a run.
#[derive(Default)]
pub(crate) struct Marks(Vec<Mark>);

/// Shorter texts are found anywhere by chance.
const BYTES_MIN: usize = 12;

impl Marks {
    /// Adds a secret. Tokens and handles are looked for by their last part as well, which is what
    /// nobody can make: what comes before it may be known.
    pub(crate) fn add(&mut self, what: impl Into<String>, secret: &[u8], allowed: &[&str]) {
        let what = what.into();
        let mut add = |what: String, bytes: &[u8]| self.add_alone(what, bytes, allowed);
        add(what.clone(), secret);
        let Ok(text) = std::str::from_utf8(secret) else {
            return;
        };
        // Behind the last dot of a JWT, or behind the prefix of a handle.
        let last = ["csp_", "csr_", "csc_", "css_"]
            .iter()
            .find_map(|prefix| Some(text.split_once(prefix)?.1))
            .or_else(|| Some(text.rsplit_once('.')?.1))
            .unwrap_or(text);
        add(format!("the last part of {what}"), last.as_bytes());
        // In records a secret would be bytes.
        if let Ok(bytes) = base64url::decode(last) {
            // Of a handle, the MAC alone: its record's name stands in the store.
            let tail = &bytes[bytes.len().saturating_sub(32)..];
            add(format!("the bytes of {what}"), tail);
        }
    }

    /// The same for what has no last part that is secret by itself: a private key in PKCS#8 ends
    /// in its public half.
    pub(crate) fn add_alone(&mut self, what: impl Into<String>, bytes: &[u8], allowed: &[&str]) {
        if bytes.len() >= BYTES_MIN && !self.0.iter().any(|mark| mark.bytes == bytes) {
            let allowed = allowed.iter().map(|&place| place.to_owned()).collect();
            self.0.push(Mark {
                what: what.into(),
                bytes: bytes.to_vec(),
                allowed,
            });
        }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Every secret that was heard where it may not be, each once.
    pub(crate) fn told(&self, heard: &[Heard]) -> Result<Vec<String>, String> {
        let forms: Vec<(usize, &'static str, Vec<u8>)> = self
            .0
            .iter()
            .enumerate()
            .flat_map(|(at, mark)| {
                forms(&mark.bytes)
                    .into_iter()
                    .map(move |(form, bytes)| (at, form, bytes))
            })
            .collect();
        let search = AhoCorasick::new(forms.iter().map(|(_, _, bytes)| bytes))
            .map_err(|error| error.to_string())?;
        let mut found = BTreeMap::new();
        for heard in heard {
            for hit in search.find_overlapping_iter(&heard.bytes) {
                let (at, form, _) = &forms[hit.pattern().as_usize()];
                let mark = &self.0[*at];
                if !mark.allows(&heard.place) {
                    found
                        .entry(format!("{}: {} as {form}", heard.place, mark.what))
                        .or_insert_with(|| around(&heard.bytes, hit.start()));
                }
            }
        }
        let lines = found.into_iter();
        Ok(lines
            .map(|(what, near)| format!("{what}, after {near:?}"))
            .collect())
    }
}

impl Mark {
    fn allows(&self, place: &str) -> bool {
        self.allowed.iter().any(|known| place.starts_with(known))
    }
}

/// What stands before a find, to find it again; nothing of the find itself.
fn around(bytes: &[u8], at: usize) -> String {
    const BYTES: usize = 120;
    String::from_utf8_lossy(&bytes[at.saturating_sub(BYTES)..at]).into_owned()
}

/// The ways in which bytes are written.
fn forms(bytes: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let percent: String = bytes.iter().map(|byte| format!("%{byte:02X}")).collect();
    let escaped: String = bytes
        .iter()
        .map(|&byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            byte => format!("%{byte:02X}"),
        })
        .collect();
    let numbers: Vec<String> = bytes.iter().map(u8::to_string).collect();
    let mut forms = vec![
        ("plain", bytes.to_vec()),
        ("hex", hex.to_uppercase().into_bytes()),
        ("hex", hex.into_bytes()),
        ("percent-encoding", percent.into_bytes()),
        ("percent-encoding", escaped.into_bytes()),
        // As `Debug` prints bytes.
        ("numbers", numbers.join(", ").into_bytes()),
    ];
    // Inside of something longer it begins at any of three places of a group.
    for skipped in 0..3 {
        let mut shifted = vec![0; skipped];
        shifted.extend_from_slice(bytes);
        let encoded = base64url::encode(&shifted);
        // The first characters and the last belong to its neighbours too.
        let inside = &encoded[[0, 2, 3][skipped]..encoded.len() - 2];
        forms.push(("base64url", inside.into()));
        forms.push(("base64", inside.replace('-', "+").replace('_', "/").into()));
    }
    forms
}

/// A secret planted in every form is found in every one; what is allowed is not reported.
pub(crate) fn a_planted_secret_is_found() -> Result<(), String> {
    const SECRET: &[u8] = b"css_c0ffee~marked+secret/0123456789";
    let mut marks = Marks::default();
    marks.add("a secret", SECRET, &["answer of Create"]);
    let about = |place: &str, bytes: Vec<u8>| Heard {
        place: place.to_owned(),
        bytes,
    };
    for (form, bytes) in forms(SECRET) {
        let said = [b"before ", &*bytes, b" after"].concat();
        let told = marks.told(&[about("log", said.clone())])?;
        if told.is_empty() {
            return Err(format!("a secret was not found as {form}"));
        }
        let told = marks.told(&[about("answer of CreateClient", said)])?;
        if !told.is_empty() {
            return Err(format!("allowed, and reported: {}", told.join("\n")));
        }
    }
    // Encoded along with what surrounds it.
    for around in 0..4 {
        let text = [&vec![b'x'; around], SECRET, b"yz"].concat();
        let said = base64url::encode(text).into_bytes();
        if marks.told(&[about("spans", said)])?.is_empty() {
            return Err(format!("not found behind {around} others"));
        }
    }
    Ok(())
}
