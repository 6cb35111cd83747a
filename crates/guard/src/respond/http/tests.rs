//! What no header can carry is in none.

use countersign_jose::Algorithms;

use super::*;
use crate::refusal::{StepUp, TokenRefusal};

/// RFC 6750 §3: `error_description` has printable ASCII without quotes and backslashes, so nothing
/// is escaped. Every refusal that is told with an error is here by its message.
#[test]
fn every_challenge_is_well_formed() {
    let refusals = [
        Refusal::AuthorizationRepeated,
        Refusal::AuthorizationMalformed,
        TokenRefusal::Expired.into(),
        TokenRefusal::Revoked.into(),
        TokenRefusal::OtherKey.into(),
        countersign_dpop::Refusal::NonceMissing.into(),
        countersign_dpop::Refusal::WrongTarget.into(),
        LedgerRefusal::Replayed.into(),
        LedgerRefusal::Forgotten.into(),
        Refusal::ScopeInsufficient(vec!["orders.read".to_owned()]),
        Refusal::StepUpRequired(Box::new(StepUp {
            acr_values: vec!["gold".to_owned()],
            max_age: None,
        })),
    ];
    let responder = Responder::new(Algorithms::DEFAULT);
    for refusal in refusals {
        let refused = Refused {
            refusal,
            nonce: None,
            resource: None,
        };
        let response = responder.refuse_http(&refused, None);
        let challenge = &response.headers()[WWW_AUTHENTICATE];
        let text = challenge.to_str().unwrap();
        let quotes = text.matches('"').count();
        assert_eq!(quotes, 2 * text.matches("=\"").count(), "{text}");
        assert!(!text.contains('\\'), "{text}");
        assert!(text.contains("error_description=\""), "{text}");
    }
}
