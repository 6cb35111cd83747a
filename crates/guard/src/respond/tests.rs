//! What a caller reads of a refusal: the fact, and what to do about it.

use std::collections::HashSet;

use countersign_dpop::Refusal as Proof;

use super::*;
use crate::refusal::StepUp;

#[test]
fn every_refusal_says_what_to_do() {
    let rows = [
        (
            Refusal::MethodNotAllowed,
            "no one may call this method: it has no rule, or its name is misspelt",
        ),
        (
            Refusal::CredentialsMissing,
            "an access token is needed: authorization: DPoP …, with a proof in dpop",
        ),
        (
            Refusal::AuthorizationRepeated,
            "there must be one authorization",
        ),
        (
            Refusal::AuthorizationMalformed,
            "authorization must be a scheme, a space and a token",
        ),
        (
            Refusal::DeadlinePassed,
            "the deadline passed before the call was looked at: give it more time",
        ),
        (
            TokenRefusal::Expired.into(),
            "the access token has expired: get another one",
        ),
        (
            TokenRefusal::Revoked.into(),
            "the access token was revoked: get another one, if you still may",
        ),
        (
            TokenRefusal::OtherKey.into(),
            "the access token is not accepted here, or not with this proof's key: get one for this resource, bound to the key that signs the proofs",
        ),
        (
            Proof::NonceMissing.into(),
            "the proof must carry the nonce in dpop-nonce: sign another one with it",
        ),
        (
            Proof::WrongTarget.into(),
            "the DPoP proof is not valid for this call: sign one for its method, this origin and this token, by a clock that is right",
        ),
        (
            Refusal::AuthorityUnreachable,
            "nobody can vouch for the access token now: try again later",
        ),
        (
            Refusal::KnowledgeTooOld,
            "nobody can vouch for the access token now: try again later",
        ),
        (
            Refusal::ScopeInsufficient(vec!["orders.read".to_owned()]),
            "the access token lacks a scope: get one with the scopes that are named",
        ),
        (
            Refusal::StepUpRequired(Box::new(StepUp {
                acr_values: vec!["gold".to_owned()],
                max_age: None,
            })),
            "the person must prove again who they are, as acr_values and max_age say",
        ),
        (
            LedgerRefusal::Replayed.into(),
            "the DPoP proof was used before: sign a new one for every call",
        ),
        (
            LedgerRefusal::Forgotten.into(),
            "the DPoP proof is not valid for this call: sign one for its method, this origin and this token, by a clock that is right",
        ),
        (
            LedgerRefusal::KeyFull.into(),
            "this key has made more calls than can be remembered: try again later",
        ),
        (
            LedgerRefusal::Full.into(),
            "more calls have been made than can be remembered: try again later",
        ),
    ];
    let responder = Responder::new(Algorithms::DEFAULT);
    for (refusal, text) in rows {
        let refused = Refused {
            refusal: refusal.clone(),
            nonce: None,
            resource: None,
        };
        let status = responder.refuse(&refused);
        assert_eq!(status.message(), text, "{refusal:?}");
        // What the text points to is there.
        let details = status.get_error_details();
        match refusal {
            Refusal::ScopeInsufficient(_) => {
                let info = details.error_info().expect("has a reason");
                assert_eq!(info.metadata["scope"], "orders.read");
            }
            Refusal::StepUpRequired(_) => {
                let info = details.error_info().expect("has a reason");
                assert_eq!(info.metadata["acr_values"], "gold");
            }
            Refusal::AuthorizationRepeated | Refusal::AuthorizationMalformed => {
                assert!(details.bad_request().is_some(), "{refusal:?}");
            }
            _ if text.contains("later") => {
                let after = |status: &Status| {
                    let details = status.get_error_details();
                    details.retry_info()?.retry_delay
                };
                // Of twenty that are refused together not all come back together.
                let waits: HashSet<_> = (0..20)
                    .map(|_| after(&responder.refuse(&refused)).expect("how long"))
                    .collect();
                assert!(waits.len() > 1, "{refusal:?}: {waits:?}");
                let range = RETRY_AFTER..=RETRY_AFTER / 4 * 5;
                assert!(waits.iter().all(|wait| range.contains(wait)), "{waits:?}");
            }
            _ => {}
        }
    }
}
