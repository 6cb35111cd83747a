use http::header::{HeaderValue, WWW_AUTHENTICATE};

use super::*;

fn of(status: u16, challenges: &[&str]) -> Option<HttpRefused> {
    let mut headers = HeaderMap::new();
    for challenge in challenges {
        headers.append(WWW_AUTHENTICATE, HeaderValue::from_str(challenge).unwrap());
    }
    HttpRefused::of(StatusCode::from_u16(status).unwrap(), &headers)
}

#[test]
fn a_refusal_is_read_whole() {
    let step_up = r#"DPoP error="insufficient_user_authentication", error_description="a fresh login, please", acr_values="urn:a urn:b", max_age="300", algs="ES256", resource_metadata="https://orders.example/.well-known/oauth-protected-resource""#;
    let refused = of(401, &[step_up]).unwrap();
    assert_eq!(refused.error, Some(ChallengeError::StepUp));
    assert_eq!(
        refused.description.as_deref(),
        Some("a fresh login, please")
    );
    assert_eq!(refused.acr_values, ["urn:a", "urn:b"]);
    assert_eq!(refused.max_age, Some(Duration::from_secs(300)));
    assert_eq!(
        refused.resource_metadata.as_deref(),
        Some("https://orders.example/.well-known/oauth-protected-resource")
    );

    let scopes = of(403, &[r#"dpop Error=insufficient_scope , SCOPE = "a b""#]);
    let scopes = scopes.unwrap();
    assert_eq!(scopes.error, Some(ChallengeError::ScopeInsufficient));
    assert_eq!(scopes.scopes, ["a", "b"]);
}

#[test]
fn the_challenge_for_dpop_is_found_among_others() {
    let check = |challenges: &[&str], expected: Option<&str>| {
        let refused = of(401, challenges).unwrap();
        let error = expected.map(ChallengeError::of);
        assert_eq!(refused.error, error, "{challenges:?}");
    };
    check(&[r#"DPoP error="invalid_token""#], Some("invalid_token"));
    check(
        &[r#"Bearer error="invalid_request", DPoP algs="ES256", error="invalid_token""#],
        Some("invalid_token"),
    );
    check(
        &[r#"DPoP error="invalid_token", Bearer error="invalid_request""#],
        Some("invalid_token"),
    );
    check(
        &[r#"Basic realm="x""#, r#"DPoP error="use_dpop_nonce""#],
        Some("use_dpop_nonce"),
    );
    check(
        &[r#"Negotiate abc==, DPoP error="invalid_token""#],
        Some("invalid_token"),
    );
    check(&[r#"Negotiate, DPoP error=a"#], Some("a"));
    check(
        &[r#"DPoP realm="a \" error=\"x", error="invalid_token""#],
        Some("invalid_token"),
    );

    // No challenge for DPoP, or none that names an error.
    check(&[], None);
    check(&["DPoP"], None);
    check(&[r#"DPoP algs="ES256""#], None);
    check(&[r#"Bearer error="invalid_token""#], None);
    check(&[r#"DPoPe error="invalid_token""#], None);
    check(&[r#"Bearer realm="DPoP error=invalid_token""#], None);
    check(&[r#"DPoP, Bearer error="invalid_token""#], None);

    // What could be read in two ways is not read.
    check(
        &[r#"DPoP error="invalid_token", error="use_dpop_nonce""#],
        None,
    );
    check(&[r#"DPoP error="invalid_token"#], None);
    check(&[r#"DPoP error="invalid_token" x"#], None);
    check(&[r#"DPoP error="#], None);
    check(&[r#"DPoP error="invalid_token"; x"#], None);
    check(&[r#"=, DPoP error="invalid_token""#], None);
}

#[test]
fn what_is_no_refusal_is_none() {
    let dpop = r#"DPoP error="invalid_request""#;
    assert_eq!(of(200, &[dpop]), None);
    assert_eq!(of(404, &[dpop]), None);
    assert_eq!(of(503, &[dpop]), None);
    assert_eq!(of(400, &[]), None);
    assert_eq!(of(400, &[r#"Bearer error="invalid_request""#]), None);
    assert!(of(400, &[dpop]).is_some());
    assert_eq!(of(403, &[]).unwrap().error, None);
}
