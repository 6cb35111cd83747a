//! What is written reads back; what is not a record is damage, never a panic.

use std::time::Duration;

use countersign_issuer::model::{
    AccessTokenFormat, Acr, Approval, Authentication, Authorization, CertificateName, Client,
    CodeChallenge, Denial, Detail, Details, DetailsSchema, DetailsType, DisplayName, Epoch, Family,
    Generation, GrantTypes, GrantedDetail, GrantedDetails, KeyId, KeyPurpose, KeyState, Lock,
    Permissions, Polling, Prompts, Redirect, RedirectUri, RefreshKey, Resource, Revoked,
    RevokedCause, Scope, ScopeDescription, Scopes, SealedKey, SecretHash, ServiceKey, Stage, State,
    Subject, Way, Wishes,
};

use countersign_issuer::{Claims, Reference};

use super::*;

#[track_caller]
fn reads_back<T: Recorded + PartialEq + std::fmt::Debug>(value: &T) {
    let bytes = value.encode();
    assert_eq!(T::decode(&bytes).as_ref(), Ok(value));
    for end in 0..bytes.len() {
        // A cut record is damage, or what it was without its last fields.
        let _ = T::decode(&bytes[..end]);
    }
    assert!(T::decode(&[0xff; 9]).is_err());
}

fn uri(text: &str) -> ResourceUri {
    ResourceUri::parse(text).expect("a URI")
}

fn permissions() -> Permissions {
    let scopes = |texts: &[&str]| Scopes::parse(texts).expect("scopes");
    Permissions::from_iter([
        (uri("https://a.example"), scopes(&["read", "write"])),
        (uri("https://b.example"), scopes(&[])),
    ])
}

fn at(secs: u64) -> UnixTime {
    UnixTime::from_secs(secs)
}

fn jkt(byte: u8) -> Thumbprint {
    Thumbprint::from_bytes([byte; 32])
}

const ACCOUNT: &str = r#"{"actions":["read"],"identifier":"acc-17","type":"account"}"#;

fn granted() -> GrantedDetails {
    let detail = Detail::parse(ACCOUNT).expect("an object");
    let at = [uri("https://a.example"), uri("https://b.example")].into();
    [GrantedDetail { detail, at }].into_iter().collect()
}

fn kind(name: &str) -> DetailsType {
    DetailsType::parse(name).expect("a name")
}

fn client(authentication: Authentication) -> Client {
    Client {
        id: ClientId::parse("shop").expect("an id"),
        display_name: DisplayName::parse("Shop").expect("a name"),
        authentication,
        grant_types: GrantTypes {
            client_credentials: false,
            authorization_code: true,
            refresh_token: true,
            device_code: true,
        },
        redirect_uris: vec![RedirectUri::parse("https://shop.example/cb").expect("a URI")],
        permissions: permissions(),
        serves: vec![uri("https://a.example")],
        refresh_key: RefreshKey::Replaceable,
        certificate_bound: true,
        only_pushed: true,
        disabled: true,
        tokens_revoked_at: Some(UnixTime::from_millis(7)),
        created_at: at(1),
        updated_at: at(2),
        details_types: [(
            uri("https://a.example"),
            [kind("account"), kind("bill")].into(),
        )]
        .into_iter()
        .collect(),
    }
}

#[test]
fn clients_read_back() {
    reads_back(&client(Authentication::None));
    reads_back(&client(Authentication::Secret(SecretHash::from_bytes(
        [7; 32],
    ))));
    let key = countersign_jose::SigningKey::generate_es256([7; 32]).expect("a scalar");
    let jwks = countersign_jose::jwks::publish(&[countersign_jose::PublishedKey {
        kid: "k",
        algorithm: countersign_jose::Algorithm::Es256,
        key: key.public(),
    }]);
    let jwks = countersign_jose::Jwks::parse(jwks.as_bytes()).expect("a set");
    reads_back(&client(Authentication::PrivateKeyJwt(jwks)));
    for name in [
        CertificateName::subject("CN=Shop\\, Ltd,O=Example"),
        CertificateName::dns("shop.example"),
        CertificateName::uri("spiffe://example/shop"),
        CertificateName::ip("2001:db8::1"),
        CertificateName::email("shop@example.com"),
    ] {
        let name = name.expect("a name");
        reads_back(&client(Authentication::TlsClientAuth(name)));
    }
    let own = [[1; 32], [2; 32]].map(CertificateThumbprint::from_bytes);
    let own = Authentication::SelfSignedTlsClientAuth(own.to_vec());
    reads_back(&client(own));
    // Registered with a name that is not there.
    let nameless = stored::ClientRecord {
        client_id: "shop".to_owned(),
        authentication_method: stored::ClientAuthenticationMethod::TlsClientAuth.into(),
        ..stored::ClientRecord::default()
    };
    assert_eq!(Client::decode(&bytes_of(&nameless)), Err(Damaged));
}

#[test]
fn resources_read_back() {
    let formats = [AccessTokenFormat::Jwt, AccessTokenFormat::Reference];
    let lifetimes = [None, Some(Duration::from_secs(900))];
    for (access_token_lifetime, access_token_format) in lifetimes.into_iter().zip(formats) {
        reads_back(&Resource {
            uri: uri("https://a.example"),
            display_name: DisplayName::default(),
            scopes: Scopes::parse(&["read"]).expect("scopes"),
            scope_descriptions: [(
                Scope::parse("read").expect("a scope"),
                ScopeDescription::parse("See your things").expect("words"),
            )]
            .into_iter()
            .collect(),
            access_token_lifetime,
            access_token_format,
            created_at: at(1),
            updated_at: at(2),
            details_types: ["account", "bill"]
                .into_iter()
                .map(|name| (kind(name), DetailsSchema::registered(&kind(name), "{}")))
                .collect(),
        });
    }
}

/// What the first releases wrote, and what no release has.
#[test]
fn a_resource_without_a_format_has_jwts() {
    let record = |access_token_format| stored::ResourceRecord {
        uri: "https://a.example".to_owned(),
        access_token_format,
        ..stored::ResourceRecord::default()
    };
    let read = Resource::decode(&bytes_of(&record(0))).expect("a resource");
    assert_eq!(read.access_token_format, AccessTokenFormat::Jwt);
    assert_eq!(Resource::decode(&bytes_of(&record(3))), Err(Damaged));
}

#[test]
fn reference_tokens_read_back() {
    let id = TokenId::from_bytes([3; 16]);
    let family = FamilyId::new(RecordId::from_bytes([4; 16]));
    let acr = Acr::parse("phr").expect("an acr");
    let certificate = CertificateThumbprint::from_bytes([6; 32]);
    for (family, auth_time, acr, certificate) in [
        (None, None, None, None),
        (Some(family), Some(at(5)), acr, Some(certificate)),
    ] {
        let kept = Reference {
            claims: Claims {
                subject: Subject::parse("ann").expect("a subject"),
                audience: vec![uri("https://a.example"), uri("https://b.example")],
                client: ClientId::parse("shop").expect("an id"),
                scopes: Scopes::parse(&["read", "write"]).expect("scopes"),
                jkt: jkt(1),
                certificate,
                issued_at: at(10),
                expires_at: at(310),
                id,
                family,
                auth_time,
                acr,
                details: granted().details(),
            },
            epoch: Epoch::new(2),
        };
        let bytes = reference(&kept);
        assert_eq!(read_reference(id, &bytes).as_ref(), Ok(&kept));
        for end in 0..bytes.len() {
            // A cut record is damage, or what it was without its last fields.
            let _ = read_reference(id, &bytes[..end]);
        }
        for damage in [&[][..], &[0xff; 9]] {
            assert_eq!(read_reference(id, damage), Err(Damaged));
        }
    }
}

fn family(revoked: Option<Revoked>) -> Family {
    Family {
        client: ClientId::parse("shop").expect("an id"),
        subject: Subject::parse("ann").expect("a subject"),
        permissions: permissions(),
        jkt: jkt(1),
        pinned: true,
        certificate: None,
        refreshable: true,
        generation: Generation::new(7),
        rotated_at: at(3),
        rotated_jkt: jkt(2),
        created_at: at(1),
        expires_at: at(4),
        idle_expires_at: at(5),
        epoch: Epoch::new(1),
        auth_time: Some(at(6)),
        acr: Acr::parse("gold").expect("an acr"),
        revoked,
        details: granted(),
    }
}

fn family_bytes() -> Bytes {
    family(None).encode()
}

#[test]
fn families_read_back() {
    let causes = [
        RevokedCause::Requested,
        RevokedCause::RefreshReuse,
        RevokedCause::CodeReuse,
    ];
    let revocations = causes.map(|cause| Some(Revoked { at: at(9), cause }));
    for revoked in revocations.into_iter().chain([None]) {
        reads_back(&family(revoked));
    }
}

#[test]
fn a_familys_certificate_reads_back_and_records_of_before_have_none() {
    let bound = Family {
        certificate: Some(CertificateThumbprint::from_bytes([6; 32])),
        ..family(None)
    };
    reads_back(&bound);
    let mut record: stored::FamilyRecord = message_of(&bound.encode()).expect("a record");
    // What a release wrote that knew of no certificates.
    record.certificate_sha256 = Bytes::new();
    assert_eq!(Family::decode(&bytes_of(&record)), Ok(family(None)));
    // Half of one is not none.
    record.certificate_sha256 = Bytes::from_static(&[6; 16]);
    assert_eq!(Family::decode(&bytes_of(&record)), Err(Damaged));
}

#[test]
fn authorizations_read_back_at_every_stage() {
    let approval = Approval {
        subject: Subject::parse("ann").expect("a subject"),
        permissions: permissions(),
        approved_at: at(6),
        auth_time: at(3),
        acr: None,
        code_expires_at: at(4),
        details: granted(),
    };
    for stage in [
        Stage::Pending,
        Stage::Returning(Ok(approval.clone())),
        Stage::Returning(Err(Denial::AccessDenied)),
        Stage::Returning(Err(Denial::LoginRequired)),
        Stage::Returning(Err(Denial::ConsentRequired)),
        Stage::Returning(Err(Denial::InteractionRequired)),
        Stage::Returning(Err(Denial::UnmetAuthenticationRequirements)),
        Stage::Approved(approval.clone()),
        Stage::Denied,
        Stage::Redeemed {
            approval,
            family: FamilyId::new(RecordId::from_bytes([9; 16])),
        },
    ] {
        let redirect = Way::Redirect(Redirect {
            uri: RedirectUri::parse("https://shop.example/cb").expect("a URI"),
            state: State::parse("s").expect("a state"),
            challenge: CodeChallenge::from_bytes([5; 32]),
            wishes: Wishes {
                authenticated_since: Some(at(1)),
                acr_values: Acr::parse("pwd").expect("an acr").into_iter().collect(),
                prompts: Prompts::parse(&["login", "consent"]).expect("prompts"),
            },
            browser: Some(SecretHash::from_bytes([4; 32])),
        });
        let device = |polled_at| {
            Way::Device(Polling {
                interval: Duration::from_secs(5),
                polled_at,
            })
        };
        let ways = [redirect, device(None), device(Some(at(7)))];
        for (way, dpop_jkt) in ways.into_iter().zip([None, Some(jkt(3)), None]) {
            reads_back(&Authorization {
                client: ClientId::parse("shop").expect("an id"),
                permissions: permissions(),
                dpop_jkt,
                lodged_at: at(1),
                expires_at: at(2),
                epoch: Epoch::new(3),
                way,
                stage: stage.clone(),
                details: granted(),
            });
        }
    }
}

/// Those did not note why: the prompts say it.
#[test]
fn a_denial_of_earlier_releases_says_what_they_said() {
    for (prompts, expected) in [
        (&[][..], Denial::AccessDenied),
        (&["login"], Denial::AccessDenied),
        (&["none"], Denial::InteractionRequired),
    ] {
        let record = stored::AuthorizationRecord {
            client_id: "shop".to_owned(),
            redirect_uri: "https://shop.example/cb".to_owned(),
            code_challenge: vec![5; 32].into(),
            stage: stored::AuthorizationStage::DeniedAway.into(),
            prompts: prompts.iter().map(|&word| word.to_owned()).collect(),
            ..stored::AuthorizationRecord::default()
        };
        let read = Authorization::decode(&bytes_of(&record)).expect("a record");
        assert_eq!(read.stage, Stage::Returning(Err(expected)), "{prompts:?}");
    }
}

/// Those noted no more than when the person logged in: what is revoked from then on hits the code.
#[test]
fn an_approval_of_the_first_releases_was_no_later_than_its_login() {
    let record = |approved_millis| stored::AuthorizationRecord {
        client_id: "shop".to_owned(),
        redirect_uri: "https://shop.example/cb".to_owned(),
        code_challenge: vec![5; 32].into(),
        stage: stored::AuthorizationStage::Approved.into(),
        subject: "ann".to_owned(),
        auth_millis: 3_000,
        approved_millis,
        ..stored::AuthorizationRecord::default()
    };
    for (noted, expected) in [(0, at(3)), (6_000, at(6))] {
        let read = Authorization::decode(&bytes_of(&record(noted))).expect("a request");
        let Stage::Approved(approval) = read.stage else {
            panic!("{:?}", read.stage);
        };
        assert_eq!(approval.approved_at, expected);
    }
}

/// Those did not note when: what is under way when the release changes goes on.
#[test]
fn a_request_of_earlier_releases_was_lodged_after_its_client_was_registered() {
    let record = |lodged_millis| stored::AuthorizationRecord {
        client_id: "shop".to_owned(),
        redirect_uri: "https://shop.example/cb".to_owned(),
        code_challenge: vec![5; 32].into(),
        stage: stored::AuthorizationStage::Pending.into(),
        expires_millis: 9_000,
        lodged_millis,
        ..stored::AuthorizationRecord::default()
    };
    for (noted, expected) in [(0, at(9)), (6_000, at(6))] {
        let read = Authorization::decode(&bytes_of(&record(noted))).expect("a request");
        assert_eq!(read.lodged_at, expected);
    }
}

#[test]
fn user_codes_read_back() {
    let id = RecordId::from_bytes([9; 16]);
    let bytes = user_code(id);
    assert_eq!(user_code_of(&bytes), Ok(id));
    for damage in [&[][..], &[0xff; 9], &bytes[..bytes.len() - 1]] {
        assert_eq!(user_code_of(damage), Err(Damaged));
    }
}

#[test]
fn the_mark_reads_back() {
    reads_back(&StoreMark::new(at(1)));
    reads_back(&StoreMark {
        epoch: Epoch::new(2),
        set_back_at: Some(at(3)),
        ..StoreMark::new(at(1))
    });
}

/// Whatever is known of a key reads back, and so does that it is not known.
#[test]
fn keys_read_back() {
    let sealed = SealedKey {
        public_jwk: "{}".to_owned(),
        material: vec![1],
        data_key: vec![2],
        lock: Lock::Program,
    };
    let made = ServiceKey::new(KeyId::new("a"), KeyPurpose::HandleMac, at(1), sealed);
    reads_back(&made);
    for state in [KeyState::Next, KeyState::Active, KeyState::Retiring] {
        reads_back(&ServiceKey {
            state,
            published_at: Some(at(2)),
            activated_at: Some(at(3)),
            retired_at: Some(at(4)),
            needed_until: Some(at(5)),
            life: Some(Duration::from_secs(6)),
            // No age is an age that is known.
            cache_age: Some(Duration::ZERO),
            rotation_asked_at: Some(at(7)),
            ..made.clone()
        });
    }
}

/// A record of the first release: everything that it does not say is unknown, not zero.
#[test]
fn a_key_of_the_first_release_reads() {
    let record = stored::KeyRecord {
        key_id: "0a0b0c0d".to_owned(),
        purpose: stored::KeyPurpose::HandleMac.into(),
        state: stored::KeyState::Active.into(),
        created_millis: 1_000,
        encrypted_material: vec![1].into(),
        encrypted_data_key: vec![2].into(),
        encryption_version: 1,
        ..stored::KeyRecord::default()
    };
    let key = ServiceKey::decode(&bytes_of(&record)).expect("reads");
    let unknown = (key.published_at, key.activated_at, key.retired_at);
    assert_eq!(unknown, (None, None, None));
    assert_eq!((key.life, key.cache_age), (None, None));
    assert_eq!(key.sealed.lock, Lock::File);
    let later = stored::KeyRecord {
        encryption_version: 3,
        ..record
    };
    assert!(ServiceKey::decode(&bytes_of(&later)).is_err());
}

#[test]
fn only_assertions_are_assertions() {
    let client = ClientId::parse("shop").expect("an id");
    assert!(is_assertion(&assertion_key(&client, "jti")));
    assert!(!is_assertion(&client_key(&client)));
    // One client's jti is not another's.
    let other = ClientId::parse("other").expect("an id");
    assert_ne!(assertion_key(&client, "jti"), assertion_key(&other, "jti"));
}

/// What the releases before authorization details wrote: records without them.
#[test]
fn records_of_before_have_no_details() {
    let mut family = stored::FamilyRecord::decode(family_bytes().as_ref()).expect("a message");
    assert_eq!(family.details.len(), 1);
    family.details.clear();
    let read = Family::decode(&bytes_of(&family)).expect("a family");
    assert_eq!(read.details, GrantedDetails::default());

    let record = stored::PermissionRecord {
        resource: "https://a.example".to_owned(),
        scopes: vec!["read".to_owned()],
        ..stored::PermissionRecord::default()
    };
    let shop = client(Authentication::None).encode();
    let mut shop = stored::ClientRecord::decode(shop.as_ref()).expect("a message");
    shop.permissions = vec![record];
    let read = Client::decode(&bytes_of(&shop)).expect("a client");
    assert_eq!(read.details_types.iter().count(), 0);
    assert_eq!(Details::parse("").expect("none"), Details::default());
}

#[test]
fn details_that_are_no_details_are_damage() {
    let mut family = stored::FamilyRecord::decode(family_bytes().as_ref()).expect("a message");
    for wrong in ["", "[]", "{", r#"{"identifier":"acc-17"}"#, r#"{"type":1}"#] {
        family.details[0].object = wrong.to_owned();
        assert_eq!(Family::decode(&bytes_of(&family)), Err(Damaged), "{wrong}");
    }
    family.details[0].object = ACCOUNT.to_owned();
    family.details[0].resources = vec!["nowhere".to_owned()];
    assert_eq!(Family::decode(&bytes_of(&family)), Err(Damaged));
}
