//! `countersign audit`: what happened, and whether the record of it is as it was written.

mod asked;
mod beginning;
mod chain;
mod export;
mod exported;
#[cfg(feature = "fuzz")]
pub mod fuzz;
mod line;
mod list;
mod tail;
mod verify;

use clap::Subcommand;
use countersign::admin::v1::audit_service_client::AuditServiceClient;
use countersign::admin::v1::{ReadLogRequest, ReadLogResponse};
use countersign_store::Log;
use tonic::Streaming;
use tonic::transport::Channel;

use self::asked::number;
use super::connection::AdminArgs;
use crate::exit::{Failure, Kind};
use crate::output::Output;

/// What happened.
#[derive(Subcommand, Debug)]
pub(crate) enum AuditCommand {
    /// Show the newest events, and those that come
    #[command(after_help = "\
Examples:
  countersign audit tail
  countersign audit tail --follow --event REFRESH_REUSED,CODE_REUSED")]
    Tail(tail::Tail),
    /// List events, the newest first
    #[command(after_help = "\
Examples:
  countersign audit list --client checkout --since 2h
  countersign audit list --log issuance --client checkout -n 20
  countersign audit list --event CLIENT_UPDATED --actor uid:0 --json")]
    List(list::List),
    /// Write the logs as JSON lines, one for each event, so that a copy can be kept elsewhere
    #[command(after_help = "\
Examples:
  countersign audit export > audit.jsonl
  countersign audit export --log audit --since 24h | gzip > day.jsonl.gz")]
    Export(export::Export),
    /// Verify the hash chains: whether an entry was changed, removed, put in or moved
    #[command(after_help = verify::HELP)]
    Verify(verify::Verify),
}

impl AuditCommand {
    /// Does what it was told.
    pub(crate) async fn run(self, output: &Output) -> Result<(), Failure> {
        match self {
            Self::Tail(tail) => tail.run(output).await,
            Self::List(list) => list.run(output).await,
            Self::Export(export) => export.run(output).await,
            Self::Verify(verify) => verify.run(output).await,
        }
    }
}

async fn service(admin: &AdminArgs) -> Result<AuditServiceClient<Channel>, Failure> {
    Ok(AuditServiceClient::new(admin.connect().await?))
}

/// Reads a log, and once more if retention removed what was to be read next: it begins elsewhere
/// now. A second time within moments is none of retention's.
async fn anew_if_trimmed<T>(
    mut read: impl AsyncFnMut() -> Result<T, Failure>,
) -> Result<T, Failure> {
    match read().await {
        Err(failure) if failure.kind() == Kind::Registry => read().await,
        done => done,
    }
}

/// The log as it is stored.
async fn reading(admin: &AdminArgs, log: Log) -> Result<Streaming<ReadLogResponse>, Failure> {
    let request = ReadLogRequest {
        log: number(log).into(),
        from: 0,
    };
    let answer = service(admin).await?.read_log(request).await;
    Ok(answer
        .map_err(|status| Failure::answered(&status))?
        .into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_log_that_was_trimmed_is_read_once_more() {
        // What each reading meets, how often there is one, and whether it ends well.
        for (met, readings, well) in [
            (&[None][..], 1, true),
            (&[Some(Kind::Registry), None], 2, true),
            (
                &[Some(Kind::Registry), Some(Kind::Registry), None],
                2,
                false,
            ),
            (&[Some(Kind::Unreachable), None], 1, false),
        ] {
            let mut done = 0;
            let read = anew_if_trimmed(async || {
                done += 1;
                match met[done - 1] {
                    Some(kind) => Err(Failure::new(kind, "as met")),
                    None => Ok(()),
                }
            });
            assert_eq!(read.await.is_ok(), well, "{met:?}");
            assert_eq!(done, readings, "{met:?}");
        }
    }
}
