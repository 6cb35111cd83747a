//! What changes while the service runs: the certificate, and the configuration.

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use countersign::keys::v1::ListKeysRequest;
use countersign::keys::v1::key_service_client::KeyServiceClient;
use countersign_server::config::{Sources, Tls};
use countersign_server::health::{CERTIFICATE, CONFIGURATION};
use countersign_server::{Config, Occasion, ReloadError, Reloaded};
use tokio::time::sleep;
use tonic::Status;
use tonic::transport::Channel;
use tonic_health::pb::health_check_response::ServingStatus;

use crate::authority::{Authority, files};
use crate::harness::{ORDERS, Service, service_client};
use crate::health::status;
use crate::proof::Key;

/// Only a hang gets there.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long certificates are swapped under load, once a second.
const SWAPS: u64 = 6;

/// A service with a certificate of this authority, in a folder beside its data.
async fn service(authority: &Authority) -> (Service, Tls) {
    let mut tls = None;
    let service = Service::start_cold(|config| {
        let folder = config.store.directory.with_file_name("tls");
        authority.sign(1).write_into(&folder);
        tls = Some(files(&folder));
        config.tls = tls.clone();
        config.issuer = Some("https://localhost:7443".to_owned());
    })
    .await;
    (service, tls.expect("made"))
}

fn port(service: &Service) -> u16 {
    service.running().grpc_address().port()
}

async fn call(channel: Channel) -> Result<(), Status> {
    KeyServiceClient::new(channel)
        .list_keys(ListKeysRequest {})
        .await
        .map(drop)
}

/// Waits for something that comes by itself.
async fn until(what: &str, mut comes: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !comes().await {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        sleep(Duration::from_millis(50)).await;
    }
}

async fn component(service: &Service, name: &str) -> ServingStatus {
    let admin = service.admin().await;
    assert_eq!(
        status(admin.clone(), "").await,
        Ok(ServingStatus::Serving),
        "the whole serves"
    );
    status(admin, name).await.expect("known")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_swapped_every_second_under_load_fails_no_call() {
    let authority = Arc::new(Authority::new());
    let (service, files) = service(&authority).await;
    let port = port(&service);
    let over = Arc::new(AtomicBool::new(false));
    let calls = Arc::new(AtomicUsize::new(0));

    let lasting = authority.connect(port).await;
    let mut clients = Vec::new();
    for each in 0..8 {
        let (authority, over, calls) = (authority.clone(), over.clone(), calls.clone());
        let lasting = lasting.clone();
        clients.push(tokio::spawn(async move {
            while !over.load(Ordering::SeqCst) {
                let channel = match each % 2 {
                    0 => lasting.clone(),
                    _ => authority
                        .endpoint(port)
                        .connect()
                        .await
                        .unwrap_or_else(|error| panic!("a new connection: {error:?}")),
                };
                call(channel).await.expect("answered");
                calls.fetch_add(1, Ordering::SeqCst);
            }
        }));
    }
    let mut newest = Vec::new();
    for serial in 2..2 + SWAPS {
        let made = authority.sign(serial);
        made.write(&files);
        newest = made.der;
        sleep(Duration::from_secs(1)).await;
    }
    until("the newest is in use", async || {
        authority.greeted(port).await == newest
    })
    .await;
    over.store(true, Ordering::SeqCst);
    for client in clients {
        client.await.expect("no call failed");
    }
    assert!(calls.load(Ordering::SeqCst) > 100, "there was load");
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_files_keep_the_last_good_certificate_and_health_says_so() {
    let authority = Authority::new();
    let (service, files) = service(&authority).await;
    let port = port(&service);
    let config = service.config.clone();
    let mut good = authority.sign(2);
    good.write(&files);
    let reload = || {
        service
            .running()
            .reload(Ok(config.clone()), Occasion::Asked)
    };
    assert_eq!(reload().await, Ok(Reloaded::default()));

    let other = authority.sign(3);
    let half = other.certificate[..other.certificate.len() / 2].to_owned();
    let expired = authority.sign_until(4, 2026);
    for (what, certificate, key, named) in [
        (
            "an empty certificate",
            "",
            good.key.as_str(),
            "tls.crt: holds no certificate",
        ),
        ("half a certificate", &half, &other.key, "tls.crt: "),
        (
            "not a certificate",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            &other.key,
            "tls.crt: is no X.509",
        ),
        (
            "an empty key",
            &good.certificate,
            "",
            "tls.key: holds no private key",
        ),
        (
            "another key",
            &good.certificate,
            &other.key,
            "tls.key: does not fit",
        ),
        (
            "an expired one",
            &expired.certificate,
            &expired.key,
            "tls.crt: the certificate has expired",
        ),
    ] {
        fs::write(&files.certificate_file, certificate).expect("written");
        fs::write(&files.key_file, key).expect("written");
        let problem = reload().await.expect("the rest is good").certificate;
        let problem = problem.expect(what).to_string();
        assert!(problem.contains(named), "{what}: {problem}");
        assert_eq!(
            component(&service, CERTIFICATE).await,
            ServingStatus::NotServing,
            "{what}"
        );
        assert_eq!(authority.greeted(port).await, good.der, "{what}");
        call(authority.connect(port).await).await.expect(what);
    }

    good = authority.sign(5);
    good.write(&files);
    assert_eq!(reload().await, Ok(Reloaded::default()));
    assert_eq!(
        component(&service, CERTIFICATE).await,
        ServingStatus::Serving
    );
    assert_eq!(authority.greeted(port).await, good.der);

    // All of it without being asked.
    fs::remove_file(&files.key_file).expect("removed");
    until("the lack is noticed", async || {
        component(&service, CERTIFICATE).await == ServingStatus::NotServing
    })
    .await;
    assert_eq!(authority.greeted(port).await, good.der);
    good = authority.sign(6);
    good.write(&files);
    until("it recovers", async || {
        component(&service, CERTIFICATE).await == ServingStatus::Serving
    })
    .await;
    assert_eq!(authority.greeted(port).await, good.der);
}

/// Kubernetes exchanges what a link points to: the files' own paths never change.
#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_points_elsewhere_is_a_change() {
    let authority = Authority::new();
    let service = Service::start_cold(|config| {
        let folder = config.store.directory.with_file_name("tls");
        authority.sign(1).write_into(&folder.join("v1"));
        symlink("v1", folder.join("..data")).expect("linked");
        symlink("..data/tls.crt", folder.join("tls.crt")).expect("linked");
        symlink("..data/tls.key", folder.join("tls.key")).expect("linked");
        config.tls = Some(files(&folder));
        config.issuer = Some("https://localhost:7443".to_owned());
    })
    .await;
    let folder = service.path("tls");
    let next = authority.sign(2);
    next.write_into(&folder.join("v2"));
    symlink("v2", folder.join("..data_tmp")).expect("linked");
    fs::rename(folder.join("..data_tmp"), folder.join("..data")).expect("swapped");
    until("the next is in use", async || {
        authority.greeted(port(&service)).await == next.der
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_change_does_and_the_rest_is_named() {
    let service = Service::start().await;
    service.add_orders().await;
    let client = service
        .add(service_client("c", &[(ORDERS, &["orders.read"])]))
        .await;
    let lives = async || {
        let issued = service.issue(&client, &Key::new()).await.expect("issued");
        issued.expires_in.expect("said").seconds
    };
    assert_eq!(lives().await, 300);

    let mut next = service.config.clone();
    next.tokens.access_token = Duration::from_secs(60);
    next.key_set_max_age = Duration::from_secs(7);
    next.store.cache_mib = 1;
    let reloaded = service
        .running()
        .reload(Ok(next.clone()), Occasion::Asked)
        .await;
    assert_eq!(
        reloaded,
        Ok(Reloaded {
            applied: vec!["tokens.access_token_secs", "keys.max_age_secs"],
            waiting: vec!["store.cache_mib"],
            certificate: None,
        })
    );
    assert_eq!(lives().await, 60);
    let listed = KeyServiceClient::new(service.public().await)
        .list_keys(ListKeysRequest {})
        .await
        .expect("listed");
    assert_eq!(listed.into_inner().max_age.expect("said").seconds, 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_configuration_changes_nothing_and_health_says_so() {
    let authority = Authority::new();
    let (service, files) = service(&authority).await;
    let first = authority.greeted(port(&service)).await;
    let unreadable = Config::read(Sources {
        file: Some(&service.path("nowhere.toml")),
        ..Sources::default()
    });
    let mut contradictory = service.config.clone();
    contradictory.tokens.refresh_absolute = Duration::from_secs(1);
    // Good but for one thing: nothing of it may hold.
    let mut no_key = service.config.clone();
    no_key.key_set_max_age = Duration::from_secs(7);
    no_key.tls = Some(Tls {
        key_file: service.path("nowhere.key"),
        ..files.clone()
    });
    let out_of_time = service.path("tls-expired");
    authority.sign_until(4, 2026).write_into(&out_of_time);
    let mut expired = service.config.clone();
    expired.key_set_max_age = Duration::from_secs(7);
    expired.tls = Some(crate::authority::files(&out_of_time));
    for (read, named) in [
        (unreadable, "nowhere.toml"),
        (Ok(contradictory), "tokens.refresh_idle_secs"),
        (Ok(no_key), "nowhere.key"),
        (Ok(expired), "the certificate has expired"),
    ] {
        let refused: ReloadError = service
            .running()
            .reload(read, Occasion::Asked)
            .await
            .expect_err(named);
        assert!(refused.to_string().contains(named), "{refused}");
        assert_eq!(
            component(&service, CONFIGURATION).await,
            ServingStatus::NotServing
        );
        let listed = KeyServiceClient::new(authority.connect(port(&service)).await)
            .list_keys(ListKeysRequest {})
            .await
            .expect("listed");
        assert_eq!(listed.into_inner().max_age.expect("said").seconds, 300);
        assert_eq!(authority.greeted(port(&service)).await, first);

        let same = service
            .running()
            .reload(Ok(service.config.clone()), Occasion::Asked)
            .await;
        assert_eq!(same, Ok(Reloaded::default()));
        assert_eq!(
            component(&service, CONFIGURATION).await,
            ServingStatus::Serving
        );
    }

    // Other files, which are good.
    let folder = service.path("tls-elsewhere");
    let made = authority.sign(2);
    made.write_into(&folder);
    let mut elsewhere = service.config.clone();
    elsewhere.tls = Some(crate::authority::files(&folder));
    let reloaded = service
        .running()
        .reload(Ok(elsewhere), Occasion::Asked)
        .await
        .expect("good");
    assert_eq!(reloaded.applied, ["tls.certificate_file", "tls.key_file"]);
    assert_eq!(authority.greeted(port(&service)).await, made.der);
    // They are the ones that are looked at now.
    let made = authority.sign(3);
    made.write_into(&folder);
    until("the new files are followed", async || {
        authority.greeted(port(&service)).await == made.der
    })
    .await;
}
