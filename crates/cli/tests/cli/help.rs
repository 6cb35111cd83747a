//! Help that helps.

use crate::program::run;

/// Every command that does something.
pub(crate) const COMMANDS: &[&str] = &[
    "serve",
    "demo",
    "client add",
    "client update",
    "client list",
    "client show",
    "client remove",
    "client rotate-secret",
    "resource add",
    "resource update",
    "resource list",
    "resource show",
    "resource remove",
    "account add",
    "account list",
    "account disable",
    "account enable",
    "account set-password",
    "login-app",
    "token issue",
    "token introspect",
    "token renew",
    "token revoke",
    "token revoke-all",
    "token rotate",
    "login",
    "logout",
    "rules list",
    "rules check",
    "proof",
    "key list",
    "key rotate",
    "key revoke",
    "key rekey",
    "key generate",
    "store stats",
    "store backup",
    "store verify",
    "store restore",
    "store recover",
    "audit tail",
    "audit list",
    "audit export",
    "audit verify",
    "bench",
];

#[test]
fn every_command_shows_an_example_of_itself() {
    for command in COMMANDS {
        let ran = run(command.split(' ').chain(["--help"]));
        assert_eq!(ran.code, 0, "{command}");
        let (_, examples) = ran
            .out
            .split_once("Examples:\n")
            .unwrap_or_else(|| panic!("{command}: no examples"));
        assert!(
            examples.contains(&format!("countersign {command}")),
            "{command}"
        );
    }
}

#[test]
fn examples_fit_a_terminal_of_80_columns() {
    // A wrapped example is two commands to a shell that it is pasted into.
    for command in COMMANDS {
        let help = run(command.split(' ').chain(["--help"])).out;
        let (_, examples) = help.split_once("Examples:\n").unwrap();
        for line in examples.lines() {
            assert!(line.len() <= 80, "{command}: {line}");
        }
    }
}

#[test]
fn every_command_is_in_the_list_above() {
    let mut found = Vec::new();
    for name in subcommands(&[]) {
        let inner = subcommands(&[&name]);
        if inner.is_empty() {
            found.push(name);
        } else {
            found.extend(inner.iter().map(|inner| format!("{name} {inner}")));
        }
    }
    found.sort();
    let mut listed: Vec<_> = COMMANDS.iter().map(|&name| name.to_owned()).collect();
    listed.sort();
    assert_eq!(found, listed);
}

#[test]
fn the_exit_codes_are_told() {
    let help = run(["--help"]).out;
    for code in [0, 1, 2, 3, 4, 5, 6, 7, 70, 130] {
        assert!(help.contains(&format!("{code:>4}  ")), "{code}");
    }
}

#[test]
fn the_version_is_told() {
    let ran = run(["--version"]);
    assert_eq!(
        ran.out.trim(),
        format!("countersign {}", env!("CARGO_PKG_VERSION"))
    );
}

fn subcommands(of: &[&str]) -> Vec<String> {
    let help = run(of.iter().copied().chain(["--help"])).out;
    let Some((_, rest)) = help.split_once("Commands:\n") else {
        return Vec::new();
    };
    rest.lines()
        .take_while(|line| !line.is_empty())
        // Two spaces in: a name. Further in: the rest of its description.
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}
