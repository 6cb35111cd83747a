//! A login application in a process of its own: with which certificate browsers are greeted.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use countersign_client::clock::SystemClock;
use countersign_client::{Builder, Credential};
use countersign_login::OverGrpc;
use countersign_server::{LoginApp, LoginConfig};
use tokio::time::{sleep, timeout};

use crate::authority::{Authority, files};

/// Only a hang gets there.
const PATIENCE: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_is_replaced_greets_browsers_and_a_bad_one_does_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let files = files(folder.path());
    let authority = Authority::new();
    let [first, second, third] = [1, 2, 3].map(|serial| authority.sign(serial));
    first.write(&files);
    // Nobody asks it anything here.
    let url = "http://127.0.0.1:1";
    let client = Builder::new(url).client("login", Credential::Public);
    let client = client.connect().await.expect("a client");
    let tokens = OverGrpc::connect(&client, url).await.expect("a channel");
    let config = LoginConfig {
        listen: "127.0.0.1:0".parse().expect("an address"),
        url: Some("https://localhost".to_owned()),
        issuer: url.to_owned(),
        directory: folder.path().join("login"),
        socket: None,
        allowed_uids: Vec::new(),
        tls: Some(files.clone()),
        behind_proxy: false,
    };
    let app = LoginApp::start(&config, Arc::new(SystemClock), Arc::new(tokens)).await;
    let app = app.expect("it starts");
    let port = app.address().port();
    assert_eq!(authority.greeted(port).await, first.der);

    // Somebody says that they are there.
    second.write(&files);
    assert_eq!(app.look_at_certificate().await, None);
    assert_eq!(authority.greeted(port).await, second.der);
    fs::write(&files.key_file, &first.key).expect("written");
    let wrong = app.look_at_certificate().await.expect("they do not fit");
    assert_eq!(wrong.file, files.key_file);
    assert_eq!(authority.greeted(port).await, second.der);

    // Nobody does.
    third.write(&files);
    let seen = async {
        while authority.greeted(port).await != third.der {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, seen).await.expect("it is used in time");
    app.stop().await.expect("it stops");
}
