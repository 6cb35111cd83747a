//! The sentences that a machine can check in one file at a time: what each is called, what it
//! looks for, and where that may stand.

use super::source::Source;

/// One sentence of the architecture that a machine can check.
pub(super) struct Invariant {
    /// The sentence.
    pub(super) says: &'static str,
    /// Finds what the sentence is about.
    pub(super) finds: fn(&Source) -> Option<String>,
    /// The files that the sentence is about.
    pub(super) applies: fn(&str) -> bool,
    /// The files in which it may stand all the same.
    pub(super) except: &'static [&'static str],
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

pub(super) const INVARIANTS: &[Invariant] = &[
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
        says: "refusals become HTTP statuses only in server/src/http/problem.rs and guard/src/respond/http.rs",
        finds: |source| {
            source.names(&[
                "BAD_REQUEST",
                "UNAUTHORIZED",
                "FORBIDDEN",
                "CONFLICT",
                "TOO_MANY_REQUESTS",
                "INTERNAL_SERVER_ERROR",
            ])
        },
        applies: |path| path.starts_with("crates/server/") || path.starts_with("crates/guard/src/"),
        except: &[
            "crates/guard/src/respond/http.rs",
            "crates/server/src/http/problem.rs",
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
        says: "records on disk are encoded in server/src/record.rs and login/src/record.rs alone",
        finds: |source| source.sequence(&["storage", "::", "v1"]),
        applies: |path| path.starts_with("crates/"),
        except: &["crates/server/src/record.rs", "crates/login/src/record.rs"],
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
