//! Asking before something that cannot be undone.

use std::io::{IsTerminal, Write, stderr, stdin};

use crate::exit::Failure;

/// Asks the person at the terminal, unless `yes` was said already.
///
/// # Errors
///
/// The answer is not yes, or there is nobody to ask. Nothing was changed.
pub(crate) fn confirm(what: &str, yes: bool) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    let unsaid = |what: String| Failure::configuration(what).next("nothing was changed");
    if !stdin().is_terminal() {
        return Err(unsaid(format!("{what}; say --yes to go on")));
    }
    // Who cannot read the question is not asked.
    write!(stderr(), "{what}\ngo on? [y/N] ")
        .and_then(|()| stderr().flush())
        .map_err(|cause| unsaid(format!("cannot ask: {cause}")))?;
    let mut answer = String::new();
    stdin()
        .read_line(&mut answer)
        .map_err(|cause| unsaid(format!("cannot hear the answer: {cause}")))?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(unsaid("not confirmed".to_owned())),
    }
}
