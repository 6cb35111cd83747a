//! How a service ends.

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
