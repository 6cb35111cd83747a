//! A start with a key-encryption key that is lost, wrong, or not where it is looked for.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use crate::key_program::{TOY, script};
use crate::program::{Ran, finish, program};
use crate::rekey::{stop, stopped};

/// The credential of systemd, by its name; without it, or without a service manager, the reason.
#[test]
fn a_credential_is_found_by_its_name() {
    let folder = stopped();
    let folder = folder.path();
    let credentials = folder.join("credentials");
    fs::create_dir(&credentials).unwrap();
    fs::rename(folder.join("kek"), credentials.join("kek")).unwrap();
    let start = || {
        let mut command = program();
        command
            .args(["serve", "--json", "--listen", "127.0.0.1:0", "--data"])
            .arg(folder.join("data"))
            .env("COUNTERSIGN_STORE_KEY_CREDENTIAL", "kek")
            .env_remove("CREDENTIALS_DIRECTORY");
        command
    };
    let none = finish(&mut start());
    assert_eq!(none.code, 4, "{none:?}");
    assert!(none.err.contains("CREDENTIALS_DIRECTORY"), "{none:?}");
    assert!(none.err.contains(" next: see LoadCredential="), "{none:?}");
    let other = finish(start().env("CREDENTIALS_DIRECTORY", folder.join("data")));
    assert_eq!(other.code, 4, "{other:?}");
    assert!(other.err.contains("data/kek is not there"), "{other:?}");
    assert!(
        other.err.contains(" next: see LoadCredential="),
        "{other:?}"
    );
    let both = finish(start().args(["--key-file", "x"]));
    assert_eq!(both.code, 3, "{both:?}");
    assert!(both.err.contains("set only one of them"), "{both:?}");

    let log = fs::File::create(folder.join("log")).unwrap();
    let mut child = start()
        .env("CREDENTIALS_DIRECTORY", &credentials)
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap();
    while !fs::read_to_string(folder.join("log"))
        .unwrap()
        .contains("takes calls")
    {
        assert!(child.try_wait().unwrap().is_none(), "it must start");
        thread::sleep(Duration::from_millis(20));
    }
    stop(child);
}

/// A start with these lines of `[store]`.
fn start(folder: &Path, store: &str) -> Ran {
    let settings = folder.join("countersign.toml");
    fs::write(&settings, format!("[store]\n{store}\n")).unwrap();
    finish(
        program()
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(folder.join("data"))
            .arg("--config")
            .arg(settings),
    )
}

/// It is a refusal that names the file or the program, the reason, and what to do.
#[test]
fn a_lost_or_wrong_key_is_refused_with_a_way_out() {
    let folder = stopped();
    let folder = folder.path();
    let other = "A".repeat(43);
    fs::write(folder.join("other"), &other).unwrap();
    fs::copy(folder.join("kek"), folder.join("open")).unwrap();
    for (name, mode) in [("other", 0o600), ("open", 0o644)] {
        fs::set_permissions(folder.join(name), Permissions::from_mode(mode)).unwrap();
    }
    let toy = script(folder, "toy", TOY);
    let named = |name: &str| format!("key_file = {:?}", folder.join(name));
    let asked = |name: &str| format!("key_command = [{:?}]", folder.join(name));
    let check = |store: &str, name: &str, parts: [&str; 2]| {
        let told = start(folder, store);
        assert_eq!(told.code, 4, "{told:?}");
        assert_eq!(told.out, "", "{told:?}");
        for part in [name, parts[0], parts[1]] {
            assert!(told.err.contains(part), "{store}: {part}: {told:?}");
        }
        assert!(!told.err.contains(&other), "{told:?}");
    };
    let give_back = "give back the key file that belongs to the data directory";
    check(&named("lost"), "/lost", ["is not there", give_back]);
    assert!(!folder.join("lost").exists(), "none is made");
    check(
        &named("other"),
        "/other",
        ["does not open the keys", give_back],
    );
    check(&named("open"), "/open", ["other accounts", "chmod 600 it"]);
    let again = "name the file in store.key_file again";
    check(&asked("toy"), "/toy", ["encrypted under a key file", again]);

    let moved = finish(
        program()
            .args(["key", "rekey", "--yes", "--data"])
            .arg(folder.join("data"))
            .arg("--key-file")
            .arg(folder.join("kek"))
            .arg("--new-key-command")
            .arg(&toy),
    );
    assert_eq!(moved.code, 0, "{moved:?}");
    script(
        folder,
        "else",
        &TOY.replace("AAAA*", "????*").replace("#????", "#?"),
    );
    script(folder, "none", "#!/bin/sh\nexit 3\n");
    script(folder, "mine", &TOY.replace("AAAA", "BBBB"));
    script(folder, "zero", &format!("#!/bin/sh\necho ok {other}\n"));
    let see = "see whether what the program asks can be reached";
    let form = "docs/keys-at-rest.md says what such a program reads";
    let give = "give the program the key that belongs to the data directory";
    check(
        &asked("lost"),
        "/lost",
        ["cannot be started", "must be allowed to run it"],
    );
    check(&asked("none"), "/none", ["exit status: 3", see]);
    check(&asked("mine"), "/mine", ["says: not mine", see]);
    check(
        &asked("else"),
        "/else",
        ["did not answer with one line", form],
    );
    check(&asked("zero"), "/zero", ["does not open the keys", give]);
    let again = "set store.key_command again";
    check(
        &named("kek"),
        "/kek",
        ["were encrypted by a program", again],
    );
}
