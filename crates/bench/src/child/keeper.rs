//! Who looks after a folder that servers come and go in.
//!
//! It is made and removed by a process that does nothing else: one that measures may be killed while
//! it fills the folder with a million families, and then nobody else is left to remove them.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use crate::BenchError;
use crate::child::Facts;

/// A server that ends at the same time may still be writing: it is tried so often,
const ATTEMPTS: usize = 200;
/// so long apart,
const APART: Duration = Duration::from_millis(50);
/// until it was not there so many times in a row.
const GONE: usize = 10;

/// A folder of its own, with whatever comes into it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Keeper {
    /// It is made in here.
    pub data: PathBuf,
}

pub(super) async fn serve(spec: Keeper) -> Result<(), BenchError> {
    // From here on it goes even where nobody waits for it.
    let folder = super::folder(&spec.data)?.keep();
    let said = super::ready(&Facts {
        url: String::new(),
        issuer: None,
        admin_socket: None,
        folder: Some(folder.clone()),
    });
    if said.is_ok() {
        super::told_to_end().await;
    }
    removed(&folder).await
}

async fn removed(folder: &Path) -> Result<(), BenchError> {
    let mut gone = 0;
    for _ in 0..ATTEMPTS {
        gone = match fs::remove_dir_all(folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => gone + 1,
            Ok(()) | Err(_) => 0,
        };
        if gone == GONE {
            return Ok(());
        }
        sleep(APART).await;
    }
    Err(BenchError::Preparing {
        what: "the end",
        cause: format!("{} cannot be removed", folder.display()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_folder_goes_with_all_that_is_in_it() {
        let outer = tempfile::tempdir().expect("a folder");
        let folder = outer.path().join("kept");
        fs::create_dir_all(folder.join("data")).expect("made");
        fs::write(folder.join("data/db"), "much").expect("written");
        removed(&folder).await.expect("removed");
        assert!(!folder.exists());
        // Somebody else was faster.
        removed(&folder).await.expect("there is none");
    }
}
