//! `docs/grpc-dpop-vectors.json`: the rows of this table, for implementers in other languages.
//!
//! One test reads the file as they would and runs it; another makes sure that it is what the
//! rows make. After a row was changed, `COUNTERSIGN_WRITE_VECTORS=1 cargo test -p countersign-dpop
//! published` writes it anew: keys, times and signatures are all fixed, so nothing else changes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use countersign_dpop::{
    Ath, Call, Limits, NonceKey, NonceRule, NonceStanding, Nonces, Origin, Paths, verify,
};
use countersign_jose::{Algorithm, Algorithms, UnixTime, base64url};
use serde_json::{Value, json};

use crate::case::{NONCE_KEY, NONCE_STEP_SECS, NONCE_STEPS, NOW_SECS, ORIGINS, Rule, Situation};
use crate::exchanges;
use crate::rows::{Row, Table};

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/grpc-dpop-vectors.json")
}

fn read() -> Value {
    serde_json::from_str(&std::fs::read_to_string(file()).unwrap()).unwrap()
}

#[test]
fn the_file_is_what_the_rows_make() {
    let document = document(&Table::whole());
    if std::env::var_os("COUNTERSIGN_WRITE_VECTORS").is_some() {
        std::fs::write(file(), &document).unwrap();
    }
    let published = std::fs::read_to_string(file()).unwrap();
    assert!(
        published == document,
        "the rows have changed: see this file's first lines"
    );
}

fn document(table: &Table) -> String {
    let head = json!({
        "about": "Test vectors for docs/grpc-dpop.md, which says how each table is run.",
        "now": NOW_SECS,
        "origins": ORIGINS,
        "limits": {"age": 60, "skew": 10, "algorithms": ["ES256", "Ed25519"]},
        "nonces": {
            "key": base64url::encode(NONCE_KEY),
            "step": NONCE_STEP_SECS,
            "steps_accepted": NONCE_STEPS,
        },
    });
    let head = serde_json::to_string_pretty(&head).unwrap();
    let proofs = table.rows.iter().map(vector).collect();
    let sections: Vec<String> = [("vectors", proofs)]
        .into_iter()
        .chain(exchanges::sections())
        .map(|(name, rows)| section(name, &rows))
        .collect();
    let head = head.strip_suffix("\n}").unwrap();
    format!("{head},\n{}\n}}\n", sections.join(",\n"))
}

/// One line a vector, so that a change shows as one.
fn section(name: &str, rows: &[Value]) -> String {
    let rows: Vec<String> = rows.iter().map(Value::to_string).collect();
    format!("  \"{name}\": [\n    {}\n  ]", rows.join(",\n    "))
}

fn vector(row: &Row) -> Value {
    let situation = &row.case.situation;
    let usual = Situation::usual();
    let mut vector = json!({"name": row.name, "method": situation.method, "path": situation.path});
    if let Some(token) = &situation.access_token {
        vector["access_token"] = json!(token);
    }
    if situation.limits != usual.limits {
        let algorithms: Vec<&str> = situation
            .limits
            .algorithms
            .iter()
            .map(Algorithm::name)
            .collect();
        vector["limits"] = json!({
            "age": situation.limits.age.as_secs(),
            "skew": situation.limits.skew.as_secs(),
            "algorithms": algorithms,
        });
    }
    vector["nonce_rule"] = json!(match situation.rule {
        Rule::Off => "off",
        Rule::WhenOff => "when_iat_is_off",
        Rule::Required | Rule::ColdStart { .. } => "required",
    });
    if let Rule::ColdStart { minted_from } = situation.rule {
        vector["nonce_minted_from"] = json!(minted_from.as_secs());
    }
    vector["proof"] = json!(row.proof);
    vector["outcome"] = match row.outcome {
        Ok(verified) => json!({
            "jkt": verified.jkt.to_string(),
            "origin": verified.origin,
            "spent": base64url::encode(verified.spent.as_bytes()),
            "remember_until": verified.remember_until.as_secs(),
            "nonce": standing(verified.nonce),
        }),
        Err(refusal) => json!({
            "error": if refusal.asks_for_nonce() { "use_dpop_nonce" } else { "invalid_dpop_proof" },
            "check": refusal.check(),
            "reason": refusal.label(),
        }),
    };
    vector
}

fn standing(nonce: NonceStanding) -> &'static str {
    match nonce {
        NonceStanding::Absent => "absent",
        NonceStanding::Fresh => "fresh",
        NonceStanding::Expiring => "expiring",
    }
}

#[test]
fn every_published_vector_holds() {
    let document = read();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let origins: Vec<Origin> = document["origins"]
        .as_array()
        .unwrap()
        .iter()
        .map(|origin| Origin::parse(origin.as_str().unwrap()).unwrap())
        .collect();
    let nonces = Nonces::new(
        &NonceKey::new(base64url::decode_array(text(&document["nonces"]["key"])).unwrap()),
        Duration::from_secs(document["nonces"]["step"].as_u64().unwrap()),
        document["nonces"]["steps_accepted"]
            .as_u64()
            .unwrap()
            .try_into()
            .unwrap(),
    )
    .unwrap();
    let now = UnixTime::from_secs(document["now"].as_u64().unwrap());

    let vectors = document["vectors"].as_array().unwrap();
    for vector in vectors {
        let name = text(&vector["name"]);
        let limits = limits(vector.get("limits").unwrap_or(&document["limits"]));
        let rule = match vector["nonce_rule"].as_str().unwrap() {
            "off" => NonceRule::Off,
            "when_iat_is_off" => NonceRule::WhenOff { nonces: &nonces },
            "required" => NonceRule::Required {
                nonces: &nonces,
                minted_from: vector["nonce_minted_from"]
                    .as_u64()
                    .map(UnixTime::from_secs),
            },
            other => panic!("{name}: no rule is called {other}"),
        };
        let ath = vector["access_token"].as_str().map(Ath::of);
        let call = Call {
            method: vector["method"].as_str().unwrap(),
            origins: &origins,
            path: vector["path"].as_str().unwrap(),
            paths: Paths::Plain,
            ath: ath.as_ref(),
        };
        let outcome = &vector["outcome"];
        match verify(
            vector["proof"].as_str().unwrap(),
            &call,
            &limits,
            &rule,
            now,
        ) {
            Ok(verified) => {
                assert_eq!(verified.jkt.to_string(), outcome["jkt"], "{name}");
                assert_eq!(verified.origin, outcome["origin"], "{name}");
                let spent = base64url::encode(verified.spent.as_bytes());
                assert_eq!(spent, outcome["spent"], "{name}");
                assert_eq!(
                    verified.remember_until.as_secs(),
                    outcome["remember_until"],
                    "{name}"
                );
                assert_eq!(standing(verified.nonce), outcome["nonce"], "{name}");
            }
            Err(refusal) => {
                assert_eq!(refusal.label(), outcome["reason"], "{name}");
                assert_eq!(refusal.check(), outcome["check"], "{name}");
                let challenge = outcome["error"] == "use_dpop_nonce";
                assert_eq!(refusal.asks_for_nonce(), challenge, "{name}");
            }
        }
    }
    assert!(vectors.len() > 200, "{} vectors", vectors.len());
}

fn limits(value: &Value) -> Limits {
    let algorithms: Vec<Algorithm> = value["algorithms"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| Algorithm::parse(name.as_str().unwrap()).unwrap())
        .collect();
    Limits {
        age: Duration::from_secs(value["age"].as_u64().unwrap()),
        skew: Duration::from_secs(value["skew"].as_u64().unwrap()),
        algorithms: Algorithms::of(&algorithms),
    }
}
