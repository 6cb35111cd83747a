//! The examples, as a visitor runs them: each alone, to its end.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use countersign_testkit::service;

/// What an example must print, besides ending with success.
const SAYS: &[(&str, &[&str])] = &[
    (
        "calling",
        &[
            "order-2: biscuits for checkout",
            "GetOrder refused, REASON_SCOPE_INSUFFICIENT: ask for orders.read",
            "PurgeOrders refused, REASON_METHOD_NOT_ALLOWED",
        ],
    ),
    (
        "protecting",
        &[
            "ann reads it: tea",
            "bob reads it: REASON_NOT_OWNER",
            "a proof that was used before: REASON_DPOP_PROOF_REPLAYED",
            "a stolen token with another key: REASON_TOKEN_INVALID",
            "a token that was revoked: REASON_TOKEN_REVOKED",
            "a token after its end: REASON_TOKEN_EXPIRED",
        ],
    ),
    (
        "streaming",
        &[
            "the stream tells of biscuits",
            "later the stream has ended: REASON_TOKEN_REVOKED",
        ],
    ),
    (
        "login",
        &[
            "open this in a browser of this machine: http://",
            "ann is shown: films-cli asks for films.watch at https://films.example",
            "her browser shows: You are done here",
            "the program may films.watch",
            "after five minutes it has another token: true",
        ],
    ),
    (
        "device",
        &[
            "/device and type ",
            "ann is shown: Television asks for films.watch at https://films.example",
            "ann lets it in",
            "the television may films.watch",
        ],
    ),
    (
        "axum",
        &[
            "a stranger reads /: 200 OK, anybody may read this",
            "resource_metadata=\"https://orders.example/.well-known/oauth-protected-resource\"",
            "which names the scopes [\"orders.admin\",\"orders.read\"]",
            "ann: GET /orders/ann: 200 OK, tea for ann",
            "ann: GET /orders/bob: 403 Forbidden, REASON_NOT_OWNER",
            "ann: DELETE /orders/ann: 403 Forbidden, REASON_SCOPE_INSUFFICIENT",
            "ann: DELETE /forgotten: 403 Forbidden, REASON_METHOD_NOT_ALLOWED",
        ],
    ),
    (
        "requests",
        &[
            "an order is read: 200 OK for shop",
            "stock is added: 401 Unauthorized, a nonce is wanted, and the body is gone",
            "stock is added: 200 OK took tea",
            "an order is made: 403 Forbidden, ask for write",
            "an order is deleted: 401 Unauthorized, sign in by urn:example:mfa",
            "an old address: 308 Permanent Redirect /items/7",
            "a request for https://elsewhere.example is not sent",
            "tokens fetched: 2",
        ],
    ),
    (
        "own_rules",
        &[
            "anybody may list the books: Middlemarch, Emma",
            "a stranger borrows one: refused, REASON_CREDENTIALS_MISSING",
            "Middlemarch is lent to reader",
            "a reader discards it: refused, REASON_SCOPE_INSUFFICIENT",
            "the librarian burns it all down: refused, REASON_METHOD_NOT_ALLOWED",
        ],
    ),
];

/// Each ends by itself, with success, and has shown what it is for.
pub(crate) fn each_runs_to_its_end() -> Result<(), String> {
    let folder = service::binary()?.with_file_name("examples");
    for (name, says) in SAYS {
        let program = folder.join(name);
        if !program.is_file() {
            return Err(format!(
                "the example is not built: run `cargo build --example {name}`, or `cargo test --workspace`"
            ));
        }
        let mut command = Command::new(program);
        let printed = service::run(service::unconfigured(&mut command).stdin(Stdio::null()))?;
        for line in *says {
            if !printed.contains(line) {
                return Err(format!("{name} does not say {line:?}:\n{printed}"));
            }
        }
    }
    Ok(())
}

/// Those that are run above are all that there are, and those that the README names.
pub(crate) fn each_is_in_the_readme() -> Result<(), String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let run: BTreeSet<String> = SAYS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let entries = fs::read_dir(root.join("examples")).map_err(|error| error.to_string())?;
    let there: BTreeSet<String> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| {
            path.extension().is_some_and(|it| it == "rs") || path.join("Cargo.toml").is_file()
        })
        .filter_map(|path| Some(path.file_stem()?.to_string_lossy().into_owned()))
        .collect();
    let readme = fs::read_to_string(root.join("README.md")).map_err(|error| error.to_string())?;
    let named: BTreeSet<String> = readme
        .lines()
        .filter_map(|line| line.strip_prefix("$ cargo run --example "))
        .filter_map(|words| Some(words.split_whitespace().next()?.to_owned()))
        .collect();
    if run == there && run == named {
        Ok(())
    } else {
        Err(format!(
            "in examples/ {there:?}, run here {run:?}, in the README {named:?}"
        ))
    }
}
