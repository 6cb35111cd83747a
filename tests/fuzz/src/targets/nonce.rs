//! `dpop`: nonces (RFC 9449 §8).

use std::time::Duration;

use countersign_dpop::NonceRefusal;
use countersign_jose::UnixTime;

use crate::world::{NONCES, NOW};

pub fn check(input: &[u8]) {
    if let Ok(text) = std::str::from_utf8(input) {
        match NONCES.check(text, NOW) {
            Ok(age) => assert_eq!(NONCES.mint(age.minted_at), text, "one nonce, one text"),
            Err(NonceRefusal::Stale | NonceRefusal::Unknown) => {}
        }
    }
    if let Some((minted, rest)) = input.split_first_chunk()
        && let Some((now, rest)) = rest.split_first_chunk()
    {
        // Up to the year 140,000: where sums saturate no clock goes.
        let at = |bytes| UnixTime::from_millis(u64::from_be_bytes(bytes) >> 12);
        lives(at(*minted), at(*now), rest);
    }
}

/// A nonce minted at any time, looked at at any other.
fn lives(minted_at: UnixTime, now: UnixTime, rest: &[u8]) {
    let nonce = NONCES.mint(minted_at);
    if let Ok(age) = NONCES.check(&nonce, now) {
        assert_eq!(age.minted_at, minted_at);
        assert!(age.ends_at > now, "it has ended");
        assert!(age.ends_at.since(minted_at) <= NONCES.lifetime());
        assert!(minted_at <= now.plus(Duration::from_secs(60)));
        assert_eq!(NONCES.check(&nonce, age.ends_at), Err(NonceRefusal::Stale));
    }
    if let [at, character, ..] = rest
        && character.is_ascii()
    {
        let mut changed = nonce.clone().into_bytes();
        let at = usize::from(*at) % changed.len();
        changed[at] = *character;
        let changed = String::from_utf8(changed).expect("it is ASCII");
        let read = NONCES.check(&changed, now);
        assert!(changed == nonce || read == Err(NonceRefusal::Unknown));
    }
}
