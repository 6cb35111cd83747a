//! `dpop`: proofs (RFC 9449 §4.3).

use std::sync::LazyLock;
use std::time::Duration;

use countersign_dpop::{
    Ath, Call, Limits, NonceRule, Origin, Paths, Target, VerifiedProof, verify,
};
use countersign_jose::{CompactJws, UnixTime, json};

use crate::world::{self, NONCES, NOW};

/// Those of the published vectors.
pub const ORIGINS: [&str; 2] = ["https://rs.example.com", "https://inside.example:8443/rpc"];
const PATH: &str = "/orders.v1.Orders/Create";
const TOKEN: &str = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";

static PARSED: LazyLock<[Origin; 2]> =
    LazyLock::new(|| ORIGINS.map(|origin| Origin::parse(origin).expect("an origin")));
static ATH: LazyLock<Ath> = LazyLock::new(|| Ath::of(TOKEN));

pub fn check(input: &[u8]) {
    let Some(proof) = world::jws(input) else {
        return;
    };
    let nonces = &*NONCES;
    let started = NOW.minus(Duration::from_secs(5));
    for rule in [
        NonceRule::Off,
        NonceRule::WhenOff { nonces },
        NonceRule::Required {
            nonces,
            minted_from: None,
        },
        NonceRule::Required {
            nonces,
            minted_from: Some(started),
        },
    ] {
        for ath in [None, Some(&*ATH)] {
            let call = call(ath);
            if let Ok(verified) = at(&proof, &call, &rule, NOW) {
                accepted(input, &proof, &call, &rule, &verified);
            }
        }
    }
}

fn call<'a>(ath: Option<&'a Ath>) -> Call<'a> {
    Call {
        method: "POST",
        origins: &*PARSED,
        path: PATH,
        paths: Paths::Plain,
        ath,
    }
}

fn at(
    proof: &str,
    call: &Call<'_>,
    rule: &NonceRule<'_>,
    now: UnixTime,
) -> Result<VerifiedProof, countersign_dpop::Refusal> {
    verify(proof, call, &Limits::default(), rule, now)
}

fn accepted(
    input: &[u8],
    proof: &str,
    call: &Call<'_>,
    rule: &NonceRule<'_>,
    verified: &VerifiedProof,
) {
    assert_eq!(at(proof, call, rule, NOW).as_ref(), Ok(verified), "again");

    // What is forgotten would not be accepted any more.
    assert!(verified.remember_until > NOW);
    assert!(at(proof, call, rule, verified.remember_until).is_err());

    // It is for this call and no other.
    let elsewhere = Call {
        path: "/orders.v1.Orders/Create2",
        ..*call
    };
    assert!(at(proof, &elsewhere, rule, NOW).is_err());
    let by_get = Call {
        method: "GET",
        ..*call
    };
    assert!(at(proof, &by_get, rule, NOW).is_err());
    assert_eq!(
        Target::parse(&htu(proof)).expect("it was accepted"),
        PARSED[verified.origin].target(PATH).expect("it is plain"),
    );

    let changed = world::with_another_signature(proof).expect("it has a signature");
    assert!(at(&changed, call, rule, NOW).is_err(), "another signature");
    assert!(at(&format!("{proof}A"), call, rule, NOW).is_err());

    // Signed once more it is the same proof: whoever remembers one knows the other.
    if let Some((header, payload)) = world::parts(input) {
        let again = world::signed(header, payload);
        assert_eq!(at(&again, call, rule, NOW).as_ref(), Ok(verified));
    }
}

fn htu(proof: &str) -> String {
    let jws = CompactJws::parse(proof, usize::MAX).expect("it was accepted");
    let claims = json::object(jws.payload()).expect("it was accepted");
    let htu = claims.member("htu").and_then(json::Value::text);
    htu.expect("it was accepted").to_owned()
}
