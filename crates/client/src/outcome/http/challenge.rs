//! The challenge for DPoP among those of an answer (RFC 9110 §11.6.1).

use http::HeaderMap;
use http::header::WWW_AUTHENTICATE;

/// The parameters of a challenge.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Those of the first challenge for DPoP; `None` where there is no such challenge, or what
    /// stands before it or in it is malformed.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let values = headers.get_all(WWW_AUTHENTICATE).iter();
        values
            .filter_map(|value| value.to_str().ok())
            .find_map(|text| Reader(text).challenge("DPoP"))
    }

    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(held, _)| held.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// What is left of a field.
struct Reader<'a>(&'a str);

impl<'a> Reader<'a> {
    /// `#challenge`, each `scheme [ 1*SP ( token68 / #auth-param ) ]`: what a word is shows what
    /// follows it.
    fn challenge(mut self, wanted: &str) -> Option<Parameters> {
        let mut found: Option<Parameters> = None;
        loop {
            self.0 = self.0.trim_start_matches([' ', '\t', ',']);
            if self.0.is_empty() {
                return found;
            }
            let word = self.token()?;
            if let Some(value) = self.value()? {
                if let Some(parameters) = &mut found {
                    // RFC 9110 §11.2: a name occurs once in a challenge.
                    if parameters.value(word).is_some() {
                        return None;
                    }
                    parameters.0.push((word.to_owned(), value));
                }
            } else {
                // The next scheme.
                if found.is_some() {
                    return found;
                }
                if word.eq_ignore_ascii_case(wanted) {
                    found = Some(Parameters::default());
                }
                self.skip_token68();
            }
        }
    }

    fn token(&mut self) -> Option<&'a str> {
        let end = self.0.find(|next| !is_tchar(next)).unwrap_or(self.0.len());
        let (token, rest) = self.0.split_at(end);
        self.0 = rest;
        (!token.is_empty()).then_some(token)
    }

    /// What stands behind `=`, if that is what is next. `None`: malformed.
    fn value(&mut self) -> Option<Option<String>> {
        let Some(rest) = self.0.trim_start_matches([' ', '\t']).strip_prefix('=') else {
            // A scheme ends with a space, a comma or the field.
            return self.is_at_end_of_word().then_some(None);
        };
        self.0 = rest.trim_start_matches([' ', '\t']);
        let value = match self.0.strip_prefix('"') {
            Some(quoted) => {
                self.0 = quoted;
                self.quoted()?
            }
            None => self.token()?.to_owned(),
        };
        let next = self.0.trim_start_matches([' ', '\t']);
        (next.is_empty() || next.starts_with(',')).then_some(Some(value))
    }

    /// Up to the closing quotation mark (RFC 9110 §5.6.4).
    fn quoted(&mut self) -> Option<String> {
        let mut text = String::new();
        let mut letters = self.0.char_indices();
        while let Some((at, letter)) = letters.next() {
            match letter {
                '"' => {
                    self.0 = &self.0[at + 1..];
                    return Some(text);
                }
                '\\' => text.push(letters.next()?.1),
                letter => text.push(letter),
            }
        }
        None
    }

    /// Credentials in one word, as `Basic` or `Negotiate` have them (RFC 9110 §11.2).
    fn skip_token68(&mut self) {
        let rest = self.0.trim_start_matches([' ', '\t']);
        let end = rest
            .find(|next: char| !(next.is_ascii_alphanumeric() || "-._~+/".contains(next)))
            .unwrap_or(rest.len());
        let after = rest[end..].trim_start_matches('=');
        let ends = after.trim_start_matches([' ', '\t']);
        if end > 0 && (ends.is_empty() || ends.starts_with(',')) {
            self.0 = after;
        }
    }

    fn is_at_end_of_word(&self) -> bool {
        self.0.is_empty() || self.0.starts_with([' ', '\t', ','])
    }
}

/// RFC 9110 §5.6.2.
fn is_tchar(next: char) -> bool {
    next.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(next)
}
