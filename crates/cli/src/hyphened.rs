//! Values that may begin with a hyphen, as names and nonces in base64url do.

use std::env;
use std::ffi::OsStr;

use clap::builder::{StringValueParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::{Arg, Command};

/// Takes a value that begins with a hyphen, for an option that allows it. One that begins with two
/// is most often the next option, where a variable of a script was empty: it is a value only where
/// it cannot be anything else, as `--option=--value`.
#[derive(Copy, Clone)]
pub(crate) struct Hyphened;

impl TypedValueParser for Hyphened {
    type Value = String;

    fn parse_ref(
        &self,
        command: &Command,
        argument: Option<&Arg>,
        value: &OsStr,
    ) -> Result<String, clap::Error> {
        let text = StringValueParser::new().parse_ref(command, argument, value)?;
        if text.starts_with("--") && !is_given_whole(&text) {
            let name = argument.and_then(Arg::get_long).unwrap_or_default();
            // The value is not shown: it may be a secret all the same.
            let what = format!(
                "a value is required for '--{name}', and what follows it begins with `--`; if that \
                 is the value, write --{name}=VALUE\n"
            );
            return Err(clap::Error::raw(ErrorKind::InvalidValue, what).with_cmd(command));
        }
        Ok(text)
    }
}

/// Whether somebody wrote option and value as one word. clap does not say so.
fn is_given_whole(value: &str) -> bool {
    env::args_os().any(|word| {
        word.to_str()
            .and_then(|word| word.strip_prefix("--"))
            .and_then(|word| word.split_once('='))
            .is_some_and(|(_, given)| given == value)
    })
}
