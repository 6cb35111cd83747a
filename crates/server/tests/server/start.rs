//! What stops a start, in one clear line; and that stopping gives everything back.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::sync::Arc;

use countersign_client::clock::SystemClock;
use countersign_server::config::Tls;
use countersign_server::{Config, Server, StartError};
use tempfile::TempDir;

use crate::harness::Service;

fn config(folder: &TempDir) -> Config {
    let mut config = Config::default();
    config.listen.address.set_port(0);
    config.store.directory = folder.path().join("data");
    config
}

/// Starts, and says how that failed.
async fn refused(config: Config) -> StartError {
    match Server::start(config, Arc::new(SystemClock)).await {
        Ok(_) => panic!("it started"),
        Err(error) => error,
    }
}

#[track_caller]
fn check(error: &StartError, expected: &str) {
    let line = error.to_string();
    assert!(line.contains(expected), "{line}");
    assert_eq!(line.lines().count(), 1, "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_that_contradicts_itself_is_refused() {
    let folder = TempDir::new().expect("a folder");
    let mut open = config(&folder);
    open.listen.address = "0.0.0.0:0".parse().expect("an address");
    let error = refused(open).await;
    assert!(matches!(error, StartError::Config(_)));
    check(&error, "`tls.certificate_file` must be set");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_in_use_is_refused_and_free_after_a_stop() {
    let mut service = Service::start().await;
    let mut second = service.config.clone();
    second.admin.socket = Some(service.path("second.sock"));
    let error = refused(second.clone()).await;
    assert!(matches!(error, StartError::Open(_)), "{error:?}");
    check(&error, "data");

    service.stop().await;
    let running = Server::start(second, Arc::new(SystemClock))
        .await
        .expect("free now");
    running.stop().await.expect("stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_is_not_ours_is_left_alone() {
    let folder = TempDir::new().expect("a folder");
    let config = config(&folder);
    fs::create_dir(&config.store.directory).expect("made");
    fs::write(config.store.directory.join("notes.txt"), "mine").expect("written");
    let error = refused(config.clone()).await;
    assert!(matches!(error, StartError::Open(_)), "{error:?}");
    check(&error, "not a Countersign store");
    assert_eq!(
        fs::read_to_string(config.store.directory.join("notes.txt")).expect("there"),
        "mine"
    );
    assert!(!config.key_file().exists(), "no key was made");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_is_a_file_is_refused() {
    let folder = TempDir::new().expect("a folder");
    let config = config(&folder);
    fs::write(&config.store.directory, "x").expect("written");
    check(&refused(config).await, "data");
}

#[tokio::test(flavor = "multi_thread")]
async fn key_files_that_are_not_safe_are_refused() {
    let mut service = Service::start().await;
    let key_file = service.running().key_place().file();
    let key_file = key_file.expect("no credential").expect("a file");
    let mode = fs::metadata(&key_file).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "made private");
    service.stop().await;
    let config = service.config.clone();
    let right = fs::read(&key_file).expect("reads");

    fs::set_permissions(&key_file, Permissions::from_mode(0o644)).expect("set");
    let error = refused(config.clone()).await;
    assert!(matches!(error, StartError::KeyFile(_)));
    check(&error, "chmod 600");
    fs::set_permissions(&key_file, Permissions::from_mode(0o600)).expect("set");

    fs::write(&key_file, "short").expect("written");
    check(&refused(config.clone()).await, "does not hold a key");

    fs::write(&key_file, "A".repeat(43)).expect("written");
    check(
        &refused(config.clone()).await,
        "does not open the keys in the store",
    );

    fs::remove_file(&key_file).expect("removed");
    check(&refused(config.clone()).await, "bring the file back");

    let mut inside = config.clone();
    inside.store.key_file = Some(config.store.directory.join("store.key"));
    check(&refused(inside).await, "inside the data directory");

    fs::write(&key_file, right).expect("written");
    fs::set_permissions(&key_file, Permissions::from_mode(0o600)).expect("set");
    service.run().await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_in_use_is_named() {
    let service = Service::start().await;
    let folder = TempDir::new().expect("a folder");
    let mut second = config(&folder);
    second.listen.address = service.running().grpc_address();
    let error = refused(second).await;
    assert!(matches!(error, StartError::AddressInUse(_)), "{error:?}");
    check(&error, "is in use");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_socket_replaces_what_is_dead_and_nothing_else() {
    let folder = TempDir::new().expect("a folder");
    let mut config = config(&folder);
    let path = folder.path().join("admin.sock");
    config.admin.socket = Some(path.clone());

    fs::write(&path, "a file").expect("written");
    check(&refused(config.clone()).await, "is not a socket");
    fs::remove_file(&path).expect("removed");

    let alive = UnixListener::bind(&path).expect("bound");
    check(&refused(config.clone()).await, "another process listens");
    drop(alive);

    assert!(path.exists(), "left behind");
    let running = Server::start(config.clone(), Arc::new(SystemClock))
        .await
        .expect("replaced");
    running.stop().await.expect("stops");
    assert!(!path.exists(), "taken away at a stop");

    config.admin.socket = Some(folder.path().join("x".repeat(120)));
    check(&refused(config).await, "longer than");
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_that_cannot_be_used_are_named() {
    let folder = TempDir::new().expect("a folder");
    let mut config = config(&folder);
    let tls = Tls {
        certificate_file: folder.path().join("tls.crt"),
        key_file: folder.path().join("tls.key"),
        client_authorities_file: None,
    };
    config.tls = Some(tls.clone());
    check(&refused(config.clone()).await, "tls.crt");

    let one = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("made");
    let two = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("made");
    fs::write(&tls.certificate_file, one.cert.pem()).expect("written");
    fs::write(&tls.key_file, "nothing").expect("written");
    check(
        &refused(config.clone()).await,
        "tls.key: holds no private key",
    );
    fs::write(&tls.key_file, two.signing_key.serialize_pem()).expect("written");
    check(&refused(config.clone()).await, "does not fit");
}

#[tokio::test(flavor = "multi_thread")]
async fn several_services_run_in_one_process() {
    let (one, two) = tokio::join!(Service::start(), Service::start());
    assert_ne!(one.running().grpc_address(), two.running().grpc_address());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_issuer_the_address_is_its_name() {
    let service = Service::start_cold(|config| config.issuer = None).await;
    assert_eq!(
        service.issuer(),
        format!("http://{}", service.running().grpc_address())
    );
}
