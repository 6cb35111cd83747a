//! What takes something away for good asks first: every command is in one of the two tables here.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::help::COMMANDS;
use crate::keys::{keys, kid};
use crate::program::{Ran, Service, finish, run};
use crate::serve::{ORDERS, prepared};

/// The commands that need not ask, and why.
const HARMLESS: &[(&str, &str)] = &[
    ("serve", "what it replaces or removes is configured"),
    ("demo", "its service is its own"),
    ("bench", "its service is its own"),
    ("client add", "replaces none that is there"),
    ("client update", "what it replaces can be set again"),
    ("client list", "reads"),
    ("client show", "reads"),
    ("resource add", "replaces none that is there"),
    ("resource update", "what it replaces can be set again"),
    ("resource list", "reads"),
    ("resource show", "reads"),
    ("account add", "replaces none that is there"),
    ("account list", "reads"),
    ("account disable", "it can be opened again"),
    ("account enable", "it can be closed again"),
    (
        "account set-password",
        "who does it knows a password, and can set the old one again",
    ),
    ("login-app", "what it removes is over"),
    ("token issue", "adds; a code is there to be used up"),
    ("token introspect", "reads"),
    ("token rotate", "gives the successor of what it uses up"),
    ("token renew", "gives the successor of what it uses up"),
    (
        "login",
        "what it gives up is had again by the login that it has just made",
    ),
    ("logout", "what it gives up is had again by logging in"),
    ("proof", "writes a key where none is"),
    ("rules list", "reads"),
    ("rules check", "reads"),
    ("key list", "reads"),
    (
        "key rotate",
        "the old key verifies for as long as it is needed",
    ),
    ("key generate", "writes no file that is there"),
    ("store stats", "reads"),
    ("store backup", "writes no file that is there"),
    ("store verify", "reads"),
    ("audit tail", "reads"),
    ("audit list", "reads"),
    ("audit export", "reads"),
    ("audit verify", "reads"),
];

/// A command that asks, what it is told, and what it says of what is lost.
struct Asks {
    command: &'static str,
    told: String,
    says: &'static str,
}

fn asks(command: &'static str, told: impl Into<String>, says: &'static str) -> Asks {
    let told = told.into();
    Asks {
        command,
        told,
        says,
    }
}

/// While a service runs; in an order in which all of them can be done.
fn of_a_service(kid: &str) -> [Asks; 6] {
    let token = "--client-id checkout --client-secret-file checkout.secret --token-file token";
    [
        asks("token revoke", token, "it is dead at once"),
        asks(
            "client rotate-secret",
            "checkout --secret-file second",
            "the old one is refused at once",
        ),
        asks(
            "token revoke-all",
            "--client checkout",
            "all tokens that the client checkout has: what is revoked is dead at once",
        ),
        asks("client remove", "checkout", "its refresh tokens are dead"),
        asks("resource remove", ORDERS, "nobody gets a token for it"),
        asks(
            "key revoke",
            kid,
            "every access token that it signed is refused",
        ),
    ]
}

/// While none runs.
fn of_a_store() -> [Asks; 3] {
    [
        asks(
            "store restore",
            "backup --data restored",
            "every token that was issued before its first start is dead",
        ),
        asks("store recover", "--data data", "what was lost is lost"),
        asks(
            "key rekey",
            "--data data --key-file kek --new-key-file kek-2",
            "the service does not start with the old one",
        ),
    ]
}

#[test]
fn every_command_asks_or_takes_nothing_away() {
    let (service, store) = (of_a_service(""), of_a_store());
    let asking = service.iter().chain(&store).map(|asks| asks.command);
    let harmless = HARMLESS.iter().map(|(command, _)| *command);
    let mut known: Vec<_> = asking.clone().chain(harmless).collect();
    let mut all = COMMANDS.to_vec();
    known.sort_unstable();
    all.sort_unstable();
    assert_eq!(known, all);
    let asking: Vec<_> = asking.collect();
    for command in all {
        let help = run(command.split(' ').chain(["--help"])).out;
        let has_yes = help.contains("--yes\n") || help.contains("--yes  ");
        assert_eq!(has_yes, asking.contains(&command), "{command}: {help}");
    }
}

#[test]
fn what_takes_something_away_asks_first() {
    let service = prepared();
    let issue = "token issue --client-id checkout --client-secret-file checkout.secret --access-token-file token";
    assert_eq!(service.run(issue).code, 0);
    let kid = kid(&service, "SIGNING_KEY_STATE_ACTIVE");
    let introspect = "token introspect --client-id orders --client-secret-file orders.secret --token-file token --json";
    let state = || -> Vec<String> {
        // Of the keys, not when they are ready: the service sets that after its start.
        let keys = keys(&service).into_iter();
        let keys = keys.map(|key| format!("{} {}", key["kid"], key["state"]));
        let shown = [
            "client list --json",
            "resource list --json",
            "audit list --event TOKENS_REVOKED --json",
            introspect,
        ];
        keys.chain(shown.map(|line| service.run(line).out))
            .collect()
    };
    each_asks(&service, &of_a_service(&kid), state);
}

#[test]
fn what_sets_a_store_back_or_locks_it_anew_asks_first() {
    let mut service = Service::start();
    assert_eq!(service.run("store backup backup").code, 0);
    service.signal("TERM");
    assert!(service.ended().success());
    fs::remove_file(service.file("data/mark")).unwrap();
    let folder = service.file("");
    each_asks(&service, &of_a_store(), || files(&folder));
}

/// Without a terminal, and where the answer is no, nothing changes; where it is yes, it is done.
fn each_asks<S: PartialEq>(service: &Service, rows: &[Asks], state: impl Fn() -> S) {
    let before = state();
    let command = |row: &Asks, more: &[&str]| {
        let mut command = service.command();
        let words = row.command.split(' ').chain(row.told.split(' '));
        command.args(words).args(more);
        command
    };
    for row in rows {
        let (unasked, no) = (
            finish(&mut command(row, &[])),
            at_a_terminal(&mut command(row, &[]), "no"),
        );
        for (ran, part) in [(unasked, "say --yes to go on"), (no, "go on? [y/N]")] {
            assert_eq!(ran.code, 3, "{}: {ran:?}", row.command);
            assert_eq!(ran.out, "", "{}: {ran:?}", row.command);
            for part in [row.says, part, "nothing was changed"] {
                assert!(ran.err.contains(part), "{}: {part}: {ran:?}", row.command);
            }
        }
        assert!(state() == before, "{} changed something", row.command);
    }
    let mut before = before;
    for (nth, row) in rows.iter().enumerate() {
        let ran = match nth % 2 {
            0 => at_a_terminal(&mut command(row, &[]), "y"),
            _ => finish(&mut command(row, &["--yes"])),
        };
        assert_eq!(ran.code, 0, "{}: {ran:?}", row.command);
        let after = state();
        assert!(after != before, "{} changed nothing", row.command);
        before = after;
    }
}

/// Runs a command at a terminal at which somebody types this line.
fn at_a_terminal(command: &mut Command, line: &str) -> Ran {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let name = ptsname(&ours, Vec::new()).unwrap();
    let theirs = rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
    rustix::io::write(&ours, format!("{line}\n").as_bytes()).unwrap();
    finish(command.stdin(Stdio::from(theirs)))
}

/// All files below a folder, but those that the database has to itself: it puts them in order
/// whenever somebody looks into it.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.ends_with("database") {
            continue;
        } else if path.is_dir() {
            all.extend(files(&path));
        } else if let Ok(bytes) = fs::read(&path) {
            all.insert(path, bytes);
        }
    }
    all
}
