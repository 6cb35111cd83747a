//! Nothing secret is told: a running service is driven through every rpc and every command with
//! secrets that are known, and all that it said, sent and kept is searched for them.
//!
//! Secrets also go where none belongs, in every field and in metadata, and in every parameter over
//! HTTP. What is searched: both
//! streams of the service, with its own log at `trace`; every span and metric it exports; the text, details
//! and metadata of every refusal; every answer, but for the one that is meant to have the secret;
//! what commands print; the database's files, the audit log among them; and a backup. Each in
//! plain, base64, hex, percent-encoded, and as numbers. Among the secrets are the service's own
//! keys.

mod call;
pub(crate) mod collector;
mod commands;
mod http;
mod inside;
mod marks;
mod misplaced;
mod service_keys;
mod steps;

use std::collections::{BTreeSet, HashMap};
use std::fs;

use countersign_client::clock::{Clock as _, SystemClock};
use countersign_client::{AssertionKey, Client, Credential};
use countersign_dpop::Minter;
use countersign_jose::{SigningKey, base64url, jwks, sha256};
use countersign_testkit::Problem;
use serde_json::Value;
use walkdir::WalkDir;

use self::call::{Ask, By, Caller};
use self::collector::Collector;
use self::marks::Heard;
pub(crate) use self::marks::a_planted_secret_is_found;
use self::steps::Step;
use crate::service::{Service, Terms};
use crate::work::in_a_runtime;

/// What an operator who looks for a fault turns on, and more of ours.
const LOG: &str = "debug,countersign=trace";

/// The private keys of the run.
const PROOF_KEY: [u8; 32] = *b"the scalar of the proof key, 01.";
const ASSERTION_KEY: [u8; 32] = *b"the seed of the assertion key, 2";

/// The whole of it.
pub(crate) fn no_secret_is_told() -> Result<(), String> {
    in_a_runtime(async {
        let (collector, endpoint) = Collector::start().await?;
        let mut service = Service::start(&Terms {
            configuration: format!(
                "[telemetry]\notlp_endpoint = \"{endpoint}\"\nmetrics_endpoint = \"{endpoint}\"\nsample_ratio = 1.0\nlog_filter = \"{LOG}\"\nlog_format = \"json\"\n",
            ),
            ..Terms::default()
        })?;
        let mut sweep = Sweep::of(&service).await?;
        service_keys::mark_running(&service, &mut sweep.caller.marks).await?;
        sweep.every_rpc(&service.url()).await?;
        http::misplace(&service.url(), &mut sweep.caller).await?;
        sweep.every_command(&service)?;
        inside::client_and_guard(&service, &endpoint, &mut sweep.caller)?;
        service.stop()?;
        sweep.found(&service, &collector).await
    })
}

struct Sweep {
    caller: Caller,
    kept: HashMap<&'static str, String>,
    /// Rpcs that were answered.
    answered: BTreeSet<String>,
}

impl Sweep {
    async fn of(service: &Service) -> Result<Self, Problem> {
        let minter = Minter::new(SigningKey::generate_es256(PROOF_KEY)?.into());
        let socket = service.folder().join("admin.sock");
        let mut caller = Caller::connect(&service.url(), socket, minter).await?;
        let marks = &mut caller.marks;
        marks.add("the proof key", &PROOF_KEY, &[]);
        marks.add("the assertion key", &ASSERTION_KEY, &[]);
        let file = fs::read(service.folder().join("key"))?;
        marks.add("the key-encryption key", file.trim_ascii(), &[]);

        let verifier = "verifier-0123456789-abcdefghijklmnopqrstuvwxyz";
        let state = "state-of-a-session-0123456789";
        // Sent in the clear to whoever is to give it back, and kept for that.
        let echoes = [
            "answer of countersign.authorization.v1.AuthorizationService/",
            "answer of countersign.admin.v1.StoreService/BackupStore",
            "store",
            "backup",
        ];
        marks.add("a PKCE verifier", verifier.as_bytes(), &[]);
        let password = "password-of-a-person-0123456789";
        marks.add("a password", password.as_bytes(), &[]);
        marks.add("a state", state.as_bytes(), &echoes);
        // What an administrator calls a client or a scope is kept and shown, whatever it is.
        let named: [(char, &[&str]); 2] = [
            ('s', &[]),
            ('a', &["store", "backup", "answer of", "output of audit"]),
        ];
        for (place, allowed) in named {
            for secret in misplaced::misplaced(place) {
                marks.add(secret.what, secret.text.as_bytes(), allowed);
            }
        }
        let key = SigningKey::generate_ed25519(ASSERTION_KEY)?;
        let kept = HashMap::from([
            ("verifier", verifier.to_owned()),
            ("state", state.to_owned()),
            ("password", password.to_owned()),
            (
                "challenge",
                base64url::encode(sha256(&[verifier.as_bytes()])),
            ),
            (
                "jwks",
                jwks::publish(&[jwks::PublishedKey {
                    kid: "k",
                    algorithm: key.algorithm(),
                    key: key.public(),
                }]),
            ),
        ]);
        Ok(Self {
            caller,
            kept,
            answered: BTreeSet::new(),
        })
    }

    async fn every_rpc(&mut self, url: &str) -> Result<(), Problem> {
        for step in steps::steps(url) {
            // A handle works once, so what misuses it comes first; an administrator makes and
            // removes what has a name, so there the step does.
            if step.by == By::Admin {
                self.take(&step, url).await?;
                self.misplace(&step, url).await?;
            } else {
                self.misplace(&step, url).await?;
                self.take(&step, url).await?;
            }
        }
        for rpc in self.caller.rpcs() {
            if !self.answered.contains(&rpc) {
                return Err(format!(
                    "{rpc} is not swept for secrets: add `step(Admin, \"{rpc}\", json!({{…}})),` to steps() in tests/platform/sweep/steps.rs"
                )
                .into());
            }
        }
        Ok(())
    }

    fn every_command(&mut self, service: &Service) -> Result<(), Problem> {
        let kept = |name: &str| self.kept.get(name).ok_or("no refresh token was kept");
        let refresh = commands::Refresh {
            rotated: kept("last")?,
            login: kept("login")?,
        };
        let key = SigningKey::generate_es256(PROOF_KEY)?;
        let Caller { marks, heard, .. } = &mut self.caller;
        Ok(commands::run(service, refresh, &key, marks, heard)?)
    }

    /// The step as it is meant; what it is to keep is secret from here on.
    async fn take(&mut self, step: &Step, url: &str) -> Result<(), Problem> {
        let body = self.filled(&step.body, url)?;
        let answer = self.call(step, &body, &[]).await?;
        let answer = answer.ok_or_else(|| format!("{} refused {}", step.rpc, step.body))?;
        self.answered.insert(step.rpc.to_owned());
        for keep in &step.keeps {
            let value = member(&answer, keep.member)?;
            let here = format!("answer of {}", step.rpc);
            let what = format!("{} of {}", keep.member, step.rpc);
            self.caller.marks.add(what, value.as_bytes(), &[&here]);
            self.kept.insert(keep.name, value);
        }
        if let Some((pointer, name)) = step.learns {
            let value = answer.pointer(pointer).and_then(Value::as_str);
            let value = value.ok_or_else(|| format!("no {pointer} in {answer}"))?;
            self.kept.insert(name, value.to_owned());
        }
        Ok(())
    }

    /// The step with a secret in each of its other fields, and in metadata.
    async fn misplace(&mut self, step: &Step, url: &str) -> Result<(), Problem> {
        let place = if step.by == By::Admin { 'a' } else { 's' };
        for secret in misplaced::misplaced(place) {
            let body = self.filled(&step.body, url)?;
            for (_, changed) in misplaced::bodies(&body, &secret.text) {
                // Refused or not: nothing that it says may hold the text.
                self.call(step, &changed, &[]).await?;
            }
            if step.by == By::Admin || !secret.text.is_ascii() {
                continue;
            }
            for metadata in misplaced::metadata(&secret.text) {
                let metadata: Vec<(&str, &str)> = metadata
                    .iter()
                    .map(|(name, value)| (*name, value.as_str()))
                    .collect();
                // Without a body that could succeed: the step is still to be taken.
                self.call(step, &serde_json::json!({}), &metadata).await?;
            }
        }
        Ok(())
    }

    async fn call(
        &mut self,
        step: &Step,
        body: &Value,
        metadata: &[(&str, &str)],
    ) -> Result<Option<Value>, Problem> {
        let token = match step.by {
            By::Holder(name) => Some(
                self.kept
                    .get(name)
                    .ok_or("a token that nobody kept")?
                    .clone(),
            ),
            By::Admin | By::Anybody => None,
        };
        self.caller
            .call(&Ask {
                rpc: step.rpc,
                body,
                admin: step.by == By::Admin,
                token: token.as_deref(),
                metadata,
            })
            .await
    }

    /// The body with what is kept in the place of its `$name`s.
    fn filled(&mut self, body: &Value, url: &str) -> Result<Value, Problem> {
        Ok(match body {
            Value::String(text) => match text.strip_prefix('$') {
                Some("assertion") => self.assertion(url)?.into(),
                Some(name) => self
                    .kept
                    .get(name)
                    .ok_or_else(|| format!("nobody kept ${name}"))?
                    .as_str()
                    .into(),
                None => body.clone(),
            },
            Value::Array(items) => items
                .iter()
                .map(|item| self.filled(item, url))
                .collect::<Result<_, _>>()?,
            Value::Object(members) => {
                let mut filled = serde_json::Map::new();
                for (name, value) in members {
                    filled.insert(name.clone(), self.filled(value, url)?);
                }
                Value::Object(filled)
            }
            other => other.clone(),
        })
    }

    fn assertion(&mut self, url: &str) -> Result<String, Problem> {
        let key = AssertionKey::new(SigningKey::generate_ed25519(ASSERTION_KEY)?).kid("k");
        let client = Client::new("signer", Credential::PrivateKeyJwt(key), url);
        let shown = client.authentication(SystemClock.now())?;
        let assertion = match shown.credential {
            Some(countersign::token::v1::client_authentication::Credential::ClientAssertion(
                text,
            )) => text,
            _ => return Err("no assertion".into()),
        };
        self.caller
            .marks
            .add("an assertion", assertion.as_bytes(), &[]);
        Ok(assertion)
    }

    /// Searches everything.
    async fn found(mut self, service: &Service, collector: &Collector) -> Result<(), Problem> {
        let folder = service.folder();
        let marks = &mut self.caller.marks;
        let sealed = service_keys::mark(&folder.join("data"), &folder.join("key"), marks).await?;
        // Made anew from the backup, and under another key since.
        service_keys::mark(&folder.join("restored"), &folder.join("kek2"), marks).await?;
        let backup = fs::read(folder.join("backup"))?;
        let log = service.said().into_bytes();
        let spans = collector.spans();
        let metrics = collector.metrics();
        let mut store = Vec::new();
        for file in ["data", "restored"]
            .into_iter()
            .flat_map(|name| WalkDir::new(folder.join(name)))
            .filter_map(Result::ok)
        {
            if file.file_type().is_file() {
                store.extend(fs::read(file.path())?);
            }
        }
        // Where nothing is found, something must be: that the places are what they should be.
        for (place, bytes, known) in [
            ("log", &log, "the token service takes calls"),
            ("log", &log, "client_wrong_secret"),
            ("spans", &spans, "countersign.client.id"),
            (
                "spans",
                &spans,
                "countersign.token.v1.TokenService/RotateToken",
            ),
            ("spans", &spans, "client_wrong_secret"),
            ("spans", &spans, "POST /token"),
            ("metrics", &metrics, "http.server.request.duration"),
            (
                "metrics",
                &metrics,
                "countersign.token.v1.TokenService/RotateToken",
            ),
            ("log", &log, "http_not_found"),
            ("store", &store, "desk"),
            ("store", &store, "alice"),
            ("store", &store, self.kept["state"].as_str()),
            ("backup", &backup, "desk"),
        ] {
            if !holds(bytes, known.as_bytes()) {
                return Err(format!(
                    "{known:?} is not in the {place}: the search would find nothing there"
                )
                .into());
            }
        }
        if sealed.iter().any(|sealed| !holds(&store, sealed))
            || !sealed.iter().any(|sealed| holds(&backup, sealed))
        {
            return Err("the keys' records are not where they are searched for".into());
        }
        if holds(&log, b"panicked") {
            return Err("something panicked; the log says where".into());
        }
        let said = [
            ("log", log),
            ("spans", spans),
            ("metrics", metrics),
            ("store", store),
            ("backup", backup),
        ];
        let sizes: Vec<String> = said
            .iter()
            .map(|(place, bytes)| format!("{place} {} KiB", bytes.len() / 1024))
            .collect();
        for (place, bytes) in said {
            let place = place.to_owned();
            self.caller.heard.push(Heard { place, bytes });
        }
        println!(
            "searched for {} secrets in {} and {} answers",
            self.caller.marks.len(),
            sizes.join(", "),
            self.caller.heard.len()
        );
        let told = self.caller.marks.told(&self.caller.heard)?;
        if told.is_empty() {
            Ok(())
        } else {
            Err(format!("secrets were told:\n{}", told.join("\n")).into())
        }
    }
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// A member of an answer, or a parameter of the URL in one.
fn member(answer: &Value, path: &str) -> Result<String, Problem> {
    let (name, parameter) = match path.split_once('?') {
        Some((name, parameter)) => (name, Some(parameter)),
        None => (path, None),
    };
    let text = crate::setup::text(answer, name)?;
    let Some(parameter) = parameter else {
        return Ok(text);
    };
    let found = text
        .split(['?', '&'])
        .find_map(|pair| pair.strip_prefix(&format!("{parameter}=")));
    Ok(found
        .ok_or_else(|| format!("no {parameter} in {text}"))?
        .to_owned())
}
