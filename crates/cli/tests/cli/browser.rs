//! A login starts the browser of the person, as a desktop does: `xdg-open`, which is played here.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::login::{ann_decides, begun, prepared};

const LOGIN: &str = "--client-id films-cli --login-file login.json";

const NOTE: &str = "no browser could be opened";

/// Longer than a browser takes to start on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Notes the address that it is given, whole or not at all.
const BROWSER: &str = r#"#!/bin/sh
[ "$#" = 1 ] || exit 1
printf '%s' "$1" > "$0.part" && mv "$0.part" "$0.opened"
"#;

/// This folder before those where programs are found anyway.
fn first(folder: &Path) -> OsString {
    let path = env::var_os("PATH").unwrap_or_default();
    let all = env::split_paths(&path).map(|each| each.into_os_string());
    env::join_paths([folder.as_os_str().to_owned()].into_iter().chain(all)).unwrap()
}

fn opened(file: &Path) -> String {
    let begun = Instant::now();
    loop {
        match fs::read_to_string(file) {
            Ok(url) => return url,
            Err(_) => assert!(begun.elapsed() < PATIENCE, "no browser was started"),
        }
        sleep(Duration::from_millis(10));
    }
}

#[test]
fn the_browser_is_given_the_address_and_the_login_goes_on_in_it() {
    let service = prepared();
    let folder = service.file("bin");
    fs::create_dir(&folder).unwrap();
    let browser = folder.join("xdg-open");
    fs::write(&browser, BROWSER).unwrap();
    fs::set_permissions(&browser, fs::Permissions::from_mode(0o755)).unwrap();

    let mut command = service.command();
    command.env("PATH", first(&folder));
    let waiting = begun(command, LOGIN);
    // Only what the browser was given is opened.
    let url = opened(&folder.join("xdg-open.opened"));
    assert_eq!(url, waiting.text("open"));
    let page = ann_decides(&service, &url, true);
    assert!(page.contains("Go back to the program"), "{page}");
    let ran = waiting.ends();
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(!ran.err.contains(NOTE), "{ran:?}");
    assert!(service.file("login.json").exists());
}

#[test]
fn where_no_browser_can_be_started_the_address_is_opened_by_hand() {
    let service = prepared();
    let nothing = service.file("nothing");
    fs::create_dir(&nothing).unwrap();
    let mut command = service.command();
    command.env("PATH", &nothing);
    let waiting = begun(command, LOGIN);
    ann_decides(&service, &waiting.text("open"), true);
    let ran = waiting.ends();
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.err.contains(NOTE), "{ran:?}");
}
