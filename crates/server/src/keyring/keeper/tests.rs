//! A change is followed to its end, whoever goes away; a program that does not answer holds none up.

mod late;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use countersign_client::clock::{Clock as _, SystemClock};
use countersign_issuer::IssuerName;
use countersign_store::{MemoryStore, Store};
use tempfile::TempDir;

use super::*;
use crate::config::{Config, KeyPlace};
use crate::health::Health;
use crate::records::Records;
use crate::{opening, start};
use late::Late;

const ISSUER: &str = "http://localhost:7443";
const OPERATOR: Actor = Actor::Operator { uid: 7 };

/// So that a test that is red ends.
const LONG: Duration = Duration::from_secs(60);

/// Answers at once, not at all, or that it cannot, as the file `mode` beside it says.
const PROGRAM: &str = r#"#!/bin/sh
cd "$(dirname "$0")" || exit 1
read -r verb label text
case "$(cat mode)" in
hangs) echo asked > asked; exec sleep 60 ;;
down) echo "error the key service is down"; exit 0 ;;
esac
case $verb in
wrap) echo "ok AAAA$text" ;;
unwrap) echo "ok ${text#AAAA}" ;;
esac
"#;

fn program(folder: &Path) -> KeyPlace {
    let path = folder.join("kms");
    fs::write(&path, PROGRAM).expect("written");
    fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("set");
    set_mode(folder, "answers");
    KeyPlace::Command(vec![path.display().to_string()])
}

fn set_mode(folder: &Path, mode: &str) {
    fs::write(folder.join("mode"), mode).expect("written");
}

async fn keeper(folder: &Path, store: Arc<dyn Store>, place: KeyPlace) -> Arc<Keeper> {
    let mut config = Config::default();
    config.store.directory = folder.join("data");
    let records = Records::new(store);
    let (now, schedules) = (SystemClock.now(), config.schedules());
    let opened = opening::open(&records, &config.store.directory, &place, schedules, now);
    let opened = opened.await.expect("opened");
    let health = Health::serving(&[]).await;
    let clock = Arc::new(SystemClock);
    let name = IssuerName::parse(ISSUER).unwrap();
    let platform = start::platform(&config, clock, records, opened, &name, None, health, now);
    let (platform, _) = platform.await.expect("a platform");
    platform.keeper.look().await.expect("nothing is amiss");
    platform.keeper
}

async fn signing(keeper: &Keeper, state: KeyState) -> Option<KeyId> {
    let keys = keeper.list().await.expect("listed");
    let is_it = |key: &ServiceKey| key.purpose == KeyPurpose::Signing && key.state == state;
    keys.into_iter().find(is_it).map(|key| key.id)
}

fn is_published(keeper: &Keeper, id: &KeyId) -> bool {
    let in_use = keeper.set.in_use();
    in_use.published().any(|key| key.kid == id.as_str())
}

async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let wait = async {
        while !is_so() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(LONG, wait).await.expect(what);
}

/// A keeper over a store whose commits are answered late, and its active key. The folder is its
/// own.
async fn late() -> (TempDir, Arc<Late>, Arc<Keeper>, KeyId) {
    let folder = TempDir::new().expect("a folder");
    let store = Arc::new(Late::new(MemoryStore::new()));
    let file = KeyPlace::File(folder.path().join("store.key"));
    let keeper = keeper(folder.path(), Arc::clone(&store) as _, file).await;
    let active = signing(&keeper, KeyState::Active).await.expect("there");
    (folder, store, keeper, active)
}

#[tokio::test]
async fn a_revocation_takes_effect_although_its_caller_goes_away() {
    let (_folder, store, keeper, active) = late().await;
    store.be_late();
    let (of_call, id) = (Arc::clone(&keeper), active.clone());
    let call = tokio::spawn(async move { of_call.revoke(id, OPERATOR).await });
    store.committed().await;
    call.abort();
    assert!(call.await.is_err_and(|ended| ended.is_cancelled()));
    assert!(is_published(&keeper, &active), "not exchanged yet");
    store.answer();
    until("the key is gone", || !is_published(&keeper, &active)).await;
}

/// However it came about: a commit whose answer was lost does the same.
#[tokio::test]
async fn a_look_catches_up_with_a_change_that_was_torn_apart() {
    let (_folder, store, keeper, active) = late().await;
    store.be_late();
    let (of_call, id) = (Arc::clone(&keeper), active.clone());
    let change = tokio::spawn(async move { of_call.revoke_whole(id, OPERATOR).await });
    store.committed().await;
    change.abort();
    assert!(change.await.is_err_and(|ended| ended.is_cancelled()));
    store.answer();
    keeper.look().await.expect("looked");
    assert!(!is_published(&keeper, &active));
}

#[tokio::test]
async fn a_revocation_waits_for_no_program() {
    let folder = TempDir::new().expect("a folder");
    let place = program(folder.path());
    let keeper = keeper(folder.path(), Arc::new(MemoryStore::new()), place).await;
    let active = signing(&keeper, KeyState::Active).await.expect("there");
    let next = signing(&keeper, KeyState::Next).await.expect("there");

    set_mode(folder.path(), "hangs");
    let of_call = Arc::clone(&keeper);
    let id = active.clone();
    let call = tokio::spawn(async move { of_call.revoke(id, OPERATOR).await });
    let asked = folder.path().join("asked");
    until("a next key is being made", || asked.exists()).await;
    assert!(!is_published(&keeper, &active), "it came first");
    assert!(
        keeper.held.try_lock().is_ok(),
        "nothing is locked meanwhile"
    );
    let replaced = call.await.expect("no panic").expect("revoked");
    assert_eq!(replaced.active.id, next);

    set_mode(folder.path(), "answers");
    keeper.look().await.expect("looked");
    assert!(signing(&keeper, KeyState::Next).await.is_some());
}

#[tokio::test]
async fn where_no_key_can_be_made_the_refusal_says_who_did_not_help() {
    let folder = TempDir::new().expect("a folder");
    let place = program(folder.path());
    let keeper = keeper(folder.path(), Arc::new(MemoryStore::new()), place).await;
    let active = signing(&keeper, KeyState::Active).await.expect("there");
    let next = signing(&keeper, KeyState::Next).await.expect("there");

    set_mode(folder.path(), "down");
    keeper.revoke(next, OPERATOR).await.expect("revoked");
    let refused = keeper.revoke(active.clone(), OPERATOR).await.err();
    let Some(Refused::NoNewKey(why)) = refused else {
        panic!("{refused:?}");
    };
    assert!(why.contains("kms says: the key service is down"), "{why}");
    assert!(is_published(&keeper, &active), "there is never none");

    set_mode(folder.path(), "answers");
    keeper
        .revoke(active.clone(), OPERATOR)
        .await
        .expect("revoked");
    assert!(!is_published(&keeper, &active));
}
