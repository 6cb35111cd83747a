//! How a service ends.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use crate::program::{Service, serve, wait};

#[test]
fn either_signal_stops_it_gracefully() {
    for name in ["TERM", "INT"] {
        let mut service = Service::start();
        service.signal(name);
        assert_eq!(service.ended().code(), Some(0), "{name}");
        assert!(!service.file("admin.sock").exists(), "the socket is left");
    }
}

#[test]
fn a_second_signal_stops_it_at_once() {
    let mut service = Service::with(|folder| {
        let file = folder.join("c.toml");
        // So long that the second signal comes in between.
        fs::write(&file, "[stop]\nnotice_secs = 300\n").unwrap();
        vec!["--config".to_owned(), file.display().to_string()]
    });
    service.signal("TERM");
    // Again and again: two that come together count as one.
    let start = Instant::now();
    loop {
        thread::sleep(Duration::from_millis(100));
        if service.ended_already().is_some() {
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "it does not end");
        service.signal("TERM");
    }
    assert_eq!(service.ended().code(), Some(130));
    assert!(
        service
            .log()
            .contains("error: stopped at once by a second signal")
    );
}

#[test]
fn what_was_registered_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    for (start, first) in [(1, true), (2, false)] {
        let (mut child, facts) = serve(folder.path(), &[]);
        assert_eq!(facts["first_start"], first, "start {start}");
        let socket = folder.path().join("admin.sock");
        let mut command = crate::program::program();
        let command = command.env("COUNTERSIGN_ADMIN_SOCKET", &socket);
        let ran = match first {
            true => command.args(["resource", "add", "https://o.internal", "--scope", "o.read"]),
            false => command.args(["resource", "show", "https://o.internal"]),
        };
        let ran = crate::program::finish(ran);
        assert_eq!(ran.code, 0, "{ran:?}");
        child.kill().unwrap();
        wait(&mut child);
    }
}
