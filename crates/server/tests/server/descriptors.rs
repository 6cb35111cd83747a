//! Whoever opens connections cannot use up the process's file descriptors.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use countersign::admin::v1::{CreateResourceRequest, Resource};
use tokio::time::sleep;

use crate::harness::Service;

/// Set in the process that serves.
const SERVES: &str = "COUNTERSIGN_SERVER_TEST_SERVES";

/// As many as there are connections, or none would be left: some are taken, the others wait in the
/// listener's backlog.
const DESCRIPTORS: usize = 160;
const CONNECTIONS: usize = DESCRIPTORS;

#[test]
fn connections_leave_the_store_its_files() {
    let this = std::env::current_exe().expect("this binary");
    let mut serving = Command::new("sh")
        .args([
            "-c",
            &format!("ulimit -n {DESCRIPTORS}; exec \"$0\" \"$@\""),
        ])
        .arg(this)
        .args(["descriptors::served_with_few", "--exact", "--nocapture"])
        .env(SERVES, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("starts");
    let output = BufReader::new(serving.stdout.take().expect("piped"));
    // Kept to the end: a process whose output nobody reads would fail.
    let mut lines = output.lines().map_while(Result::ok);
    let address = lines
        .find_map(|line| Some(line.split_once("serves on ")?.1.to_owned()))
        .expect("it says where");
    let connections: Vec<_> = (0..CONNECTIONS)
        .map_while(|_| {
            let mut stream = TcpStream::connect(&address).ok()?;
            let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
            stream.write_all(preface).ok()?;
            Some(stream)
        })
        .collect();
    assert_eq!(connections.len(), CONNECTIONS);
    let mut input = serving.stdin.take().expect("piped");
    input.write_all(b"\n").expect("told");
    assert!(serving.wait().expect("ends").success());
}

/// What the other process does: it serves while all those connections come, and then writes.
#[tokio::test(flavor = "multi_thread")]
async fn served_with_few() {
    if std::env::var_os(SERVES).is_none() {
        return;
    }
    let service = Service::start().await;
    let mut resources = service.resources().await;
    println!("serves on {}", service.running().grpc_address());
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).expect("told");
    sleep(Duration::from_millis(300)).await;
    for number in 0..3 {
        resources
            .create_resource(CreateResourceRequest {
                resource: Some(Resource {
                    uri: format!("https://r{number}.example.com"),
                    scopes: vec!["r".to_owned()],
                    ..Resource::default()
                }),
            })
            .await
            .expect("the store works");
        // The store opens a file at least every half second after a commit.
        sleep(Duration::from_millis(700)).await;
    }
}
