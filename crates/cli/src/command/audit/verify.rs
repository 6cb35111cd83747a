//! `audit verify`: whether the logs are as they were written.

use std::fs::File;
use std::io::{BufReader, stdin};
use std::path::{Path, PathBuf};

use clap::Args;
use countersign_server::audit::LOGS;
use countersign_store::Log;
use serde_json::{Value, json};

use super::beginning::{Announced, begins_nowhere};
use super::chain::{Chain, Ended, Noted, Wrong};
use super::export::hash;
use super::exported::exported;
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
  zstdcat audit.jsonl.zst | countersign audit verify --file -
  countersign audit verify --expect \"$(tail -1 /mnt/elsewhere/audit-heads)\"";

/// What to verify.
#[derive(Args, Debug)]
pub(crate) struct Verify {
    /// What an earlier verification printed, `LOG:NUMBER:HASH`; say it again for each
    #[arg(long = "expect", value_name = "NOTE")]
    noted: Vec<Noted>,

    /// An export instead of the service's logs, or `-` to read one from standard input; no
    /// service is asked
    #[arg(long, value_name = "FILE|-")]
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

    fn exported(&self, path: &Path) -> Result<(Vec<Ended>, Vec<String>), Failure> {
        if path == Path::new("-") {
            return exported(stdin().lock(), "standard input", &self.noted);
        }
        let name = path.display().to_string();
        let file = File::open(path);
        let file = file.map_err(|cause| Failure::configuration(format!("{name}: {cause}")))?;
        exported(BufReader::new(file), &name, &self.noted)
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
}

impl From<Wrong> for Failure {
    fn from(wrong: Wrong) -> Self {
        Self::surprise(wrong.to_string())
            .next("keep a copy of the data directory, and compare with an earlier export or backup")
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
