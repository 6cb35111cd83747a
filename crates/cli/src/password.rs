//! A password that a person chooses: typed at the terminal unseen, or from a file or standard
//! input, never an argument.

use std::io::{IsTerminal as _, Read as _, Write as _, stderr, stdin};
use std::path::Path;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use crate::exit::Failure;
use crate::key_file;

/// The most that is read: more than a password may have.
const BYTES_MAX: u64 = 4 * 1024;

/// The password in that file, or of whoever is at the terminal.
///
/// # Errors
/// It cannot be read, or was not typed the same twice.
pub(crate) fn read(file: Option<&Path>) -> Result<Zeroizing<String>, Failure> {
    match file {
        Some(path) if path != Path::new("-") => {
            let text = key_file::read_private(path)?;
            one_line(&text, &path.display().to_string())
        }
        None if stdin().is_terminal() => typed_twice(),
        Some(_) | None => {
            let mut text = Zeroizing::new(String::new());
            stdin()
                .take(BYTES_MAX)
                .read_to_string(&mut text)
                .map_err(|cause| Failure::configuration(format!("standard input: {cause}")))?;
            one_line(&text, "standard input")
        }
    }
}

/// Without the end of its line; spaces belong to it.
fn one_line(text: &str, place: &str) -> Result<Zeroizing<String>, Failure> {
    let line = text.strip_suffix('\n').unwrap_or(text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.is_empty() || line.contains(['\n', '\r']) {
        return Err(Failure::configuration(format!(
            "{place}: must hold the password in one line and nothing else"
        )));
    }
    Ok(Zeroizing::new(line.to_owned()))
}

fn typed_twice() -> Result<Zeroizing<String>, Failure> {
    let first = typed("password: ")?;
    let second = typed("the same once more: ")?;
    if *first != *second {
        return Err(Failure::configuration("the two passwords differ").next("nothing was changed"));
    }
    Ok(first)
}

fn typed(prompt: &str) -> Result<Zeroizing<String>, Failure> {
    let _unseen = Unseen::begin()?;
    let unheard = |cause: std::io::Error| Failure::configuration(format!("the terminal: {cause}"));
    write!(stderr(), "{prompt}")
        .and_then(|()| stderr().flush())
        .map_err(unheard)?;
    let mut line = Zeroizing::new(String::new());
    let read = stdin().read_line(&mut line);
    // The end of the line was not shown either.
    let _shown = writeln!(stderr());
    read.map_err(unheard)?;
    one_line(&line, "the terminal")
}

/// While it lives the terminal shows nothing of what is typed.
struct Unseen(Termios);

impl Unseen {
    fn begin() -> Result<Self, Failure> {
        let failed = |cause| Failure::configuration(format!("the terminal: {cause}"));
        let before = tcgetattr(stdin()).map_err(failed)?;
        let mut unseen = before.clone();
        unseen.local_modes -= LocalModes::ECHO;
        tcsetattr(stdin(), OptionalActions::Flush, &unseen).map_err(failed)?;
        Ok(Self(before))
    }
}

impl Drop for Unseen {
    fn drop(&mut self) {
        // The shell that comes after sets it right where this fails.
        let _ = tcsetattr(stdin(), OptionalActions::Now, &self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_a_line_with_its_spaces() {
        for (text, password) in [
            ("correct horse battery\n", Some("correct horse battery")),
            (" spaces \r\n", Some(" spaces ")),
            ("no end", Some("no end")),
            ("", None),
            ("\n", None),
            ("two\nlines\n", None),
        ] {
            let read = one_line(text, "here").ok();
            assert_eq!(read.as_deref().map(String::as_str), password, "{text:?}");
        }
    }
}
