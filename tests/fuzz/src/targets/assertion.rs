//! `issuer`: client assertions (RFC 7523).

use std::sync::LazyLock;

use countersign_issuer::model::{
    Authentication, Client, ClientId, DisplayName, Epoch, GrantTypes, Permissions, PermittedTypes,
    RefreshKey,
};
use countersign_issuer::{
    ASSERTION_LIFETIME_MAX, ASSERTION_SKEW, CLOCK_MARGIN, Issuer, IssuerName, Lifetimes, Presented,
    SpentAssertion, authenticate,
};
use countersign_jose::{CompactJws, Jwks, UnixTime, json};

use crate::handle::KEYS;
use crate::world::{self, ED25519, ES256, ISSUER, NOW};

static SIGNER: LazyLock<Client> = LazyLock::new(|| {
    let keys = format!(
        r#"{{"keys":[{},{}]}}"#,
        ES256.public().to_jwk(),
        ED25519.public().to_jwk()
    );
    Client {
        id: ClientId::parse("signer").expect("a name"),
        display_name: DisplayName::default(),
        authentication: Authentication::PrivateKeyJwt(Jwks::parse(keys.as_bytes()).expect("keys")),
        grant_types: GrantTypes::default(),
        redirect_uris: Vec::new(),
        permissions: Permissions::default(),
        details_types: PermittedTypes::default(),
        serves: Vec::new(),
        refresh_key: RefreshKey::Pinned,
        certificate_bound: false,
        only_pushed: false,
        disabled: false,
        tokens_revoked_at: None,
        created_at: NOW,
        updated_at: NOW,
    }
});

pub fn check(input: &[u8]) {
    let Some(assertion) = world::jws(input) else {
        return;
    };
    assert!(by_secret(&assertion).is_none(), "it is no secret");
    let Some(spent) = by(&SIGNER.id, &assertion, &ISSUER, NOW) else {
        return;
    };
    assert_eq!(
        by(&SIGNER.id, &assertion, &ISSUER, NOW).as_ref(),
        Some(&spent)
    );
    assert_eq!(spent.client, SIGNER.id);
    assert_eq!(spent.jti, claimed(&assertion, "jti"));

    // What is forgotten would not be accepted any more; and it is forgotten one day.
    assert!(spent.until > NOW);
    let longest = ASSERTION_LIFETIME_MAX + 2 * ASSERTION_SKEW + CLOCK_MARGIN;
    assert!(spent.until.since(NOW) <= longest);
    assert!(by(&SIGNER.id, &assertion, &ISSUER, spent.until).is_none());

    // It is of this client, for this issuer, and no other.
    let other = ClientId::parse("signer2").expect("a name");
    assert!(by(&other, &assertion, &ISSUER, NOW).is_none());
    let elsewhere = IssuerName::parse("https://tokens.internal:7444").expect("an issuer");
    assert!(by(&SIGNER.id, &assertion, &elsewhere, NOW).is_none());
    let changed = world::with_another_signature(&assertion).expect("it has a signature");
    assert!(by(&SIGNER.id, &changed, &ISSUER, NOW).is_none());

    // Signed once more it is the same assertion.
    if let Some((header, payload)) = world::parts(input) {
        let again = world::signed(header, payload);
        assert_eq!(by(&SIGNER.id, &again, &ISSUER, NOW), Some(spent));
    }
}

fn by(id: &ClientId, text: &str, issuer: &IssuerName, now: UnixTime) -> Option<SpentAssertion> {
    let client = Client {
        id: id.clone(),
        ..SIGNER.clone()
    };
    let presented = Presented::Assertion(text);
    let authenticated =
        authenticate(id, Some(&client), &presented, None, &named(issuer), now).ok()?;
    Some(authenticated.spent().expect("it was used").clone())
}

fn by_secret(text: &str) -> Option<()> {
    let presented = Presented::Secret(text);
    authenticate(
        &SIGNER.id,
        Some(&SIGNER),
        &presented,
        None,
        &named(&ISSUER),
        NOW,
    )
    .ok()
    .map(drop)
}

/// Who decides, in a store that was never set back.
fn named(name: &IssuerName) -> Issuer {
    Issuer {
        name: name.clone(),
        lifetimes: Lifetimes::default(),
        mac_keys: KEYS.clone(),
        epoch: Epoch::new(1),
        set_back_at: None,
    }
}

fn claimed(assertion: &str, name: &str) -> String {
    let jws = CompactJws::parse(assertion, usize::MAX).expect("it was accepted");
    let claims = json::object(jws.payload()).expect("it was accepted");
    let claim = claims.member(name).and_then(json::Value::text);
    claim.expect("it was accepted").to_owned()
}
