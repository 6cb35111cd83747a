//! `countersign token introspect`.

use clap::Args;
use countersign::error::v1::Reason;
use countersign::introspection::v1::introspection_service_client::IntrospectionServiceClient;
use countersign::introspection::v1::{
    Confirmation, IntrospectTokenRequest, IntrospectTokenResponse,
};
use countersign::token::v1::issue_token_request::Grant;
use countersign::token::v1::token_service_client::TokenServiceClient;
use countersign::token::v1::{ClientCredentials, IssueTokenRequest};
use tonic::transport::Channel;
use zeroize::Zeroizing;

use super::credential::CredentialArgs;
use crate::command::connection::ServerArgs;
use crate::command::proof::ProofKeyArgs;
use crate::exit::{self, Failure};
use crate::output::{self, Output};
use crate::proven::{self, Prover};
use crate::secret::TokenArgs;

/// The path that the first proof names.
const ISSUE_PATH: &str = "/countersign.token.v1.TokenService/IssueToken";

/// The path that the second proof names.
const INTROSPECT_PATH: &str = "/countersign.introspection.v1.IntrospectionService/IntrospectToken";

/// The scope that introspection asks for.
const SCOPE: &str = "introspect";

/// How it is used.
pub(crate) const EXAMPLES: &str = "\
The client first gets a token of its own with the scope `introspect`. It sees
only tokens for resources that it serves; everything else is `active: false`.

Examples:
  countersign client add orders --serves https://orders.internal:8443 \\
    --allow http://127.0.0.1:7443=introspect --secret-file orders.secret
  countersign token introspect --client-id orders \\
    --client-secret-file orders.secret --token-file token
  countersign token issue --json --client-id checkout \\
      --client-key checkout.pem \\
    | jq -r .access_token \\
    | countersign token introspect --client-id orders \\
        --client-secret-file orders.secret --token - --json";

/// A token to ask about.
#[derive(Args, Debug)]
pub(crate) struct Introspect {
    #[command(flatten)]
    credential: CredentialArgs,

    #[command(flatten)]
    token: TokenArgs,

    #[command(flatten)]
    key: ProofKeyArgs,

    #[command(flatten)]
    server: ServerArgs,
}

impl Introspect {
    /// Asks, and prints the answer.
    pub(crate) async fn run(&self, output: &Output) -> Result<(), Failure> {
        let target = proven::target(&self.server.server, INTROSPECT_PATH)?;
        let token = self.token.read()?;
        let prover = self.key.prover(output)?;
        let channel = self.credential.connect(&self.server).await?;
        let own = self.own_token(&channel, &prover).await?;
        let request = IntrospectTokenRequest {
            token: token.to_string(),
            token_type_hint: String::new(),
        };
        let service = IntrospectionServiceClient::new(channel);
        let answer = prover
            .call(&target, Some(&own), &request, async |request| {
                service.clone().introspect_token(request).await
            })
            .await?
            .map_err(|status| Failure::answered(&status))?;
        output.message(
            "countersign.introspection.v1.IntrospectTokenResponse",
            &answer,
            shown,
        )
    }

    /// The token that the client presents to ask about the other one.
    async fn own_token(
        &self,
        channel: &Channel,
        prover: &Prover,
    ) -> Result<Zeroizing<String>, Failure> {
        let target = proven::target(&self.server.server, ISSUE_PATH)?;
        let request = IssueTokenRequest {
            client: Some(self.credential.present(channel).await?),
            grant: Some(Grant::ClientCredentials(ClientCredentials {})),
            scopes: vec![SCOPE.to_owned()],
            // Countersign's own interface is a resource: its URI is the issuer.
            resources: vec![super::issuer(channel.clone()).await?],
            ..IssueTokenRequest::default()
        };
        let service = TokenServiceClient::new(channel.clone());
        let issued = prover
            .call(&target, None, &request, async |request| {
                service.clone().issue_token(request).await
            })
            .await?
            .map_err(|status| {
                let failure = Failure::answered(&status)
                    .during("getting a token with the scope `introspect`");
                match exit::reason(&status) {
                    Some(Reason::InvalidTarget | Reason::InvalidScope) => failure.next(
                        "register the client with --serves RESOURCE and --allow ISSUER=introspect; see `countersign client add --help`",
                    ),
                    _ => failure,
                }
            })?;
        Ok(Zeroizing::new(issued.access_token))
    }
}

fn shown(answer: &IntrospectTokenResponse) -> String {
    if !answer.active {
        return "not active: unknown, expired, revoked, or not for a resource that this client serves"
            .to_owned();
    }
    let Confirmation { jkt, x5t_s256 } = answer.cnf.clone().unwrap_or_default();
    output::fields([
        ("active", "yes".to_owned()),
        ("issuer", answer.iss.clone()),
        ("subject", answer.sub.clone()),
        ("audience", answer.aud.join(" ")),
        ("client", answer.client_id.clone()),
        ("scopes", answer.scopes.join(" ")),
        ("details", answer.authorization_details.clone()),
        ("type", answer.token_type.clone()),
        ("issued", output::time(answer.iat)),
        ("ends", output::time(answer.exp)),
        ("identifier", answer.jti.clone()),
        ("bound to key", jkt),
        ("certificate", x5t_s256),
        ("family", answer.family_id.clone()),
        (
            "signed in",
            answer
                .auth_time
                .map_or_else(String::new, |_| output::time(answer.auth_time)),
        ),
        ("by means of", answer.acr.clone()),
    ])
}
