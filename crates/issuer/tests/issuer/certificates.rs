//! Certificates of clients (RFC 8705): names, who is let in, and what tokens are bound to.

use std::collections::BTreeSet;

use countersign_issuer::access_token::read;
use countersign_issuer::model::{
    AlternativeNames, Authentication, CertificateName, Client, DistinguishedName, PeerCertificate,
    TokenId,
};
use countersign_issuer::{Issued, Presented, Refusal, authenticate, issue};
use countersign_jose::{CertificateThumbprint, Thumbprint, UnixTime};

use crate::world::{START, World, ask, by_secret, outcome, secret_of};

const NAMES: [&str; 3] = ["CN=checkout", "O=Example", "C=DE"];

/// The subject of these attributes, from the most general one on.
fn subject(parts: &[&[(&str, &str)]]) -> DistinguishedName {
    let set = |part: &&[(&str, &str)]| -> BTreeSet<(String, String)> {
        let owned = part
            .iter()
            .map(|(oid, value)| ((*oid).to_owned(), (*value).to_owned()));
        owned.collect()
    };
    DistinguishedName::from_parts(parts.iter().map(set))
}

/// A certificate that an authority has issued, with a name of each kind.
fn certificate() -> PeerCertificate {
    PeerCertificate {
        thumbprint: CertificateThumbprint::from_bytes([1; 32]),
        issued: true,
        not_before: START,
        not_after: UnixTime::from_secs(START.as_secs() + 60),
        subject: DistinguishedName::parse(&NAMES.join(",")).ok(),
        names: AlternativeNames {
            dns: vec!["Checkout.Internal".to_owned()],
            uris: vec!["spiffe://example/checkout".to_owned()],
            ips: vec!["192.0.2.7".parse().unwrap(), "2001:db8::1".parse().unwrap()],
            emails: vec!["Check@Example.com".to_owned()],
        },
    }
}

#[test]
fn a_subject_is_read_as_rfc_4514_writes_it() {
    let (cn, o, ou, c, dc) = (
        "2.5.4.3",
        "2.5.4.10",
        "2.5.4.11",
        "2.5.4.6",
        "0.9.2342.19200300.100.1.25",
    );
    for (text, parts) in [
        ("CN=checkout", &[&[(cn, "checkout")][..]][..]),
        (
            "CN=checkout,O=Example,C=DE",
            &[&[(c, "DE")], &[(o, "Example")], &[(cn, "checkout")]],
        ),
        // RFC 4514 §4.
        (
            "UID=jsmith,DC=example,DC=net",
            &[
                &[(dc, "net")],
                &[(dc, "example")],
                &[("0.9.2342.19200300.100.1.1", "jsmith")],
            ],
        ),
        (
            "OU=Sales+CN=J.  Smith,DC=net",
            &[&[(dc, "net")], &[(cn, "J.  Smith"), (ou, "Sales")]],
        ),
        (
            "CN=James \\\"Jim\\\" Smith\\, III",
            &[&[(cn, "James \"Jim\" Smith, III")]],
        ),
        ("CN=Lu\\C4\\8Di\\C4\\87", &[&[(cn, "Lu\u{10d}i\u{107}")]]),
        ("cn=a=b", &[&[(cn, "a=b")]]),
        ("2.5.4.3=\\ a\\ ", &[&[(cn, " a ")]]),
    ] {
        assert_eq!(DistinguishedName::parse(text), Ok(subject(parts)), "{text}");
    }
    let long = format!("CN={}", "a".repeat(1024));
    for text in [
        "",
        "CN",
        "CN=",
        "=a",
        ",CN=a",
        "CN=a,",
        "CN=a+",
        "CN=a,,O=b",
        "CN=a, O=b",
        "CN= a",
        "CN=a ",
        "CN=#0402",
        "CN=a;O=b",
        "CN=\"a\"",
        "CN=a<b",
        "CN=a\\",
        "CN=a\\4",
        "CN=a\\zz",
        "CN=a\\00",
        "CN=a\\FF",
        "CN=a\nb",
        "NAME=a",
        "2..5=a",
        "2.05=a",
        "2=a",
        "CN=a+CN=a",
        &long,
    ] {
        DistinguishedName::parse(text).expect_err(text);
    }
}

#[test]
fn a_name_is_found_only_whole_and_among_those_of_its_kind() {
    let certificate = certificate();
    for (name, found) in [
        (CertificateName::subject("CN=checkout,O=Example,C=DE"), true),
        (CertificateName::subject("cn=checkout,o=Example,c=DE"), true),
        (
            CertificateName::subject("CN=Checkout,O=Example,C=DE"),
            false,
        ),
        (
            CertificateName::subject("C=DE,O=Example,CN=checkout"),
            false,
        ),
        (CertificateName::subject("CN=checkout"), false),
        (CertificateName::subject("CN=checkout,O=Example"), false),
        (
            CertificateName::subject("CN=checkout+O=Example,C=DE"),
            false,
        ),
        (CertificateName::subject("O=checkout,O=Example,C=DE"), false),
        (CertificateName::dns("checkout.internal"), true),
        (CertificateName::dns("CHECKOUT.internal"), true),
        (CertificateName::dns("internal"), false),
        (CertificateName::dns("a.checkout.internal"), false),
        (CertificateName::uri("spiffe://example/checkout"), true),
        (CertificateName::uri("spiffe://example/Checkout"), false),
        (CertificateName::uri("spiffe://example/checkout/"), false),
        (CertificateName::ip("192.0.2.7"), true),
        (CertificateName::ip("2001:DB8:0::1"), true),
        (CertificateName::ip("::ffff:192.0.2.7"), false),
        (CertificateName::email("Check@EXAMPLE.com"), true),
        (CertificateName::email("check@Example.com"), false),
        (CertificateName::email("Example.com@Check"), false),
    ] {
        let name = name.unwrap();
        assert_eq!(name.is_in(&certificate), found, "{name:?}");
    }
    // A subject that cannot be compared is nobody's.
    let unread = PeerCertificate {
        subject: None,
        ..certificate
    };
    let name = CertificateName::subject("CN=checkout,O=Example,C=DE").unwrap();
    assert!(!name.is_in(&unread));
}

fn client(authentication: Authentication, certificate_bound: bool) -> Client {
    Client {
        authentication,
        certificate_bound,
        ..by_secret("checkout")
    }
}

#[test]
fn a_certificate_lets_in_whom_it_is_of() {
    let world = World::new();
    let named =
        || Authentication::TlsClientAuth(CertificateName::dns("checkout.internal").unwrap());
    let other = || Authentication::TlsClientAuth(CertificateName::dns("desk.internal").unwrap());
    let pinned = |byte| {
        let own = CertificateThumbprint::from_bytes([byte; 32]);
        Authentication::SelfSignedTlsClientAuth(vec![own])
    };
    let by_secret = || Authentication::Secret(secret_of("checkout").hash());
    let right = certificate();
    let unissued = PeerCertificate {
        issued: false,
        ..certificate()
    };
    let secret = secret_of("checkout");
    let shown = Presented::Secret(secret.reveal());
    let nothing = Presented::Nothing;
    for (registered, bound, presented, certificate, expected) in [
        (named(), false, nothing, Some(&right), None),
        (named(), false, nothing, None, Some("client_other_method")),
        (
            named(),
            false,
            nothing,
            Some(&unissued),
            Some("certificate_not_issued"),
        ),
        (
            other(),
            false,
            nothing,
            Some(&right),
            Some("certificate_name"),
        ),
        (
            named(),
            false,
            shown,
            Some(&right),
            Some("client_several_methods"),
        ),
        (
            named(),
            true,
            shown,
            Some(&right),
            Some("client_other_method"),
        ),
        (pinned(1), false, nothing, Some(&right), None),
        (pinned(1), false, nothing, Some(&unissued), None),
        (
            pinned(2),
            false,
            nothing,
            Some(&right),
            Some("certificate_unknown"),
        ),
        (
            pinned(1),
            false,
            shown,
            Some(&right),
            Some("client_several_methods"),
        ),
        (
            by_secret(),
            false,
            nothing,
            Some(&right),
            Some("client_other_method"),
        ),
        (by_secret(), false, shown, None, None),
        (
            by_secret(),
            false,
            shown,
            Some(&right),
            Some("client_several_methods"),
        ),
        // Then it is there to be bound to.
        (by_secret(), true, shown, Some(&right), None),
        (Authentication::None, false, nothing, Some(&right), None),
    ] {
        let client = client(registered, bound);
        let id = &client.id;
        let answer = authenticate(
            id,
            Some(&client),
            &presented,
            certificate,
            &world.issuer,
            START,
        );
        assert_eq!(outcome(answer), expected, "{client:?} {presented:?}");
    }
    // Both seconds at its ends belong to it.
    for (at, expected) in [(0, None), (60, None), (61, Some("certificate_time"))] {
        for authentication in [named(), pinned(1)] {
            let client = client(authentication, false);
            let now = UnixTime::from_secs(START.as_secs() + at);
            let known = Some(&client);
            let answer = authenticate(
                &client.id,
                known,
                &nothing,
                Some(&right),
                &world.issuer,
                now,
            );
            assert_eq!(outcome(answer), expected, "{at}");
        }
    }
    let client = client(named(), false);
    let early = UnixTime::from_secs(START.as_secs() - 1);
    let answer = authenticate(
        &client.id,
        Some(&client),
        &nothing,
        Some(&right),
        &world.issuer,
        early,
    );
    assert_eq!(outcome(answer), Some("certificate_time"));
    let unknown = authenticate(
        &client.id,
        None,
        &nothing,
        Some(&right),
        &world.issuer,
        START,
    );
    assert_eq!(outcome(unknown), Some("client_unknown"));
}

fn issued(
    world: &World,
    client: &Client,
    certificate: Option<&PeerCertificate>,
) -> Result<Issued, Refusal> {
    let secret = secret_of("checkout");
    let presented = Presented::Secret(secret.reveal());
    let authenticated = authenticate(
        &client.id,
        Some(client),
        &presented,
        certificate,
        &world.issuer,
        START,
    )?;
    let jkt = Thumbprint::from_bytes([2; 32]);
    let (asked, catalogue) = (ask(&["orders.read"], &[]), world.catalogue());
    let id = TokenId::from_bytes([3; 16]);
    issue(
        &authenticated,
        &asked,
        &catalogue,
        &world.issuer,
        jkt,
        id,
        START,
    )
    .answer
}

#[test]
fn a_token_is_bound_to_the_certificate_where_its_client_is_registered_so() {
    let world = World::new();
    let by_secret = Authentication::Secret(secret_of("checkout").hash());
    let bound = client(by_secret.clone(), true);
    let certificate = certificate();
    let token = issued(&world, &bound, Some(&certificate)).unwrap();
    assert_eq!(token.claims.certificate, Some(certificate.thumbprint));
    // Besides the proof key, never in its place.
    assert_eq!(token.claims.jkt, Thumbprint::from_bytes([2; 32]));
    let text = world.sign(&token);
    let said = read(&text, &world.published(), &world.issuer.name).unwrap();
    assert_eq!(said, token.claims);

    let missing = issued(&world, &bound, None).unwrap_err();
    assert_eq!(missing.label(), "certificate_missing");
    let unbound = issued(&world, &client(by_secret, false), None).unwrap();
    assert_eq!(unbound.claims.certificate, None);
}
