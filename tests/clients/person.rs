//! A person at the login application: opens addresses, types user codes, decides.

use std::fs;
use std::path::{Path, PathBuf};

use countersign::authorization::v1::authorization_service_client::AuthorizationServiceClient;
use countersign::authorization::v1::{
    ApproveAuthorizationRequest, DenyAuthorizationRequest, FindAuthorizationRequest,
};
use countersign_client::{Builder, Credential, GuardedChannel};
use countersign_testkit::{Problem, setup};
use tokio::runtime::Runtime;

use crate::browser::Browser;

/// What they make of a request.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decides {
    Approve,
    Decline,
}

/// Ann, and the login application that she uses.
pub(crate) struct Person {
    runtime: Runtime,
    authorizations: AuthorizationServiceClient<GuardedChannel>,
    ca: PathBuf,
}

impl Person {
    pub(crate) fn new(issuer: &str, ca: &Path, login: setup::Registered) -> Result<Self, Problem> {
        let runtime = Runtime::new()?;
        let credential = Credential::ClientSecret(login.secret.into());
        let application = Builder::new(issuer)
            .client(&login.client_id, credential)
            .trust_ca(fs::read(ca)?);
        let channel = runtime.block_on(async {
            let application = application.connect().await?;
            let channel = application.channel(issuer);
            Ok::<_, Problem>(channel.scopes(["authorizations.decide"]).connect().await?)
        })?;
        Ok(Self {
            runtime,
            authorizations: AuthorizationServiceClient::new(channel),
            ca: ca.to_owned(),
        })
    }

    /// Opens the address in a browser that nobody used before, and decides; where the browser
    /// comes out.
    pub(crate) fn browse(&self, url: &str, decides: Decides) -> Result<String, Problem> {
        let browser = Browser::new(&self.ca)?;
        let login = browser.open(url)?;
        let (_, interaction) = login
            .split_once("?interaction=")
            .ok_or_else(|| format!("not sent to the login application: {login}"))?;
        let back = self.decide(interaction, decides)?;
        browser.open(&back)
    }

    /// Types the user code of a device, and decides.
    pub(crate) fn device(&self, user_code: &str, decides: Decides) -> Result<(), Problem> {
        let find = FindAuthorizationRequest {
            user_code: user_code.to_owned(),
            subject: "ann".to_owned(),
            ..FindAuthorizationRequest::default()
        };
        let mut authorizations = self.authorizations.clone();
        let found = self
            .runtime
            .block_on(authorizations.find_authorization(find))?;
        self.decide(&found.into_inner().request_uri, decides)?;
        Ok(())
    }

    fn decide(&self, request_uri: &str, decides: Decides) -> Result<String, Problem> {
        let mut authorizations = self.authorizations.clone();
        let request_uri = request_uri.to_owned();
        let redirect_to = match decides {
            Decides::Approve => {
                let approve = ApproveAuthorizationRequest {
                    request_uri,
                    subject: "ann".to_owned(),
                    ..ApproveAuthorizationRequest::default()
                };
                let approved = authorizations.approve_authorization(approve);
                self.runtime.block_on(approved)?.into_inner().redirect_to
            }
            Decides::Decline => {
                let deny = DenyAuthorizationRequest {
                    request_uri,
                    ..DenyAuthorizationRequest::default()
                };
                let denied = authorizations.deny_authorization(deny);
                self.runtime.block_on(denied)?.into_inner().redirect_to
            }
        };
        Ok(redirect_to)
    }
}
