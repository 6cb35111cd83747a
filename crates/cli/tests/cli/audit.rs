//! The audit log through the binary: looked at, verified, exported, and altered.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use countersign_store::{Change, EmbeddedStore, Log, Options, Store};
use serde_json::Value;

use crate::program::{Service, feed, finish, program, run, serve, wait};

const ORDERS: &str = "https://orders.internal:8443";

/// A service in which something happened, some of it gathered into a block.
fn prepared() -> Service {
    let service = Service::start();
    for line in [
        format!("resource add {ORDERS} --scope orders.read"),
        format!("client add checkout --allow {ORDERS}=orders.read --secret-file checkout.secret"),
        format!("client add billing --allow {ORDERS}=orders.read --secret-file billing.secret"),
    ] {
        let ran = service.run(&line);
        assert_eq!(ran.code, 0, "{line}: {ran:?}");
    }
    for _ in 0..3 {
        let ran = service.run(
            "token issue --client-id checkout --client-secret-file checkout.secret --access-token-file token",
        );
        assert_eq!(ran.code, 0, "{ran:?}");
        fs::remove_file(service.file("token")).unwrap();
    }
    // Issues wait for a quarter of a second.
    while service.run("audit list --log issuance --json").json()["events"]
        .as_array()
        .unwrap()
        .len()
        < 3
    {}
    service
}

#[test]
fn events_are_listed_by_what_they_are() {
    let service = prepared();
    let names = |line: &str| -> Vec<String> {
        let listed = service.run(&format!("audit list --json {line}")).json();
        let events = listed["events"].as_array().unwrap();
        events
            .iter()
            .map(|event| {
                format!(
                    "{} {}",
                    event["event"].as_str().unwrap(),
                    event["client_id"].as_str().unwrap()
                )
            })
            .collect()
    };
    assert_eq!(names("--client billing"), ["CLIENT_CREATED billing"]);
    assert_eq!(
        names("--client checkout --since 1h"),
        ["CLIENT_CREATED checkout"]
    );
    assert_eq!(
        names("--event client_created -n 1"),
        ["CLIENT_CREATED billing"]
    );
    assert_eq!(names("--until 1h"), [""; 0]);
    assert_eq!(
        names("--log issuance --client checkout"),
        ["TOKEN_ISSUED checkout"; 3]
    );
    let ran = service.run("audit list --client billing");
    assert!(
        ran.out
            .contains("CLIENT_CREATED  client=billing  actor=uid:"),
        "{ran:?}"
    );
    assert!(
        service
            .run("audit list --client nobody")
            .out
            .contains("no such event")
    );
    assert_eq!(service.run("audit list --event NOTHING").code, 2);

    let tail = service.run("audit tail -n 2");
    let last: Vec<_> = tail.out.lines().collect();
    assert_eq!(last.len(), 2, "{tail:?}");
    assert!(
        last[1].contains("client=billing"),
        "the newest last: {tail:?}"
    );
}

#[test]
fn the_tail_shows_what_comes() {
    let service = prepared();
    let mut tail = service
        .command()
        .args(["audit", "tail", "-n", "1", "--follow", "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(tail.stdout.take().unwrap()).lines();
    let mut next = || -> Value { serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap() };
    assert_eq!(next()["client_id"], "billing");
    for id in ["one", "two"] {
        let added = service.run(&format!(
            "client add {id} --allow {ORDERS}=orders.read --secret-file {id}"
        ));
        assert_eq!(added.code, 0, "{added:?}");
        assert_eq!(next()["client_id"], id);
    }
    tail.kill().unwrap();
    tail.wait().unwrap();
}

#[test]
fn a_tail_whose_reader_is_gone_ends() {
    let service = prepared();
    let mut tail = service
        .command()
        .args(["audit", "tail", "-n", "1", "--follow"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut reader = BufReader::new(tail.stdout.take().unwrap());
    reader.read_line(&mut String::new()).unwrap();
    drop(reader);
    // It learns of it by what it cannot print.
    let mut ended = None;
    for nth in 0..50 {
        let added = service.run(&format!("resource add https://{nth}.internal --scope a"));
        assert_eq!(added.code, 0, "{added:?}");
        ended = tail.try_wait().unwrap();
        if ended.is_some() {
            break;
        }
    }
    tail.kill().unwrap();
    tail.wait().unwrap();
    assert_eq!(ended.and_then(|status| status.code()), Some(0));
}

/// An entry of the log `audit` that says no more than what it is and of what: `AuditEntry` of
/// `countersign/storage/v1/record.proto`, fields 2 and 5.
fn entry(event: u8, object: &str) -> Vec<u8> {
    let length = u8::try_from(object.len()).unwrap();
    [&[0x10, event, 0x2a, length], object.as_bytes()].concat()
}

#[test]
fn a_beginning_that_nobody_said_to_be_removed_is_missed() {
    const AUDIT: Log = Log::named("audit");
    /// `AUDIT_EVENT_AUDIT_TRIMMED`.
    const TRIMMED: u8 = 30;
    // How far it is announced, how far it is removed, and what is said.
    for (announced, removed, says) in [
        (Some(3), 3, None),
        (Some(3), 2, None),
        (None, 3, Some("the log audit, entry 3: it is missing")),
        (Some(2), 3, Some("the log audit, entry 3: it is missing")),
    ] {
        let mut service = prepared();
        service.signal("TERM");
        assert!(service.ended().success());
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let store = EmbeddedStore::open(service.file("data"), Options::default()).unwrap();
            if let Some(last) = announced {
                let hash = store.entries(AUDIT, last, 1).await.unwrap()[0].hash;
                let entry = entry(TRIMMED, &format!("audit:{last}:{hash}"));
                let change = Change::default().append(AUDIT, entry);
                store.commit(change).await.unwrap();
            }
            let trimmed = store.trim(AUDIT, removed + 1, 9).await.unwrap();
            assert_eq!(trimmed.removed as u64, removed);
            store.close().await.unwrap();
        });
        let (mut child, _) = serve(&service.file(""), &[]);
        let ran = service.run("audit verify");
        child.kill().unwrap();
        wait(&mut child);
        let what = format!("{announced:?} announced, {removed} removed: {ran:?}");
        assert_eq!(ran.code, i32::from(says.is_some()), "{what}");
        assert!(ran.err.contains(says.unwrap_or_default()), "{what}");
    }
}

#[test]
fn a_log_is_verified_against_what_was_noted() {
    let service = prepared();
    let verified = service.run("audit verify --json").json();
    let notes: Vec<String> = verified["logs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|log| log["note"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(notes.len(), 2);
    service.run("client remove billing --yes");
    for note in &notes {
        let ran = service.run(&format!("audit verify --expect {note}"));
        assert_eq!(ran.code, 0, "{ran:?}");
    }
    let (log, rest) = notes[0].split_once(':').unwrap();
    let (number, hash) = rest.split_once(':').unwrap();
    for (note, says) in [
        // The log was cut, or is another one.
        (format!("{log}:9999:{hash}"), "it is missing"),
        (format!("{log}:{}:{hash}", u64::MAX), "it is missing"),
        (
            format!("{log}:{number}:{}", "0".repeat(64)),
            "it, or an entry before it, was replaced",
        ),
    ] {
        let ran = service.run(&format!("audit verify --expect {note}"));
        assert_eq!(ran.code, 1, "{ran:?}");
        assert!(ran.err.contains(says), "{ran:?}");
    }
}

#[test]
fn an_export_is_verified_without_a_service_and_what_was_altered_is_found() {
    let service = prepared();
    let exported = service.run("audit export");
    assert_eq!(exported.code, 0, "{exported:?}");
    let lines: Vec<&str> = exported.out.lines().collect();
    let parsed: Vec<Value> = lines
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for line in &parsed {
        for field in [
            "log",
            "number",
            "index",
            "hash",
            "time",
            "event",
            "client_id",
            "actor",
            "outcome",
            "count",
        ] {
            assert!(!line[field].is_null(), "{field}: {line}");
        }
    }
    let of_billing = parsed
        .iter()
        .position(|line| line["client_id"] == "billing")
        .unwrap();
    assert!(of_billing + 1 < lines.len());
    let folder = tempfile::tempdir().unwrap();
    let verify = |what: &str, lines: &[String]| {
        let path = folder.path().join("export.jsonl");
        fs::write(
            &path,
            lines
                .iter()
                .map(|line| format!("{line}\n"))
                .collect::<String>(),
        )
        .unwrap();
        let ran = run(["audit", "verify", "--file", path.to_str().unwrap()]);
        (what.to_owned(), ran.code, ran.err + &ran.out)
    };
    let owned: Vec<String> = lines.iter().map(|&line| line.to_owned()).collect();
    let (_, code, err) = verify("as it is", &owned);
    assert_eq!(code, 0, "{err}");

    let altered = |alter: &dyn Fn(&mut Vec<String>)| {
        let mut altered = owned.clone();
        alter(&mut altered);
        altered
    };
    let number = parsed[of_billing]["number"].as_u64().unwrap();
    let named = format!("entry {number}");
    let after = format!("entry {}", number + 1);
    for (what, lines, says) in [
        (
            "a name",
            altered(&|l| l[of_billing] = l[of_billing].replace("billing", "chilling")),
            &named,
        ),
        (
            "removed",
            altered(&|l| {
                l.remove(of_billing - 1);
            }),
            &format!("entry {}", number - 1),
        ),
        (
            "two changed places",
            altered(&|l| l.swap(of_billing - 1, of_billing)),
            &format!("entry {}", number - 1),
        ),
        (
            "twice",
            altered(&|l| {
                let line = l[of_billing].clone();
                l.insert(of_billing, line);
            }),
            &after,
        ),
        (
            "a member that is there twice",
            altered(&|l| l[of_billing] = l[of_billing].replacen('{', "{\"event\":\"X\",", 1)),
            &format!("export.jsonl:{}: this is no line", of_billing + 1),
        ),
    ] {
        let (what, code, err) = verify(what, &lines);
        assert_eq!(code, 1, "{what}: {err}");
        assert!(err.contains(says.as_str()), "{what}: {err}");
    }
    // A socket that is named for other commands is not asked; and standard input is a file, too.
    let path = folder.path().join("export.jsonl");
    fs::write(&path, &exported.out).unwrap();
    let elsewhere = || {
        let mut command = program();
        command.env("COUNTERSIGN_ADMIN_SOCKET", "/nowhere/admin.sock");
        command
    };
    let set = finish(elsewhere().args(["audit", "verify", "--file"]).arg(&path));
    assert_eq!(set.code, 0, "{set:?}");
    let piped = feed(
        elsewhere().args(["audit", "verify", "--file", "-"]),
        &exported.out,
    );
    assert_eq!((piped.code, &piped.out), (0, &set.out), "{piped:?}");
    let altered = exported.out.replacen("billing", "chilling", 1);
    let piped = feed(
        elsewhere().args(["audit", "verify", "--file", "-"]),
        &altered,
    );
    assert_eq!(piped.code, 1, "{piped:?}");
    assert!(piped.err.contains("standard input:"), "{piped:?}");

    // What is not there is said.
    let (_, code, told) = verify("nothing", &[]);
    assert_eq!(code, 1, "{told}");
    assert!(told.contains("it holds no entry"), "{told}");
    // How a line is written does not matter, nor are the newest entries missed without a note.
    // An entry can have several lines.
    let of_newest = |line: &Value| {
        let newest = &parsed[parsed.len() - 1];
        line["log"] == newest["log"] && line["number"] == newest["number"]
    };
    let newest = parsed.iter().position(of_newest).unwrap();
    let returned: Vec<String> = owned.iter().map(|line| format!("{line}\r")).collect();
    for (what, lines) in [
        ("other ends of lines", &returned[..]),
        ("the newest entry is gone", &owned[..newest]),
    ] {
        let (what, code, err) = verify(what, lines);
        assert_eq!(code, 0, "{what}: {err}");
    }
    let (_, code, told) = verify("a removed beginning", &owned[3..]);
    assert_eq!(code, 0, "{told}");
    assert!(
        told.contains("audit: begins with entry 4; what was before is not in this file"),
        "{told}"
    );
    let of_audit: Vec<String> = owned
        .iter()
        .zip(&parsed)
        .filter(|(_, line)| line["log"] == "audit")
        .map(|(text, _)| text.clone())
        .collect();
    let (_, code, told) = verify("one log", &of_audit);
    assert_eq!(code, 0, "{told}");
    assert!(
        told.contains("issuance: nothing of it is in this file"),
        "{told}"
    );
    // What --since leaves out is the beginning.
    let recent = service.run("audit export --log audit --since 1h");
    assert_eq!(
        recent.out.lines().count(),
        parsed.iter().filter(|line| line["log"] == "audit").count()
    );
    assert_eq!(
        service.run("audit export --since 2999-01-01T00:00:00Z").out,
        ""
    );
}
