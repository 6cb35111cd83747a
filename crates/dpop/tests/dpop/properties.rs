use std::sync::{Arc, LazyLock};
use std::time::Duration;

use countersign_dpop::{
    Ath, Call, Jti, Limits, Mint, Minter, NonceRule, Origin, Paths, Target, sole_proof, verify,
};
use countersign_jose::{SigningKey, UnixTime};
use proptest::prelude::*;

use crate::case::{
    Case, NONCES, PARSED_ORIGINS, Rule, Situation, TOKEN, edwards_proof, now, proof,
};

static MINTERS: LazyLock<[Minter; 2]> = LazyLock::new(|| {
    [
        SigningKey::generate_es256([1; 32]),
        SigningKey::generate_ed25519([1; 32]),
    ]
    .map(|key| Minter::new(Arc::new(key.unwrap())))
});

/// One good proof of each kind, with an access token.
static SIGNED: LazyLock<[(Case, String); 2]> = LazyLock::new(|| {
    [proof(), edwards_proof()].map(|case| {
        let case = case.with_token(TOKEN).ath_of(TOKEN);
        let text = case.build();
        (case, text)
    })
});

fn plain_path() -> impl Strategy<Value = String> {
    "(/[A-Za-z0-9_][A-Za-z0-9._~-]{0,20}){1,4}"
}

fn any_uri() -> impl Strategy<Value = String> {
    "(?i)https?://[a-z0-9%.]{1,12}(:[0-9]{0,5})?(/[a-z0-9%.~:@+-]{0,8}){0,5}([?#][a-z/?]{0,6})?"
}

proptest! {
    #[test]
    fn what_is_minted_is_verified(
        jti: [u8; 16],
        method in "[A-Z]{1,8}",
        path in plain_path(),
        origin in 0..2_usize,
        offset_secs in -60..=10_i64,
        token in proptest::option::of("[A-Za-z0-9._~+/-]{1,40}"),
        with_nonce: bool,
        which in 0..2_usize,
    ) {
        let minter = &MINTERS[which];
        let ath = token.as_deref().map(Ath::of);
        let nonce = with_nonce.then(|| NONCES.mint(now()));
        let proof = minter.mint(&Mint {
            jti: Jti::new(jti),
            method: &method,
            target: &PARSED_ORIGINS[origin].target(&path).unwrap(),
            iat: UnixTime::from_secs(now().as_secs().saturating_add_signed(offset_secs)),
            nonce: nonce.as_deref(),
            ath: ath.as_ref(),
        }).unwrap();
        let call = Call { method: &method, origins: &PARSED_ORIGINS, path: &path, paths: Paths::Plain, ath: ath.as_ref() };
        let rule = NonceRule::WhenOff { nonces: &NONCES };
        let verified = verify(&proof, &call, &Limits::default(), &rule, now()).unwrap();
        prop_assert_eq!(verified.jkt, minter.jkt());
        prop_assert_eq!(verified.origin, origin);
    }

    #[test]
    fn a_changed_byte_is_refused_or_leaves_the_proof_the_same(
        at: prop::sample::Index,
        byte: u8,
        edwards: bool,
    ) {
        let (case, text) = &SIGNED[usize::from(edwards)];
        let mut bytes = text.clone().into_bytes();
        let before = case.situation.verify(text).unwrap();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(text) = std::str::from_utf8(&bytes)
            && let Ok(after) = case.situation.verify(text)
        {
            prop_assert_eq!(after.spent, before.spent);
            prop_assert_eq!(after.remember_until, before.remember_until);
        }
    }

    #[test]
    fn an_accepted_proof_is_remembered_for_as_long_as_it_would_be_accepted(
        iat_offset in -80..80_i64,
        nonce_before in proptest::option::of(0..200_u64),
        later_millis in 0..400_000_u64,
        age_secs in 1..90_u64,
        skew_secs in 0..90_u64,
        required: bool,
    ) {
        let rule = if required { Rule::Required } else { Rule::WhenOff };
        let mut case = edwards_proof().iat(iat_offset).limits(age_secs, skew_secs);
        case = match nonce_before {
            Some(before) => case.nonce_minted_before(before).nonces(rule),
            None => case,
        };
        let text = case.build();
        if let Ok(first) = case.situation.verify(&text) {
            let mut later = case.situation;
            later.now = later.now.plus(Duration::from_millis(later_millis));
            if let Ok(again) = later.verify(&text) {
                prop_assert!(later.now < first.remember_until, "{:?} {:?}", later.now, first);
                prop_assert_eq!(again.spent, first.spent);
            }
        }
    }

    #[test]
    fn normalising_twice_changes_nothing(uri in any_uri()) {
        if let Ok(once) = Target::parse(&uri) {
            let twice = Target::parse(once.as_str());
            prop_assert_eq!(twice.as_ref(), Ok(&once));
            prop_assert!(!once.as_str().contains(['?', '#']));
        }
    }

    #[test]
    fn a_normal_target_is_found_however_it_is_written(path in plain_path(), encode: Vec<bool>) {
        let encoded: String = path
            .chars()
            .zip(encode.iter().chain(std::iter::repeat(&false)))
            .map(|(char, encode)| match char {
                '/' => "/".into(),
                _ if *encode => format!("%{:02x}", char as u32),
                _ => char.to_string(),
            })
            .collect();
        let written = format!("HTTPS://rs.example.com:443{encoded}?q");
        let mut case = edwards_proof().target(&written);
        case.situation.path = path;
        prop_assert!(case.verify().is_ok(), "{}", written);
    }

    #[test]
    fn nothing_panics_on_text(text in "\\PC{0,200}", rule in 0..3_usize) {
        let mut situation = Situation::usual();
        situation.rule = [Rule::Off, Rule::WhenOff, Rule::Required][rule];
        prop_assert!(situation.verify(&text).is_err());
        let _ = Target::parse(&text);
        let _ = Origin::parse(&text);
        let _ = PARSED_ORIGINS[0].target(&text);
        let _ = NONCES.check(&text, now());
        let _ = sole_proof([text.as_bytes()]);
    }

    #[test]
    fn nothing_panics_on_any_header_and_payload(header: Vec<u8>, payload: Vec<u8>) {
        prop_assert!(edwards_proof().raw_header(header).verify().is_err());
        prop_assert!(edwards_proof().raw_payload(payload).verify().is_err());
    }

    #[test]
    fn nothing_panics_on_any_claim(
        name in prop::sample::select(vec!["jti", "htm", "htu", "iat", "nonce", "ath"]),
        value in prop_oneof![
            any::<f64>().prop_map(|number| serde_json::Value::from(number).to_string()),
            any::<i64>().prop_map(|number| number.to_string()),
            any::<u64>().prop_map(|number| number.to_string()),
            "[^\u{0}]{0,20}".prop_map(|text| serde_json::Value::from(text).to_string()),
        ],
        rule in 0..3_usize,
    ) {
        let rule = [Rule::Off, Rule::WhenOff, Rule::Required][rule];
        let _ = edwards_proof().with_token(TOKEN).claim(name, value).nonces(rule).verify();
    }

    #[test]
    fn nonces_are_known_by_their_key_and_time(
        minted in 0..2_000_000_000_000_u64,
        after in 0..400_000_u64,
        flip in 0..192_usize,
    ) {
        let minted_at = UnixTime::from_millis(minted);
        let at = minted_at.plus(Duration::from_millis(after));
        let nonce = NONCES.mint(minted_at);
        match NONCES.check(&nonce, at) {
            Ok(age) => prop_assert!(age.minted_at == minted_at && at < age.ends_at),
            Err(_) => prop_assert!(after >= 120_000),
        }
        let mut bytes = countersign_jose::base64url::decode(&nonce).unwrap();
        bytes[flip / 8] ^= 1 << (flip % 8);
        prop_assert!(NONCES.check(&countersign_jose::base64url::encode(bytes), at).is_err());
    }
}
