//! `audit verify`: whether the logs are as they were written.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use clap::Args;
use countersign_jose::base64url;
use countersign_server::audit::LOGS;
use countersign_store::{EntryHash, Log};
use serde_json::{Value, json};

use super::asked::log_named;
use super::beginning::{Announced, Beginning};
use super::chain::{Chain, Ended, Noted, Wrong, hash_of};
use super::export::hash;
use super::line::Stored;
use super::{anew_if_trimmed, reading};
use crate::command::connection::AdminArgs;
use crate::exit::Failure;
use crate::output::Output;

/// What `--help` adds.
pub(super) const HELP: &str = "\
What was changed, removed, put in or moved is found by the chain alone, as long
as whoever did it did not make the rest of the chain anew; a beginning that was
removed, unless AUDIT_TRIMMED says so. The rest, and that the newest entries
were removed, is found with --expect and what an earlier verification printed,
if that was kept where the service cannot write. Of a file it is said what it
begins with: what was before is not in it.

Examples:
  countersign audit verify
  countersign audit verify --file audit.jsonl
  countersign audit verify --expect \"$(tail -1 /mnt/elsewhere/audit-heads)\"";

/// What to verify.
#[derive(Args, Debug)]
pub(crate) struct Verify {
    /// What an earlier verification printed, `LOG:NUMBER:HASH`; say it again for each
    #[arg(long = "expect", value_name = "NOTE")]
    noted: Vec<Noted>,

    /// An export instead of the service's logs
    #[arg(long, value_name = "FILE", conflicts_with = "socket")]
    file: Option<PathBuf>,

    #[command(flatten)]
    admin: AdminArgs,
}

impl Verify {
    pub(super) async fn run(self, output: &Output) -> Result<(), Failure> {
        let (verified, notes) = match &self.file {
            Some(path) => self.exported(path)?,
            None => (self.served().await?, Vec::new()),
        };
        let json: Vec<Value> = verified.iter().map(json_of).collect();
        let text: Vec<String> = verified.iter().map(text_of).collect();
        output.value(&json!({ "logs": json }), || {
            [text, notes].concat().join("\n")
        })
    }

    /// The service's logs. `audit` is the last to be read: so it announces whatever is missing at
    /// the beginning of the others.
    async fn served(&self) -> Result<Vec<Ended>, Failure> {
        let mut announced = Announced::default();
        let mut verified = Vec::new();
        for log in LOGS.into_iter().rev() {
            let before = announced.clone();
            let read = async || {
                announced = before.clone();
                self.stored(log, &mut announced).await
            };
            verified.push(anew_if_trimmed(read).await?);
        }
        verified.reverse();
        announced.all(&verified)?;
        Ok(verified)
    }

    async fn stored(&self, log: Log, announced: &mut Announced) -> Result<Ended, Failure> {
        let mut stream = reading(&self.admin, log).await?;
        let mut chain = None;
        let mut last = 0;
        while let Some(answer) = stream.message().await.map_err(|status| {
            Failure::answered(&status).during(format!("the log {}", log.name()))
        })? {
            if let Some(start) = answer.start {
                let before = hash(&start.before)?;
                last = start.last;
                chain = Some(Chain::from(log, start.first, before, &self.noted)?);
            }
            for entry in answer.entries {
                let so_far = chain.take().ok_or_else(begins_nowhere)?;
                let next = so_far.entry(entry.number, &entry.entry, &entry.hash);
                chain = Some(next?);
                announced.entry(log, &entry.entry);
            }
        }
        let chain = chain.ok_or_else(begins_nowhere)?;
        if chain.next() <= last {
            return Err(Failure::from(Wrong {
                log,
                number: chain.next(),
                what: format!("it is missing: the log has entries up to {last}"),
            }));
        }
        chain.end().map_err(Failure::from)
    }

    /// The logs of an export, and what they do not hold.
    fn exported(&self, path: &Path) -> Result<(Vec<Ended>, Vec<String>), Failure> {
        let unreadable = |cause| Failure::configuration(format!("{}: {cause}", path.display()));
        let lines = BufReader::new(File::open(path).map_err(unreadable)?).lines();
        let mut exports = Vec::new();
        for (nth, text) in (1..).zip(lines) {
            let at = |failure: Failure| failure.during(format!("{}:{nth}", path.display()));
            let line: Value = serde_json::from_str(&text.map_err(unreadable)?)
                .map_err(|_| at(Failure::surprise("this is no line of an export")))?;
            let export = of_log(&mut exports, &line).ok_or_else(|| at(no_line()))?;
            export.line(&line, &self.noted).map_err(at)?;
        }
        if let Some(noted) = self.noted.iter().find(|noted| {
            !exports
                .iter()
                .any(|export: &Exported| export.log == noted.log)
        }) {
            return Err(Failure::from(Wrong {
                log: noted.log,
                number: noted.number,
                what: "it is missing: the export holds nothing of this log".to_owned(),
            }));
        }
        if exports.is_empty() {
            let what = format!("{}: it holds no entry", path.display());
            return Err(Failure::surprise(what)
                .next("if it was longer once, compare with another copy; else name an export"));
        }
        let [audit, _] = LOGS;
        let of_audit = exports.iter().find(|export| export.log == audit);
        let announced = of_audit.map_or_else(Announced::default, |audit| audit.announced.clone());
        let ended = exports.into_iter().map(Exported::end);
        let verified = ended.collect::<Result<Vec<_>, _>>()?;
        let mut notes = Vec::new();
        for log in LOGS {
            match verified.iter().find(|ended| ended.head.log == log) {
                None => notes.push(format!("{}: nothing of it is in this file", log.name())),
                Some(ended) => notes.extend(begins(ended, announced.beginning(ended)?)),
            }
        }
        Ok((verified, notes))
    }
}

/// The lines of one log.
struct Exported {
    log: Log,
    chain: Option<Chain>,
    announced: Announced,
    /// What the rest of the entry's lines must be.
    rest: std::vec::IntoIter<Value>,
}

fn of_log<'a>(exports: &'a mut Vec<Exported>, line: &Value) -> Option<&'a mut Exported> {
    let log = log_named(line["log"].as_str()?)?;
    let at = match exports.iter().position(|export| export.log == log) {
        Some(at) => at,
        None => {
            exports.push(Exported {
                log,
                chain: None,
                announced: Announced::default(),
                rest: Vec::new().into_iter(),
            });
            exports.len() - 1
        }
    };
    exports.get_mut(at)
}

impl Exported {
    fn line(&mut self, line: &Value, noted: &[Noted]) -> Result<(), Failure> {
        if let Some(expected) = self.rest.next() {
            return self.same(line, &expected);
        }
        let number = line["number"].as_u64().ok_or_else(no_line)?;
        let bytes = line["entry"]
            .as_str()
            .and_then(|text| base64url::decode(text).ok());
        let bytes = bytes.ok_or_else(no_line)?;
        let before = hash_in(line, "before")?;
        let kept = hash_in(line, "hash")?;
        let chain = match self.chain.take() {
            Some(chain) => chain,
            None => Chain::from(self.log, number, before, noted)?,
        };
        let built_on = chain.hash();
        self.announced.entry(self.log, &bytes);
        let chain = chain.entry(number, &bytes, kept.as_bytes())?;
        self.chain = Some(chain);
        let stored = Stored {
            log: self.log,
            number,
            bytes: &bytes,
            before: built_on,
            hash: kept,
        };
        let lines = stored.lines().map_err(|_| no_line())?;
        self.rest = lines.into_iter();
        match self.rest.next() {
            Some(expected) => self.same(line, &expected),
            None => Err(no_line()),
        }
    }

    /// What a line says must be what its entry says.
    fn same(&self, line: &Value, expected: &Value) -> Result<(), Failure> {
        if line == expected {
            return Ok(());
        }
        Err(Failure::from(Wrong {
            log: self.log,
            number: expected["number"].as_u64().unwrap_or_default(),
            what: "the line does not say what the entry says".to_owned(),
        }))
    }

    fn end(self) -> Result<Ended, Failure> {
        let chain = self.chain.ok_or_else(begins_nowhere)?;
        if self.rest.len() > 0 {
            return Err(Failure::from(Wrong {
                log: self.log,
                number: chain.next() - 1,
                what: format!("{} lines are missing at its end", self.rest.len()),
            }));
        }
        chain.end().map_err(Failure::from)
    }
}

fn hash_in(line: &Value, field: &str) -> Result<EntryHash, Failure> {
    line[field].as_str().and_then(hash_of).ok_or_else(no_line)
}

fn no_line() -> Failure {
    Failure::surprise("this is no line of an export, or one is missing before it")
}

fn begins_nowhere() -> Failure {
    Failure::internal("what the service sent has no beginning")
}

impl From<Wrong> for Failure {
    fn from(wrong: Wrong) -> Self {
        Self::surprise(wrong.to_string())
            .next("keep a copy of the data directory, and compare with an earlier export or backup")
    }
}

/// What is to be said of a log that does not begin with its first entry.
fn begins(ended: &Ended, beginning: Beginning) -> Option<String> {
    let (log, first) = (ended.head.log.name(), ended.first);
    match beginning {
        Beginning::Whole => None,
        Beginning::Announced => Some(format!(
            "{log}: begins with entry {first}; that what was before was removed is said by \
             AUDIT_TRIMMED"
        )),
        Beginning::Unsaid => Some(format!(
            "{log}: begins with entry {first}; what was before is not in this file"
        )),
    }
}

fn text_of(ended: &Ended) -> String {
    let log = ended.head.log.name();
    match ended.entries {
        0 => format!("{log}: no entries\n  note: {}", ended.head),
        _ => format!(
            "{log}: entries {} to {} are as they were written\n  note: {}",
            ended.first, ended.head.number, ended.head
        ),
    }
}

fn json_of(ended: &Ended) -> Value {
    json!({
        "log": ended.head.log.name(),
        "first": ended.first,
        "last": ended.head.number,
        "hash": ended.head.hash.to_string(),
        "note": ended.head.to_string(),
    })
}
