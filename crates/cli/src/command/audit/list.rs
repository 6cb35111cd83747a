//! `audit list`: events by what they are.

use clap::Args;
use countersign::admin::v1::{AuditEvent, ListEventsRequest, ListEventsResponse};

use super::asked::{Asked, number};
use super::{line, service};
use crate::command::connection::AdminArgs;
use crate::exit::Failure;
use crate::output::Output;

/// Which events.
#[derive(Args, Debug)]
pub(crate) struct List {
    #[command(flatten)]
    asked: Asked,

    /// So many at most
    #[arg(short = 'n', long = "count", value_name = "N", default_value_t = 100)]
    count: usize,

    #[command(flatten)]
    admin: AdminArgs,
}

impl List {
    pub(super) async fn run(self, output: &Output) -> Result<(), Failure> {
        let all = ListEventsResponse {
            events: newest(&self.admin, &self.asked, self.count).await?,
            next_page_token: String::new(),
        };
        output.message("countersign.admin.v1.ListEventsResponse", &all, |all| {
            let lines: Vec<_> = all.events.iter().map(line::text).collect();
            match lines.is_empty() {
                true => "no such event".to_owned(),
                false => lines.join("\n"),
            }
        })
    }
}

/// The newest events that fit, the newest first.
pub(super) async fn newest(
    admin: &AdminArgs,
    asked: &Asked,
    count: usize,
) -> Result<Vec<AuditEvent>, Failure> {
    let mut service = service(admin).await?;
    let mut all = Vec::new();
    let mut page_token = String::new();
    while all.len() < count {
        // The service's own bound.
        let wanted = (count - all.len()).min(1_000);
        let page = service
            .list_events(ListEventsRequest {
                log: number(asked.log.log()).into(),
                filter: Some(asked.filter()),
                oldest_first: false,
                page_size: i32::try_from(wanted).unwrap_or(i32::MAX),
                page_token,
            })
            .await
            .map_err(|status| Failure::answered(&status))?
            .into_inner();
        all.extend(page.events);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    Ok(all)
}
