//! The published vectors: what the list of attacks says of a proof. Its other rows are the guard's
//! own tests, by the names in `tests/attacks.toml`; whatever they change is changed here, too, by
//! the other classes.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use tonic::transport::Channel;

use crate::case::letter;
use crate::method::Method;
use crate::stand::{Expected, Stand};
use crate::vectors::published::{Document, Keys};
use crate::vectors::{self, Attempt, Orders};
use crate::{counts, range};

/// HTTP/2 has no words for these.
const NOT_SENT: [&str; 3] = [
    "a line feed in the signature",
    "a path that is not absolute",
    "an empty path",
];

/// Each twice, where HTTP/2 has words for it.
pub(crate) fn every_published_vector() -> Result<(), String> {
    let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
    runtime.block_on(each())
}

async fn each() -> Result<(), String> {
    let document = Document::read();
    let keys = Keys::new();
    let stand = Stand::start().await;
    let mut sent = 0;
    for (terms, vectors) in document.by_terms() {
        let guard = vectors::guard(&stand, &document, &terms).await;
        let (address, handled) = range::serve(&guard, |_| {}, Orders);
        let channel = Channel::from_shared(address).unwrap().connect_lazy();
        for vector in vectors.into_iter().filter(|vector| vector.can_be_sent()) {
            sent += 1;
            let Attempt {
                token,
                proof,
                comes,
                ..
            } = Attempt::of(vector, &keys, &stand, &document, sent);
            let before = handled.load(Ordering::SeqCst);
            let mut reached = 0;
            for again in [false, true] {
                let comes = match comes {
                    Expected::Ok if again => Expected::Spent,
                    comes => comes,
                };
                let answer = vectors::call(&channel, vector, &token, &proof).await;
                reached += u64::from(comes == Expected::Ok);
                match letter(&answer) {
                    // HTTP/2 refuses before us: the header list is over its limit.
                    None if proof.len() > 16 * 1024 => {}
                    letter if letter == Some(comes) => {
                        comes.check_with(&vector.name, answer, terms.limits.algorithms);
                    }
                    letter => return Err(format!("{}: {letter:?}: {answer:?}", vector.name)),
                }
            }
            if handled.load(Ordering::SeqCst) - before != reached {
                return Err(format!("{}: the handler was not to run", vector.name));
            }
        }
    }
    counts::add("a published vector", sent);
    counts::add("cases in all, each sent twice", sent);
    counts::add(Method::CreateOrder.counted(), sent);
    let left_out: BTreeSet<&str> = document
        .vectors
        .iter()
        .filter(|vector| !vector.can_be_sent())
        .map(|vector| &*vector.name)
        .collect();
    match range::panics()[..] {
        [] if left_out == BTreeSet::from(NOT_SENT) => Ok(()),
        ref panics => Err(format!("{left_out:?} were not sent, and {panics:?}")),
    }
}
