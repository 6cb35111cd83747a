//! `countersign demo`: every step, and the commands that `--stay` prints.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::program::{finish, program, run, wait};

/// The refusals of the story, in order: what is told, and the reason.
const REFUSALS: &[(&str, &str, &str)] = &[
    (
        "a key of his own",
        "UNAUTHENTICATED",
        "REASON_TOKEN_INVALID",
    ),
    (
        "the same proof",
        "UNAUTHENTICATED",
        "REASON_DPOP_PROOF_REPLAYED",
    ),
    ("as Bearer", "UNAUTHENTICATED", "REASON_TOKEN_INVALID"),
    (
        "orders.read",
        "PERMISSION_DENIED",
        "REASON_SCOPE_INSUFFICIENT",
    ),
    ("no rule", "PERMISSION_DENIED", "REASON_METHOD_NOT_ALLOWED"),
    (
        "without token",
        "UNAUTHENTICATED",
        "REASON_CREDENTIALS_MISSING",
    ),
    (
        "that `checkout` placed",
        "PERMISSION_DENIED",
        "REASON_NOT_OWNER",
    ),
    (
        "two generations old",
        "FAILED_PRECONDITION",
        "REASON_GRANT_INVALID",
    ),
    (
        "newest refresh token",
        "FAILED_PRECONDITION",
        "REASON_GRANT_INVALID",
    ),
];

/// Steps that must be in the story and come back well.
const ACCEPTED: &[&str] = &[
    "register the resource",
    "register the client `checkout`",
    "`checkout` asks for a token",
    "`checkout` calls CreateOrder for tea",
    "`desk` pushes an authorization request",
    "alice approves",
    "`desk` redeems the code",
    "`desk` rotates its refresh token",
    "the answer was lost",
    "it is the same successor",
    "a live family's token is active",
    "a dead family's token is not",
];

#[test]
fn it_plays_every_step_for_people() {
    let ran = run(["demo"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    for step in ACCEPTED {
        assert!(ran.out.contains(step), "{step}: {}", ran.out);
    }
    for (step, code, reason) in REFUSALS {
        assert!(ran.out.contains(step), "{step}: {}", ran.out);
        assert!(
            ran.out.contains(&format!("✗ refused: {code} {reason}")),
            "{reason}: {}",
            ran.out
        );
    }
    assert!(ran.out.contains("each came back as it must"));
    assert!(!ran.out.contains('\u{1b}'), "colour without a terminal");
    no_token_in(&ran.out);
    assert_eq!(ran.err, "", "nothing to complain of");
}

#[test]
fn it_plays_every_step_for_scripts() {
    let ran = run(["demo", "--json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let lines: Vec<Value> = ran
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let refused: Vec<_> = lines
        .iter()
        .filter(|line| line["reason"].is_string())
        .collect();
    assert_eq!(refused.len(), REFUSALS.len(), "{refused:#?}");
    for (line, (step, code, reason)) in refused.iter().zip(REFUSALS) {
        assert!(line["step"].as_str().unwrap().contains(step), "{line}");
        assert_eq!(line["code"], *code);
        assert_eq!(line["reason"], *reason);
    }
    no_token_in(&ran.out);
}

#[test]
fn it_stays_and_the_commands_that_it_prints_work() {
    let mut child = program()
        .args(["demo", "--stay"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut printed = String::new();
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    while !printed.contains("token revoke") {
        assert_ne!(reader.read_line(&mut printed).unwrap(), 0, "{printed}");
    }
    let (_, block) = printed.split_once("another terminal:").unwrap();
    let commands = script(block);
    assert!(
        commands.matches("\ncountersign ").count() >= 7,
        "{commands}"
    );

    let ran = finish(Command::new("sh").args(["-e", "-c", &commands]));
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.contains("checkout"), "{}", ran.out);
    assert!(ran.out.contains("active"), "{}", ran.out);

    let folder = block
        .lines()
        .find_map(|line| line.trim().strip_prefix("cd '"))
        .unwrap()
        .trim_end_matches('\'')
        .to_owned();
    assert!(std::path::Path::new(&folder).exists());
    let told = Command::new("kill")
        .args(["-s", "INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(told.success());
    assert_eq!(wait(&mut child).code(), Some(0));
    assert!(!std::path::Path::new(&folder).exists(), "left behind");
}

/// The indented lines, as a script. The calls with grpcurl are tried where that
/// tool is: in the tests of the whole platform.
fn script(block: &str) -> String {
    let mut script = String::from("umask 077\n");
    for part in block.split("\n\n") {
        let commands: Vec<_> = part
            .lines()
            .filter_map(|line| line.strip_prefix("    "))
            .collect();
        if !commands.iter().any(|line| line.contains("grpcurl")) {
            script.push_str(&commands.join("\n"));
            script.push('\n');
        }
    }
    script
}

/// No JWT and no handle may be shown.
fn no_token_in(text: &str) {
    for prefix in ["eyJ", "csr_", "csc_", "csp_", "csa_"] {
        assert!(!text.contains(prefix), "{prefix}: {text}");
    }
}
