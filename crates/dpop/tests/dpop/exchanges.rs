//! Published tables about whole exchanges: what a guard makes of the metadata that it is
//! presented, what a client makes of the answer, what a proof for a call says. They are data: the
//! tests of the guard and of the client read them from the published file and run them.

mod answers;
mod errors;
mod presentations;
mod proofs;

use serde_json::{Value, json};

use crate::case::NONCES;
use crate::targets::{NORMALISED, ORIGINS, PATHS};

/// The sections of the file beside the proofs.
pub(crate) fn sections() -> Vec<(&'static str, Vec<Value>)> {
    let targets = NORMALISED
        .iter()
        .map(|(htu, target)| json!({"htu": htu, "target": target.ok()}));
    let origins = ORIGINS
        .iter()
        .map(|(uri, origin)| json!({"uri": uri, "origin": origin.ok()}));
    let paths = PATHS.iter().map(
        |(path, target)| json!({"origin": "https://h/api/", "path": path, "target": target.ok()}),
    );
    vec![
        ("targets", targets.collect()),
        ("origin_uris", origins.collect()),
        ("paths", paths.collect()),
        ("minted", minted()),
        ("proofs", proofs::rows()),
        ("presentations", presentations::rows()),
        ("answers", answers::rows()),
        ("errors", errors::rows()),
    ]
}

/// Nonces, by the time of their minting.
fn minted() -> Vec<Value> {
    [0, 1, 1_760_000_000_000, 1_760_000_000_999, (1 << 53) - 1]
        .into_iter()
        .map(|millis| {
            let nonce = NONCES.mint(countersign_jose::UnixTime::from_millis(millis));
            json!({"minted_millis": millis, "nonce": nonce})
        })
        .collect()
}
