//! `TokenService`: issue, rotate, revoke. Every call carries a proof.

use std::sync::Arc;

use countersign::token::v1::token_service_server::TokenService;
use countersign::token::v1::{
    IssueTokenRequest, IssueTokenResponse, RevokeTokenRequest, RevokeTokenResponse,
    RotateTokenRequest, RotateTokenResponse,
};
use countersign_dpop::VerifiedProof;
use countersign_issuer::model::{FamilyId, RecordId, TokenId};
use countersign_issuer::{Entered, Fresh, Issued};
use countersign_telemetry::spans;
use tonic::{Request, Response, Status};
use tracing::Instrument as _;

use super::{answered, called};
use crate::engine::{Engine, Operation};
use crate::operation::issue::Issue;
use crate::operation::redeem::Redeem;
use crate::operation::revoke::Revoke;
use crate::operation::rotate::Rotate;
use crate::overload::{Overload, Visit};
use crate::random;
use crate::refused::Refused;
use crate::signer::KeySet;
use crate::wire;
use crate::wire::token::Asked;

pub(crate) struct Tokens {
    pub(crate) engine: Engine,
    pub(crate) keys: Arc<KeySet>,
    pub(crate) overload: Arc<Overload>,
}

#[tonic::async_trait]
impl TokenService for Tokens {
    async fn issue_token(
        &self,
        request: Request<IssueTokenRequest>,
    ) -> Result<Response<IssueTokenResponse>, Status> {
        let asked = wire::token::asked(request.get_ref(), &self.engine.issuer())?;
        let visit = self.overload.tokens.visit(asked.caller())?;
        let proof = self.proof(&request)?;
        let visit = visit.with_key(proof.jkt)?;
        let token = TokenId::from_bytes(random::bytes());
        let (issued, access_token) = match asked {
            Asked::Credentials(caller, ask) => {
                let issue = Issue {
                    caller,
                    ask,
                    proof: proof.jkt,
                    token,
                };
                let span = spans::issue("client_credentials");
                self.issue(&visit, &issue, &proof).instrument(span).await?
            }
            Asked::Code(caller, redemption) => {
                let family = FamilyId::new(RecordId::from_bytes(random::bytes()));
                let fresh = Fresh { token, family };
                let redeem = Redeem {
                    caller,
                    redemption,
                    proof: proof.jkt,
                    fresh,
                };
                let span = spans::issue("authorization_code");
                self.issue(&visit, &redeem, &proof).instrument(span).await?
            }
        };
        self.answer(wire::token::issued(&issued, access_token), &proof)
    }

    async fn rotate_token(
        &self,
        request: Request<RotateTokenRequest>,
    ) -> Result<Response<RotateTokenResponse>, Status> {
        let (caller, rotation) = wire::token::rotation(request.get_ref(), &self.engine.issuer())?;
        let visit = self.overload.tokens.visit(&caller)?;
        let proof = self.proof(&request)?;
        let visit = visit.with_key(proof.jkt)?;
        let token = TokenId::from_bytes(random::bytes());
        let rotate = Rotate {
            caller,
            rotation,
            proof: proof.jkt,
            token,
        };
        let (issued, access_token) = self
            .issue(&visit, &rotate, &proof)
            .instrument(spans::rotate())
            .await?;
        self.answer(wire::token::rotated(&issued, access_token), &proof)
    }

    async fn revoke_token(
        &self,
        request: Request<RevokeTokenRequest>,
    ) -> Result<Response<RevokeTokenResponse>, Status> {
        let caller = wire::caller(request.get_ref().client.as_ref())?;
        let visit = self.overload.tokens.visit(&caller)?;
        let proof = self.proof(&request)?;
        let visit = visit.with_key(proof.jkt)?;
        let (caller, revoking) = wire::token::revoking(
            request.get_ref(),
            self.keys.in_use().published(),
            &self.engine.issuer(),
        )?;
        let revoke = Revoke {
            caller,
            revoking,
            proof: proof.jkt,
        };
        self.engine
            .decide_for(Some(&visit), &revoke, Some(&proof))
            .instrument(spans::revoke())
            .await?;
        self.answer(RevokeTokenResponse {}, &proof)
    }
}

impl Tokens {
    fn proof<T>(&self, request: &Request<T>) -> Result<VerifiedProof, Refused> {
        self.engine
            .proof(request.metadata().as_ref(), called(request)?)
    }

    /// Decides, commits, and only then signs: a token that was not committed is not made, nor is a
    /// reference handed out.
    async fn issue<O: Operation<Answer = Issued>>(
        &self,
        visit: &Visit<'_>,
        operation: &O,
        proof: &VerifiedProof,
    ) -> Result<(Issued, String), Refused> {
        let decided = self
            .engine
            .decide_for(Some(visit), operation, Some(proof))
            .await?;
        let issued = decided.answer;
        if let Entered::Alone { reason } = issued.entered {
            let now = self.engine.now();
            self.engine.audit.issued(&issued.claims, reason, now);
        }
        let access_token = self
            .keys
            .in_use()
            .signer()
            .access_token(&issued, &self.engine.issuer().name)?;
        Ok((issued, access_token))
    }

    fn answer<T>(&self, answer: T, proof: &VerifiedProof) -> Result<Response<T>, Status> {
        let nonce = self
            .engine
            .proofs
            .next_nonce(proof, self.engine.proof_time());
        answered(answer, nonce)
    }
}
