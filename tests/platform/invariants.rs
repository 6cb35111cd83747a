//! The invariants of `ARCHITECTURE.md`, read off the tree.
//!
//! Each rule is one row: what it is called, what it looks for, and where that
//! may stand. Source is looked at as Rust tokens, so comments and strings do
//! not count, and code under `#[cfg(test)]` is left out.

mod constant_time;

use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use walkdir::WalkDir;

/// One sentence of the architecture that a machine can check.
struct Invariant {
    /// The sentence.
    says: &'static str,
    /// Finds what the sentence is about.
    finds: fn(&Source) -> Option<String>,
    /// The files that the sentence is about.
    applies: fn(&str) -> bool,
    /// The files in which it may stand all the same.
    except: &'static [&'static str],
}

/// A Rust file, ready to be looked at.
struct Source {
    path: String,
    /// Identifiers and punctuation in order, groups opened up.
    tokens: Vec<String>,
    /// String literals, without quotes.
    strings: Vec<String>,
    /// Comparisons of secrets that stop at the first difference.
    leaks: Vec<String>,
}

/// Where the pure crates are.
fn pure(path: &str) -> bool {
    ["crates/jose/src/", "crates/dpop/src/", "crates/issuer/src/"]
        .iter()
        .any(|folder| path.starts_with(folder))
}

fn anywhere(path: &str) -> bool {
    path.starts_with("crates/") || path.starts_with("proto/")
}

fn outside_telemetry(path: &str) -> bool {
    anywhere(path) && !path.starts_with("crates/telemetry/")
}

const INVARIANTS: &[Invariant] = &[
    Invariant {
        says: "jose, dpop and issuer contain no tokio, tonic, tracing or clock",
        finds: |source| {
            source.names(&[
                "tokio",
                "tonic",
                "tracing",
                "SystemTime",
                "Instant",
                "UNIX_EPOCH",
            ])
        },
        applies: pure,
        except: &[],
    },
    Invariant {
        says: "jose, dpop and issuer draw no random values",
        finds: |source| {
            source.names(&[
                "OsRng",
                "getrandom",
                "thread_rng",
                "SystemRandom",
                "SecureRandom",
                "try_from_rng",
                "generate_pkcs8",
            ])
        },
        applies: pure,
        except: &[],
    },
    Invariant {
        says: "refusals become tonic::Code only in server/src/status.rs and guard/src/respond.rs; codes are read back only in client/src/outcome.rs and cli/src/exit/refusal.rs",
        finds: |source| {
            source
                .sequence(&["Code", "::"])
                .or_else(|| source.sequence(&["tonic", "::", "Code"]))
                .or_else(|| source.status_constructor())
        },
        applies: anywhere,
        except: &[
            "crates/server/src/status.rs",
            "crates/guard/src/respond.rs",
            "crates/client/src/outcome.rs",
            "crates/cli/src/exit/refusal.rs",
            // The example service of the demonstration is somebody's own
            // service: it answers as any handler would.
            "crates/cli/src/demo/orders.rs",
        ],
    },
    Invariant {
        says: "only store/src/{embedded,relational,etcd}.rs name a database driver",
        finds: |source| {
            source.names(&[
                "sled",
                "sqlx",
                "tokio_postgres",
                "deadpool_postgres",
                "etcd_client",
            ])
        },
        applies: anywhere,
        except: &[
            "crates/store/src/embedded.rs",
            "crates/store/src/relational.rs",
            "crates/store/src/etcd.rs",
        ],
    },
    Invariant {
        says: "only client/src/clock.rs reads the clock",
        finds: |source| {
            source
                .sequence(&["SystemTime", "::", "now"])
                .or_else(|| source.sequence(&["std", "::", "time", "::", "SystemTime"]))
        },
        applies: anywhere,
        except: &["crates/client/src/clock.rs"],
    },
    Invariant {
        says: "only telemetry makes spans",
        finds: |source| {
            source
                .names(&[
                    "info_span",
                    "debug_span",
                    "trace_span",
                    "warn_span",
                    "error_span",
                ])
                .or_else(|| source.sequence(&["#", "instrument"]))
                .or_else(|| source.sequence(&["#", "tracing", "::", "instrument"]))
        },
        applies: outside_telemetry,
        except: &[],
    },
    Invariant {
        says: "only telemetry/src/names.rs spells a span, attribute or metric name",
        finds: |source| {
            source
                .strings
                .iter()
                .find(|text| telemetry_name(text))
                .map(|text| format!("the string {text:?}"))
        },
        applies: anywhere,
        except: &["crates/telemetry/src/names.rs"],
    },
    Invariant {
        says: "records on disk are encoded in server/src/record.rs alone",
        finds: |source| source.sequence(&["storage", "::", "v1"]),
        applies: |path| path.starts_with("crates/"),
        except: &["crates/server/src/record.rs"],
    },
    Invariant {
        says: "secrets, MACs and hashes of secrets are compared in constant time alone (subtle's ct_eq, or a verify of the cryptographic library)",
        finds: |source| source.leaks.first().cloned(),
        // What measures compares tokens of its own, to see that calls did something.
        applies: |path| anywhere(path) && !path.starts_with("crates/bench/"),
        except: &[
            // The demonstration shows a person what it holds: both sides are its own, and nobody
            // waits for the answer.
            "crates/cli/src/demo/rotation.rs",
        ],
    },
];

/// Which of our crates a crate may use; the order is that of the
/// architecture's table, lowest first.
const MAY_USE: &[(&str, &[&str])] = &[
    ("jose", &[]),
    ("dpop", &["jose"]),
    ("store", &[]),
    ("telemetry", &[]),
    ("issuer", &["jose", "dpop", "store"]),
    ("client", &["jose", "dpop", "contracts", "telemetry"]),
    (
        "guard",
        &["client", "jose", "dpop", "contracts", "telemetry"],
    ),
    (
        "server",
        &[
            "issuer",
            "store",
            "guard",
            "telemetry",
            "contracts",
            "client",
            "jose",
            "dpop",
        ],
    ),
    (
        "bench",
        &[
            "server",
            "client",
            "guard",
            "issuer",
            "store",
            "telemetry",
            "contracts",
            "jose",
            "dpop",
        ],
    ),
    (
        "cli",
        &[
            "bench",
            "server",
            "client",
            "guard",
            "issuer",
            "store",
            "telemetry",
            "contracts",
            "jose",
            "dpop",
        ],
    ),
];

/// The tree keeps every invariant.
pub(crate) fn hold() -> Result<(), String> {
    report(&breaches(&repository())?)
}

/// A breach of each invariant, planted in a copy of the tree, is found; so the
/// check above can fail.
pub(crate) fn a_planted_breach_is_found() -> Result<(), String> {
    let planted: &[(&str, &str)] = &[
        (
            "crates/issuer/src/planted_1.rs",
            "fn now() { tokio::spawn(async {}); }",
        ),
        ("crates/dpop/src/planted_2.rs", "use rand::rngs::OsRng;"),
        (
            "crates/server/src/planted_3.rs",
            "const C: tonic::Code = tonic::Code::Internal;",
        ),
        (
            "crates/guard/src/planted_4.rs",
            "fn f() -> Status { Status::unauthenticated(\"\") }",
        ),
        (
            "crates/server/src/planted_5.rs",
            "fn f() { let _ = sled::open(\"x\"); }",
        ),
        (
            "crates/guard/src/planted_6.rs",
            "fn f() { std::time::SystemTime::now(); }",
        ),
        (
            "crates/server/src/planted_7.rs",
            "fn f() { tracing::info_span!(\"issue\"); }",
        ),
        (
            "crates/client/src/planted_8.rs",
            "const N: &str = \"countersign.refusal.why\";",
        ),
        (
            "crates/server/src/planted_9.rs",
            "use countersign::storage::v1::FamilyRecord;",
        ),
        (
            "crates/client/src/planted_10.rs",
            "#[derive(Clone, PartialEq, Eq)] struct Held(Zeroizing<String>);",
        ),
        (
            "crates/issuer/src/planted_11.rs",
            "#[derive(Hash)] struct SecretHash([u8; 32]);",
        ),
        (
            "crates/issuer/src/planted_12.rs",
            "impl PartialEq for SecretHash { fn eq(&self, o: &Self) -> bool { self.0 == o.0 } }",
        ),
        (
            "crates/server/src/planted_13.rs",
            "fn f(a: &Form, b: &Form) -> bool { a.client_secret.as_str() == b.text }",
        ),
        (
            "crates/issuer/src/planted_14.rs",
            "impl Key { fn f(&self, mac: &[u8]) -> bool { if self.mac(b\"\").as_ref() != mac { return false } true } }",
        ),
        (
            "crates/guard/src/planted_15.rs",
            "fn f(t: &Token, held: Option<&str>) -> bool { held == Some(&t.reveal()) }",
        ),
        (
            "crates/jose/Cargo.toml",
            "[package]\nname = \"countersign-jose\"\n[dependencies]\ncountersign-store.workspace = true\n",
        ),
    ];
    let copy = copy_of_the_tree()?;
    for (path, text) in planted {
        fs::write(copy.path().join(path), text).map_err(|error| error.to_string())?;
    }
    let found = breaches(copy.path())?;
    for (path, text) in planted {
        if !found.iter().any(|line| line.starts_with(path)) {
            return Err(format!("planted in {path} and not found: {text}"));
        }
    }
    // Nothing else is found: the copy is as clean as the tree.
    let innocent = found
        .iter()
        .filter(|line| !planted.iter().any(|(path, _)| line.starts_with(path)));
    report(&innocent.cloned().collect::<Vec<_>>())
}

/// A file outside the listed ones may talk about anything in comments, strings
/// and tests.
pub(crate) fn comments_strings_and_tests_are_no_breach() -> Result<(), String> {
    let text = r#"
        //! Never call tokio::spawn or SystemTime::now here.
        const WHY: &str = "tonic::Code::Internal";
        fn public(a: &Answer, jkt: Thumbprint) -> bool { a.token_type == "DPoP" && a.jkt != jkt }
        #[cfg(test)]
        mod tests { use tokio::spawn; fn f() { assert!(a.secret == b.secret); } }
    "#;
    let source = Source::read("crates/issuer/src/planted.rs", text)?;
    report(&source.breaches().collect::<Vec<_>>())
}

fn report(found: &[String]) -> Result<(), String> {
    if found.is_empty() {
        Ok(())
    } else {
        Err(found.join("\n"))
    }
}

/// All breaches below `root`, one line each.
fn breaches(root: &Path) -> Result<Vec<String>, String> {
    let mut found = dependency_breaches(root)?;
    for path in sources(root) {
        let name = path
            .strip_prefix(root)
            .map_err(|error| error.to_string())?
            .display()
            .to_string();
        let text = fs::read_to_string(&path).map_err(|error| format!("{name}: {error}"))?;
        found.extend(Source::read(&name, &text)?.breaches());
    }
    Ok(found)
}

/// The Rust files that ship: no tests, benches, examples or build scripts.
fn sources(root: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = ["crates", "proto"]
        .iter()
        .flat_map(|folder| WalkDir::new(root.join(folder)))
        .filter_map(Result::ok)
        .map(walkdir::DirEntry::into_path)
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .filter(|path| {
            let inside = path.strip_prefix(root).unwrap_or(path);
            let test = inside.components().any(|part| {
                ["tests", "benches", "examples", "testkit"]
                    .contains(&&*part.as_os_str().to_string_lossy())
            });
            !test
                && inside
                    .file_name()
                    .is_none_or(|name| name != "tests.rs" && name != "build.rs")
        })
        .collect();
    found.sort();
    found
}

fn dependency_breaches(root: &Path) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    for (name, may_use) in MAY_USE {
        let path = root.join("crates").join(name).join("Cargo.toml");
        let text = fs::read_to_string(&path).map_err(|error| error.to_string())?;
        let manifest: toml::Table = text.parse().map_err(|error| format!("{name}: {error}"))?;
        let used = manifest
            .get("dependencies")
            .and_then(toml::Value::as_table)
            .into_iter()
            .flat_map(|table| table.keys());
        for dependency in used {
            let Some(ours) = dependency.strip_prefix("countersign") else {
                continue;
            };
            let ours = ours.strip_prefix('-').unwrap_or("contracts");
            if !may_use.contains(&ours) {
                found.push(format!(
                    "crates/{name}/Cargo.toml: {name} may not use {ours} (a crate uses only what stands below it)"
                ));
            }
        }
    }
    Ok(found)
}

impl Source {
    fn read(path: &str, text: &str) -> Result<Self, String> {
        let file = syn::parse_file(text).map_err(|error| format!("{path}: {error}"))?;
        let mut source = Self {
            path: path.to_owned(),
            tokens: Vec::new(),
            strings: Vec::new(),
            leaks: constant_time::leaks(file.items.iter().filter(|item| !is_test(item))),
        };
        for item in file.items.iter().filter(|item| !is_test(item)) {
            source.flatten(item.to_token_stream());
        }
        Ok(source)
    }

    fn flatten(&mut self, stream: TokenStream) {
        for token in stream {
            match token {
                TokenTree::Group(group) => self.flatten(group.stream()),
                TokenTree::Ident(ident) => self.tokens.push(ident.to_string()),
                TokenTree::Punct(punct) => match (punct.as_char(), self.tokens.last_mut()) {
                    (':', Some(last)) if last == ":" => last.push(':'),
                    (character, _) => self.tokens.push(character.to_string()),
                },
                TokenTree::Literal(literal) => {
                    if let Ok(text) = syn::parse2::<syn::LitStr>(literal.into_token_stream()) {
                        self.strings.push(text.value());
                    }
                }
            }
        }
    }

    fn breaches(&self) -> impl Iterator<Item = String> {
        INVARIANTS
            .iter()
            .filter(|rule| (rule.applies)(&self.path) && !rule.except.contains(&&*self.path))
            .filter_map(|rule| {
                let found = (rule.finds)(self)?;
                Some(format!("{}: {found}, but {}", self.path, rule.says))
            })
    }

    fn names(&self, forbidden: &[&str]) -> Option<String> {
        self.tokens
            .iter()
            .find(|token| forbidden.contains(&token.as_str()))
            .map(|token| format!("names {token}"))
    }

    fn sequence(&self, wanted: &[&str]) -> Option<String> {
        self.tokens
            .windows(wanted.len())
            .any(|window| window.iter().zip(wanted).all(|(token, want)| token == want))
            .then(|| format!("names {}", wanted.concat()))
    }

    /// `Status::unavailable(…)` and its like choose a code as well.
    fn status_constructor(&self) -> Option<String> {
        const CONSTRUCTORS: &[&str] = &[
            "aborted",
            "already_exists",
            "cancelled",
            "data_loss",
            "deadline_exceeded",
            "failed_precondition",
            "internal",
            "invalid_argument",
            "not_found",
            "out_of_range",
            "permission_denied",
            "resource_exhausted",
            "unauthenticated",
            "unavailable",
            "unimplemented",
            "unknown",
        ];
        CONSTRUCTORS
            .iter()
            .find_map(|name| self.sequence(&["Status", "::", name]))
    }
}

fn is_test(item: &syn::Item) -> bool {
    let attributes = match item {
        syn::Item::Mod(item) => &item.attrs,
        syn::Item::Fn(item) => &item.attrs,
        syn::Item::Impl(item) => &item.attrs,
        syn::Item::Use(item) => &item.attrs,
        syn::Item::Static(item) => &item.attrs,
        syn::Item::Const(item) => &item.attrs,
        syn::Item::Struct(item) => &item.attrs,
        _ => return false,
    };
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute
                .meta
                .require_list()
                .is_ok_and(|list| list.tokens.to_string() == "test")
    })
}

/// Dotted lower-case words in one of the name spaces that telemetry uses.
/// Names of protobuf packages look alike and end in a version or go on after
/// it.
fn telemetry_name(text: &str) -> bool {
    let mut parts = text.split('.');
    let space = parts.next().unwrap_or_default();
    let dotted = text.contains('.')
        && text.bytes().all(|byte| {
            byte.is_ascii_lowercase() || byte == b'.' || byte == b'_' || byte.is_ascii_digit()
        });
    dotted
        && ["countersign", "rpc", "otel", "exception", "service", "grpc"].contains(&space)
        && !parts.any(|part| part == "v1" || part == "v1alpha" || part == "toml" || part == "binpb")
}

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn copy_of_the_tree() -> Result<tempfile::TempDir, String> {
    let copy = tempfile::tempdir().map_err(|error| error.to_string())?;
    let root = repository();
    let manifests = MAY_USE
        .iter()
        .map(|(name, _)| root.join("crates").join(name).join("Cargo.toml"));
    for path in sources(&root).into_iter().chain(manifests) {
        let inside = path
            .strip_prefix(&root)
            .map_err(|error| error.to_string())?;
        let to = copy.path().join(inside);
        let folder = to.parent().ok_or("a file without a folder")?;
        fs::create_dir_all(folder).map_err(|error| error.to_string())?;
        fs::copy(&path, &to).map_err(|error| format!("{}: {error}", inside.display()))?;
    }
    Ok(copy)
}
