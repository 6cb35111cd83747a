//! Refresh tokens that are bound to a certificate (RFC 8705 §4): those of public clients whose access
//! tokens are. Other clients authenticate with what they have.

use countersign_issuer::introspect::{Introspection, introspect, recognise};
use countersign_issuer::model::{
    AlternativeNames, Authentication, Client, FamilyId, PeerCertificate, RecordId, TokenId,
};
use countersign_issuer::{
    Authenticated, EventKind, Fresh, Issued, Presented, Redemption, Refusal, Rotation,
    authenticate, redeem, rotate,
};
use countersign_jose::{CertificateThumbprint, Thumbprint, UnixTime};

use crate::world::{
    KEY_A, KEY_B, START, World, issuer, outcome, redeeming, refresh_token, secret_of,
};

const FIRST: u8 = 1;
const OTHER: u8 = 2;

/// What an instance of the client has made for itself.
fn certificate(byte: u8) -> PeerCertificate {
    PeerCertificate {
        thumbprint: CertificateThumbprint::from_bytes([byte; 32]),
        issued: false,
        not_before: START,
        not_after: UnixTime::from_secs(START.as_secs() + 86_400),
        subject: None,
        names: AlternativeNames::default(),
    }
}

/// The client over a connection that was opened with this certificate.
fn over(client: &Client, byte: Option<u8>, now: UnixTime) -> Result<Authenticated<'_>, Refusal> {
    let secret = secret_of(client.id.as_str());
    let presented = match &client.authentication {
        Authentication::None => Presented::Nothing,
        _ => Presented::Secret(secret.reveal()),
    };
    let certificate = byte.map(certificate);
    let certificate = certificate.as_ref();
    authenticate(
        &client.id,
        Some(client),
        &presented,
        certificate,
        &issuer(),
        now,
    )
}

/// A world in which the access tokens of `who` are bound to certificates.
fn bound(who: &str) -> World {
    let mut world = World::new();
    world.change(who, |client| client.certificate_bound = true);
    world
}

impl World {
    fn redeem_over(&mut self, who: &str, code: &str, byte: Option<u8>) -> Result<Issued, Refusal> {
        let client = self.client(who);
        let shown = over(&client, byte, self.now)?;
        let redemption = Redemption::parse(&redeeming(code), &self.issuer.mac_keys)?;
        let fresh = Fresh {
            token: TokenId::from_bytes(self.fresh()),
            family: FamilyId::new(RecordId::from_bytes(self.fresh())),
        };
        let known = self.authorizations.get(&redemption.record()).cloned();
        let decision = redeem(
            &shown,
            &redemption,
            known.as_ref(),
            None,
            &self.catalogue(),
            &self.issuer,
            KEY_A,
            fresh,
            self.now,
        );
        self.settle(decision)
    }

    fn rotate_over(
        &mut self,
        who: &str,
        token: &str,
        byte: Option<u8>,
        proof: Thumbprint,
    ) -> Result<Issued, Refusal> {
        let client = self.client(who);
        let shown = over(&client, byte, self.now)?;
        let keys = &self.issuer.mac_keys;
        let rotation = Rotation::parse(token, &[] as &[&str], &[] as &[&str], "", keys)?;
        let id = TokenId::from_bytes(self.fresh());
        let known = self.family(rotation.family());
        let decision = rotate(
            &shown,
            &rotation,
            known.as_ref(),
            &self.catalogue(),
            &self.issuer,
            proof,
            id,
            self.now,
        );
        self.settle(decision)
    }
}

/// A public client signs a person in over its first certificate.
fn signed_in() -> (World, Issued) {
    let mut world = bound("spa");
    let code = world.code("spa");
    let issued = world.redeem_over("spa", &code, Some(FIRST)).unwrap();
    (world, issued)
}

#[test]
fn a_public_clients_refresh_token_is_good_over_its_certificate_alone() {
    let (mut world, issued) = signed_in();
    let first = Some(certificate(FIRST).thumbprint);
    assert_eq!(world.family_of(&issued).certificate, first);
    let token = refresh_token(&issued);
    for (what, byte, proof, expected) in [
        ("another", Some(OTHER), KEY_A, "grant_other_certificate"),
        ("none", None, KEY_A, "grant_other_certificate"),
        ("another key", Some(FIRST), KEY_B, "grant_other_key"),
    ] {
        let before = world.family_of(&issued).clone();
        let answer = world.rotate_over("spa", &token, byte, proof);
        assert_eq!(outcome(answer), Some(expected), "{what}");
        // Whoever found it must not end it.
        assert_eq!(*world.family_of(&issued), before, "{what}");
        let event = world.events.last().unwrap();
        assert_eq!(event.kind, EventKind::RefreshMispresented, "{what}");
        assert_eq!(event.reason, Some(expected), "{what}");
    }
    let rotated = world.rotate_over("spa", &token, Some(FIRST), KEY_A);
    let rotated = rotated.unwrap();
    assert_eq!(rotated.claims.certificate, first);
    let next = refresh_token(&rotated);
    // The binding goes along, and a lost answer is not given to another certificate either.
    let answer = world.rotate_over("spa", &token, Some(OTHER), KEY_A);
    assert_eq!(outcome(answer), Some("grant_other_certificate"));
    let answer = world.rotate_over("spa", &next, Some(OTHER), KEY_A);
    assert_eq!(outcome(answer), Some("grant_other_certificate"));
    world.rotate_over("spa", &next, Some(FIRST), KEY_A).unwrap();
}

#[test]
fn it_stays_bound_however_its_client_is_registered_later() {
    let (mut world, issued) = signed_in();
    let token = refresh_token(&issued);
    world.change("spa", |client| client.certificate_bound = false);
    for byte in [Some(OTHER), None] {
        let answer = world.rotate_over("spa", &token, byte, KEY_A);
        assert_eq!(outcome(answer), Some("grant_other_certificate"));
    }
    let rotated = world.rotate_over("spa", &token, Some(FIRST), KEY_A);
    let rotated = rotated.unwrap();
    assert_eq!(rotated.claims.certificate, None);
    let first = Some(certificate(FIRST).thumbprint);
    assert_eq!(world.family_of(&issued).certificate, first);
    // With a secret of its own, too.
    let secret = Authentication::Secret(secret_of("spa").hash());
    world.change("spa", |client| client.authentication = secret);
    let next = refresh_token(&rotated);
    let answer = world.rotate_over("spa", &next, None, KEY_A);
    assert_eq!(outcome(answer), Some("grant_other_certificate"));
}

#[test]
fn a_family_of_before_is_bound_by_its_next_rotation() {
    let mut world = World::new();
    let issued = world.grant("spa");
    assert_eq!(world.family_of(&issued).certificate, None);
    world.change("spa", |client| client.certificate_bound = true);
    let token = refresh_token(&issued);
    let answer = world.rotate_over("spa", &token, None, KEY_A);
    assert_eq!(outcome(answer), Some("certificate_missing"));
    let rotated = world.rotate_over("spa", &token, Some(FIRST), KEY_A);
    let next = refresh_token(&rotated.unwrap());
    let answer = world.rotate_over("spa", &next, Some(OTHER), KEY_A);
    assert_eq!(outcome(answer), Some("grant_other_certificate"));
}

#[test]
fn others_are_bound_by_how_they_authenticate() {
    // A client with a secret may renew its certificate, and a public one that is not registered so
    // may show any.
    let mut world = bound("checkout");
    for who in ["checkout", "spa"] {
        let first = if who == "spa" { None } else { Some(FIRST) };
        let code = world.code(who);
        let issued = world.redeem_over(who, &code, first).unwrap();
        assert_eq!(world.family_of(&issued).certificate, None, "{who}");
        let token = refresh_token(&issued);
        let rotated = world.rotate_over(who, &token, Some(OTHER), KEY_A);
        rotated.unwrap();
        assert_eq!(world.family_of(&issued).certificate, None, "{who}");
    }
}

#[test]
fn nothing_is_bound_to_a_certificate_after_its_time() {
    for who in ["spa", "checkout"] {
        let mut world = bound(who);
        let code = world.code(who);
        let issued = world.redeem_over(who, &code, Some(FIRST)).unwrap();
        let token = refresh_token(&issued);
        world.pass(86_401);
        let answer = world.rotate_over(who, &token, Some(FIRST), KEY_A);
        assert_eq!(outcome(answer), Some("certificate_time"), "{who}");
    }
    // Where nothing is bound to it, it is nothing to look at.
    let mut world = World::new();
    let issued = world.grant("spa");
    world.pass(86_401);
    let token = refresh_token(&issued);
    let rotated = world.rotate_over("spa", &token, Some(FIRST), KEY_A);
    rotated.unwrap();
}

#[test]
fn introspection_says_what_it_is_bound_to() {
    let (world, issued) = signed_in();
    let recognised = recognise(&refresh_token(&issued), &world.published(), &world.issuer);
    let standing = world.standing_of(&recognised);
    let caller = world.client("spa");
    let said = introspect(
        &recognised,
        &standing,
        Some(&caller),
        &world.issuer,
        world.now,
    );
    let Introspection::Refresh(said) = said else {
        panic!("it is a refresh token: {said:?}");
    };
    assert_eq!(said.jkt, Some(KEY_A));
    let first = Some(certificate(FIRST).thumbprint);
    assert_eq!(said.certificate, first);
}
