//! One exit code per kind of failure, and a line that says what to do.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::program::{Ran, Service, finish, program, run};

/// Exactly one line of what and at most one of what next: no backtrace, no log.
#[track_caller]
fn check(ran: &Ran, code: i32, told: &[&str]) {
    assert_eq!(ran.code, code, "{ran:?}");
    assert_eq!(ran.out, "", "nothing is answered");
    let lines: Vec<_> = ran
        .err
        .lines()
        .filter(|line| line.starts_with("error:") || line.starts_with(" next:"))
        .collect();
    assert!(lines[0].starts_with("error: "), "{ran:?}");
    assert!(!ran.err.contains("panicked"), "{ran:?}");
    for told in told {
        assert!(ran.err.contains(told), "{told}: {ran:?}");
    }
}

fn serve_in(data: &Path, folder: &Path) -> Ran {
    finish(
        program()
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(data)
            .arg("--key-file")
            .arg(folder.join("kek2"))
            .arg("--socket")
            .arg(folder.join("second.sock")),
    )
}

#[test]
fn a_wrong_command_line_is_2() {
    for line in [
        "serv",
        "serve --lisen x",
        "client add --allow nonsense",
        "token issue",
        "token rotate --client-id a",
        "token revoke --client-id a --token x --family y",
        "token issue --client-id a --code x",
        "proof",
    ] {
        assert_eq!(run(line.split(' ')).code, 2, "{line}");
    }
}

#[test]
fn a_wrong_key_is_3_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("c.toml");
    fs::write(&file, "[listen]\nadress = \"127.0.0.1:0\"\n").unwrap();
    let ran = finish(program().args(["serve", "--config"]).arg(&file));
    check(&ran, 3, &["listen.adress", "listen.address"]);
    let ran = finish(program().arg("serve").env("COUNTERSIGN_LISTEN_ADRESS", "x"));
    check(
        &ran,
        3,
        &["COUNTERSIGN_LISTEN_ADRESS", "COUNTERSIGN_LISTEN_ADDRESS"],
    );
}

#[test]
fn a_wrong_value_is_3_and_named() {
    let ran = run(["serve", "--listen", "everywhere"]);
    check(&ran, 3, &["listen.address", "127.0.0.1:7443"]);
    let ran = run(["serve", "--listen", "0.0.0.0:0"]);
    check(&ran, 3, &["tls.certificate_file"]);
    let ran = run(["serve", "--config", "/nowhere/c.toml"]);
    check(&ran, 3, &["/nowhere/c.toml"]);
    let ran = run(["serve", "--config", "/dev/zero"]);
    check(&ran, 3, &["/dev/zero", "larger than"]);
}

#[test]
fn a_check_tries_what_a_start_would_refuse() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("c.toml");
    fs::write(&file, "[telemetry]\nlog_filter = \"info=loud\"\n").unwrap();
    let ran = finish(program().args(["serve", "--check", "--config"]).arg(&file));
    check(&ran, 3, &["info=loud", "telemetry.log_filter"]);
    let ran = run(["serve", "--check", "--data", "d", "--key-file", "d/key"]);
    check(&ran, 4, &["inside the data directory", "--key-file"]);
}

#[test]
fn a_tls_key_needs_its_certificate_wherever_that_is_named() {
    let ran = run(["serve", "--check", "--tls-key", "tls.key"]);
    check(&ran, 3, &["tls.certificate_file"]);
    let ran = finish(
        program()
            .args(["serve", "--check", "--tls-key", "tls.key"])
            .env("COUNTERSIGN_TLS_CERTIFICATE_FILE", "tls.pem"),
    );
    assert_eq!(ran.code, 0, "{ran:?}");
}

#[test]
fn what_no_request_can_carry_is_not_proven() {
    let url = "https://o.internal/a.B/C";
    for (option, value, told) in [
        ("--method", "", "--method"),
        ("--method", "PO ST", "--method"),
        ("--token", "", "--token"),
        ("--token", "DPoP abc", "--token"),
    ] {
        let ran = run(["proof", "--url", url, option, value]);
        check(&ran, 3, &[told]);
    }
    check(&run(["proof", "--url", "o.internal"]), 3, &["https://"]);
}

#[test]
fn a_client_that_cannot_work_is_3_and_says_which_option_is_missing() {
    check(
        &run(["client", "add", "a", "--auth", "none"]),
        3,
        &["--redirect-uri"],
    );
    check(
        &run(["client", "add", "a", "--auth", "private-key-jwt"]),
        3,
        &["--jwks", "countersign key generate"],
    );
    let ran = run(["client", "add", "a", "--jwks", "/dev/zero"]);
    check(&ran, 3, &["is larger than"]);
    // The private key where its public half belongs: it does not leave.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("k.pem");
    let made = finish(program().args(["key", "generate"]).arg(&file));
    assert_eq!(made.code, 0, "{made:?}");
    let ran = finish(program().args(["client", "add", "a", "--jwks"]).arg(&file));
    check(&ran, 3, &["k.pem", "not a set of public keys"]);
}

#[test]
fn variables_of_client_commands_do_not_stop_a_service() {
    let ran = finish(
        program()
            .args(["serve", "--check"])
            .env("COUNTERSIGN_SERVER", "http://127.0.0.1:1")
            .env("COUNTERSIGN_CLIENT_ID", "a")
            .env("COUNTERSIGN_CLIENT_SECRET", "marked-secret")
            .env("COUNTERSIGN_CA", "ca.pem")
            .env("COUNTERSIGN_DPOP_KEY", "k.pem"),
    );
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(!ran.out.contains("marked-secret"));
}

#[test]
fn an_address_in_use_is_3() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = tempfile::tempdir().unwrap();
    let ran = finish(
        program()
            .args(["serve", "--listen", &address, "--data"])
            .arg(folder.path().join("data")),
    );
    check(&ran, 3, &[&address, "--listen"]);
}

#[test]
fn a_locked_directory_is_4() {
    let service = Service::start();
    let other = tempfile::tempdir().unwrap();
    // The key file of the first: the lock is what must be told.
    let ran = finish(
        program()
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(service.file("data"))
            .arg("--key-file")
            .arg(service.file("kek"))
            .arg("--socket")
            .arg(other.path().join("second.sock")),
    );
    check(
        &ran,
        4,
        &["another process is using", " next: stop the other service"],
    );
}

#[test]
fn a_foreign_directory_is_4_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("photos");
    fs::create_dir(&data).unwrap();
    fs::set_permissions(&data, fs::Permissions::from_mode(0o700)).unwrap();
    fs::write(data.join("cat.jpg"), "meow").unwrap();
    let ran = serve_in(&data, folder.path());
    check(&ran, 4, &["not a Countersign store"]);
    let left: Vec<_> = fs::read_dir(&data).unwrap().collect();
    assert_eq!(left.len(), 1);
    assert_eq!(fs::read_to_string(data.join("cat.jpg")).unwrap(), "meow");
}

#[test]
fn an_unusable_directory_is_4() {
    let folder = tempfile::tempdir().unwrap();
    // A file where the directory should be: nobody can read that as one, not
    // even root.
    let data = folder.path().join("data");
    fs::write(&data, "not a directory").unwrap();
    let ran = serve_in(&data, folder.path());
    check(&ran, 4, &["data"]);
}

#[test]
fn a_key_file_that_is_none_is_4() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("kek2");
    fs::write(&key, "short").unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let ran = serve_in(&folder.path().join("data"), folder.path());
    check(&ran, 4, &["kek2"]);
    assert!(!ran.err.contains("short"), "{ran:?}");
}

#[test]
fn nobody_there_is_5() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    check(
        &run(["key", "list", "--server", &url]),
        5,
        &[&url, "countersign serve"],
    );
    let service = Service::start();
    let encrypted = service.url.replace("http://", "https://");
    check(
        &run(["key", "list", "--server", &encrypted]),
        5,
        &["does not speak TLS", "http://"],
    );
    check(
        &run(["client", "list", "--socket", "/nowhere/admin.sock"]),
        5,
        &["/nowhere/admin.sock", "--socket"],
    );
}

#[test]
fn a_url_that_is_none_is_3() {
    check(
        &run(["key", "list", "--server", "tokens:7443"]),
        3,
        &["tokens:7443"],
    );
    check(
        &run(["key", "list", "--server", "http://tokens.internal:7443"]),
        3,
        &["not encrypted"],
    );
    check(
        &run([
            "key",
            "list",
            "--server",
            "https://127.0.0.1:1",
            "--ca",
            "/nowhere/ca.pem",
        ]),
        3,
        &["/nowhere/ca.pem"],
    );
}

#[test]
fn a_wrong_secret_is_6_and_never_told() {
    let service = Service::start();
    let ran = finish(
        service
            .command()
            .args(["token", "issue", "--client-id", "nobody"])
            .env("COUNTERSIGN_CLIENT_SECRET", "marked-secret"),
    );
    check(&ran, 6, &["REASON_CLIENT_AUTHENTICATION_FAILED", " next: "]);
    assert!(!ran.err.contains("marked-secret"), "{ran:?}");
}

#[test]
fn a_token_that_is_none_is_never_told() {
    let service = Service::start();
    for line in [
        "token rotate --client-id nobody --token marked-secret",
        "token revoke --client-id nobody --token marked-secret --yes",
        "token introspect --client-id nobody --token marked-secret",
    ] {
        let ran = service.run(line);
        check(&ran, 6, &["REASON_"]);
        assert!(!ran.err.contains("marked-secret"), "{line}: {ran:?}");
    }
}

/// Names of keys and families, nonces and verifiers are base64url: one in 64 begins so.
#[test]
fn a_value_may_begin_with_a_hyphen() {
    let service = Service::start();
    let verifier = format!("-{}", "a".repeat(42));
    let issue = "token issue --client-id nobody";
    let code = format!("{issue} --code c --redirect-uri http://127.0.0.1/ --code-verifier");
    for (line, code) in [
        ("key revoke -sxyz --yes".to_owned(), 7),
        ("key revoke --yes --sxyz".to_owned(), 7),
        ("audit list --object -sxyz --json".to_owned(), 0),
        (
            "proof --url https://o.internal/a.B/C --nonce -sxyz".to_owned(),
            0,
        ),
        (format!("{code} {verifier}"), 6),
        (
            format!("{issue} --client-key none --client-key-id -sxyz"),
            3,
        ),
    ] {
        let ran = service.run(&line);
        assert_eq!(ran.code, code, "{line}: {ran:?}");
    }
}

/// Where a script's variable was empty, the next option is not its value.
#[test]
fn an_option_is_no_value_of_the_one_before_it() {
    let service = Service::start();
    let issue = "token issue --client-id nobody";
    let code = format!("{issue} --code c --redirect-uri http://127.0.0.1/ --code-verifier");
    for (line, named) in [
        ("audit list --object --json".to_owned(), "--object"),
        (
            "proof --url https://o.internal/a.B/C --nonce --json".to_owned(),
            "--nonce",
        ),
        (format!("{code} --json"), "--code-verifier"),
        (
            format!("{issue} --client-key none --client-key-id --json"),
            "--client-key-id",
        ),
        ("token revoke --token --yes".to_owned(), "--token"),
        ("token revoke --family --yes".to_owned(), "--family"),
        (
            "token introspect --client-id c --token --json".to_owned(),
            "--token",
        ),
    ] {
        let ran = service.run(&line);
        check(&ran, 2, &[&format!("write {named}=VALUE")]);
    }
    let whole = service.run("audit list --object=--json --json");
    assert_eq!(whole.json()["events"], serde_json::json!([]), "{whole:?}");
    let revoked = service.run("key revoke --yes");
    check(&revoked, 2, &["KID"]);
}

#[test]
fn what_is_not_there_or_there_already_is_7() {
    let service = Service::start();
    check(
        &service.run("client show nobody"),
        7,
        &["client nobody", "REASON_RESOURCE_NOT_FOUND"],
    );
    check(
        &service.run("resource remove https://nothing.internal --yes"),
        7,
        &["REASON_RESOURCE_NOT_FOUND"],
    );
    let add = "resource add https://o.internal --scope o.read";
    assert_eq!(service.run(add).code, 0);
    check(&service.run(add), 7, &["REASON_RESOURCE_EXISTS"]);
}

#[test]
fn a_secret_file_that_others_can_read_is_3() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    fs::write(&file, "marked-secret\n").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let service = Service::start();
    let ran = finish(
        service
            .command()
            .args(["token", "issue", "--client-id", "a", "--client-secret-file"])
            .arg(&file),
    );
    check(&ran, 3, &["can be read by others", "chmod 600"]);
    assert!(!ran.err.contains("marked-secret"));
}

#[test]
fn a_key_that_is_there_is_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("k.pem");
    assert_eq!(
        finish(program().args(["key", "generate"]).arg(&file)).code,
        0
    );
    let before = fs::read_to_string(&file).unwrap();
    let ran = finish(program().args(["key", "generate"]).arg(&file));
    check(&ran, 3, &["is there already"]);
    assert_eq!(fs::read_to_string(&file).unwrap(), before);
}
