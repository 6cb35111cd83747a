use std::sync::Arc;

use countersign_dpop::{Ath, Jti, Mint, Minter, Target};
use countersign_jose::{CompactJws, SigningKey, UnixTime, json};

fn minter() -> Minter {
    Minter::new(Arc::new(SigningKey::generate_ed25519([7; 32]).unwrap()))
}

fn claims(proof: &str) -> serde_json::Value {
    let jws = CompactJws::parse(proof, 4096).unwrap();
    json::parse_object(jws.payload()).unwrap().into()
}

#[test]
fn a_proof_says_what_was_asked_for_and_nothing_else() {
    let minter = minter();
    let target = Target::parse("https://rs.example.com/a.B/C?q#f").unwrap();
    let mut mint = Mint {
        jti: Jti::new([0xff; 16]),
        method: "POST",
        target: &target,
        iat: UnixTime::from_millis(1_760_000_000_999),
        nonce: None,
        ath: None,
    };
    let bare = minter.mint(&mint).unwrap();
    assert_eq!(
        claims(&bare),
        serde_json::json!({
            "jti": "_____________________w",
            "htm": "POST",
            "htu": "https://rs.example.com/a.B/C",
            "iat": 1_760_000_000_u64,
        })
    );
    let ath = Ath::of("token");
    mint.nonce = Some("n");
    mint.ath = Some(&ath);
    let full = claims(&minter.mint(&mint).unwrap());
    assert_eq!(
        (&full["nonce"], &full["ath"]),
        (&"n".into(), &ath.to_string().into())
    );

    let jws = CompactJws::parse(&bare, 4096).unwrap();
    assert_eq!(jws.header().typ.as_deref(), Some("dpop+jwt"));
    assert_eq!(
        &jws.header().jwk.clone().unwrap().unwrap().key,
        minter.key().public()
    );
    assert_eq!(minter.jkt(), minter.key().public().thumbprint());
}

#[test]
fn whatever_a_server_puts_in_a_nonce_stays_a_string() {
    let minter = minter();
    let target = Target::parse("https://rs.example.com/").unwrap();
    for nonce in ["\",\"htm\":\"GET", "\\", "\u{7f}", "é", "\n", "", "\u{1}"] {
        let mint = Mint {
            jti: Jti::new([0; 16]),
            method: "POST",
            target: &target,
            iat: UnixTime::from_secs(1),
            nonce: Some(nonce),
            ath: None,
        };
        let claims = claims(&minter.mint(&mint).unwrap());
        assert_eq!(
            (&claims["nonce"], &claims["htm"]),
            (&nonce.into(), &"POST".into())
        );
    }
}

#[test]
fn a_minter_shows_no_secret() {
    let shown = format!("{:?}", minter());
    assert!(shown.contains(&minter().jkt().to_string()), "{shown}");
    assert!(
        !shown.contains("BwcH") && !shown.contains("0707"),
        "{shown}"
    );
}
