//! Keys open with their own file only; files that are not safe are refused by name.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};

use std::path::PathBuf;

use tempfile::TempDir;

use super::wrap::KeyEncryptionKey;
use super::*;

fn custody(seed: u8) -> Custody {
    Custody::File {
        path: PathBuf::from("store.key"),
        key: KeyEncryptionKey::new(Zeroizing::new([seed; 32])),
    }
}

async fn made(purpose: KeyPurpose) -> ServiceKey {
    let made = make(&custody(1), purpose, UnixTime::from_secs(1)).await;
    made.expect("made").0
}

#[tokio::test]
async fn keys_open_with_the_key_they_were_made_under_and_no_other() {
    for purpose in KeyPurpose::ALL {
        let key = made(purpose).await;
        assert!(open(&custody(1), &key).await.is_ok(), "{key:?}");
        let refused = open(&custody(2), &key).await.err().expect("does not fit");
        assert!(
            refused
                .to_string()
                .contains("does not open the keys in the store"),
            "{refused}"
        );
    }
}

#[tokio::test]
async fn a_record_cannot_pass_for_another() {
    let (signing, mac) = (
        made(KeyPurpose::Signing).await,
        made(KeyPurpose::HandleMac).await,
    );
    let swapped = ServiceKey {
        sealed: mac.sealed.clone(),
        ..signing.clone()
    };
    assert!(open(&custody(1), &swapped).await.is_err());
    let renamed = ServiceKey {
        id: KeyId::new("00000000"),
        ..mac
    };
    assert!(open(&custody(1), &renamed).await.is_err());
    let other_purpose = ServiceKey {
        purpose: KeyPurpose::HandleMac,
        ..signing
    };
    assert!(open(&custody(1), &other_purpose).await.is_err());
}

/// What is encrypted under a file is not asked of a program, nor the other way round: the reason is
/// in the configuration, and is said.
#[tokio::test]
async fn a_key_under_another_kind_of_lock_is_refused_with_the_way_out() {
    let key = made(KeyPurpose::HandleMac).await;
    let program = Custody::Program(program::Program::new(vec!["/nowhere/kms".to_owned()]));
    let refused = open(&program, &key).await.err().expect("refused");
    let told = refused.to_string();
    assert!(
        told.contains("under a key file") && told.contains("/nowhere/kms"),
        "{told}"
    );
    let by_program = ServiceKey {
        sealed: SealedKey {
            lock: countersign_issuer::model::Lock::Program,
            ..key.sealed.clone()
        },
        ..key
    };
    let refused = open(&custody(1), &by_program).await.err().expect("refused");
    let told = refused.to_string();
    assert!(
        told.contains("by a program") && told.contains("store.key"),
        "{told}"
    );
}

#[test]
fn a_file_that_was_made_is_private_and_reads_back() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("keys/store.key");
    assert!(file::read(&path).expect("no file is no error").is_none());
    file::create(&path, &[7; 32]).expect("made");
    assert_eq!(
        fs::metadata(&path).expect("there").permissions().mode() & 0o777,
        0o600
    );
    assert!(file::read(&path).expect("reads").is_some());
    assert!(file::create(&path, &[8; 32]).is_err(), "never overwritten");
}

#[test]
fn a_file_that_was_not_written_whole_stands_in_nobodys_way() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("store.key");
    fs::write(folder.path().join("store.key.new"), "half").expect("written");
    file::create(&path, &[7; 32]).expect("made");
    assert!(file::read(&path).expect("reads").is_some());
    let names = fs::read_dir(folder.path()).expect("listed").count();
    assert_eq!(names, 1, "nothing else is left");
}

#[test]
fn files_that_are_not_safe_or_not_keys_are_refused() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("store.key");
    for (content, mode, expected) in [
        (
            "A".repeat(43),
            0o640,
            "can be read or written by other accounts (mode 0640)",
        ),
        (
            "A".repeat(43),
            0o604,
            "can be read or written by other accounts (mode 0604)",
        ),
        ("A".repeat(42), 0o600, "does not hold a key"),
        ("A".repeat(44), 0o600, "does not hold a key"),
        ("A".repeat(4096), 0o600, "does not hold a key"),
        (String::new(), 0o600, "does not hold a key"),
        ("B".repeat(43), 0o600, "does not hold a key"),
    ] {
        fs::write(&path, &content).expect("written");
        fs::set_permissions(&path, Permissions::from_mode(mode)).expect("set");
        let refused = file::read(&path).err().expect("refused").to_string();
        assert!(refused.contains(expected), "{refused}");
        assert!(refused.contains("store.key"), "{refused}");
    }
    let refused = file::read(folder.path()).err().expect("refused");
    assert!(
        matches!(refused, KeyFileError::NotAFile { .. }),
        "{refused}"
    );
}

#[test]
fn a_credential_of_systemd_is_not_exposed() {
    for (mode, uid, gid, exposed) in [
        (0o600, 7, 7, false),
        (0o400, 7, 7, false),
        (0o440, 0, 0, false),
        (0o440, 0, 7, true),
        (0o440, 7, 0, true),
        (0o640, 0, 0, true),
        (0o444, 0, 0, true),
        (0o604, 0, 0, true),
    ] {
        assert_eq!(
            file::exposed(mode, uid, gid),
            exposed,
            "{mode:o} {uid} {gid}"
        );
    }
}

#[test]
fn a_file_inside_the_data_directory_is_refused_by_any_name() {
    let folder = TempDir::new().expect("a folder");
    let data = folder.path().join("data");
    fs::create_dir(&data).expect("made");
    symlink(&data, folder.path().join("link")).expect("made");
    for (path, inside) in [
        ("data/store.key", true),
        ("data/sub/store.key", true),
        ("data/../data/store.key", true),
        ("link/store.key", true),
        ("data.key", false),
        ("keys/store.key", false),
    ] {
        let checked = file::outside(&folder.path().join(path), &data);
        assert_eq!(checked.is_err(), inside, "{path}");
    }
}
