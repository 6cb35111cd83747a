//! `audit tail`: the newest events, and those that come.

use std::time::Duration;

use clap::Args;
use countersign::admin::v1::{AuditEvent, WatchEventsRequest, WatchEventsResponse};
use tokio::time::sleep;
use tonic::Streaming;

use super::asked::{Asked, number};
use super::{line, list, service};
use crate::command::connection::AdminArgs;
use crate::exit::{Failure, Kind};
use crate::output::Output;

/// A service that restarts is back within seconds.
const AGAIN: Duration = Duration::from_secs(1);

/// Which events.
#[derive(Args, Debug)]
pub(crate) struct Tail {
    #[command(flatten)]
    asked: Asked,

    /// So many of those that are there
    #[arg(short = 'n', long = "count", value_name = "N", default_value_t = 10)]
    count: usize,

    /// Then show those that come, until interrupted; also across a restart of the service
    #[arg(short, long)]
    follow: bool,

    #[command(flatten)]
    admin: AdminArgs,
}

impl Tail {
    pub(super) async fn run(self, output: &Output) -> Result<(), Failure> {
        // Watched before they are listed, so that none falls between.
        let watching = match self.follow {
            true => Some(self.watch(0).await?),
            false => None,
        };
        let mut events = list::newest(&self.admin, &self.asked, self.count).await?;
        if let Some((_, next)) = &watching {
            events.retain(|event| event.number < *next);
        }
        for event in events.iter().rev() {
            self.show(event, output)?;
        }
        match watching {
            Some((stream, next)) => self.follow(stream, next, output).await,
            None => Ok(()),
        }
    }

    async fn follow(
        &self,
        mut stream: Streaming<WatchEventsResponse>,
        mut next: u64,
        output: &Output,
    ) -> Result<(), Failure> {
        loop {
            let lost = loop {
                match stream.message().await {
                    Ok(Some(answer)) => {
                        for event in &answer.events {
                            self.show(event, output)?;
                        }
                        next = answer.next;
                    }
                    Ok(None) => break None,
                    Err(status) => break Some(Failure::answered(&status)),
                }
            };
            if let Some(failure) = lost
                && !passes(&failure)
            {
                return Err(failure);
            }
            output.note("the service ended the connection; trying again");
            stream = loop {
                sleep(AGAIN).await;
                match self.watch(next).await {
                    Ok((stream, from)) => {
                        if from != next {
                            output.note(&format!("goes on with entry {from} instead of {next}"));
                        }
                        next = from;
                        break stream;
                    }
                    Err(failure) if passes(&failure) => {}
                    Err(failure) => return Err(failure),
                }
            };
        }
    }

    /// Events from an entry on, and the number of the entry that it begins with.
    async fn watch(&self, from: u64) -> Result<(Streaming<WatchEventsResponse>, u64), Failure> {
        let request = WatchEventsRequest {
            log: number(self.asked.log.log()).into(),
            filter: Some(self.asked.filter()),
            from,
        };
        let answered = |status| Failure::answered(&status);
        let answer = service(&self.admin).await?.watch_events(request).await;
        let mut stream = answer.map_err(answered)?.into_inner();
        match stream.message().await.map_err(answered)? {
            Some(opening) => Ok((stream, opening.next)),
            None => Err(Failure::unreachable("the service ended the connection")),
        }
    }

    fn show(&self, event: &AuditEvent, output: &Output) -> Result<(), Failure> {
        output.streamed_line(
            &line::json_of(self.asked.log.log(), event),
            &line::text(event),
        )
    }
}

/// Whether waiting may help: nobody is there, or whoever is there ends.
fn passes(failure: &Failure) -> bool {
    matches!(failure.kind(), Kind::Unreachable | Kind::Internal)
}
