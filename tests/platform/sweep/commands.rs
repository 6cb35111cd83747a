//! Every command of the binary, run with secrets in its files, its environment and its input. A
//! command without a row fails the test: a new one joins with one line here.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_jose::SigningKey;
use serde_json::{Value, json};

use super::marks::{Heard, Marks};
use crate::service::{Service, binary, unconfigured};

/// One command.
struct Row {
    command: &'static str,
    lines: &'static [&'static str],
}

const fn row(command: &'static str, lines: &'static [&'static str]) -> Row {
    Row { command, lines }
}

/// In an order in which each works. `{url}` is the service's, `{next}` its next signing key.
///
/// Files: `secret`, `token`, `refresh` and `pem` are made by what comes before; `garbage` holds a
/// secret that is none, and `two` two words.
const ROWS: &[Row] = &[
    row(
        "serve",
        &[
            "serve --check --config countersign.toml",
            "serve --check --key-file garbage",
            "serve --data second --key-file garbage --listen 127.0.0.1:0 --socket second.sock",
        ],
    ),
    row(
        "resource add",
        &["resource add https://shop.example --scope shop.buy"],
    ),
    // From here on what is issued, asked about and revoked is a reference.
    row(
        "resource update",
        &["resource update https://shop.example --token-format reference"],
    ),
    row("resource list", &["resource list"]),
    row(
        "resource show",
        &[
            "resource show https://shop.example",
            "resource show nothing",
        ],
    ),
    row(
        "client add",
        &[
            "client add cart --allow https://shop.example=shop.buy --serves https://shop.example --allow {url}=introspect --secret-file secret",
            "client add people --allow {url}=authorizations.decide --secret-file secret3",
            "client add printed --allow https://shop.example=shop.buy",
            "client add wrong --jwks pem",
            "client add wrong --jwks garbage",
        ],
    ),
    row(
        "client update",
        &[
            "client update printed --name Printed --only-pushed yes",
            "client update nobody --only-pushed no",
        ],
    ),
    row("client list", &["client list"]),
    row("client show", &["client show cart"]),
    row(
        "client rotate-secret",
        &[
            "client rotate-secret printed --yes",
            "client rotate-secret cart --secret-file secret2 --yes",
        ],
    ),
    row(
        "account add",
        &[
            "account add cora --password-file password",
            "account add cora --password-file password",
            "account add dora --password-file garbage",
            "account add emil --password-file two",
        ],
    ),
    row("account list", &["account list"]),
    row(
        "account set-password",
        &[
            "account set-password cora --password-file password",
            "account set-password nobody --password-file garbage",
        ],
    ),
    row("account disable", &["account disable cora"]),
    row("account enable", &["account enable cora"]),
    row(
        "login-app",
        &[
            "login-app --check --client-id people --client-secret-file secret3 --data app --listen 127.0.0.1:0 --server {url}",
            "login-app --client-id cart --client-secret-file garbage --check --data garbage --server {url}",
            "login-app --check --client-id cart --client-secret-file two --data app --listen 127.0.0.1:0 --server {url}",
        ],
    ),
    row("key list", &["key list"]),
    row(
        "key generate",
        &[
            "key generate pem",
            "key generate pem",
            "key generate garbage",
        ],
    ),
    row(
        "token issue",
        &[
            "token issue --client-id cart --client-secret-file secret2 --resource https://shop.example --access-token-file token",
            "token issue --client-id printed --client-secret-file garbage",
            "token issue --client-id cart --client-secret-file two",
            "token issue --client-id cart --client-key garbage",
            "token issue --client-id cart --client-key pem",
            "token issue --client-id cart --code c0de-that-nobody-made --redirect-uri http://127.0.0.1/ --code-verifier aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        ],
    ),
    row(
        "token introspect",
        &[
            "token introspect --client-id cart --client-secret-file secret2 --token-file token",
            "token introspect --client-id cart --client-secret-file secret2 --token-file garbage",
            "token introspect --client-id cart --client-secret-file secret2 --token-file two",
        ],
    ),
    row(
        "token rotate",
        &[
            "token rotate --client-id desk --token-file refresh --access-token-file access --refresh-token-file next",
            "token rotate --client-id desk --token-file next --json",
            "token rotate --client-id cart --client-secret-file garbage --token-file garbage",
        ],
    ),
    row(
        "token renew",
        &[
            "token renew --login-file login --access-token-file renewed",
            "token renew --login-file garbage",
            "token renew --login-file two",
        ],
    ),
    row(
        "login",
        &[
            "login --no-browser --login-file login2 --client-id nobody",
            "login --no-browser --login-file login2 --client-id desk --key garbage",
            "login --no-browser --login-file login2 --client-id desk --redirect-uri http://127.0.0.1/elsewhere",
            "login --device --login-file login2 --client-id desk --scope none",
        ],
    ),
    row(
        "logout",
        &["logout --login-file garbage", "logout --login-file login"],
    ),
    row(
        "token revoke",
        &[
            "token revoke --client-id cart --client-secret-file secret2 --token-file token --yes",
            "token revoke --client-id cart --client-secret-file secret2 --token-file garbage --yes",
            "token revoke --client-id cart --client-secret-file secret2 --token-file garbage",
        ],
    ),
    row(
        "token revoke-all",
        &[
            "token revoke-all --subject nobody --yes",
            "token revoke-all --token-id nonsense --yes",
        ],
    ),
    row(
        "rules list",
        &[
            "rules list --reflect {url}",
            "rules list --rules garbage",
            "rules list --descriptors garbage",
        ],
    ),
    row(
        "rules check",
        &[
            "rules check --reflect {url} --exempt grpc.health.v1.Health --exempt grpc.reflection.v1.ServerReflection",
            "rules check --reflect {url} --registered",
            "rules check --reflect {url} --resources garbage",
            "rules check --rules two",
        ],
    ),
    row(
        "proof",
        &[
            "proof --url {url}/a.B/C --token-file token",
            "proof --url {url}/a.B/C --key garbage",
            "proof --url {url}/a.B/C --token-file two",
        ],
    ),
    row("key rotate", &["key rotate", "key rotate --purpose mac"]),
    row(
        "key revoke",
        &["key revoke nothing --yes", "key revoke {next} --yes"],
    ),
    row("audit tail", &["audit tail -n 50"]),
    row(
        "audit list",
        &["audit list --client desk", "audit list --log issuance"],
    ),
    row(
        "audit export",
        &["audit export", "audit export --log issuance"],
    ),
    row("audit verify", &["audit verify"]),
    row("store stats", &["store stats --count"]),
    row(
        "store backup",
        &["store backup backup", "store backup garbage"],
    ),
    row(
        "store verify",
        &[
            "store verify backup --scratch .",
            "store verify garbage --scratch .",
        ],
    ),
    row(
        "store restore",
        &[
            "store restore backup --data restored --yes",
            "store restore garbage --data elsewhere --yes",
        ],
    ),
    row("store recover", &["store recover --data restored --yes"]),
    row(
        "key rekey",
        &[
            "key rekey --data restored --key-file garbage --new-key-file kek2 --yes",
            "key rekey --data restored --key-file key --new-key-file garbage --yes",
            "key rekey --data restored --key-file key --new-key-file kek2 --yes",
        ],
    ),
    row("client remove", &["client remove cart --yes"]),
    row(
        "resource remove",
        &["resource remove https://shop.example --yes"],
    ),
];

/// Commands that make a world of their own and know no secret of this one.
const ELSEWHERE: &[&str] = &["demo", "bench"];

/// Commands that wait for a person, whom the tests of the command play: here they are refused.
const AWAITING: &[&str] = &["login"];

/// Files that hold secrets once their commands ran, with what is in them.
const FILES: &[(&str, &str)] = &[
    ("secret", "a client secret in a file"),
    ("secret3", "the secret of a login application in a file"),
    ("secret2", "a replaced client secret in a file"),
    ("token", "an access token in a file"),
    ("access", "a person's access token in a file"),
    ("renewed", "an access token of a login in a file"),
    ("next", "a refresh token in a file"),
    ("pem", "a private key in a file"),
    ("dpop.pem", "the proof key in a file"),
    ("kek2", "a key-encryption key in a file"),
];

/// Refresh tokens of the client `desk`, bound to the same key.
#[derive(Copy, Clone)]
pub(crate) struct Refresh<'a> {
    /// For `token rotate`.
    pub(crate) rotated: &'a str,
    /// For a login that is kept.
    pub(crate) login: &'a str,
}

/// Runs all of them; what they say is heard, and the secrets in their files are marked. `refresh`
/// is bound to `proof_key`.
pub(crate) fn run(
    service: &Service,
    refresh: Refresh<'_>,
    proof_key: &SigningKey,
    marks: &mut Marks,
    heard: &mut Vec<Heard>,
) -> Result<(), String> {
    every_command_has_a_row()?;
    let folder = service.folder();
    for (name, text) in [
        (
            "garbage",
            "css_garbage-0123456789-that-is-no-secret-of-anybody",
        ),
        (
            "two",
            "first-word-of-a-secret-0123456789 second-word-of-it-9876543210",
        ),
    ] {
        private(folder, name, text)?;
        marks.add(
            format!("what stands in the file {name}"),
            text.as_bytes(),
            &[],
        );
    }
    let password = "a person's password 0123456789";
    private(folder, "password", password)?;
    marks.add("a person's password in a file", password.as_bytes(), &[]);
    private(folder, "refresh", refresh.rotated)?;
    private(folder, "dpop.pem", &pem(proof_key)?)?;
    let jkt = proof_key.public().thumbprint().to_string();
    let login = kept_login(&service.url(), folder, &jkt, refresh.login);
    private(folder, "login", &login.to_string())?;
    marks.add("one word of two", b"second-word-of-it-9876543210", &[]);
    marks.add("a code as an argument", b"c0de-that-nobody-made", &[]);
    let in_environment = "css_environment-0123456789-that-is-no-secret";
    marks.add(
        "a secret in the environment",
        in_environment.as_bytes(),
        &[],
    );

    for row in ROWS {
        let mut worked = false;
        for line in row.lines {
            let mut line = line.replace("{url}", &service.url());
            if line.contains("{next}") {
                line = line.replace("{next}", &next_key(service)?);
            }
            let mut command = Command::new(binary()?);
            unconfigured(&mut command)
                .args(line.split(' '))
                .current_dir(folder)
                .env("COUNTERSIGN_SERVER", service.url())
                .env("COUNTERSIGN_ADMIN_SOCKET", folder.join("admin.sock"))
                .env("COUNTERSIGN_DPOP_KEY", folder.join("dpop.pem"))
                .env("RUST_LOG", "trace")
                .stdin(Stdio::null());
            // A public client with a secret in its environment is refused for it.
            if !line.contains("--client-id desk") {
                command.env("COUNTERSIGN_CLIENT_SECRET", in_environment);
            }
            let output = command.output().map_err(|error| error.to_string())?;
            worked |= output.status.success();
            for word in printed_secrets(&output.stdout) {
                let places = ["output of client", "output of token", "output of proof"];
                marks.add("a printed secret", word.as_bytes(), &places);
            }
            for (stream, bytes) in [("output", output.stdout), ("complaints", output.stderr)] {
                let place = format!("{stream} of {line}");
                heard.push(Heard { place, bytes });
            }
        }
        if row.command == "token renew" {
            let login = fs::read(folder.join("login")).map_err(|error| error.to_string())?;
            let login: Value = serde_json::from_slice(&login).map_err(|error| error.to_string())?;
            let newest = login["refresh_token"].as_str().ok_or("no refresh token")?;
            marks.add("the refresh token of a login", newest.as_bytes(), &[]);
        }
        if !worked && !AWAITING.contains(&row.command) {
            let said: Vec<_> = heard
                .iter()
                .rev()
                .take(2 * row.lines.len())
                .map(|it| String::from_utf8_lossy(&it.bytes))
                .collect();
            return Err(format!(
                "no line of the row {:?} succeeds; it said {said:?}",
                row.command
            ));
        }
    }
    for (name, what) in FILES {
        let text =
            fs::read_to_string(folder.join(name)).map_err(|error| format!("{name}: {error}"))?;
        let is_pem = text.starts_with("-----");
        for line in text.lines().filter(|line| !line.starts_with("-----")) {
            match is_pem {
                true => marks.add_alone(*what, line.as_bytes(), &[]),
                false => marks.add(*what, line.as_bytes(), &[]),
            }
        }
    }
    Ok(())
}

/// What `countersign login` keeps.
fn kept_login(url: &str, folder: &Path, jkt: &str, refresh: &str) -> Value {
    json!({
        "server": url,
        "ca": null,
        "issuer": url,
        "client_id": "desk",
        "scopes": ["orders.read"],
        "family_id": "",
        "key_file": folder.join("dpop.pem"),
        "jkt": jkt,
        "refresh_token": refresh,
    })
}

/// The name of the next signing key, which may be revoked without a loss.
fn next_key(service: &Service) -> Result<String, String> {
    let listed = service.admin(&["key", "list", "--all"])?;
    let keys = listed["signing_keys"].as_array().ok_or("no keys")?;
    keys.iter()
        .find(|key| {
            key["state"] == "SIGNING_KEY_STATE_NEXT"
                && key["purpose"] == "SIGNING_KEY_PURPOSE_ACCESS_TOKENS"
        })
        .and_then(|key| key["kid"].as_str())
        .map(str::to_owned)
        .ok_or_else(|| format!("no next key in {listed}"))
}

/// Secrets, tokens and proofs that a command printed, which is what it is for.
fn printed_secrets(stdout: &[u8]) -> Vec<String> {
    const PREFIXES: [&str; 4] = ["css_", "csr_", "csc_", "eyJ"];
    String::from_utf8_lossy(stdout)
        .split(|character: char| character.is_whitespace() || character == '"')
        .filter(|word| PREFIXES.iter().any(|prefix| word.starts_with(prefix)))
        .map(str::to_owned)
        .collect()
}

/// PKCS#8 as PEM.
fn pem(key: &SigningKey) -> Result<String, String> {
    let der = key.to_pkcs8_der().map_err(|error| error.to_string())?;
    let body = STANDARD.encode(&*der);
    Ok(format!(
        "-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n"
    ))
}

fn private(folder: &Path, name: &str, text: &str) -> Result<(), String> {
    let path = folder.join(name);
    fs::write(&path, text)
        .and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(0o600)))
        .map_err(|error| format!("{name}: {error}"))
}

/// The commands that `--help` lists, down to those that do something.
fn every_command_has_a_row() -> Result<(), String> {
    for name in listed(&[])? {
        let inner = listed(&[&name])?;
        let commands = match inner.is_empty() {
            true => vec![name],
            false => inner
                .iter()
                .map(|inner| format!("{name} {inner}"))
                .collect(),
        };
        for command in commands {
            let known = ROWS.iter().any(|row| row.command == command)
                || ELSEWHERE.contains(&command.as_str());
            if !known {
                return Err(format!(
                    "`countersign {command}` is not swept for secrets: add `row({command:?}, &[\"{command} …\"]),` to ROWS in tests/platform/sweep/commands.rs"
                ));
            }
        }
    }
    Ok(())
}

fn listed(of: &[&str]) -> Result<Vec<String>, String> {
    let arguments: Vec<&str> = of.iter().copied().chain(["--help"]).collect();
    let help = crate::service::countersign(&arguments)?;
    let Some((_, rest)) = help.split_once("Commands:\n") else {
        return Ok(Vec::new());
    };
    Ok(rest
        .lines()
        .take_while(|line| !line.is_empty())
        // Two spaces in: a name. Further in: the rest of its description.
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect())
}
