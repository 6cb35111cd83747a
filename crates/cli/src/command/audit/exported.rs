//! An export of the logs, verified without the service that wrote it.

use std::io::BufRead;

use countersign_jose::{base64url, json};
use countersign_server::audit::LOGS;
use countersign_store::{EntryHash, Log};
use serde_json::Value;

use super::asked::log_named;
use super::beginning::{Announced, Beginning, begins_nowhere};
use super::chain::{Chain, Ended, Noted, Wrong, hash_of};
use super::line::Stored;
use crate::exit::Failure;

/// The logs of an export, and what they do not hold.
///
/// `name` is the file's. `noted` must be in it.
///
/// # Errors
/// It is no export, or was altered.
pub(crate) fn exported(
    export: impl BufRead,
    name: &str,
    noted: &[Noted],
) -> Result<(Vec<Ended>, Vec<String>), Failure> {
    let unreadable = |cause| Failure::configuration(format!("{name}: {cause}"));
    let mut exports = Vec::new();
    for (nth, text) in (1..).zip(export.lines()) {
        let at = |failure: Failure| failure.during(format!("{name}:{nth}"));
        // Strictly: of a member that is there twice, others may read the first.
        let line = json::parse_object(text.map_err(unreadable)?.as_bytes())
            .map(Value::Object)
            .map_err(|_| at(Failure::surprise("this is no line of an export")))?;
        let export = of_log(&mut exports, &line).ok_or_else(|| at(no_line()))?;
        export.line(&line, noted).map_err(at)?;
    }
    if let Some(noted) = noted.iter().find(|noted| {
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
        let what = format!("{name}: it holds no entry");
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
