//! The files in `deploy/`, tried with the binary that they are for.

use std::env;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::program::{Service, finish, program, run, serve, wait};

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

/// Under the unit the service never makes the key: who begins anew makes it as its header says,
/// before the start.
#[test]
fn the_runbook_makes_the_key_before_it_starts_the_unit() {
    let unit = fs::read_to_string(deploy("countersign.service")).unwrap();
    let makes = unit
        .lines()
        .find_map(|line| line.strip_prefix("#   (umask 077 "))
        .expect("the header makes the key");
    let runbook = fs::read_to_string(deploy("../docs/runbooks/compromised-key.md")).unwrap();
    let (_, lost) = runbook.split_once("## The key file is lost").unwrap();
    let (_, anew) = lost.split_once("/var/lib/countersign/data-lost\n").unwrap();
    let (before, _) = anew.split_once("systemctl start countersign").unwrap();
    assert_eq!(before.trim(), format!("(umask 077 {makes}"));

    // What it makes is a key, with which a service starts.
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().join("kek");
    let line = before.replace("/etc/countersign/kek", here.to_str().unwrap());
    let made = finish(Command::new("bash").args(["-c", &line]));
    assert_eq!(made.code, 0, "{made:?}");
    let (mut child, _) = serve(folder.path(), &[]);
    child.kill().unwrap();
    wait(&mut child);
    assert_eq!(fs::read_to_string(&here).unwrap().len(), 43);
}

/// A key file that was found again is tried beside the service, in the words of the runbook.
#[test]
fn a_key_file_is_tried_beside_the_service_as_the_runbook_says() {
    let runbook = fs::read_to_string(deploy("../docs/runbooks/compromised-key.md")).unwrap();
    let (_, lost) = runbook.split_once("## The key file is lost").unwrap();
    let (_, tried) = lost.split_once("umask 077 && mkdir /var/tmp/try").unwrap();
    let (tried, _) = tried.split_once("```").unwrap();
    let lines: Vec<&str> = tried.lines().skip(1).map(str::trim).collect();
    let [backup, restore, install, start] = lines[..4] else {
        panic!("{lines:?}")
    };

    let service = Service::start();
    let folder = tempfile::tempdir().unwrap();
    let wrong = folder.path().join("wrong");
    fs::write(&wrong, "A".repeat(43)).unwrap();
    let ours = Path::new(env!("CARGO_BIN_EXE_countersign"))
        .parent()
        .unwrap();
    let path = format!("{}:{}", ours.display(), env::var("PATH").unwrap());
    let shell = |line: &str| {
        let mut command = Command::new("bash");
        for (name, _) in program().get_envs() {
            command.env_remove(name);
        }
        command
            .args(["-c", line])
            .env("PATH", &path)
            .env("COUNTERSIGN_ADMIN_SOCKET", service.file("admin.sock"))
            .current_dir(folder.path());
        command
    };
    for line in [backup, restore] {
        let ran = finish(&mut shell(line));
        assert_eq!(ran.code, 0, "{line}: {ran:?}");
    }
    for (key, fits) in [(wrong, false), (service.file("kek"), true)] {
        let line = install.replace("BACKUP", key.to_str().unwrap());
        assert_eq!(finish(&mut shell(&line)).code, 0);
        // Any port is another one.
        let line = format!("exec {}", start.replace(":17443", ":0"));
        if fits {
            let mut child = shell(&line).stderr(Stdio::piped()).spawn().unwrap();
            let log = BufReader::new(child.stderr.take().unwrap());
            let says = log
                .lines()
                .map_while(Result::ok)
                .any(|line| line.contains("the token service takes calls"));
            child.kill().unwrap();
            wait(&mut child);
            assert!(says, "{line}");
        } else {
            let ran = finish(&mut shell(&line));
            assert_eq!(ran.code, 4, "{ran:?}");
            let why = "does not open the keys in the store";
            assert!(ran.err.contains(why), "{ran:?}");
        }
    }
    assert_eq!(service.run("store stats").code, 0, "the service goes on");
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
