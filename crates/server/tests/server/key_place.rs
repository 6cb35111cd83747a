//! Who has the key-encryption key: a file or a program, how it is changed, and what is said when it
//! is of no use.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use countersign::admin::v1::SigningKeyPurpose;
use countersign_server::{IfInForce, KeyPlace, Rekeyed, Server, StartError, rekey};

use crate::harness::Service;
use crate::keys::{active, listed};

/// Three bytes before the key are no secret, but an answer of the right form. They stand for its
/// own key: what begins with others is not opened.
const TOY: &str = r#"#!/bin/sh
read -r verb label bytes
case "$verb $bytes" in
wrap*) echo "ok AAAA$bytes" ;;
unwrap\ AAAA*) echo "ok ${bytes#????}" ;;
*) echo "error not mine" ;;
esac
"#;

fn script(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, text).expect("written");
    fs::set_permissions(&path, Permissions::from_mode(0o700)).expect("set");
    path
}

fn command(program: &Path) -> Vec<String> {
    vec![program.to_str().expect("UTF-8").to_owned()]
}

async fn refused(service: &Service) -> StartError {
    let clock = service.clock.clone();
    let started = Server::start(service.config.clone(), clock).await;
    started.err().expect("must be refused")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_can_have_the_key() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let toy = script(folder.path(), "toy", TOY);
    let mut service = Service::start_cold(|config| config.store.key_command = command(&toy)).await;
    assert!(!service.config.key_file().exists(), "no key was made");
    let before = active(&service, SigningKeyPurpose::AccessTokens).await;
    service.restart().await;
    assert_eq!(
        active(&service, SigningKeyPurpose::AccessTokens).await,
        before
    );
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_is_of_no_use_is_refused_with_the_reason() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let toy = script(folder.path(), "toy", TOY);
    let mut service = Service::start_cold(|config| config.store.key_command = command(&toy)).await;
    service.stop().await;
    let answers = |text: &str| format!("#!/bin/sh\nread -r line\n{text}\n");
    for (text, expected) in [
        ("exit 3", "failed (exit status: 3)"),
        ("exit 0", "did not answer with one line"),
        ("echo hello", "did not answer with one line"),
        ("echo 'ok !!'", "did not answer with one line"),
        ("echo 'ok AAAA'", "did not answer with one line"),
        (
            "echo 'ok AAAA'; echo 'ok AAAA'",
            "did not answer with one line",
        ),
        ("yes ok", "did not answer with one line"),
        ("echo 'error no such key'", "says: no such key"),
        (
            "echo 'ok AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8'",
            "does not open the keys in the store",
        ),
        ("sleep 60", "did not answer within 10 s"),
    ] {
        let program = script(folder.path(), "other", &answers(text));
        service.config.store.key_command = command(&program);
        let told = refused(&service).await.to_string();
        assert!(told.contains(expected), "{text}: {told}");
        assert!(told.contains("other"), "names the program: {told}");
    }
    service.config.store.key_command = vec!["/nowhere/kms".to_owned()];
    let told = refused(&service).await.to_string();
    assert!(told.contains("/nowhere/kms cannot be started"), "{told}");
    service.config.store.key_command = Vec::new();
    service.config.store.key_file = Some(folder.path().join("file.key"));
    fs::write(folder.path().join("file.key"), "A".repeat(43)).expect("written");
    let mode = Permissions::from_mode(0o600);
    fs::set_permissions(folder.path().join("file.key"), mode).expect("set");
    let told = refused(&service).await.to_string();
    assert!(told.contains("were encrypted by a program"), "{told}");
}

/// File to file, to program, to program, and back: the same keys open, with the newest place alone.
#[tokio::test(flavor = "multi_thread")]
async fn the_key_encryption_key_is_changed_between_all_places() {
    let mut service = Service::start().await;
    let before = names(&service).await;
    service.stop().await;
    let folder = service.folder.path().to_owned();
    let toy = script(&folder, "toy", TOY);
    let other = script(&folder, "other-toy", &TOY.replace("AAAA", "BBBB"));
    for place in [
        KeyPlace::File(folder.join("second.key")),
        KeyPlace::Command(command(&toy)),
        KeyPlace::Command(command(&other)),
        KeyPlace::File(folder.join("third.key")),
    ] {
        let old = service.config.clone();
        let changed = changed_to(&service, place.clone(), IfInForce::Refuse).await;
        let changed = changed.unwrap_or_else(|error| panic!("{place:?}: {error}"));
        assert_eq!(changed.keys, before.len());
        let store = &mut service.config.store;
        (store.key_file, store.key_command) = match place.clone() {
            KeyPlace::File(path) => (Some(path), Vec::new()),
            KeyPlace::Command(command) => (None, command),
            KeyPlace::Credential(_) => unreachable!(),
        };
        if let Some(file) = changed.old_file {
            assert!(file.exists(), "the old one is left in place");
        }
        let again = changed_to(&service, place, IfInForce::Refuse).await;
        let told = again.expect_err("nothing would change").to_string();
        assert!(told.contains("encrypted under already"), "{told}");
        let new = std::mem::replace(&mut service.config, old);
        let told = refused(&service).await.to_string();
        let reasons = ["the keys in the store", "says: not mine"];
        assert!(reasons.iter().any(|why| told.contains(why)), "{told}");
        service.config = new;
        service.run().await;
        assert_eq!(names(&service).await, before);
        service.stop().await;
    }
}

async fn changed_to(
    service: &Service,
    place: KeyPlace,
    if_in_force: IfInForce,
) -> Result<Rekeyed, StartError> {
    rekey(&service.config, place, if_in_force, service.now()).await
}

/// A key service that has a new key keeps its former one, to open what is of that. The change is
/// one, since the program before does not open what is of the new key.
#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_opens_what_is_of_the_key_before_is_taken_if_it_has_another() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let toy = script(folder.path(), "toy", TOY);
    let opens_both = TOY.replace("ok AAAA", "ok BBBB").replace("AAAA*", "????*");
    let both = script(folder.path(), "both", &opens_both);
    let same = script(folder.path(), "same", TOY);
    let mut service = Service::start_cold(|config| config.store.key_command = command(&toy)).await;
    service.stop().await;
    let to_same = KeyPlace::Command(command(&same));
    let told = changed_to(&service, to_same.clone(), IfInForce::Refuse).await;
    let told = told.expect_err("nothing would change").to_string();
    assert!(told.contains("same has no new key"), "{told}");
    let anew = changed_to(&service, to_same, IfInForce::Anew).await;
    assert_eq!(anew.expect("asked for").keys, 4);
    let changed = changed_to(
        &service,
        KeyPlace::Command(command(&both)),
        IfInForce::Refuse,
    )
    .await;
    assert_eq!(changed.expect("another key").keys, 4);
    refused(&service).await;
    service.config.store.key_command = command(&both);
    service.run().await;
    service.stop().await;
}

/// A key service that is down for a moment says nothing about its key: one that has the key that is
/// in force is not taken for one with another, whichever of its answers fail.
#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_fails_for_a_while_is_not_taken_for_one_with_another_key() {
    let mut service = Service::start().await;
    service.stop().await;
    let folder = service.folder.path().to_owned();
    // It counts what it is asked, and fails at some of it.
    let failing = |name: &str, from: u32, to: u32, how: &str| {
        let count = format!(
            "n=$(cat \"$0.n\" 2>/dev/null || echo 0); n=$((n + 1)); echo $n >\"$0.n\"\n\
             if [ $n -ge {from} ] && [ $n -le {to} ]; then {how}; fi\n"
        );
        let text = TOY.replacen("case", &format!("{count}case"), 1);
        let _anew = fs::remove_file(folder.join(format!("{name}.n")));
        command(&script(&folder, name, &text))
    };
    let toy = script(&folder, "toy", TOY);
    let first = KeyPlace::Command(command(&toy));
    let changed = changed_to(&service, first, IfInForce::Refuse).await;
    changed.expect("from a file to a program");
    service.config.store.key_command = command(&toy);
    service.config.store.key_file = None;
    let (throttled, ends) = ("echo 'error throttled'; exit", "exit 7");
    let single = (1..=14).map(|n| (n, n, throttled));
    let many = [
        (1, 4, throttled),
        (1, 4, ends),
        (9, 12, throttled),
        (9, 40, ends),
    ];
    for (from, to, how) in single.chain(many) {
        let place = KeyPlace::Command(failing("new", from, to, how));
        let told = changed_to(&service, place, IfInForce::Refuse).await;
        let told = told.expect_err("it has no other key").to_string();
        assert!(told.contains("new"), "{from} to {to}, {how}: {told}");
    }
    // The one before may fail as well.
    let same = KeyPlace::Command(command(&script(&folder, "same", TOY)));
    for n in 1..=12 {
        service.config.store.key_command = failing("old", n, n, throttled);
        let told = changed_to(&service, same.clone(), IfInForce::Refuse).await;
        told.expect_err("it has no other key");
    }
    service.config.store.key_command = command(&toy);
    service.run().await;
    service.stop().await;
}

async fn names(service: &Service) -> Vec<String> {
    let keys = listed(service).await.into_iter();
    keys.map(|key| key.kid).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_service_or_a_folder_without_a_store_is_not_rekeyed() {
    let mut service = Service::start().await;
    let place = KeyPlace::File(service.path("second.key"));
    let refused = |changed: Result<Rekeyed, StartError>| changed.expect_err("refused").to_string();
    let told = refused(changed_to(&service, place.clone(), IfInForce::Refuse).await);
    assert!(told.contains("is using this store"), "{told}");
    assert!(!service.path("second.key").exists(), "nothing was made");
    service.stop().await;

    let mut elsewhere = service.config.clone();
    elsewhere.store.directory = service.path("elsewhere");
    let told = rekey(&elsewhere, place.clone(), IfInForce::Refuse, service.now()).await;
    let told = refused(told);
    assert!(told.contains("holds no store"), "{told}");
    assert!(!service.path("elsewhere").exists(), "nothing was made");

    // A program that cannot take over changes nothing.
    let broken = KeyPlace::Command(vec!["/bin/false".to_owned()]);
    let told = refused(changed_to(&service, broken, IfInForce::Refuse).await);
    assert!(told.contains("/bin/false"), "{told}");
    service.run().await;
    service.stop().await;
}
