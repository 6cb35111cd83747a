//! `countersign client update`.

use clap::{Args, ValueEnum};
use countersign::admin::v1::{Client, UpdateClientRequest};

use super::allow::{Allow, permissions};
use super::{Named, about, service, shown};
use crate::exit::Failure;
use crate::output::Output;

/// How it is used.
pub(super) const EXAMPLES: &str = "\
Examples:
  countersign client update bank --only-pushed yes
  countersign client update checkout --name 'The checkout' \\
    --allow https://orders.internal:8443=orders.read";

/// A change to a client.
#[derive(Args, Debug)]
pub(crate) struct Update {
    #[command(flatten)]
    named: Named,

    #[command(flatten)]
    change: Change,
}

/// What changes; the rest stays.
#[derive(Args, Debug)]
#[group(required = true, multiple = true)]
struct Change {
    /// Its name for people
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    /// What it may ask for at a resource then; say it again for each resource. At those that are not
    /// named it may ask for nothing more
    #[arg(long = "allow", value_name = "RESOURCE=SCOPE,SCOPE")]
    allow: Vec<Allow>,

    /// The types of authorization details that it may ask for at a resource then, with --allow; say
    /// it again for each resource
    #[arg(
        long = "details-type",
        value_name = "RESOURCE=TYPE,TYPE",
        requires = "allow"
    )]
    details_types: Vec<Allow>,

    /// Where its codes may go then; say it again for each. Those that are not named are its no more
    #[arg(long = "redirect-uri", value_name = "URI")]
    redirect_uris: Vec<String>,

    /// Whether only requests that it has pushed are taken (RFC 9126), none that its browsers bring
    /// in parameters
    #[arg(long, value_enum, value_name = "YES_OR_NO")]
    only_pushed: Option<Answer>,
}

/// An answer.
#[derive(Copy, Clone, PartialEq, Eq, Debug, ValueEnum)]
enum Answer {
    Yes,
    No,
}

impl Update {
    /// Changes the client, and prints it.
    pub(crate) async fn run(self, output: &Output) -> Result<(), Failure> {
        let Named { client_id, admin } = self.named;
        let request = self.change.request(&client_id);
        let answer = service(&admin)
            .await?
            .update_client(request)
            .await
            .map_err(|status| about(&client_id, &status))?
            .into_inner();
        output.message(
            "countersign.admin.v1.Client",
            &answer.client.unwrap_or_default(),
            shown,
        )
    }
}

impl Change {
    fn request(self, client_id: &str) -> UpdateClientRequest {
        let paths = [
            ("display_name", self.name.is_some()),
            ("permissions", !self.allow.is_empty()),
            ("redirect_uris", !self.redirect_uris.is_empty()),
            (
                "require_pushed_authorization_requests",
                self.only_pushed.is_some(),
            ),
        ];
        let paths = paths.into_iter().filter(|(_, changes)| *changes);
        UpdateClientRequest {
            client: Some(Client {
                client_id: client_id.to_owned(),
                display_name: self.name.unwrap_or_default(),
                permissions: permissions(&self.allow, &self.details_types),
                redirect_uris: self.redirect_uris,
                require_pushed_authorization_requests: self.only_pushed == Some(Answer::Yes),
                ..Client::default()
            }),
            update_mask: Some(prost_types::FieldMask {
                paths: paths.map(|(path, _)| path.to_owned()).collect(),
            }),
        }
    }
}
