//! Tokens: asked for by a grant, and given up.

use countersign_dpop::VerifiedProof;
use countersign_issuer::model::{FamilyId, Malformed, PeerCertificate, RecordId, TokenId};
use countersign_issuer::{Ask, Entered, Fresh, Issued, Redemption, Revoking, Rotation};
use countersign_telemetry::spans;
use tracing::Instrument as _;

use super::{Along, Answered, Desk, ProofIs};
use crate::engine::Operation;
use crate::operation::Caller;
use crate::operation::issue::Issue;
use crate::operation::redeem::Redeem;
use crate::operation::revoke::Revoke;
use crate::operation::rotate::Rotate;
use crate::overload::Visit;
use crate::random;
use crate::refused::Refused;

/// What a token is asked for with.
pub(crate) enum Asked<'a> {
    /// The client's own registration.
    Credentials(Caller<'a>, Ask),
    /// A code, or a device code.
    Code(Caller<'a>, Redemption),
    /// A refresh token.
    Refresh(Caller<'a>, Rotation),
}

/// What was issued.
pub(crate) struct Granted {
    pub(crate) issued: Issued,
    pub(crate) access_token: String,
}

/// What is to be revoked, as it came.
#[derive(Copy, Clone)]
pub(crate) enum Target<'a> {
    Nothing,
    Token(&'a str),
    FamilyId(&'a str),
}

impl<'a> Asked<'a> {
    fn caller(&self) -> &Caller<'a> {
        match self {
            Self::Credentials(caller, _) | Self::Code(caller, _) | Self::Refresh(caller, _) => {
                caller
            }
        }
    }

    /// The same, over a connection with this certificate.
    fn over(self, certificate: Option<&'a PeerCertificate>) -> Self {
        match self {
            Self::Credentials(caller, ask) => Self::Credentials(caller.over(certificate), ask),
            Self::Code(caller, redemption) => Self::Code(caller.over(certificate), redemption),
            Self::Refresh(caller, rotation) => Self::Refresh(caller.over(certificate), rotation),
        }
    }
}

impl Desk {
    /// Issues, redeems or rotates. RFC 9449 §5: every such request carries a proof.
    pub(crate) async fn grant<'a>(
        &self,
        asked: Asked<'a>,
        along: Along<'a>,
    ) -> Result<Answered<Granted>, Refused> {
        let asked = asked.over(along.called.certificate());
        let share = &self.overload.tokens;
        let verified = || self.engine.proof(along.headers, along.called);
        let (visit, proof) = Self::visit(share, asked.caller(), verified)?;
        let token = TokenId::from_bytes(random::bytes());
        let granted = match asked {
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
                let redeem = Redeem {
                    caller,
                    redemption,
                    proof: proof.jkt,
                    fresh: Fresh { token, family },
                };
                let span = spans::issue(redeem.redemption.grant());
                self.issue(&visit, &redeem, &proof).instrument(span).await?
            }
            Asked::Refresh(caller, rotation) => {
                let rotate = Rotate {
                    caller,
                    rotation,
                    proof: proof.jkt,
                    token,
                };
                let span = spans::rotate();
                self.issue(&visit, &rotate, &proof).instrument(span).await?
            }
        };
        Ok(self.answered(granted, Some(&proof)))
    }

    /// Revokes a token or a family. What `target` is, is looked at only when the proof is right:
    /// that costs a signature check.
    pub(crate) async fn revoke<'a>(
        &self,
        caller: Caller<'a>,
        target: Target<'_>,
        along: Along<'a>,
        proof: ProofIs,
    ) -> Result<Answered<()>, Refused> {
        let caller = caller.over(along.called.certificate());
        let share = &self.overload.tokens;
        let (visit, proof) = Self::receive(share, &self.engine, &caller, along, proof)?;
        let revoking = match target {
            Target::Nothing => return Err(Refused::field("target", Malformed::Missing)),
            Target::Token(token) => {
                let keys = self.keys.in_use();
                Revoking::token(token, keys.published(), &self.engine.issuer())?
            }
            Target::FamilyId(family) => Revoking::family_id(family)?,
        };
        let revoke = Revoke {
            caller,
            revoking,
            proof: proof.as_ref().map(|proof| proof.jkt),
            revoked_tokens: &self.overload.revoked_tokens,
        };
        self.engine
            .decide_for(Some(&visit), &revoke, proof.as_ref())
            .instrument(spans::revoke())
            .await?;
        Ok(self.answered((), proof.as_ref()))
    }

    /// Decides, commits, and only then signs: a token that was not committed is not made, nor is a
    /// reference handed out.
    async fn issue<O: Operation<Answer = Issued>>(
        &self,
        visit: &Visit<'_>,
        operation: &O,
        proof: &VerifiedProof,
    ) -> Result<Granted, Refused> {
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
        Ok(Granted {
            issued,
            access_token,
        })
    }
}
