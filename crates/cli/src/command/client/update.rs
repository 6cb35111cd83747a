//! `countersign client update`.

use clap::{Args, ValueEnum};
use countersign::admin::v1::{Client, GetClientRequest, UpdateClientRequest};
use prost_types::FieldMask;

use super::allow::{Allow, permissions};
use super::certificate::CertificateArgs;
use super::exchange::{Exchange, ExchangeArgs};
use super::{Named, about, service, shown};
use crate::exit::Failure;
use crate::output::Output;

/// How it is used.
pub(super) const EXAMPLES: &str = "\
Examples:
  countersign client update bank --only-pushed yes
  countersign client update checkout --name 'The checkout' \\
    --allow https://orders.internal:8443=orders.read

  # a certificate of its own that is about to end: the next one is registered
  # beside it, and when the client shows that one, the old one goes
  countersign client update desk --add-tls-certificate next.crt
  countersign client update desk --remove-tls-certificate desk.crt

  # another name in the certificate of an authority
  countersign client update checkout --tls-san-dns till.internal";

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
// Named one by one: those of the two structs below count as well.
#[group(required = true, multiple = true, args = [
    "name", "allow", "details_types", "redirect_uris", "only_pushed", "tls_subject_dn", "tls_san_dns",
    "tls_san_uri", "tls_san_ip", "tls_san_email", "tls_certificate", "add_tls_certificate",
    "remove_tls_certificate", "certificate_bound_tokens",
])]
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

    #[command(flatten)]
    certificate: CertificateArgs,

    #[command(flatten)]
    exchange: ExchangeArgs,

    /// Whether its access tokens are bound to the certificate that they are asked for with (RFC 8705
    /// §3), besides the proof key
    #[arg(long, value_enum, value_name = "YES_OR_NO")]
    certificate_bound_tokens: Option<Answer>,
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
        // What is wrong with the words is told whether or not a service runs.
        let exchange = self.change.exchange.read()?;
        let mut request = self.change.request(&client_id)?;
        let mut service = service(&admin).await?;
        if let Some(exchange) = exchange {
            let found = service
                .get_client(GetClientRequest {
                    client_id: client_id.clone(),
                })
                .await
                .map_err(|status| about(&client_id, &status))?
                .into_inner();
            exchanged(&mut request, &exchange, found.client.unwrap_or_default())?;
        }
        let answer = service
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

/// With the certificates that are registered now, as they are exchanged; and only if nobody changes
/// them meanwhile.
fn exchanged(
    request: &mut UpdateClientRequest,
    exchange: &Exchange,
    found: Client,
) -> Result<(), Failure> {
    let client = request.client.get_or_insert_default();
    client.tls_client_certificates =
        exchange.of(found.tls_client_certificates, &found.client_id)?;
    client.etag = found.etag;
    let mask = request.update_mask.get_or_insert_default();
    mask.paths.push("tls_client_certificates".to_owned());
    Ok(())
}

impl Change {
    fn request(self, client_id: &str) -> Result<UpdateClientRequest, Failure> {
        let paths = [
            ("display_name", self.name.is_some()),
            ("permissions", !self.allow.is_empty()),
            ("redirect_uris", !self.redirect_uris.is_empty()),
            (
                "require_pushed_authorization_requests",
                self.only_pushed.is_some(),
            ),
            (
                "tls_client_certificate_bound_access_tokens",
                self.certificate_bound_tokens.is_some(),
            ),
        ];
        let paths = paths.into_iter().filter(|(_, changes)| *changes);
        let paths = paths.map(|(path, _)| path).chain(self.certificate.paths());
        let mask = FieldMask {
            paths: paths.map(str::to_owned).collect(),
        };
        Ok(UpdateClientRequest {
            client: Some(Client {
                client_id: client_id.to_owned(),
                display_name: self.name.unwrap_or_default(),
                permissions: permissions(&self.allow, &self.details_types),
                redirect_uris: self.redirect_uris,
                require_pushed_authorization_requests: self.only_pushed == Some(Answer::Yes),
                tls_client_auth: self.certificate.name(),
                tls_client_certificates: self.certificate.thumbprints()?,
                tls_client_certificate_bound_access_tokens: self.certificate_bound_tokens
                    == Some(Answer::Yes),
                ..Client::default()
            }),
            update_mask: Some(mask),
        })
    }
}
