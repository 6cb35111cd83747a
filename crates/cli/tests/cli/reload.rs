//! A configuration that is read again while the service runs.

use std::fs::{self, OpenOptions};
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::program::Service;

/// Only a hang gets there.
const PATIENCE: Duration = Duration::from_secs(120);

const FIRST: &str = "[tokens]\naccess_token_secs = 300\n";

/// A service with a file, and a client that gets tokens.
fn prepared() -> Service {
    let service = Service::with(|folder| {
        let file = folder.join("c.toml");
        fs::write(&file, FIRST).unwrap();
        vec!["--config".to_owned(), file.display().to_string()]
    });
    for line in [
        "resource add https://o.internal --scope o.read",
        "client add c --allow https://o.internal=o.read --secret-file c.secret",
    ] {
        let ran = service.run(line);
        assert_eq!(ran.code, 0, "{line}: {ran:?}");
    }
    service
}

/// How long a token lives that is issued now, in seconds.
fn lives(service: &Service) -> u64 {
    let issued = service
        .run("token issue --json --client-id c --client-secret-file c.secret")
        .json();
    let text = issued["expires_in"].as_str().unwrap();
    text.trim_end_matches('s').parse().unwrap()
}

/// Waits until the log says it for the `nth` time.
fn logged(service: &Service, what: &str, nth: usize) {
    let begun = Instant::now();
    while service.log().matches(what).count() < nth {
        assert!(begun.elapsed() < PATIENCE, "{what}: {}", service.log());
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn sighup_has_it_read_again_and_what_is_bad_keeps_the_last_good_one() {
    let mut service = prepared();
    assert_eq!(lives(&service), 300);
    let say = |text: &str| {
        fs::write(service.file("c.toml"), text).unwrap();
        service.signal("HUP");
    };

    say("[tokens]\naccess_token_secs = 60\n");
    logged(&service, "the configuration has changed", 1);
    assert!(service.log().contains("tokens.access_token_secs"));
    assert_eq!(lives(&service), 60);

    // Nothing of a bad file holds, good as the rest may be.
    say("[tokens]\naccess_token_secs = 30\n[stop]\nnotice = 1\n");
    logged(&service, "the last good one stays", 1);
    assert!(service.log().contains("unknown key `stop.notice`"));
    assert_eq!(lives(&service), 60);
    say("[tokens]\naccess_token_secs = 30\n[telemetry]\nlog_filter = \"a=b=c\"\n");
    logged(&service, "`telemetry.log_filter` must be", 1);
    assert_eq!(lives(&service), 60);

    say("[tokens]\naccess_token_secs = 90\n[proofs]\nage_secs = 30\n");
    logged(&service, "need a restart", 1);
    assert!(service.log().contains("proofs.age_secs"));
    assert_eq!(lives(&service), 90);

    service.signal("TERM");
    assert_eq!(service.ended().code(), Some(0));
}

#[test]
fn a_file_that_changes_is_read_without_being_asked() {
    let service = prepared();
    fs::write(
        service.file("c.toml"),
        "[tokens]\naccess_token_secs = 60\n[telemetry]\nlog_filter = \"warn\"\n",
    )
    .unwrap();
    logged(&service, "the configuration has changed", 1);
    assert_eq!(lives(&service), 60);

    // The log is chosen by the new filter: only warnings are left.
    fs::write(
        service.file("c.toml"),
        "[tokens]\naccess_token_secs = 30\n[telemetry]\nlog_filter = \"warn\"\n[store]\ncache_mib = 1\n",
    )
    .unwrap();
    logged(&service, "need a restart", 1);
    assert_eq!(lives(&service), 30);
    assert_eq!(
        service
            .log()
            .matches("the configuration has changed")
            .count(),
        1
    );
}

/// What can be read only once is not taken for an empty file.
#[test]
fn a_configuration_that_is_no_file_is_not_read_again() {
    let service = Service::with(|_| vec!["--config".to_owned(), "/dev/null".to_owned()]);
    service.signal("HUP");
    logged(&service, "cannot be read a second time", 1);
    assert_eq!(service.run("client list").code, 0);
}

/// A file on a disk that hangs, for which a pipe stands: nobody writes what is read.
#[test]
fn a_stop_does_not_wait_for_a_file_that_cannot_be_read() {
    let mut service = prepared();
    let pipe = service.file("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    fs::rename(&pipe, service.file("c.toml")).unwrap();
    // Opened for writing when somebody has opened it for reading, and not before.
    let (opened, reads) = mpsc::channel();
    let pipe = service.file("c.toml");
    thread::spawn(move || opened.send(OpenOptions::new().write(true).open(pipe).unwrap()));
    let writer = reads.recv_timeout(PATIENCE).unwrap();
    service.signal("TERM");
    assert_eq!(service.ended().code(), Some(0));
    drop(writer);
}
