//! Another key-encryption key, while the service is stopped.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Instant;

use tempfile::TempDir;

use crate::key_program::{TOY, script};
use crate::program::{Ran, finish, program, serve, wait};

/// A service that was stopped, its folder, and what it had.
pub(crate) fn stopped() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let (child, _) = serve(folder.path(), &[]);
    stop(child);
    folder
}

pub(crate) fn stop(mut child: std::process::Child) {
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

/// A program that has the same key as the one before, though its command is another: nothing would
/// change, unless its key service has a new version of the key.
#[test]
fn a_program_with_the_key_that_is_in_force_is_refused_as_a_new_one() {
    let folder = stopped();
    let folder = folder.path();
    let toy = script(folder, "toy", TOY);
    let same = script(folder, "same", TOY);
    let other = script(folder, "other", &TOY.replace("AAAA", "BBBB"));
    let settings = folder.join("countersign.toml");
    fs::write(&settings, "").unwrap();
    let to = |new: &Path, more: &[&str]| {
        let mut command = program();
        command
            .args(["key", "rekey", "--yes", "--data"])
            .arg(folder.join("data"))
            .arg("--config")
            .arg(&settings)
            .arg("--new-key-command")
            .arg(new)
            .args(more);
        finish(&mut command)
    };
    let old_file = folder.join("kek").display().to_string();
    let done = to(&toy, &["--key-file", &old_file]);
    assert_eq!(done.code, 0, "{done:?}");
    fs::write(&settings, format!("[store]\nkey_command = [{toy:?}]\n")).unwrap();

    for named in [&toy, &same] {
        let told = to(named, &[]);
        assert_eq!(told.code, 4, "{told:?}");
        let name = named.display();
        let why = format!("{name} has no new key: it opens what the keys are encrypted under");
        for part in [&why, "nothing was changed", "name it in store.key_command"] {
            assert!(told.err.contains(part), "{part}: {told:?}");
        }
        assert!(told.err.contains("--anew"), "{told:?}");
        let done = to(named, &["--anew"]);
        assert_eq!(done.code, 0, "{done:?}");
    }
    let done = to(&other, &[]);
    assert_eq!(done.code, 0, "{done:?}");
}

/// Cut off behind its commit, it was done: whoever gives the command again is told so.
#[test]
fn a_rekey_that_was_done_says_so_when_it_is_given_again() {
    let folder = stopped();
    let folder = folder.path();
    assert_eq!(finish(rekey(folder, "kek", "kek-2").arg("--yes")).code, 0);
    let again = finish(rekey(folder, "kek", "kek-2").arg("--yes"));
    assert_eq!(again.code, 4, "{again:?}");
    for text in [
        "are encrypted under what",
        "kek-2 has already",
        "nothing was changed",
    ] {
        assert!(again.err.contains(text), "{again:?}");
    }
    // A third file opens nothing either, and is not made for that.
    let wrong = finish(rekey(folder, "kek", "kek-3").arg("--yes"));
    assert_eq!(wrong.code, 4, "{wrong:?}");
    assert!(wrong.err.contains("kek does not open"), "{wrong:?}");
    assert!(!folder.join("kek-3").exists(), "a key was made");
}

/// A program's arguments may hold what nobody should read.
#[test]
fn the_arguments_of_a_program_are_not_printed() {
    let folder = stopped();
    let folder = folder.path();
    let toy = script(folder, "toy", TOY).display().to_string();
    let done = finish(
        program()
            .args(["key", "rekey", "--yes", "--data"])
            .arg(folder.join("data"))
            .arg("--key-file")
            .arg(folder.join("kek"))
            .arg(format!("--new-key-command={toy},--pin,marked-secret")),
    );
    assert_eq!(done.code, 0, "{done:?}");
    assert!(
        !(done.out.clone() + &done.err).contains("marked-secret"),
        "{done:?}"
    );
    for text in [&toy, "with the arguments that you gave"] {
        assert!(done.out.contains(text), "{done:?}");
    }
}

/// Only a program can have a new version of its key.
#[test]
fn what_is_taken_anew_is_a_program() {
    let folder = tempfile::tempdir().unwrap();
    let told = finish(
        program()
            .args(["key", "rekey", "--anew", "--data"])
            .arg(folder.path()),
    );
    assert_eq!(told.code, 2, "{told:?}");
    let (what, _) = told.err.split_once("Usage").unwrap_or((&told.err, ""));
    assert!(what.contains("--new-key-command"), "{told:?}");
    assert!(!what.contains("--new-key-file"), "{told:?}");
}

/// A file has one key, and no versions of it.
#[test]
fn a_file_is_not_taken_anew() {
    let folder = tempfile::tempdir().unwrap();
    let told = finish(rekey(folder.path(), "kek", "kek").args(["--yes", "--anew"]));
    assert_eq!(told.code, 2, "{told:?}");
}
