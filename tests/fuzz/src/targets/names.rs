//! `issuer`: scopes, resources, redirect URIs, and the other names that requests carry.

use countersign_issuer::IssuerName;
use countersign_issuer::model::{
    Acr, ClientId, CodeChallenge, CodeVerifier, DisplayName, FamilyId, RedirectUri, ResourceUri,
    Scope, Scopes, State, Subject, TokenId,
};
use countersign_jose::Thumbprint;

pub fn check(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    scopes(text);
    uris(text);
    if let Ok(id) = ClientId::parse(text) {
        assert_eq!(id.as_str(), text);
        assert!(text.is_ascii() && text.len() <= 128);
        assert_eq!(
            Subject::of_client(&id),
            Subject::parse(text).expect("a client is a subject")
        );
    }
    for kept in [
        Subject::parse(text).ok().map(|it| it.as_str().to_owned()),
        DisplayName::parse(text)
            .ok()
            .map(|it| it.as_str().to_owned()),
        Acr::parse(text)
            .ok()
            .flatten()
            .map(|it| it.as_str().to_owned()),
    ]
    .into_iter()
    .flatten()
    {
        assert_eq!(kept, text);
        assert!(!kept.contains(char::is_control));
    }
    if let Ok(Some(state)) = State::parse(text) {
        assert_eq!(state.as_str(), text);
        assert!(!format!("{state:?}").contains(text) || "State(..)".contains(text));
    }
    // One value, one text.
    for kept in [
        CodeChallenge::parse(text).ok().map(|it| it.to_string()),
        FamilyId::parse(text).ok().map(|it| it.to_string()),
        TokenId::parse(text).ok().map(|it| it.to_string()),
        Thumbprint::parse(text).ok().map(|it| it.to_string()),
    ]
    .into_iter()
    .flatten()
    {
        assert_eq!(kept, text);
    }
    if let Ok(verifier) = CodeVerifier::parse(text) {
        let challenge = verifier.challenge();
        assert!(challenge.is_met_by(&verifier));
        let read = CodeChallenge::parse(&challenge.to_string()).expect("we wrote it");
        assert!(read.is_met_by(&verifier));
        let longer = format!("{text}x");
        if let Ok(other) = CodeVerifier::parse(&longer) {
            assert!(!challenge.is_met_by(&other));
        }
    }
}

fn scopes(text: &str) {
    if let Ok(scope) = Scope::parse(text) {
        assert_eq!(scope.as_str(), text);
        let claim = Scopes::parse_claim(text).expect("one scope is a claim");
        assert_eq!(claim.len(), 1, "one scope that reads as several");
        assert!(claim.contains(&scope));
    }
    let Ok(scopes) = Scopes::parse_claim(text) else {
        return;
    };
    let claim = scopes.to_string();
    assert_eq!(claim.len(), scopes.claim_bytes());
    assert_eq!(Scopes::parse_claim(&claim).as_ref(), Ok(&scopes));
    let listed: Vec<&str> = scopes.iter().map(Scope::as_str).collect();
    assert_eq!(Scopes::parse(&listed).as_ref(), Ok(&scopes));
    assert!(scopes.is_within(&scopes) && scopes.common(&scopes) == scopes);
}

fn uris(text: &str) {
    if let Ok(uri) = ResourceUri::parse(text) {
        assert_eq!(uri.as_str(), text);
        assert!(text.is_ascii() && !text.contains(['?', '#', ' ', '\\']));
    }
    if let Ok(uri) = RedirectUri::parse(text) {
        assert_eq!(uri.as_str(), text);
        assert!(uri.admits(&uri));
        assert!(!text.contains('#') && text.is_ascii());
        let lower = text.to_ascii_lowercase();
        assert!(!lower.starts_with("javascript:") && !lower.starts_with("data:"));
    }
    if let Ok(issuer) = IssuerName::parse(text) {
        assert_eq!(issuer.as_str(), text);
        assert!(!text.contains(['?', '#']));
    }
}
