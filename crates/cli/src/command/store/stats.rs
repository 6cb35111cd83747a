//! `countersign store stats`: figures, while the service runs.

use clap::Args;
use countersign::admin::v1::store_service_client::StoreServiceClient;
use countersign::admin::v1::{GetStoreStatsRequest, GetStoreStatsResponse};

use crate::command::connection::AdminArgs;
use crate::exit::Failure;
use crate::output::{self, Output};

pub(super) const EXAMPLES: &str = "\
Of a service that is stopped, `countersign store verify` shows the same and more.

Examples:
  countersign store stats
  countersign store stats --count --json";

/// What to show.
#[derive(Args, Debug)]
pub(crate) struct Stats {
    /// Count the records by kind: reads all of them, about a second for 50,000
    #[arg(long)]
    count: bool,

    #[command(flatten)]
    admin: AdminArgs,
}

impl Stats {
    pub(super) async fn run(self, output: &Output) -> Result<(), Failure> {
        let channel = match self.count {
            true => self.admin.connect_for_long().await?,
            false => self.admin.connect().await?,
        };
        let answer = StoreServiceClient::new(channel)
            .get_store_stats(GetStoreStatsRequest {
                count_records: self.count,
            })
            .await
            .map_err(|status| Failure::answered(&status))?
            .into_inner();
        output.message("countersign.admin.v1.GetStoreStatsResponse", &answer, shown)
    }
}

fn shown(stats: &GetStoreStatsResponse) -> String {
    let logs: Vec<String> = stats
        .logs
        .iter()
        .map(|log| format!("{} {}", log.log, log.last_number))
        .collect();
    let records: Vec<String> = stats
        .records
        .iter()
        .map(|records| format!("{} {}", records.kind, records.count))
        .collect();
    output::fields([
        ("last commit", stats.commits.to_string()),
        ("on the disk", format!("{} bytes", stats.disk_bytes)),
        (
            "read whole",
            if stats.inspected { "yes" } else { "not yet" }.to_owned(),
        ),
        (
            "waiting",
            format!("{} of at most {}", stats.waiting, stats.waiting_max),
        ),
        ("epoch", stats.epoch.to_string()),
        ("entries", logs.join("\n")),
        ("records", records.join("\n")),
    ])
}
