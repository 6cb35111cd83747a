//! Seeds that are made: handles, nonces, keys, answers and descriptor sets.

use std::collections::HashMap;
use std::time::Duration;

use countersign::keys::v1::{ListKeysResponse, VerificationKey};
use countersign_fuzz::audit::planned as planned_export;
use countersign_fuzz::backup::planned;
use countersign_fuzz::handle::KEYS;
use countersign_fuzz::rule::EXEMPT;
use countersign_fuzz::world::{ED25519, ES256, NONCES, NOW};
use countersign_issuer::model::{Generation, RecordId};
use countersign_issuer::{Handle, HandleKind};
use countersign_jose::base64url;
use countersign_store::Key;
use countersign_store::embedded::fuzz::pack;
use http::HeaderMap;
use prost::Message as _;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

/// Whole configurations: for others with TLS, without it, and for loopback.
pub(crate) fn configurations() -> Vec<Vec<u8>> {
    let tls = "[tls]\ncertificate_file = \"c\"\nkey_file = \"k\"\n";
    let rest = "[tokens]\naccess_token_secs = 60\n[proofs]\nskew_secs = 5\n[telemetry]\nsample_ratio = 0.5\n";
    let with = |issuer: &str, address: &str, tls: &str| {
        let listen = format!("[listen]\naddress = \"{address}\"\norigins = [\"{issuer}\"]\n");
        format!("issuer = \"{issuer}\"\n{listen}{tls}{rest}").into_bytes()
    };
    vec![
        with("https://tokens.internal:7443", "0.0.0.0:7443", tls),
        with("https://tokens.internal:7443", "0.0.0.0:7443", ""),
        with("http://127.0.0.1:7443", "127.0.0.1:7443", ""),
    ]
}

/// Bodies as clients of each endpoint send them, and what is wrong with a body.
pub(crate) fn forms() -> Vec<Vec<u8>> {
    let code = "grant_type=authorization_code&code=csc_AAAA&redirect_uri=https%3A%2F%2Fshop.example.com%2Fcallback&code_verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    let push = "response_type=code&scope=orders.read+orders.write&resource=https://orders.example.com&resource=https://billing.example.com&state=%C3%A9&code_challenge_method=S256";
    let many: Vec<_> = (0..64)
        .map(|number| format!("p{number}={number}"))
        .collect();
    let many = many.join("&");
    [
        code,
        push,
        "client_id=batch%3A1&client_secret=%2B%25%26%3D&token=x&token_type_hint=",
        "&&grant_type=client_credentials&",
        "authorization_details=%5B%7B%22type%22%3A%22account%22%7D%5D",
        "a=1&%61=2",
        "a=%00",
        "a=%ff",
        "a=%4",
        "=&=",
        "a&b&a",
        many.as_str(),
    ]
    .map(|body| body.as_bytes().to_vec())
    .into()
}

/// Plans of backups, and whole ones.
pub(crate) fn backups() -> Vec<Vec<u8>> {
    let record = [3, 4, 12, b'r', b'a', 0, 1];
    let log = [b'l', 5, b'a', b'u', b'd', b'i', b't'];
    let second = 2_u64.to_be_bytes();
    let entry = [
        &1_u64.to_be_bytes()[..],
        &[9; 32],
        &3_u32.to_be_bytes(),
        b"one",
    ]
    .concat();
    let entries = [&[6, 15, 94][..], &log, &second, &entry, &entry].concat();
    let reminder = [&second[..], &[0, 3, b'a', 0, 1]].concat();
    let reminders = [
        &[7, 19, 26, b'y'][..],
        &second,
        &second,
        &[0, 0],
        &reminder,
        &reminder,
    ];
    let plans = [
        vec![],
        vec![1, 0, 0, 0, 0, 0, 0, 0, 5],
        [
            &[1, 0, 0, 0, 0, 0, 0, 0, 5][..],
            &record,
            &[0, 0, 0, 0, 0, 0, 0, 5, b'v', b'a', b'l', b'u'],
        ]
        .concat(),
        [&[1, 0, 0, 0, 0, 0, 0, 0, 5][..], &entries].concat(),
        [&[1, 0, 0, 0, 0, 0, 0, 0, 5][..], &reminders.concat()].concat(),
        [
            &[1, 0, 0, 0, 0, 0, 0, 0, 5][..],
            &[5, 15, 48],
            &log,
            &second,
            &entry,
        ]
        .concat(),
        [
            &[0, 0, 0, 0, 0, 0, 0, 0, 7][..],
            &record,
            &[9; 12],
            &[1, 4, 0, b'r', b'a', 0, 1],
        ]
        .concat(),
    ];
    let whole = plans.iter().map(|plan| pack(&planned(plan)));
    whole.chain(plans.iter().cloned()).collect()
}

/// Plans of exported logs, whole exports, and notes.
pub(crate) fn exports() -> Vec<Vec<u8>> {
    // `AuditEntry` of `countersign/storage/v1/record.proto`: time, event, client, object, count.
    let entry = |event: u8, client: &str, object: &str| {
        let text = |tag: u8, text: &str| {
            let length = u8::try_from(text.len()).expect("a short one");
            [&[tag, length], text.as_bytes()].concat()
        };
        let begun = [&[0x08, 0x80, 0xd0, 0x95, 0xff, 0xbc, 0x31, 0x10, event][..]];
        [
            begun.concat(),
            text(0x1a, client),
            text(0x2a, object),
            vec![0x40, 3],
        ]
        .concat()
    };
    let sized = |entry: &Vec<u8>| {
        let length = u8::try_from(entry.len()).expect("a short one");
        [&[length], &entry[..]].concat()
    };
    let plan = |log: u8, first: u64, entries: &[Vec<u8>]| {
        let entries: Vec<_> = entries.iter().map(sized).collect();
        [&[log], &first.to_be_bytes()[..], &entries.concat()].concat()
    };
    // A block holds entries as its first field.
    let block = |entries: &[Vec<u8>]| {
        let entries = entries.iter();
        let fields = entries.map(|entry| [&[0x0a], &sized(entry)[..]].concat());
        fields.collect::<Vec<_>>().concat()
    };
    let (one, two) = (entry(1, "billing", "family"), entry(7, "a\"\u{1f}ü", ""));
    let trimmed = entry(30, "", &format!("audit:6:{}", "5".repeat(64)));
    let plans = [
        plan(0, 1, &[one.clone()]),
        plan(0, 1, &[one.clone(), two.clone(), trimmed.clone()]),
        plan(0, 7, &[one.clone(), two.clone()]),
        plan(0, 7, &[trimmed, two.clone()]),
        plan(0, u64::MAX - 2, &[one.clone(), two.clone()]),
        plan(
            1,
            1,
            &[block(&[one.clone(), two.clone()]), block(&[two.clone()])],
        ),
        plan(1, 9, &[block(&[one]), block(&[two.clone(), two])]),
    ];
    let lines = plans.iter().filter_map(|plan| planned_export(plan));
    let whole = lines.map(|lines| (lines.join("\n") + "\n").into_bytes());
    let notes = ["1", "+7", "18446744073709551615"]
        .map(|number| format!("issuance:{number}:{}", "0a".repeat(32)).into_bytes());
    whole.chain(notes).chain(plans.iter().cloned()).collect()
}

/// Marks, and notes of stores that were set back.
pub(crate) fn notes() -> Vec<Vec<u8>> {
    [
        "countersign mark, commit 0\n",
        "countersign mark, commit 18446744073709551615\n",
        "countersign mark, commit 18446744073709551616\n",
        "countersign mark, commit 7",
        "countersign store set back, restored by uid:0\n",
        "countersign store set back, recovered by uid:4294967295\n",
        "countersign store set back, restored by uid:4294967296\n",
        "countersign store set back, lost by uid:1000\n",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

pub(crate) fn handles() -> Vec<Vec<u8>> {
    let kinds = [
        HandleKind::Refresh,
        HandleKind::Access,
        HandleKind::Code,
        HandleKind::RequestUri,
        HandleKind::Interaction,
        HandleKind::Resume,
    ];
    let mut found: Vec<Vec<u8>> = Vec::new();
    for kind in kinds {
        let handle = Handle {
            kind,
            record: RecordId::from_bytes([5; 16]),
            generation: Generation::new(7),
        };
        let text = handle.text(&KEYS).reveal().to_owned();
        found.push(text.as_bytes()[..text.len() - 1].to_vec());
        found.push(format!("{text}=").into_bytes());
        found.push(text.to_uppercase().into_bytes());
        found.push(text.into_bytes());
    }
    for kind in 0..4 {
        let mut made = vec![kind];
        made.extend([6; 16]);
        made.extend(9_u32.to_be_bytes());
        made.extend([40, b'A']);
        found.push(made);
    }
    found
}

pub(crate) fn nonces() -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for before_secs in [0, 59, 119, 120, 179, 180, 3600] {
        let minted_at = NOW.minus(Duration::from_secs(before_secs));
        found.push(NONCES.mint(minted_at).into_bytes());
        let mut pair = minted_at.as_millis().to_be_bytes().to_vec();
        pair.extend(NOW.as_millis().to_be_bytes());
        pair.extend([3, b'B']);
        found.push(pair);
    }
    found.push([0xff; 18].to_vec());
    found.push(vec![0; 18]);
    found
}

pub(crate) fn keys() -> Vec<Vec<u8>> {
    let client = Key::of("client");
    let below = client.clone().and("orders").and([0, 1, 0xff]);
    vec![
        client.as_bytes().to_vec(),
        below.as_bytes().to_vec(),
        base64url::encode(below.as_bytes()).into_bytes(),
        b"client|orders|\x00\x01|\x00\xff".to_vec(),
        vec![0, 1],
        vec![0, 0xff],
        vec![0],
        vec![b'a'; 1023],
    ]
}

pub(crate) fn private_keys() -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for key in [&*ES256, &*ED25519] {
        let der = key.to_pkcs8_der().expect("it has a form");
        let text = base64(&der);
        found.push(
            format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n")
                .into_bytes(),
        );
        found.push(der.to_vec());
        let jwk = key.public().to_jwk();
        let open = jwk.trim_end_matches('}');
        let d = base64url::encode([1; 32]);
        found.push(format!(r#"{open},"d":"{d}"}}"#).into_bytes());
    }
    found
}

/// With padding, as PEM has it.
fn base64(bytes: &[u8]) -> String {
    let mut text = base64url::encode(bytes).replace('-', "+").replace('_', "/");
    while text.len() % 4 != 0 {
        text.push('=');
    }
    text
}

/// Answers of `KeyService.ListKeys`.
pub(crate) fn key_answers() -> Vec<Vec<u8>> {
    let key = |kid: &str, alg: &str, kty: &str| VerificationKey {
        kid: kid.into(),
        alg: alg.into(),
        kty: kty.into(),
        crv: "Ed25519".into(),
        x: base64url::encode([7; 32]),
        ..Default::default()
    };
    [
        vec![],
        vec![key("k1", "EdDSA", "OKP")],
        vec![key("", "", "")],
    ]
    .into_iter()
    .map(|keys| {
        ListKeysResponse {
            issuer: "https://tokens.internal:7443".into(),
            keys,
            ..Default::default()
        }
        .encode_to_vec()
    })
    .collect()
}

/// Headers of refusals, and of calls.
pub(crate) fn answers() -> Vec<Vec<u8>> {
    let mut found: Vec<Vec<u8>> = [
        "REASON_DPOP_NONCE_REQUIRED",
        "REASON_TOKEN_EXPIRED",
        "REASON_TOKEN_REVOKED",
        "REASON_SCOPE_INSUFFICIENT",
        "REASON_OVERLOADED",
        "REASON_NO_SUCH",
    ]
    .into_iter()
    .map(|reason| {
        let info = HashMap::from([
            ("oauth_error".to_owned(), "use_dpop_nonce".to_owned()),
            ("scope".to_owned(), "a b".to_owned()),
        ]);
        let mut details = ErrorDetails::with_error_info(reason, "countersign", info);
        details.set_retry_info(Some(Duration::from_secs(1)));
        details.add_bad_request_violation("scopes", "must be");
        let status = Status::with_error_details(Code::Unauthenticated, "no", details);
        let mut headers = HeaderMap::new();
        status.add_header(&mut headers).expect("it fits a header");
        let mut text =
            b"www-authenticate: DPoP error=\"use_dpop_nonce\"\ndpop-nonce: abc\n".to_vec();
        for (name, value) in &headers {
            text.extend(format!("{name}: ").bytes());
            text.extend(value.as_bytes());
            text.push(b'\n');
        }
        text
    })
    .collect();
    for call in [
        "authorization: DPoP abc\ndpop: a.b.c",
        "authorization: Bearer abc\ndpop: a.b.c",
        "authorization: DPoP a,b\ndpop: a\ndpop: b",
        "grpc-status: 16\ngrpc-status-details-bin: !!!\nwww-authenticate: dpop",
        "www-authenticate: DPoP error=\"insufficient_user_authentication\", acr_values=\"a b\", max_age=\"5\"",
        "www-authenticate: Negotiate a==, Bearer realm=\"\\\"\", DPoP error=invalid_token",
    ] {
        found.push(call.into());
    }
    found
}

/// Descriptor sets: the example service's own file, its imports, and names to exempt.
pub(crate) fn rules() -> Vec<Vec<u8>> {
    let set = countersign::FILE_DESCRIPTOR_SET;
    let files: Vec<Vec<u8>> = fields(set).map(|(_, file)| without_source(file)).collect();
    let holds = |file: &[u8], name: &str| file.windows(name.len()).any(|it| it == name.as_bytes());
    let of = |names: &[&str]| -> Vec<u8> {
        files
            .iter()
            .filter(|file| {
                let path = fields(file)
                    .next()
                    .map(|(_, path)| path)
                    .unwrap_or_default();
                names.iter().any(|name| holds(path, name))
            })
            .flat_map(|file| written(1, file))
            .collect()
    };
    let orders = of(&[
        "orders.proto",
        "timestamp.proto",
        "rule.proto",
        "descriptor.proto",
        "duration.proto",
    ]);
    let alone = of(&["orders.proto", "timestamp.proto"]);
    let tokens = of(&["token/v1", "duration.proto"]);
    let mut found = vec![
        orders.clone(),
        alone.clone(),
        tokens,
        of(&["rule.proto"]),
        Vec::new(),
    ];
    for names in [
        "grpc.health.v1.Health\n/countersign.example.v1.OrderService/CreateOrder",
        "countersign.example.v1.OrderService",
        "/\n//x\nx/y\ncountersign.example.v1",
    ] {
        found.push([&alone, EXEMPT, names.as_bytes()].concat());
    }
    found
}

/// What a file says but for where it said it: most of its bytes.
fn without_source(file: &[u8]) -> Vec<u8> {
    const SOURCE_CODE_INFO: u64 = 9;
    fields(file)
        .filter(|(number, _)| *number != SOURCE_CODE_INFO)
        .flat_map(|(number, bytes)| written(number, bytes))
        .collect()
}

/// The fields of a message that has only strings and messages in it, as descriptors' files have.
fn fields(mut message: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    std::iter::from_fn(move || {
        let tag = prost::decode_length_delimiter(&mut message).ok()? as u64;
        let length = prost::decode_length_delimiter(&mut message).ok()?;
        let (field, rest) = message.split_at_checked(length)?;
        message = rest;
        Some((tag >> 3, field))
    })
}

fn written(number: u64, bytes: &[u8]) -> Vec<u8> {
    let mut field = Vec::new();
    prost::encode_length_delimiter((number << 3 | 2) as usize, &mut field).expect("vectors grow");
    prost::encode_length_delimiter(bytes.len(), &mut field).expect("vectors grow");
    field.extend(bytes);
    field
}
