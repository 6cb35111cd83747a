//! The files in `deploy/`, tried with the binary that they are for.

use std::fs;
use std::path::PathBuf;

use crate::program::{finish, program, run};

fn deploy(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../deploy")
        .join(name)
}

#[test]
fn the_example_configuration_is_right() {
    let ran = finish(
        program()
            .args(["--json", "serve", "--check", "--config"])
            .arg(deploy("countersign.toml")),
    );
    let facts = ran.json();
    assert_eq!(facts["issuer"], "https://tokens.internal:7443");
    assert_eq!(facts["listen_address"], "0.0.0.0:7443");
    assert_eq!(facts["data_directory"], "/var/lib/countersign/data");
}

#[test]
fn the_unit_starts_what_there_is() {
    let unit = fs::read_to_string(deploy("countersign.service")).unwrap();
    let line = value(&unit, "ExecStart");
    let arguments: Vec<&str> = line.split(' ').skip(1).collect();
    assert!(line.starts_with("/usr/local/bin/countersign serve "));
    assert!(arguments.contains(&"/etc/countersign/countersign.toml"));

    // The same arguments with the file where it is here.
    let here = deploy("countersign.toml");
    let here = here.to_str().unwrap();
    let tried = arguments
        .iter()
        .map(|&word| match word {
            "/etc/countersign/countersign.toml" => here,
            word => word,
        })
        .chain(["--check"]);
    assert_eq!(run(tried).code, 0);
}

#[test]
fn the_unit_and_the_configuration_agree() {
    let unit = fs::read_to_string(deploy("countersign.service")).unwrap();
    let (name, path) = value(&unit, "Environment").split_once('=').unwrap();
    let ran = finish(
        program()
            .args(["--json", "serve", "--check", "--config"])
            .arg(deploy("countersign.toml"))
            .env(name, path)
            // systemd sets it, for a unit with LoadCredential=.
            .env("CREDENTIALS_DIRECTORY", "/run/credentials/countersign"),
    );
    let facts = ran.json();
    assert_eq!(facts["key_file"], "/run/credentials/countersign/kek");

    // What the sandbox leaves writable is where the service writes.
    let state = format!("/var/lib/{}/", value(&unit, "StateDirectory"));
    let runtime = format!("/run/{}/", value(&unit, "RuntimeDirectory"));
    assert!(
        facts["data_directory"]
            .as_str()
            .unwrap()
            .starts_with(&state)
    );
    assert!(
        facts["admin_socket"]
            .as_str()
            .unwrap()
            .starts_with(&runtime)
    );
}

#[test]
fn the_unit_is_hardened() {
    let unit = fs::read_to_string(deploy("countersign.service")).unwrap();
    for (key, expected) in [
        ("NoNewPrivileges", "yes"),
        ("CapabilityBoundingSet", ""),
        ("ProtectSystem", "strict"),
        ("ProtectHome", "yes"),
        ("PrivateTmp", "yes"),
        ("PrivateDevices", "yes"),
        ("MemoryDenyWriteExecute", "yes"),
        ("RestrictNamespaces", "yes"),
        ("RestrictAddressFamilies", "AF_INET AF_INET6 AF_UNIX"),
        ("SystemCallArchitectures", "native"),
        ("LimitCORE", "0"),
        ("UMask", "0077"),
    ] {
        assert_eq!(value(&unit, key), expected, "{key}");
    }
    assert_ne!(value(&unit, "User"), "root");
}

fn value<'a>(unit: &'a str, key: &str) -> &'a str {
    unit.lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
        .unwrap_or_else(|| panic!("{key} is not in the unit"))
}
