//! TLS: certificate and key from PEM files, TLS 1.2 and 1.3, HTTP versions by ALPN; and how the pair is
//! exchanged while connections are open.

mod leaf;
mod mutual;
mod pair;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use countersign_jose::UnixTime;
use thiserror::Error;

use crate::config::Tls;
pub(crate) use leaf::{Leaf, Standing};
pub(crate) use pair::{Contents, Pair};

/// Why TLS cannot be spoken.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{}: {problem}", file.display())]
pub struct TlsError {
    /// The file that is wrong.
    pub file: PathBuf,
    /// What is wrong with it.
    pub problem: String,
}

/// The pair that new connections are greeted with. Those that are open keep the one they began
/// with, so an exchange costs no call.
pub(crate) struct Certificates {
    in_use: ArcSwap<Pair>,
}

impl Certificates {
    /// Reads and checks the files.
    pub(crate) fn load(files: &Tls) -> Result<Self, TlsError> {
        Ok(Self {
            in_use: ArcSwap::from_pointee(Pair::read(files)?),
        })
    }

    /// The pair that is greeted with.
    pub(crate) fn in_use(&self) -> Arc<Pair> {
        self.in_use.load_full()
    }

    /// Greets with `next`, which was in `files`, from now on.
    ///
    /// # Errors
    /// It is out of its time, and the pair in use is not: that one stays, or every new connection
    /// would fail.
    pub(crate) fn take(
        &self,
        next: Pair,
        files: &Tls,
        now: UnixTime,
    ) -> Result<Standing, TlsError> {
        let standing = next.leaf.standing(now);
        if standing.is_out() && !self.in_use.load().leaf.standing(now).is_out() {
            let problem = format!("the certificate {standing}");
            return Err(wrong(&files.certificate_file, problem));
        }
        self.in_use.store(Arc::new(next));
        Ok(standing)
    }
}

fn wrong(file: &Path, problem: impl Into<String>) -> TlsError {
    TlsError {
        file: file.to_owned(),
        problem: problem.into(),
    }
}
