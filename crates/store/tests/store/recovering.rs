//! A store whose end is lost: said, copied aside, and opened only then.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use countersign_store::embedded::recover::{Loss, accept, diagnose};
use countersign_store::embedded::{verify, verify_copy};
use countersign_store::laws::Place;
use countersign_store::{Change, Commit, EmbeddedStore, Key, Options, Store, Write};
use tempfile::{TempDir, tempdir};

use crate::refused::copy;

/// What the tests call the seconds of their recovery.
const NOW: u64 = 1_700_000_000;

struct Home(TempDir);

impl Home {
    /// A store of 20 commits.
    async fn new() -> Self {
        let home = Self(tempdir().unwrap());
        home.commit(1..=20).await;
        home
    }

    fn store(&self) -> std::path::PathBuf {
        self.0.path().join("store")
    }

    async fn commit(&self, numbers: std::ops::RangeInclusive<u8>) -> u64 {
        let store = EmbeddedStore::open(self.store(), Options::default()).unwrap();
        let mut last = 0;
        for n in numbers {
            let change = Change::of([Write::create(Key::of("k").and([n]), "value")]);
            let Commit::Done(done) = store.commit(change).await.unwrap() else {
                panic!("a conflict")
            };
            last = done.version.as_u64();
        }
        store.close().await.unwrap();
        last
    }

    fn label(&self) -> &'static str {
        label(&self.store())
    }
}

fn label(store: &Path) -> &'static str {
    EmbeddedStore::open(store, Options::default()).map_or_else(|error| error.label(), |_| "opens")
}

#[tokio::test]
async fn a_lost_tail_is_accepted_with_a_copy_of_everything() {
    let home = Home::new().await;
    let (database, earlier) = (home.store().join("database"), home.0.path().join("earlier"));
    copy(&database, &earlier);
    home.commit(21..=40).await;
    fs::remove_dir_all(&database).unwrap();
    fs::rename(&earlier, &database).unwrap();
    // The mark is a little behind when a process is killed.
    fs::write(home.store().join("mark"), "countersign mark, commit 30\n").unwrap();
    let before = files(&home.store());

    let diagnosis = diagnose(home.store()).unwrap();
    let lost = Loss::Tail {
        found: 20,
        mark: 30,
    };
    assert_eq!(diagnosis.loss(), &lost);
    assert!(lost.to_string().contains("at least 10 are lost"), "{lost}");
    assert_eq!(home.label(), "locked", "nobody comes in between");
    drop(diagnosis);
    assert_eq!(home.label(), "lost_tail", "to look is not to accept");

    let recovered = accept(diagnose(home.store()).unwrap(), NOW, |_| Ok(())).unwrap();
    assert_eq!(recovered.last_commit, 20);
    assert_eq!(
        recovered.aside,
        home.0
            .path()
            .canonicalize()
            .unwrap()
            .join(format!("store.lost-{NOW}"))
    );
    assert_eq!(files(&recovered.aside), before);
    assert_eq!(
        label(&recovered.aside),
        "lost_tail",
        "the copy is as it was"
    );

    assert!(verify(home.store()).unwrap().is_sound());
    let refused =
        accept(diagnose(home.store()).unwrap(), NOW + 1, |_| Ok(())).expect_err("it is well");
    assert!(refused.to_string().contains("nothing is lost"), "{refused}");
    // No version comes twice that somebody could hold.
    let version = home.commit(41..=41).await;
    assert!(version > recovered.next_above && version > 40, "{version}");
    let store = EmbeddedStore::open(home.store(), Options::default()).unwrap();
    let found = store
        .load(&[20, 21, 41].map(|n| Key::of("k").and([n])))
        .await
        .unwrap();
    assert_eq!(
        found.iter().map(Option::is_some).collect::<Vec<_>>(),
        [true, false, true]
    );
}

#[tokio::test]
async fn a_missing_mark_is_a_loss_of_nobody_knows_what() {
    let home = Home::new().await;
    let mark = home.store().join("mark");
    for n in 0..2 {
        match n {
            0 => fs::remove_file(&mark).unwrap(),
            _ => fs::write(&mark, "countersign mark, commit many\n").unwrap(),
        }
        let found = verify(home.store()).unwrap().findings;
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].to_string().starts_with("the mark: it is missing"));
        let diagnosis = diagnose(home.store()).unwrap();
        assert!(
            matches!(diagnosis.loss(), Loss::Mark { .. }),
            "{diagnosis:?}"
        );
        accept(diagnosis, NOW + n, |_| Ok(())).unwrap();
        assert_eq!(home.label(), "opens");
    }
}

#[tokio::test]
async fn damage_is_not_mended() {
    let home = Home::new().await;
    fs::remove_file(home.store().join("database/db")).unwrap();
    let diagnosis = diagnose(home.store()).unwrap();
    assert!(
        matches!(diagnosis.loss(), Loss::Damaged { .. }),
        "{diagnosis:?}"
    );
    let refused = accept(diagnosis, NOW, |_| Ok(())).expect_err("nothing to build on");
    assert!(
        refused.to_string().contains("restore a backup"),
        "{refused}"
    );
    assert_eq!(
        fs::read_dir(home.0.path()).unwrap().count(),
        1,
        "nothing was copied"
    );
}

/// A copy that cannot be made leaves the store as refused as it was.
#[tokio::test]
async fn nothing_is_accepted_without_its_copy() {
    let home = Home::new().await;
    fs::remove_file(home.store().join("mark")).unwrap();
    // With what the kept copy's name adds, it is longer than a name may be.
    let long = home.0.path().join("s".repeat(242));
    fs::rename(home.store(), &long).unwrap();
    let before = |_: &std::path::Path| panic!("nothing was accepted yet");
    let refused = accept(diagnose(&long).unwrap(), NOW, before).expect_err("no such name");
    assert!(
        refused.to_string().contains("could not be copied"),
        "{refused}"
    );
    assert_eq!(label(&long), "no_mark");
}

/// A killed process's database has an end that its driver rewrites at once when it opens it. Who
/// only asks must leave every byte; and what is put aside is what was found, not what was left of it.
#[tokio::test]
async fn to_look_changes_no_byte_and_what_is_put_aside_is_what_was_found() {
    let tears: [fn(&Path); 3] = [flip, cut, |_| {}];
    for (n, tear) in (0..).zip(tears) {
        let folder = tempdir().unwrap();
        let home = folder.path().join("store");
        killed(&home).await;
        tear(&home.join("database/db"));
        fs::write(home.join("mark"), "countersign mark, commit 300\n").unwrap();
        let unfinished = home.join("database/snap.00000000000000FF.generating");
        fs::write(unfinished, "half of a snapshot").unwrap();
        let found = bytes(&home);

        // What another one left that was killed as it looked.
        fs::create_dir_all(folder.path().join("store.diagnosing/database")).unwrap();
        let diagnosis = diagnose(&home).unwrap();
        let loss = diagnosis.loss().clone();
        assert!(
            matches!(loss, Loss::Tail { mark: 300, .. }),
            "{n}: {loss:?}"
        );
        assert!(bytes(&home) == found, "{n}: looking changed a file");
        drop(diagnosis);
        assert!(bytes(&home) == found, "{n}: letting go changed a file");
        let beside = fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(beside, 1, "{n}: something was left beside it");
        let verified = verify_copy(&home, folder.path()).unwrap();
        assert!(!verified.is_sound(), "{n}: it is behind its mark");
        assert!(
            bytes(&home) == found,
            "{n}: verifying a copy changed a file"
        );
        let beside = fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(beside, 1, "{n}: something was left beside it");

        let diagnosis = diagnose(&home).unwrap();
        assert_eq!(diagnosis.loss(), &loss, "{n}: it is found again");
        let recovered = accept(diagnosis, NOW, |_| Ok(())).unwrap();
        assert!(bytes(&recovered.aside) == found, "{n}: not what was found");
        assert_eq!(label(&home), "opens");
        let opened = bytes(&home);
        assert!(
            opened[Path::new("database/db")] != found[Path::new("database/db")],
            "{n}: the driver rewrites nothing, and so this shows nothing"
        );
    }
}

/// What has the name of the copy and is none of ours is not removed.
#[tokio::test]
async fn what_lies_where_the_copy_goes_is_left_alone() {
    let home = Home::new().await;
    let taken = home.0.path().join("store.diagnosing");
    fs::create_dir(&taken).unwrap();
    fs::write(taken.join("letter"), "of somebody").unwrap();
    let refused = diagnose(home.store()).expect_err("it is taken");
    assert_eq!(refused.label(), "not_copied");
    assert!(refused.to_string().contains("move it away"), "{refused}");
    assert_eq!(fs::read(taken.join("letter")).unwrap(), b"of somebody");
    fs::remove_dir_all(&taken).unwrap();
    std::os::unix::fs::symlink(home.store(), &taken).unwrap();
    assert_eq!(
        diagnose(home.store()).expect_err("a link").label(),
        "not_copied"
    );
    assert_eq!(home.label(), "opens");
}

/// One that was killed in the same second keeps nobody from trying again, and its copy stays.
#[tokio::test]
async fn a_copy_of_the_same_second_is_left_alone() {
    let home = Home::new().await;
    fs::remove_file(home.store().join("mark")).unwrap();
    let taken = home.0.path().join(format!("store.lost-{NOW}"));
    fs::create_dir(&taken).unwrap();
    fs::write(taken.join("part"), "of a copy").unwrap();
    let recovered = accept(diagnose(home.store()).unwrap(), NOW, |_| Ok(())).unwrap();
    let aside = home.0.path().join(format!("store.lost-{NOW}-2"));
    assert_eq!(recovered.aside, fs::canonicalize(aside).unwrap());
    assert!(recovered.aside.join("database/db").is_file());
    assert_eq!(fs::read_dir(&taken).unwrap().count(), 1);
    assert_eq!(home.label(), "opens");
}

/// What is to be there whenever the store opens is written before it does; without it, it does not.
#[tokio::test]
async fn what_comes_before_an_acceptance_is_there_or_the_store_stays_refused() {
    let home = Home::new().await;
    fs::remove_file(home.store().join("mark")).unwrap();
    let full = |_: &std::path::Path| Err(std::io::Error::from_raw_os_error(28));
    let refused = accept(diagnose(home.store()).unwrap(), NOW, full).expect_err("no room");
    assert!(refused.to_string().contains("No space"), "{refused}");
    assert_eq!(home.label(), "no_mark");
    let note = |directory: &std::path::Path| fs::write(directory.join("note"), "x");
    accept(diagnose(home.store()).unwrap(), NOW + 1, note).unwrap();
    assert!(home.store().join("note").is_file());
}

/// Neither makes a store where there is none.
#[tokio::test]
async fn what_is_no_store_is_left_alone() {
    let folder = tempdir().unwrap();
    for path in [folder.path().to_owned(), folder.path().join("none")] {
        assert_eq!(verify(&path).expect_err("no store").label(), "not_ours");
        assert_eq!(diagnose(&path).expect_err("no store").label(), "not_ours");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    let place = crate::place::DirectoryPlace::default();
    let store = place.open().await;
    assert_eq!(verify(place.path()).expect_err("in use").label(), "locked");
    store.close().await.unwrap();
}

/// A store of 40 commits as a process leaves it that is killed.
async fn killed(home: &Path) {
    let running = tempdir().unwrap();
    let store = EmbeddedStore::open(running.path(), Options::default()).unwrap();
    for n in 0..40_u8 {
        let key = |m: u8| Key::of("k").and([n, m]);
        let writes = (0..5).map(|m| Write::create(key(m), vec![7_u8; 100]));
        store.commit(Change::of(writes)).await.unwrap();
    }
    copy(running.path(), home);
    store.close().await.unwrap();
}

/// A bit of what was written last, but some records, is another.
fn flip(db: &Path) {
    let mut bytes = fs::read(db).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    bytes[end - 2_500] ^= 0x10;
    fs::write(db, bytes).unwrap();
}

/// Half of what was written is not there.
fn cut(db: &Path) {
    let mut bytes = fs::read(db).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    bytes.truncate(end / 2);
    fs::write(db, bytes).unwrap();
}

/// Every file below a folder, whole.
fn bytes(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(inner) = folders.pop() {
        for entry in fs::read_dir(inner).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => {
                    let name = path.strip_prefix(folder).unwrap().to_owned();
                    found.insert(name, fs::read(path).unwrap());
                }
            }
        }
    }
    found
}

/// What the files are that the driver has no part in, and which ones it has.
fn files(store: &Path) -> (Vec<String>, Vec<std::ffi::OsString>) {
    let ours = ["store", "mark"].map(|name| fs::read_to_string(store.join(name)).unwrap());
    let theirs = fs::read_dir(store.join("database")).unwrap();
    let mut theirs: Vec<_> = theirs.map(|file| file.unwrap().file_name()).collect();
    theirs.retain(|name| name == "db" || name == "conf");
    theirs.sort();
    (ours.to_vec(), theirs)
}
