//! Whether two have one key.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use countersign_issuer::model::{KeyPurpose, Lock};
use zeroize::Zeroizing;

use super::*;
use crate::keyring::make;
use crate::keyring::program::Program;
use crate::keyring::wrap::KeyEncryptionKey;

const NOW: UnixTime = UnixTime::from_secs(1_700_000_000);

fn file(seed: u8) -> Custody {
    Custody::File {
        path: "kek".into(),
        key: KeyEncryptionKey::new(Zeroizing::new([seed; 32])),
    }
}

/// What `custody` encrypted, as a record has it that somebody of the other kind encrypted.
async fn of_other_kind(custody: &Custody, lock: Lock) -> ServiceKey {
    let (mut key, _) = make(custody, KeyPurpose::HandleMac, NOW).await.unwrap();
    key.sealed.lock = lock;
    key
}

/// A file's key that was given to a program, which encrypts with it as we do, is the same key.
#[tokio::test]
async fn a_key_is_the_same_whoever_has_it() {
    let (own, _) = make(&file(1), KeyPurpose::HandleMac, NOW).await.unwrap();
    let same = of_other_kind(&file(1), Lock::Program).await;
    assert!(opens(&file(1), &same, &own).await.unwrap());
    let another = of_other_kind(&file(2), Lock::Program).await;
    assert!(!opens(&file(1), &another, &own).await.unwrap());

    // The other way round: what a file's key made is shown to a program.
    let folder = tempfile::tempdir().unwrap();
    let toy = toy(folder.path());
    let (own, _) = make(&toy, KeyPurpose::HandleMac, NOW).await.unwrap();
    let same = of_other_kind(&toy, Lock::File).await;
    assert!(opens(&toy, &same, &own).await.unwrap());
    let another = of_other_kind(&file(2), Lock::File).await;
    assert!(!opens(&toy, &another, &own).await.unwrap());
}

/// Who does not open what is its own is out of order: nobody knows which key it has.
#[tokio::test]
async fn who_does_not_open_its_own_is_out_of_order() {
    let (another, _) = make(&file(2), KeyPurpose::HandleMac, NOW).await.unwrap();
    assert!(opens(&file(1), &another, &another).await.is_err());
}

/// Three bytes before the key stand for its own key.
fn toy(folder: &Path) -> Custody {
    let text = r#"#!/bin/sh
read -r verb label bytes
case "$verb $bytes" in
wrap*) echo "ok AAAA$bytes" ;;
unwrap\ AAAA*) echo "ok ${bytes#????}" ;;
*) echo "error not mine" ;;
esac
"#;
    let path = folder.join("toy");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o700)).unwrap();
    Custody::Program(Program::new(vec![path.display().to_string()]))
}
