//! Writes what each target begins with: `seeds FOLDER` makes a folder of inputs for every target.
//!
//! The inputs are the attack rows of the tests, so that a new row is a new seed: the published
//! vectors, the literals of the tests' tables, and signed forms with every member odd in turn.

mod bytes;
mod rows;
mod signed;

use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let folder = env::args_os().nth(1).map(PathBuf::from);
    let Some(folder) = folder else {
        return Err(io::Error::other(
            "name the folder to write to: seeds FOLDER",
        ));
    };
    for (target, inputs) in [
        ("assertion", signed::assertions()),
        ("audit", bytes::exports()),
        ("backup", bytes::backups()),
        ("challenge", bytes::answers()),
        (
            "config",
            [
                rows::of(&["crates/server/src/config/tests.rs"])?,
                bytes::configurations(),
            ]
            .concat(),
        ),
        (
            "form",
            [
                rows::of(&[
                    "crates/form/src/lib.rs",
                    "crates/server/tests/server/http/forms.rs",
                ])?,
                bytes::forms(),
            ]
            .concat(),
        ),
        ("handle", bytes::handles()),
        ("json", rows::of(&["crates/jose/tests/jose/json.rs"])?),
        ("jwk", rows::keys()?),
        ("jwks", [rows::key_sets()?, bytes::key_answers()].concat()),
        ("key", bytes::keys()),
        (
            "names",
            rows::of(&[
                "crates/issuer/tests/issuer/values.rs",
                "crates/issuer/tests/issuer/registration.rs",
                "crates/issuer/tests/issuer/registration/changes.rs",
            ])?,
        ),
        ("nonce", bytes::nonces()),
        ("note", bytes::notes()),
        ("private_key", bytes::private_keys()),
        ("proof", rows::proofs()?),
        ("rule", bytes::rules()),
        ("target", rows::of(&["crates/dpop/tests/dpop/targets.rs"])?),
        ("token", signed::tokens()),
    ] {
        // A target without seeds finds little: something that the rows were taken from has moved.
        if inputs.len() < 5 {
            return Err(io::Error::other(format!(
                "{target}: only {} seeds",
                inputs.len()
            )));
        }
        write(&folder.join(target), &inputs)?;
    }
    Ok(())
}

fn write(folder: &Path, inputs: &[Vec<u8>]) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for (at, input) in inputs.iter().enumerate() {
        fs::write(folder.join(format!("{at:04}")), input)?;
    }
    Ok(())
}
