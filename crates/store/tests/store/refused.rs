//! Directories that are not opened, each with its own reason, and in one line.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use countersign_store::laws::Place;
use countersign_store::{Change, EmbeddedStore, Key, OpenError, Options, Write};

use crate::place::{DirectoryPlace, large};

fn open(path: &Path) -> Result<EmbeddedStore, OpenError> {
    EmbeddedStore::open(path, Options::default())
}

#[track_caller]
fn check_refused(path: &Path, label: &str, mention: &str) {
    let refused = open(path).expect_err("the directory is refused");
    let line = refused.to_string();
    assert_eq!(refused.label(), label, "{line}");
    assert!(line.starts_with(&path.display().to_string()), "{line}");
    assert!(line.contains(mention) && !line.contains('\n'), "{line}");
}

/// A place with a few commits in it, closed.
async fn used() -> DirectoryPlace {
    let place = DirectoryPlace::default();
    commit(&place, 1..=20).await;
    place
}

async fn commit(place: &DirectoryPlace, numbers: std::ops::RangeInclusive<u8>) {
    let store = place.open().await;
    for n in numbers {
        let change = Change::of([Write::create(Key::of("k").and([n]), "value")]);
        store.commit(change).await.unwrap();
    }
    store.close().await.unwrap();
}

#[tokio::test]
async fn an_open_one_is_locked() {
    let place = DirectoryPlace::default();
    let store = place.open().await;
    check_refused(place.path(), "locked", "another process");
    store.close().await.unwrap();
    open(place.path()).expect("a closed one is free, whoever still holds the store");
}

#[tokio::test]
async fn a_dropped_one_is_free_at_once() {
    let place = DirectoryPlace::default();
    for _ in 0..20 {
        drop(place.open().await);
    }
}

#[test]
fn one_of_something_else_is_not_ours() {
    let place = DirectoryPlace::default();
    fs::write(place.path().join("photo.jpeg"), "not ours").unwrap();
    check_refused(place.path(), "not_ours", "other files");
    assert_eq!(
        fs::read_dir(place.path()).unwrap().count(),
        1,
        "nothing was added"
    );

    fs::write(place.path().join("store"), "somebody's shopping list\n").unwrap();
    check_refused(place.path(), "not_ours", "`store`");
    fs::write(place.path().join("store"), "").unwrap();
    check_refused(place.path(), "not_ours", "`store`");
}

#[tokio::test]
async fn a_file_is_no_directory() {
    let place = DirectoryPlace::default();
    let file = place.path().join("file");
    fs::write(&file, "").unwrap();
    check_refused(&file, "unreadable", "directory");
    check_refused(&file.join("below"), "unreadable", "directory");
}

#[tokio::test]
async fn a_private_one_is_made_where_there_is_none() {
    let place = DirectoryPlace::default();
    let deep = place.path().join("a").join("b");
    open(&deep).unwrap();
    for path in [&deep, &deep.join("database")] {
        assert_eq!(
            fs::metadata(path).unwrap().permissions().mode() & 0o777,
            0o700
        );
    }
}

#[tokio::test]
async fn one_that_may_not_be_read_is_unreadable() {
    let place = used().await;
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o000)).unwrap();
    // The superuser reads everything.
    let superuser = fs::read_dir(place.path()).is_ok();
    if !superuser {
        check_refused(place.path(), "unreadable", "denied");
    }
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o700)).unwrap();
    // What nobody can read: a directory where a file should be.
    fs::remove_file(place.path().join("mark")).unwrap();
    fs::create_dir(place.path().join("mark")).unwrap();
    check_refused(place.path(), "unreadable", "directory");
}

#[tokio::test]
async fn one_of_a_later_release_is_newer() {
    let place = used().await;
    let marker = place.path().join("store");
    let text = fs::read_to_string(&marker).unwrap();
    fs::write(&marker, text.replace("format 3", "format 4")).unwrap();
    check_refused(
        place.path(),
        "newer",
        "later release (its format is 4, this release knows 3)",
    );
    fs::write(&marker, text.replace("format 3", "format 0")).unwrap();
    check_refused(place.path(), "not_ours", "`store`");
    fs::write(&marker, text).unwrap();
    open(place.path()).expect("nothing was changed");
}

#[tokio::test]
async fn one_that_was_set_back_has_lost_its_tail() {
    let place = used().await;
    let database = place.path().join("database");
    let earlier = place.path().join("earlier");
    copy(&database, &earlier);
    commit(&place, 21..=40).await;
    fs::remove_dir_all(&database).unwrap();
    fs::rename(&earlier, &database).unwrap();
    check_refused(
        place.path(),
        "lost_tail",
        "commit 40 was acknowledged, the last one here is 20",
    );
    let refused = EmbeddedStore::open(place.path(), large()).expect_err("a large one, too");
    assert_eq!(refused.label(), "lost_tail", "{refused}");
    fs::remove_dir_all(&database).unwrap();
    check_refused(place.path(), "lost_tail", "the last one here is 0");
}

/// The mark follows the commits without a close, too.
#[tokio::test]
async fn the_mark_is_written_while_there_are_commits() {
    let place = DirectoryPlace::default();
    let store = place.open().await;
    let change = Change::of([Write::create(Key::of("k"), "value")]);
    store.commit(change).await.unwrap();
    let mark = place.path().join("mark");
    let written = async {
        while fs::read_to_string(&mark).unwrap() != "countersign mark, commit 1\n" {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let soon = tokio::time::timeout(std::time::Duration::from_secs(30), written);
    soon.await.expect("the mark follows");
}

#[tokio::test]
async fn one_without_its_mark_is_refused() {
    let place = used().await;
    let mark = place.path().join("mark");
    fs::write(&mark, "countersign mark, commit many\n").unwrap();
    check_refused(place.path(), "no_mark", "`mark`");
    fs::remove_file(&mark).unwrap();
    check_refused(place.path(), "no_mark", "`mark` in it is missing");
}

pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
