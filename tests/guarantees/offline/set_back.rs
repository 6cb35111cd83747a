//! A service with people and registrations, and what must be true of it once its
//! store was set back.

use std::path::PathBuf;

use countersign::admin::v1::resource_service_client::ResourceServiceClient;
use countersign::admin::v1::{CreateResourceRequest, Resource};
use countersign::error::v1::Reason;
use countersign_client::{Secret, TokenError};
use countersign_testkit::service::{Service, Terms, countersign};
use countersign_testkit::{Desk, Problem};
use futures_util::future::try_join_all;
use serde_json::Value;

use super::folder::remove;
use super::{Ended, How};
use crate::scale;
use crate::traffic::CONFIGURATION;

const PEOPLE: usize = 3;

/// Scopes of each resource: what can be in one.
const SCOPES: usize = 100;

/// A service whose store is set back, over and over.
pub(super) struct Scene {
    pub(super) service: Service,
    pub(super) desk: Desk,
    terms: Terms,
    /// Refresh tokens, each the newest of its family when the store was copied.
    tokens: Vec<Secret>,
    resources: u64,
}

impl Scene {
    pub(super) async fn begin() -> Result<Self, Problem> {
        let terms = Terms {
            configuration: CONFIGURATION.to_owned(),
            ..Terms::default()
        };
        let service = Service::start(&terms)?;
        let desk = Desk::open(&service).await?;
        let mut tokens = Vec::new();
        for person in 0..PEOPLE {
            let issued = desk.sign_in(&format!("person-{person}")).await?;
            tokens.push(issued.refresh_token.ok_or("no refresh token")?);
        }
        // More than one batch of a restoration, in the full form.
        register(&service, "before", scale::of(50, 1_200)).await?;
        let resources = count(&service, "resource")?;
        Ok(Self {
            service,
            desk,
            terms,
            tokens,
            resources,
        })
    }

    /// What happens after the copy: nobody may see anything of it once the store
    /// was set back.
    pub(super) async fn goes_on(&self) -> Result<(), Problem> {
        register(&self.service, "after", 3).await?;
        let tokens = self.desk.desk.token_service();
        tokens.rotate(&self.tokens[0], &[], &[]).await?;
        tokens.revoke(&self.tokens[1]).await?;
        Ok(())
    }

    pub(super) fn data(&self) -> PathBuf {
        self.service.folder().join("data")
    }

    pub(super) fn start(&mut self) -> Result<(), String> {
        self.service.restart(&self.terms)
    }

    /// A start that is killed.
    pub(super) fn start_killed(&mut self, how: &How) -> Result<Ended, Problem> {
        killed(&mut self.service, &self.terms, how)
    }

    /// Whether the service runs on the store as it was copied, in a new epoch that
    /// the audit log tells of, and whether the store is sound. It is stopped then.
    pub(super) async fn is_set_back(&mut self, event: &str) -> Result<(), Problem> {
        let service = &self.service;
        let epoch = service.admin(&["store", "stats"])?["epoch"].as_u64();
        let told = service.admin(&["audit", "list", "--event", event])?;
        let told = told["events"].as_array().map(Vec::len);
        // A start that was killed may have begun one before.
        if !matches!((epoch, told), (Some(2), Some(1)) | (Some(3), Some(2))) {
            return Err(format!("the epoch is {epoch:?}, and {told:?} were told of").into());
        }
        let resources = count(service, "resource")?;
        if resources != self.resources {
            return Err(format!("{resources} resources are there, of {}", self.resources).into());
        }
        service.admin(&["audit", "verify"])?;
        let tokens = self.desk.desk.token_service();
        for token in &self.tokens {
            match tokens.rotate(token, &[], &[]).await {
                Err(TokenError::Refused(refused, _)) if refused.reason == Reason::GrantInvalid => {}
                answer => {
                    return Err(format!("a token from before was answered {answer:?}").into());
                }
            }
        }
        let anew = self.desk.sign_in("somebody").await?.refresh_token;
        tokens
            .rotate(&anew.ok_or("no refresh token")?, &[], &[])
            .await?;
        self.service.kill()?;
        sound(&self.data())
    }

    /// Stopped, and without its data.
    pub(super) fn clear(&mut self) -> Result<(), Problem> {
        self.service.kill()?;
        remove(&self.data())
    }
}

/// Starts the service, to be killed by the shim or after some time. One that was
/// quicker is killed as well.
pub(super) fn killed(service: &mut Service, terms: &Terms, how: &How) -> Result<Ended, Problem> {
    let mut terms = terms.clone();
    terms.environment.extend(how.environment.iter().cloned());
    if let Some(after) = how.kill_after {
        let after = format!("{:.6}", after.as_secs_f64());
        terms.under = ["timeout", "--signal=KILL", &after].map(Into::into).into();
    }
    match service.restart(&terms) {
        Err(said) if said.contains("error:") => Err(said.into()),
        Err(_) => Ok(Ended::Killed),
        Ok(()) => {
            match how.kill_after {
                // It is not our child, and ends with what is.
                Some(_) => drop(service.ended()?),
                None => service.kill()?,
            }
            Ok(Ended::Whole)
        }
    }
}

/// Whether `store verify` finds nothing wrong.
pub(super) fn sound(data: &std::path::Path) -> Result<(), Problem> {
    let data = data.display().to_string();
    countersign(&["store", "verify", "--data", &data, "--json"])?;
    Ok(())
}

/// How many records of a kind there are.
pub(super) fn count(service: &Service, kind: &str) -> Result<u64, Problem> {
    let stats = service.admin(&["store", "stats", "--count"])?;
    let kinds = stats["records"].as_array().ok_or("no records")?;
    let found = kinds.iter().find(|found| found["kind"] == kind);
    let count = found.and_then(|found| number(&found["count"]));
    Ok(count.ok_or_else(|| format!("no {kind} in {stats}"))?)
}

/// In JSON, a large number is a text.
pub(super) fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

async fn register(service: &Service, name: &str, count: usize) -> Result<(), Problem> {
    let admin = service.admin_channel().await?;
    let create = |number: usize| {
        let mut resources = ResourceServiceClient::new(admin.clone());
        let resource = Resource {
            uri: format!("https://{name}-{number}.example"),
            scopes: (0..SCOPES).map(|scope| format!("scope-{scope}")).collect(),
            ..Resource::default()
        };
        let request = CreateResourceRequest {
            resource: Some(resource),
        };
        async move { resources.create_resource(request).await }
    };
    let numbers: Vec<usize> = (0..count).collect();
    for few in numbers.chunks(50) {
        try_join_all(few.iter().map(|number| create(*number))).await?;
    }
    Ok(())
}
