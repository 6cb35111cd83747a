//! Those who call a stand: its clients, and keys that sign proofs.

use std::sync::Arc;

use countersign::introspection::v1::IntrospectTokenRequest;
use countersign::token::v1::issue_token_request::Grant;
use countersign::token::v1::{
    ClientAuthentication, ClientCredentials, IssueTokenRequest, IssueTokenResponse,
    RotateTokenRequest,
};
use countersign_client::Client;
use countersign_client::clock::{Clock as _, SystemClock};

use super::population::Seeded;
use crate::call::{Call, Connection, Failed, decode};
use crate::world::{ORDERS, Prover};
use crate::{BenchError, keys};

const ISSUE: &str = "/countersign.token.v1.TokenService/IssueToken";
const ROTATE: &str = "/countersign.token.v1.TokenService/RotateToken";
const INTROSPECT: &str = "/countersign.introspection.v1.IntrospectionService/IntrospectToken";

/// Keys that sign proofs. More than a handful, so that no bound of one key is what is measured.
const KEYS: u8 = 64;

/// The callers of a stand.
#[derive(Clone)]
pub struct Callers(Arc<All>);

struct All {
    issuer: &'static str,
    seeded: Seeded,
    provers: Vec<Prover>,
}

/// Access tokens for the token service itself, one for each key.
pub struct Own(Vec<String>);

impl Callers {
    pub(super) fn new(issuer: &'static str, seeded: Seeded, provers: Vec<Prover>) -> Self {
        Self(Arc::new(All {
            issuer,
            seeded,
            provers,
        }))
    }

    /// Refresh tokens of families in the store, as they were seeded.
    pub fn refresh_tokens(&self) -> &[String] {
        &self.0.seeded.refresh_tokens
    }

    /// A proof for the `nth` call for a token, by one key after the other.
    ///
    /// # Errors
    /// When it cannot be signed.
    pub fn issue_proof(&self, nth: usize) -> Result<String, BenchError> {
        self.prover(nth).proof(ISSUE, None)
    }

    /// The `nth` call for a token, by one client after the other, with its proof.
    ///
    /// # Errors
    /// When a client has nothing to show.
    pub fn issue(&self, nth: usize, proof: &str) -> Result<Call, BenchError> {
        let clients = &self.0.seeded.clients;
        let client = &clients[nth % clients.len()];
        let request = credentials(shown(client)?, "orders.write", ORDERS);
        Ok(Call::new(ISSUE, &request).proof(proof))
    }

    /// A call that rotates a refresh token of a seeded family.
    ///
    /// # Errors
    /// When it cannot be signed.
    pub fn rotate(&self, refresh_token: String) -> Result<Call, BenchError> {
        let request = RotateTokenRequest {
            client: shown(&self.0.seeded.desk)?,
            refresh_token,
            ..RotateTokenRequest::default()
        };
        // The families are bound to the first key.
        let proof = self.prover(0).proof(ROTATE, None)?;
        Ok(Call::new(ROTATE, &request).proof(&proof))
    }

    /// The `nth` call that asks about a token.
    ///
    /// # Errors
    /// When it cannot be signed.
    pub fn introspect(&self, nth: usize, token: String, own: &Own) -> Result<Call, BenchError> {
        let own = &own.0[nth % own.0.len()];
        let request = IntrospectTokenRequest {
            token,
            ..IntrospectTokenRequest::default()
        };
        let proof = self.prover(nth).proof(INTROSPECT, Some(own))?;
        Ok(Call::new(INTROSPECT, &request).token(own).proof(&proof))
    }

    /// Tokens that entitle to introspect, one for each key.
    ///
    /// # Errors
    /// When they are refused.
    pub async fn own_tokens(&self, connection: &Connection) -> Result<Own, BenchError> {
        let mut tokens = Vec::with_capacity(self.0.provers.len());
        for prover in &self.0.provers {
            let client = shown(&self.0.seeded.desk)?;
            let request = credentials(client, "introspect", self.0.issuer);
            let call = Call::new(ISSUE, &request).proof(&prover.proof(ISSUE, None)?);
            let answer: IssueTokenResponse = connection
                .call(call)
                .await
                .and_then(decode)
                .map_err(BenchError::preparing("a token that entitles to introspect"))?;
            tokens.push(answer.access_token);
        }
        Ok(Own(tokens))
    }

    fn prover(&self, nth: usize) -> &Prover {
        &self.0.provers[nth % self.0.provers.len()]
    }
}

/// Whether an answer has what [`Callers::issue`] asks for.
pub(crate) fn check_issued(answer: &IssueTokenResponse) -> Result<(), Failed> {
    let token = answer.token_type == "DPoP" && answer.access_token.split('.').count() == 3;
    match token && answer.scopes == ["orders.write"] && answer.refresh_token.is_empty() {
        true => Ok(()),
        false => Err(Failed::Wrong("not the token that was asked for")),
    }
}

/// The keys, ready to sign for calls to `issuer`.
pub(super) fn provers(issuer: &str) -> Result<Vec<Prover>, BenchError> {
    (0..KEYS)
        .map(|number| {
            let key = keys::of_caller(number).map_err(BenchError::preparing("a caller's key"))?;
            Prover::of(issuer, key)
        })
        .collect()
}

fn shown(client: &Client) -> Result<Option<ClientAuthentication>, BenchError> {
    client
        .authentication(SystemClock.now())
        .map(Some)
        .map_err(BenchError::preparing("a client's credential"))
}

fn credentials(
    client: Option<ClientAuthentication>,
    scope: &str,
    resource: &str,
) -> IssueTokenRequest {
    IssueTokenRequest {
        client,
        grant: Some(Grant::ClientCredentials(ClientCredentials {})),
        scopes: vec![scope.to_owned()],
        resources: vec![resource.to_owned()],
        authorization_details: String::new(),
    }
}
