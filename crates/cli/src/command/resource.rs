//! `countersign resource`: what tokens are for.

mod described;
mod details_type;

use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use countersign::admin::v1::resource_service_client::ResourceServiceClient;
use countersign::admin::v1::{
    AccessTokenFormat, CreateResourceRequest, DeleteResourceRequest, DetailsType,
    GetResourceRequest, ListResourcesRequest, ListResourcesResponse, Resource,
    UpdateResourceRequest,
};
use tonic::Status;
use tonic::transport::Channel;

use self::described::Described;
use self::details_type::{DetailsTypeFile, read_types};
use super::connection::AdminArgs;
use crate::confirm::confirm;
use crate::exit::Failure;
use crate::output::{self, Output};

/// The full name of what these commands print.
const RESOURCE: &str = "countersign.admin.v1.Resource";

/// Resources.
#[derive(Subcommand, Debug)]
pub(crate) enum ResourceCommand {
    /// Register a resource
    #[command(after_help = "\
Examples:
  countersign resource add https://orders.internal:8443 \\
    --scope orders.read --describe orders.read='See your orders'
  countersign resource add https://billing.internal:8443 --name Billing \\
    --scope bills.read --lifetime 2m --token-format reference
  countersign resource add https://accounts.internal:8443 \\
    --scope accounts.read --details-type account=account.schema.json")]
    Add(Add),
    /// Change a resource; tokens that were issued stay as they are
    #[command(after_help = "\
Examples:
  countersign resource update https://billing.internal:8443 \\
    --token-format reference
  countersign resource update https://orders.internal:8443 \\
    --scope orders.read,orders.write,orders.purge
  countersign resource update https://orders.internal:8443 \\
    --describe orders.read='See your orders' \\
    --describe orders.write='Order in your name'")]
    Update(Update),
    /// List the resources
    #[command(after_help = "\
Examples:
  countersign resource list
  countersign resource list --json | jq -r '.resources[].uri'")]
    List(AdminArgs),
    /// Show one resource
    #[command(after_help = "\
Examples:
  countersign resource show https://orders.internal:8443")]
    Show(Named),
    /// Remove a resource; tokens for it end with their lifetime
    #[command(after_help = "\
Examples:
  countersign resource remove https://orders.internal:8443
  countersign resource remove https://orders.internal:8443 --yes")]
    Remove(Remove),
}

/// A resource to register.
#[derive(Args, Debug)]
pub(crate) struct Add {
    /// Its URI, which stands in the `aud` of tokens: absolute, without query and fragment
    #[arg(value_name = "URI")]
    uri: String,

    /// Its name for people
    #[arg(
        long,
        value_name = "NAME",
        default_value = "",
        hide_default_value = true
    )]
    name: String,

    /// A scope that it has; say it again for each
    #[arg(
        long = "scope",
        value_name = "SCOPE",
        required = true,
        value_delimiter = ','
    )]
    scopes: Vec<String>,

    /// How long access tokens for it live: 1s to 15m [default: as the service is configured]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    lifetime: Option<Duration>,

    /// What access tokens for it are: JWTs are verified offline; references say nothing, and are
    /// dead at once when they are revoked
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    token_format: TokenFormat,

    /// What a scope allows, in plain words: people read it who are asked whether they allow it; say it
    /// again for each
    #[arg(long = "describe", value_name = "SCOPE=WORDS")]
    descriptions: Vec<Described>,

    /// A type of authorization details that it understands (RFC 9396), and the file with the JSON
    /// Schema of its objects; say it again for each
    #[arg(long = "details-type", value_name = "NAME=SCHEMA.json")]
    details_types: Vec<DetailsTypeFile>,

    #[command(flatten)]
    admin: AdminArgs,
}

/// What access tokens are.
#[derive(ValueEnum, Copy, Clone, Debug, Default)]
enum TokenFormat {
    #[default]
    Jwt,
    Reference,
}

impl From<TokenFormat> for AccessTokenFormat {
    fn from(format: TokenFormat) -> Self {
        match format {
            TokenFormat::Jwt => Self::Jwt,
            TokenFormat::Reference => Self::Reference,
        }
    }
}

/// A change to a resource.
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

    /// A scope that it has then; say it again for each. Those that are not named it has no more
    #[arg(long = "scope", value_name = "SCOPE", value_delimiter = ',')]
    scopes: Option<Vec<String>>,

    /// How long access tokens for it live: 1s to 15m
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    lifetime: Option<Duration>,

    /// What access tokens for it are, from now on
    #[arg(long, value_name = "FORMAT", value_enum)]
    token_format: Option<TokenFormat>,

    /// What a scope allows then, in plain words; say it again for each. Those that are not named have
    /// no words any more
    #[arg(long = "describe", value_name = "SCOPE=WORDS")]
    descriptions: Vec<Described>,

    /// Its scopes have no words any more
    #[arg(long, conflicts_with = "descriptions")]
    no_descriptions: bool,

    /// A type of authorization details that it understands then, and the file with the JSON Schema
    /// of its objects; say it again for each. Those that are not named it has no more
    #[arg(long = "details-type", value_name = "NAME=SCHEMA.json")]
    details_types: Vec<DetailsTypeFile>,

    /// It understands no authorization details any more
    #[arg(long, conflicts_with = "details_types")]
    no_details_types: bool,
}

/// A resource that is there.
#[derive(Args, Debug)]
pub(crate) struct Named {
    /// Its URI
    #[arg(value_name = "URI")]
    uri: String,

    #[command(flatten)]
    admin: AdminArgs,
}

/// A resource that is removed.
#[derive(Args, Debug)]
pub(crate) struct Remove {
    #[command(flatten)]
    named: Named,

    /// Do not ask first
    #[arg(long)]
    yes: bool,
}

impl ResourceCommand {
    /// Does what it was told.
    pub(crate) async fn run(self, output: &Output) -> Result<(), Failure> {
        match self {
            Self::Add(add) => add.run(output).await,
            Self::Update(update) => update.run(output).await,
            Self::List(admin) => list(&admin, output).await,
            Self::Show(named) => named.show(output).await,
            Self::Remove(remove) => remove.run(output).await,
        }
    }
}

impl Add {
    async fn run(self, output: &Output) -> Result<(), Failure> {
        // What is wrong with the words is told whether or not a service runs.
        let lifetime = span(self.lifetime)?;
        let details_types = read_types(&self.details_types)?;
        let mut service = service(&self.admin).await?;
        let answer = service
            .create_resource(CreateResourceRequest {
                resource: Some(Resource {
                    uri: self.uri,
                    display_name: self.name,
                    scopes: self.scopes,
                    access_token_lifetime: lifetime,
                    access_token_format: AccessTokenFormat::from(self.token_format).into(),
                    details_types,
                    scope_descriptions: self.descriptions.into_iter().map(Into::into).collect(),
                    ..Resource::default()
                }),
            })
            .await
            .map_err(|status| Failure::answered(&status))?
            .into_inner();
        let resource = answer.resource.unwrap_or_default();
        output.message(RESOURCE, &resource, |resource| {
            format!(
                "registered the resource {}\n\nnext: countersign client add ID --allow '{}={}'",
                resource.uri,
                resource.uri,
                resource.scopes.join(",")
            )
        })
    }
}

impl Update {
    async fn run(self, output: &Output) -> Result<(), Failure> {
        let Named { uri, admin } = self.named;
        let Change {
            name,
            scopes,
            lifetime,
            token_format,
            descriptions,
            no_descriptions,
            details_types,
            no_details_types,
        } = self.change;
        let paths = [
            ("display_name", name.is_some()),
            ("scopes", scopes.is_some()),
            ("access_token_lifetime", lifetime.is_some()),
            ("access_token_format", token_format.is_some()),
            (
                "scope_descriptions",
                no_descriptions || !descriptions.is_empty(),
            ),
            (
                "details_types",
                no_details_types || !details_types.is_empty(),
            ),
        ];
        let paths = paths.into_iter().filter(|(_, changes)| *changes);
        let request = UpdateResourceRequest {
            resource: Some(Resource {
                uri: uri.clone(),
                display_name: name.unwrap_or_default(),
                scopes: scopes.unwrap_or_default(),
                access_token_lifetime: span(lifetime)?,
                access_token_format: AccessTokenFormat::from(token_format.unwrap_or_default())
                    .into(),
                details_types: read_types(&details_types)?,
                scope_descriptions: descriptions.into_iter().map(Into::into).collect(),
                ..Resource::default()
            }),
            update_mask: Some(prost_types::FieldMask {
                paths: paths.map(|(path, _)| path.to_owned()).collect(),
            }),
        };
        let answer = service(&admin)
            .await?
            .update_resource(request)
            .await
            .map_err(|status| about(&uri, &status))?
            .into_inner();
        output.message(RESOURCE, &answer.resource.unwrap_or_default(), shown)
    }
}

impl Named {
    async fn show(self, output: &Output) -> Result<(), Failure> {
        let answer = service(&self.admin)
            .await?
            .get_resource(GetResourceRequest {
                uri: self.uri.clone(),
            })
            .await
            .map_err(|status| about(&self.uri, &status))?
            .into_inner();
        output.message(RESOURCE, &answer.resource.unwrap_or_default(), shown)
    }
}

impl Remove {
    async fn run(self, output: &Output) -> Result<(), Failure> {
        let Named { uri, admin } = self.named;
        let question = format!(
            "removing the resource {uri}: nobody gets a token for it any more; those that were issued \
             end with their lifetime"
        );
        confirm(&question, self.yes)?;
        let answer = service(&admin)
            .await?
            .delete_resource(DeleteResourceRequest {
                uri: uri.clone(),
                etag: String::new(),
            })
            .await
            .map_err(|status| about(&uri, &status))?
            .into_inner();
        output.message(
            "countersign.admin.v1.DeleteResourceResponse",
            &answer,
            |_| format!("removed the resource {uri}"),
        )
    }
}

fn span(lifetime: Option<Duration>) -> Result<Option<prost_types::Duration>, Failure> {
    lifetime
        .map(prost_types::Duration::try_from)
        .transpose()
        .map_err(|_| Failure::configuration("--lifetime: is too long; at most 15m"))
}

/// Why a call about this resource failed.
fn about(uri: &str, status: &Status) -> Failure {
    Failure::answered(status).during(format!("resource {uri}"))
}

/// All registered resources.
pub(super) async fn all(admin: &AdminArgs) -> Result<ListResourcesResponse, Failure> {
    let mut service = service(admin).await?;
    let mut all = ListResourcesResponse::default();
    loop {
        let page = service
            .list_resources(ListResourcesRequest {
                page_size: 0,
                page_token: all.next_page_token,
            })
            .await
            .map_err(|status| Failure::answered(&status))?
            .into_inner();
        all.resources.extend(page.resources);
        all.next_page_token = page.next_page_token;
        if all.next_page_token.is_empty() {
            return Ok(all);
        }
    }
}

async fn list(admin: &AdminArgs, output: &Output) -> Result<(), Failure> {
    let all = all(admin).await?;
    output.message("countersign.admin.v1.ListResourcesResponse", &all, |all| {
        let rows = all.resources.iter().map(|resource| {
            [
                resource.uri.clone(),
                resource.display_name.clone(),
                resource.scopes.join(" "),
                lifetime(resource),
                format(resource).to_owned(),
                details(resource),
            ]
        });
        output::table(
            [
                "resource",
                "name",
                "scopes",
                "tokens live",
                "tokens are",
                "details",
            ],
            rows,
            "no resources; `countersign resource add --help` shows how to register one",
        )
    })
}

async fn service(admin: &AdminArgs) -> Result<ResourceServiceClient<Channel>, Failure> {
    Ok(ResourceServiceClient::new(admin.connect().await?))
}

fn shown(resource: &Resource) -> String {
    output::fields([
        ("resource", resource.uri.clone()),
        ("name", resource.display_name.clone()),
        ("scopes", resource.scopes.join(" ")),
        ("in words", words(resource)),
        ("tokens live", lifetime(resource)),
        ("tokens are", format(resource).to_owned()),
        ("details", types(resource)),
        ("registered", output::time(resource.create_time)),
        ("changed", output::time(resource.update_time)),
        ("etag", resource.etag.clone()),
    ])
}

fn lifetime(resource: &Resource) -> String {
    match resource.access_token_lifetime {
        None => "as configured".to_owned(),
        span => output::span(span),
    }
}

/// What its scopes allow, a line each.
fn words(resource: &Resource) -> String {
    let described = resource.scope_descriptions.iter();
    let lines: Vec<_> = described
        .map(|described| format!("{}: {}", described.scope, described.description))
        .collect();
    lines.join("\n")
}

/// The types of authorization details, by name.
fn details(resource: &Resource) -> String {
    let names: Vec<_> = resource
        .details_types
        .iter()
        .map(|kind| kind.name.as_str())
        .collect();
    names.join(" ")
}

/// The types of authorization details, each with its schema on one line.
fn types(resource: &Resource) -> String {
    let line = |kind: &DetailsType| {
        let words: Vec<_> = kind.schema.split_whitespace().collect();
        format!("{}: {}", kind.name, words.join(" "))
    };
    let lines: Vec<_> = resource.details_types.iter().map(line).collect();
    lines.join("\n")
}

fn format(resource: &Resource) -> &'static str {
    match AccessTokenFormat::try_from(resource.access_token_format) {
        // A service of before the formats says nothing, and has JWTs.
        Ok(AccessTokenFormat::Unspecified | AccessTokenFormat::Jwt) => "JWTs",
        Ok(AccessTokenFormat::Reference) => "references",
        Err(_) => "of a format that this release does not know",
    }
}
