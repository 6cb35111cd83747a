//! The service's own keys: seen, replaced, revoked, and encrypted anew.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::program::{Ran, Service, finish, program, serve, wait};

const SIGNING: &str = "SIGNING_KEY_PURPOSE_ACCESS_TOKENS";

/// The keys of a service that runs.
fn keys(service: &Service) -> Vec<Value> {
    let listed = service.run("--json key list --all").json();
    listed["signing_keys"].as_array().unwrap().clone()
}

/// The name of the signing key in that state.
fn kid(service: &Service, state: &str) -> String {
    let is_it = |key: &&Value| key["purpose"] == SIGNING && key["state"] == state;
    let keys = keys(service);
    let key = keys.iter().find(is_it).unwrap();
    key["kid"].as_str().unwrap().to_owned()
}

#[test]
fn keys_are_seen_replaced_and_revoked() {
    let service = Service::start();
    let told = service.run("key list --all");
    assert_eq!(told.code, 0, "{told:?}");
    for word in [
        "access tokens",
        "refresh tokens, codes",
        "next",
        "active",
        "ready at",
    ] {
        assert!(told.out.contains(word), "{word}: {}", told.out);
    }
    let active = kid(&service, "SIGNING_KEY_STATE_ACTIVE");
    let next = kid(&service, "SIGNING_KEY_STATE_NEXT");

    // It was published moments ago.
    let told = service.run("key rotate");
    assert_eq!(told.code, 0, "{told:?}");
    assert!(
        told.out.contains(&format!("{next} takes over at ")),
        "{}",
        told.out
    );
    let told = service.run("key rotate --purpose mac");
    assert!(told.out.contains("takes over at "), "{}", told.out);
    let listed = service.run("key list --all");
    assert!(
        listed.out.contains("to be replaced as soon as"),
        "{}",
        listed.out
    );

    // Nobody is there to say yes.
    let asked = service.run(&format!("key revoke {active}"));
    assert_eq!(asked.code, 3, "{asked:?}");
    assert!(
        asked
            .err
            .contains("every access token that it signed is refused"),
        "{asked:?}"
    );
    assert!(asked.err.contains("--yes"), "{asked:?}");
    assert_eq!(kid(&service, "SIGNING_KEY_STATE_ACTIVE"), active);

    let revoked = service.run(&format!("key revoke {active} --yes"));
    assert_eq!(revoked.code, 0, "{revoked:?}");
    assert!(
        revoked.out.contains(&format!("{next} is active")),
        "{revoked:?}"
    );
    assert_eq!(kid(&service, "SIGNING_KEY_STATE_ACTIVE"), next);
    let again = service.run(&format!("key revoke {active} --yes"));
    assert_eq!(again.code, 7, "{again:?}");
}

/// A service that was stopped, its folder, and what it had.
fn stopped() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let (child, _) = serve(folder.path(), &[]);
    stop(child);
    folder
}

fn stop(mut child: std::process::Child) {
    let id = child.id().to_string();
    let sent = Command::new("kill").args(["-s", "TERM", &id]).status();
    assert!(sent.unwrap().success());
    assert!(wait(&mut child).success());
}

fn rekey(folder: &Path, old: &str, new: &str) -> Command {
    let mut command = program();
    command
        .args(["key", "rekey", "--data"])
        .arg(folder.join("data"))
        .arg("--key-file")
        .arg(folder.join(old))
        .arg("--new-key-file")
        .arg(folder.join(new));
    command
}

/// A start that must fail, with this file.
fn refused(folder: &Path, key_file: &str) -> Ran {
    let ran = finish(
        program()
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(folder.join("data"))
            .arg("--key-file")
            .arg(folder.join(key_file)),
    );
    assert_eq!(ran.code, 4, "{ran:?}");
    ran
}

#[test]
fn the_key_encryption_key_is_changed_when_the_service_is_stopped() {
    let folder = stopped();
    let folder = folder.path();
    let asked = finish(&mut rekey(folder, "kek", "kek-2"));
    assert_eq!(asked.code, 3, "{asked:?}");
    assert!(
        asked.err.contains("kek-2") && asked.err.contains("--yes"),
        "{asked:?}"
    );
    assert!(!folder.join("kek-2").exists(), "nothing was made");

    let done = finish(rekey(folder, "kek", "kek-2").arg("--yes"));
    assert_eq!(done.code, 0, "{done:?}");
    assert!(
        done.out.contains("4 keys are encrypted anew"),
        "{}",
        done.out
    );
    let named = format!(
        "key_file = {:?}",
        folder.join("kek-2").display().to_string()
    );
    assert!(done.out.contains(&named), "{}", done.out);
    let handed_over = format!("LoadCredential=kek:{}", folder.join("kek-2").display());
    assert!(done.out.contains(&handed_over), "{}", done.out);
    assert!(done.out.contains("kek is left in place"), "{}", done.out);
    let told = refused(folder, "kek");
    assert!(
        told.err.contains("does not open the keys in the store"),
        "{told:?}"
    );

    // The same key under another name is not another key.
    fs::copy(folder.join("kek-2"), folder.join("copy")).expect("copied");
    for same in ["kek-2", "copy"] {
        let told = finish(rekey(folder, "kek-2", same).arg("--yes"));
        assert_eq!(told.code, 4, "{told:?}");
        let why = "it is the key that they are encrypted under already";
        assert!(told.err.contains(why), "{told:?}");
    }

    // Back again, onto a file that is there.
    let done = finish(rekey(folder, "kek-2", "kek").arg("--yes"));
    assert_eq!(done.code, 0, "{done:?}");
    let (child, _) = serve(folder, &[]);
    let running = finish(rekey(folder, "kek", "kek-3").arg("--yes"));
    assert_eq!(running.code, 4, "{running:?}");
    assert!(
        running.err.contains("another process is using this store"),
        "{running:?}"
    );
    stop(child);
}

/// Killed at any moment, one of the two key-encryption keys opens everything: never some keys
/// under each.
#[test]
fn a_rekey_that_is_killed_leaves_one_key_in_force() {
    let folder = stopped();
    let folder = folder.path();
    // How long it takes here, so that the kills fall on all of it.
    let begun = Instant::now();
    let whole = finish(rekey(folder, "kek", "kek-whole").arg("--yes"));
    assert_eq!(whole.code, 0, "{whole:?}");
    let whole = begun.elapsed();
    let (mut current, mut changed) = ("kek-whole".to_owned(), 0);
    let rounds = 12;
    for round in 0..rounds {
        let new = format!("kek-{round}");
        let mut child = rekey(folder, &current, &new)
            .arg("--yes")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        thread::sleep(whole * round / rounds);
        // Done already, perhaps.
        let _killed = child.kill();
        wait(&mut child);
        // Whichever opens the store opens all of it, or the command below says so.
        let back = format!("kek-back-{round}");
        if folder.join(&new).exists() {
            let with_new = finish(rekey(folder, &new, &back).arg("--yes"));
            if with_new.code == 0 {
                (current, changed) = (back, changed + 1);
                continue;
            }
            assert!(with_new.err.contains("does not open"), "{with_new:?}");
            fs::remove_file(folder.join(&back)).unwrap_or_default();
        }
        let with_old = finish(rekey(folder, &current, &back).arg("--yes"));
        assert_eq!(with_old.code, 0, "{with_old:?}");
        current = back;
    }
    println!("{changed} of {rounds} were done before they were killed");
    fs::copy(folder.join(&current), folder.join("kek-last")).unwrap();
    fs::rename(folder.join("kek-last"), folder.join("kek")).unwrap();
    stop(serve(folder, &[]).0);
}

/// The credential of systemd, by its name; without it, or without a service manager, the reason.
#[test]
fn a_credential_is_found_by_its_name() {
    let folder = stopped();
    let folder = folder.path();
    let credentials = folder.join("credentials");
    fs::create_dir(&credentials).unwrap();
    fs::rename(folder.join("kek"), credentials.join("kek")).unwrap();
    let start = || {
        let mut command = program();
        command
            .args(["serve", "--json", "--listen", "127.0.0.1:0", "--data"])
            .arg(folder.join("data"))
            .env("COUNTERSIGN_STORE_KEY_CREDENTIAL", "kek")
            .env_remove("CREDENTIALS_DIRECTORY");
        command
    };
    let none = finish(&mut start());
    assert_eq!(none.code, 4, "{none:?}");
    assert!(none.err.contains("CREDENTIALS_DIRECTORY"), "{none:?}");
    let other = finish(start().env("CREDENTIALS_DIRECTORY", folder.join("data")));
    assert_eq!(other.code, 4, "{other:?}");
    assert!(other.err.contains("data/kek is not there"), "{other:?}");
    let both = finish(start().args(["--key-file", "x"]));
    assert_eq!(both.code, 3, "{both:?}");
    assert!(both.err.contains("set only one of them"), "{both:?}");

    let log = fs::File::create(folder.join("log")).unwrap();
    let mut child = start()
        .env("CREDENTIALS_DIRECTORY", &credentials)
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap();
    while !fs::read_to_string(folder.join("log"))
        .unwrap()
        .contains("takes calls")
    {
        assert!(child.try_wait().unwrap().is_none(), "it must start");
        thread::sleep(Duration::from_millis(20));
    }
    stop(child);
}
