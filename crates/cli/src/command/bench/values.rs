//! How the values of the options are read.

pub(super) fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("must be a number from 1 on".to_owned()),
        Ok(number) => Ok(number),
    }
}

/// Proofs live for 60 s, and are signed before the first call is due.
const SECS_MAX: f64 = 50.0;

pub(super) fn below_a_minute(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(secs) if secs > 0.0 && secs <= SECS_MAX => Ok(secs),
        _ => Err(format!(
            "must be a number of seconds above 0, at most {SECS_MAX}: proofs are signed before and \
             live for 60 s"
        )),
    }
}

pub(super) fn part(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(ratio) if (0.0..=1.0).contains(&ratio) => Ok(ratio),
        _ => Err("must be a number from 0 to 1, the part of the traces".to_owned()),
    }
}
