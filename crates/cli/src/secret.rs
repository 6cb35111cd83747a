//! Secrets and tokens from where others cannot look: files, standard input and
//! the environment. An argument can be read by every process of the machine.

use std::env;
use std::io::{Read, stdin};
use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::TypedValueParser as _;
use zeroize::Zeroizing;

use crate::exit::Failure;
use crate::hyphened::Hyphened;
use crate::key_file;

/// The variable that holds a client's secret.
pub(crate) const CLIENT_SECRET_VARIABLE: &str = "COUNTERSIGN_CLIENT_SECRET";

/// The most that is read as a secret or token: our largest token is 8 KiB.
const SECRET_BYTES_MAX: u64 = 16 * 1024;

/// A token, named in one of two ways.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
pub(crate) struct TokenArgs {
    /// The token, or `-` to read it from standard input. Others on this machine can see an
    /// argument: prefer `-` or `--token-file`
    #[arg(long, value_name = "TOKEN|-", allow_hyphen_values = true, value_parser = Hyphened.map(RedactedText::from))]
    token: Option<RedactedText>,

    /// A file that holds the token and nothing else, mode 0600
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

impl TokenArgs {
    /// The token.
    pub(crate) fn read(&self) -> Result<Zeroizing<String>, Failure> {
        read_token(self.token.as_ref(), self.token_file.as_deref())?
            .ok_or_else(|| Failure::internal("no token was named"))
    }
}

/// A token that may be left out.
#[derive(Args, Debug)]
#[group(multiple = false)]
pub(crate) struct OptionalTokenArgs {
    /// The access token that goes with the proof, or `-` to read it from standard input. Others
    /// on this machine can see an argument: prefer `-` or `--token-file`
    #[arg(long, value_name = "TOKEN|-", allow_hyphen_values = true, value_parser = Hyphened.map(RedactedText::from))]
    token: Option<RedactedText>,

    /// A file that holds the access token and nothing else, mode 0600
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

impl OptionalTokenArgs {
    /// The token, if one was named.
    pub(crate) fn read(&self) -> Result<Option<Zeroizing<String>>, Failure> {
        read_token(self.token.as_ref(), self.token_file.as_deref())
    }
}

/// The token that one of the two names, if one does.
pub(crate) fn read_token(
    argument: Option<&RedactedText>,
    file: Option<&Path>,
) -> Result<Option<Zeroizing<String>>, Failure> {
    match (argument, file) {
        (Some(text), _) if text.0.as_str() == "-" => from_stdin("the token").map(Some),
        (Some(text), _) => one_line(&text.0, "--token").map(Some),
        (None, Some(path)) => from_file(path).map(Some),
        (None, None) => Ok(None),
    }
}

/// An argument that must not be shown again.
#[derive(Clone)]
pub(crate) struct RedactedText(pub(crate) Zeroizing<String>);

impl std::fmt::Debug for RedactedText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

impl std::str::FromStr for RedactedText {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(Zeroizing::new(text.to_owned())))
    }
}

impl From<String> for RedactedText {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

/// The secret at `path`, or on standard input if that is `-`.
pub(crate) fn from_file(path: &Path) -> Result<Zeroizing<String>, Failure> {
    if path == Path::new("-") {
        return from_stdin("the secret");
    }
    let text = key_file::read_private(path)?;
    one_line(&text, &path.display().to_string())
}

/// The client's secret from the environment, if it is there.
pub(crate) fn from_environment() -> Result<Option<Zeroizing<String>>, Failure> {
    match env::var(CLIENT_SECRET_VARIABLE) {
        Ok(text) => one_line(&Zeroizing::new(text), CLIENT_SECRET_VARIABLE).map(Some),
        Err(env::VarError::NotPresent) => Ok(None),
        Err(env::VarError::NotUnicode(_)) => Err(Failure::configuration(format!(
            "{CLIENT_SECRET_VARIABLE}: is not UTF-8"
        ))),
    }
}

/// What stands on standard input, one line.
pub(crate) fn from_stdin(what: &str) -> Result<Zeroizing<String>, Failure> {
    let mut text = Zeroizing::new(String::new());
    stdin()
        .take(SECRET_BYTES_MAX)
        .read_to_string(&mut text)
        .map_err(|cause| Failure::configuration(format!("standard input: {cause}")))?;
    one_line(&text, &format!("{what} on standard input"))
}

fn one_line(text: &str, place: &str) -> Result<Zeroizing<String>, Failure> {
    let line = text.trim();
    if line.is_empty() {
        return Err(Failure::configuration(format!("{place}: is empty")));
    }
    if line.contains(char::is_whitespace) {
        return Err(Failure::configuration(format!(
            "{place}: must hold one word and nothing else"
        )));
    }
    Ok(Zeroizing::new(line.to_owned()))
}
