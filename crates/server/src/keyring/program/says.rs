//! What a program says that is meant for people. It handles keys, and may say more than it should.

use tracing::warn;

/// Lines of one run that are logged.
const LINES_MAX: usize = 20;

/// Of a line; longer ones are cut.
const CHARS_MAX: usize = 200;

/// A key of 16 bytes has 22 characters in base64 and 32 in hexadecimal; words have fewer.
const WORD_CHARS_MAX: usize = 20;

/// Logs what it wrote to standard error.
pub(super) fn log(program: &str, err: &[u8]) {
    let text = String::from_utf8_lossy(err);
    for line in text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .take(LINES_MAX)
    {
        warn!(
            program,
            says = safe(line),
            "the program that holds the key-encryption key"
        );
    }
}

/// The line without what may be a secret: anything that is as long as a key and has no space in it,
/// and what is not to be printed.
pub(super) fn safe(line: &str) -> String {
    let mut safe = String::new();
    for word in line.split(|c: char| c.is_whitespace() || c.is_control()) {
        if word.is_empty() {
            continue;
        }
        if !safe.is_empty() {
            safe.push(' ');
        }
        match word.chars().count() {
            0..=WORD_CHARS_MAX => safe.push_str(word),
            chars => safe.push_str(&format!("({chars} characters left out)")),
        }
    }
    safe.chars().take(CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::safe;

    #[test]
    fn what_may_be_a_key_is_left_out() {
        for (line, expected) in [
            ("no such key", "no such key"),
            ("  token \t expired\r", "token expired"),
            (
                "wrap AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8 failed",
                "wrap (43 characters left out) failed",
            ),
            (
                "key=000102030405060708090a0b0c0d0e0f",
                "(36 characters left out)",
            ),
            ("\u{1b}[31mred", "[31mred"),
        ] {
            assert_eq!(safe(line), expected);
        }
        assert_eq!(safe(&"word ".repeat(100)).chars().count(), 200);
    }
}
