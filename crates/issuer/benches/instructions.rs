//! Instructions of a decision, from the request's form to the claims to be signed, and of reading
//! an access token, counted under valgrind: the same on every run, so that slow decay shows.
//! `tests/instructions/main.rs` compares them with what they were.

#![expect(
    clippy::unwrap_used,
    reason = "a measurement that cannot be made has failed"
)]
#![expect(missing_docs, reason = "the macros make public items")]

use std::hint::black_box;
use std::time::Duration;

use countersign_issuer::model::{
    AccessTokenFormat, Acr, Authentication, Catalogue, Client, ClientId, ClientSecret, DisplayName,
    Epoch, Family, FamilyId, Generation, GrantTypes, Permissions, RecordId, RefreshKey, Resource,
    ResourceUri, Scopes, Subject, TokenId,
};
use countersign_issuer::{
    Ask, Claims, Decision, Handle, HandleKind, HandleText, Issued, Issuer, IssuerName, Known,
    Lifetimes, MacKey, MacKeyId, MacKeys, Presented, Rotation, Version, access_token, authenticate,
    issue, rotate,
};
use countersign_jose::{Jwks, PublishedKey, SigningKey, Thumbprint, UnixTime};
use gungraun::{library_benchmark, library_benchmark_group, main};

const NOW: UnixTime = UnixTime::from_secs(1_760_000_000);
const ORDERS: &str = "https://orders.internal:8443";
const PROOF: Thumbprint = Thumbprint::from_bytes([2; 32]);
const TOKEN: TokenId = TokenId::from_bytes([3; 16]);
const FAMILY: FamilyId = FamilyId::new(RecordId::from_bytes([4; 16]));

/// What the service knows and is asked; nothing about it changes from run to run.
struct Service {
    issuer: Issuer,
    catalogue: Catalogue,
    by_secret: Client,
    by_assertion: Client,
    secret: ClientSecret,
    assertion: String,
    family: Known<Family>,
    refresh_token: HandleText,
    key: SigningKey,
    access_token: String,
}

impl Service {
    fn new() -> Self {
        let name = IssuerName::parse("https://tokens.internal:7443").unwrap();
        let secret = ClientSecret::from_random(&[7; 32]);
        // Ed25519: its signatures are functions of key and text, so their checks always count the
        // same.
        let clients_key = SigningKey::generate_ed25519([5; 32]).unwrap();
        let jwks = format!(r#"{{"keys":[{}]}}"#, clients_key.public().to_jwk());
        let jwks = Jwks::parse(jwks.as_bytes()).unwrap();
        let mac_keys = MacKeys::new(MacKey::new(MacKeyId::new([1; 4]), &[1; 32]), Vec::new());
        let refresh_token = Handle {
            kind: HandleKind::Refresh,
            record: FAMILY.record(),
            generation: Generation::new(6),
        };
        let by_secret = client(Authentication::Secret(secret.hash()));
        let mut service = Self {
            refresh_token: refresh_token.text(&mac_keys),
            catalogue: Catalogue::from_iter([orders()]),
            by_assertion: client(Authentication::PrivateKeyJwt(jwks)),
            family: Known::new(family(&by_secret), Version::new(9)),
            by_secret,
            secret,
            assertion: assertion(&clients_key, &name),
            key: SigningKey::generate_ed25519([6; 32]).unwrap(),
            issuer: Issuer {
                name,
                lifetimes: Lifetimes::default(),
                mac_keys,
                epoch: Epoch::default(),
                set_back_at: None,
            },
            access_token: String::new(),
        };
        let claims = service.rotate().answer.unwrap().claims;
        let header = access_token::header(service.key.algorithm(), "k1");
        let payload = claims.payload(&service.issuer.name);
        service.access_token = service.key.sign_segments(&header, &payload).unwrap();
        service
    }

    fn issue(&self, known: &Client, presented: &Presented<'_>) -> Decision<Issued> {
        let ask = Ask::parse(black_box(&["orders.write"]), &[] as &[&str]).unwrap();
        let issuer = &self.issuer;
        let client = authenticate(&known.id, Some(known), presented, None, issuer, NOW).unwrap();
        issue(&client, &ask, &self.catalogue, issuer, PROOF, TOKEN, NOW)
    }

    fn rotate(&self) -> Decision<Issued> {
        let token = black_box(self.refresh_token.reveal());
        let none: &[&str] = &[];
        let issuer = &self.issuer;
        let rotation = Rotation::parse(token, none, none, "", &issuer.mac_keys).unwrap();
        let known = &self.by_secret;
        let presented = Presented::Secret(self.secret.reveal());
        let client = authenticate(&known.id, Some(known), &presented, None, issuer, NOW).unwrap();
        let family = Some(&self.family);
        rotate(
            &client,
            &rotation,
            family,
            &self.catalogue,
            issuer,
            PROOF,
            TOKEN,
            NOW,
        )
    }

    fn payload(&self, decision: &Decision<Issued>) -> Vec<u8> {
        let issued = decision.answer.as_ref().unwrap();
        issued.claims.payload(&self.issuer.name)
    }

    fn read(&self) -> Claims {
        let keys = [PublishedKey {
            kid: "k1",
            algorithm: self.key.algorithm(),
            key: self.key.public(),
        }];
        access_token::read(black_box(&self.access_token), &keys, &self.issuer.name).unwrap()
    }
}

fn client(authentication: Authentication) -> Client {
    let scopes = Scopes::parse(&["orders.read", "orders.write"]).unwrap();
    Client {
        id: ClientId::parse("checkout").unwrap(),
        display_name: DisplayName::parse("Checkout").unwrap(),
        authentication,
        grant_types: GrantTypes {
            client_credentials: true,
            authorization_code: true,
            refresh_token: true,
            device_code: false,
        },
        redirect_uris: Vec::new(),
        permissions: Permissions::from_iter([(ResourceUri::parse(ORDERS).unwrap(), scopes)]),
        serves: Vec::new(),
        refresh_key: RefreshKey::Pinned,
        certificate_bound: false,
        only_pushed: false,
        disabled: false,
        tokens_revoked_at: None,
        created_at: NOW,
        updated_at: NOW,
        details_types: Default::default(),
    }
}

fn orders() -> Resource {
    Resource {
        uri: ResourceUri::parse(ORDERS).unwrap(),
        display_name: DisplayName::parse("Orders").unwrap(),
        scopes: Scopes::parse(&["orders.read", "orders.write", "orders.purge"]).unwrap(),
        scope_descriptions: Default::default(),
        access_token_lifetime: None,
        access_token_format: AccessTokenFormat::Jwt,
        created_at: NOW,
        updated_at: NOW,
        details_types: Default::default(),
    }
}

fn family(client: &Client) -> Family {
    Family {
        client: client.id.clone(),
        subject: Subject::parse("alice").unwrap(),
        permissions: client.permissions.clone(),
        jkt: PROOF,
        certificate: None,
        pinned: true,
        refreshable: true,
        generation: Generation::new(6),
        rotated_at: NOW,
        rotated_jkt: PROOF,
        created_at: NOW,
        expires_at: NOW.plus(Duration::from_secs(3600)),
        idle_expires_at: NOW.plus(Duration::from_secs(3600)),
        epoch: Epoch::default(),
        auth_time: Some(NOW),
        acr: Acr::parse("urn:example:loa:2").unwrap(),
        revoked: None,
        details: Default::default(),
    }
}

fn assertion(key: &SigningKey, issuer: &IssuerName) -> String {
    let now = NOW.as_secs();
    let claims = format!(
        r#"{{"iss":"checkout","sub":"checkout","aud":"{}","jti":"AwMDAwMDAwMDAwMDAwMDAw","iat":{now},"exp":{}}}"#,
        issuer.as_str(),
        now + 60
    );
    let header = br#"{"typ":"client-authentication+jwt","alg":"Ed25519"}"#;
    key.sign_compact(header, claims.as_bytes()).unwrap()
}

/// Each operation is made once before it is counted, so that what a process does only once is not.
/// Leaked, so that putting away is not counted either.
fn service() -> &'static Service {
    let service = Box::leak(Box::new(Service::new()));
    let _ = issue_secret(service);
    let _ = issue_private_key_jwt(service);
    service.read();
    service
}

fn issue_secret(service: &Service) -> (Decision<Issued>, Vec<u8>) {
    let presented = Presented::Secret(service.secret.reveal());
    let decision = service.issue(&service.by_secret, &presented);
    let payload = service.payload(&decision);
    (decision, payload)
}

fn issue_private_key_jwt(service: &Service) -> (Decision<Issued>, Vec<u8>) {
    let presented = Presented::Assertion(&service.assertion);
    let decision = service.issue(&service.by_assertion, &presented);
    let payload = service.payload(&decision);
    (decision, payload)
}

#[library_benchmark]
#[bench::secret(service())]
fn decide_issue(service: &Service) -> (Decision<Issued>, Vec<u8>) {
    issue_secret(service)
}

#[library_benchmark]
#[bench::private_key_jwt(service())]
fn decide_issue_with_assertion(service: &Service) -> (Decision<Issued>, Vec<u8>) {
    issue_private_key_jwt(service)
}

#[library_benchmark]
#[bench::secret(service())]
fn decide_rotate(service: &Service) -> (Decision<Issued>, Vec<u8>) {
    let decision = service.rotate();
    let payload = service.payload(&decision);
    (decision, payload)
}

#[library_benchmark]
#[bench::ed25519(service())]
fn read_access_token(service: &Service) -> Claims {
    service.read()
}

library_benchmark_group!(
    name = issuer,
    benchmarks = [
        decide_issue,
        decide_issue_with_assertion,
        decide_rotate,
        read_access_token
    ]
);
main!(library_benchmark_groups = issuer);
