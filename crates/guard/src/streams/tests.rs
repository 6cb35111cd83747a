use std::sync::atomic::AtomicU32;
use std::task::{Wake, Waker};

use countersign_jose::{UnixTime, json};

use super::*;
use crate::revocations::{Revocation, RevokedTarget};

#[derive(Default)]
struct Woken(AtomicU32);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn claims(signer: u8) -> Arc<Claims> {
    claims_of("j", signer)
}

/// Of another token each, or of the same.
fn claims_of(token_id: &str, signer: u8) -> Arc<Claims> {
    let payload = format!(
        r#"{{"iss":"i","sub":"s","client_id":"c","jti":"{token_id}","aud":"a","iat":1,"exp":2}}"#
    );
    let payload = json::object(payload.as_bytes()).unwrap();
    let signer = Thumbprint::from_bytes([signer; 32]);
    Arc::new(Claims::read(&payload, "i", signer).unwrap())
}

fn batch(targets: impl IntoIterator<Item = RevokedTarget>, revoked_secs: u64) -> Batch {
    let revocations: Vec<_> = targets
        .into_iter()
        .map(|target| Revocation {
            target,
            revoked_at: UnixTime::from_secs(revoked_secs),
            forget_at: UnixTime::from_secs(1_000),
        })
        .collect();
    Batch::of(&revocations, UnixTime::from_secs(1))
}

/// Of every token here.
pub(crate) fn everything() -> Batch {
    batch([RevokedTarget::Everything], 1_000)
}

fn is_open(place: &Arc<Place>) -> bool {
    let mut cx = Context::from_waker(Waker::noop());
    place.poll_ended(Direction::Answered, &mut cx).is_pending()
}

#[test]
fn both_directions_learn_of_it() {
    let streams = Arc::new(OpenStreams::default());
    let place = streams.open(claims(1), |_| true);
    let woken = [Arc::new(Woken::default()), Arc::new(Woken::default())];
    let directions = [Direction::Asked, Direction::Answered];
    for (direction, woken) in directions.into_iter().zip(&woken) {
        let waker = Waker::from(Arc::clone(woken));
        let mut cx = Context::from_waker(&waker);
        assert!(place.poll_ended(direction, &mut cx).is_pending());
    }
    streams.revoke(&batch([RevokedTarget::Everything], 0));
    for woken in &woken {
        assert_eq!(woken.0.load(Ordering::SeqCst), 0);
    }
    streams.revoke(&batch([RevokedTarget::Everything], 1));
    for (direction, woken) in directions.into_iter().zip(&woken) {
        assert_eq!(woken.0.load(Ordering::SeqCst), 1);
        let mut cx = Context::from_waker(Waker::noop());
        assert!(place.poll_ended(direction, &mut cx).is_ready());
    }
}

#[test]
fn a_signer_that_goes_takes_its_streams_along() {
    let streams = Arc::new(OpenStreams::default());
    let places = [
        streams.open(claims(1), |_| true),
        streams.open(claims(2), |_| true),
    ];
    streams.keep(|signer| *signer == Thumbprint::from_bytes([2; 32]));
    let mut cx = Context::from_waker(Waker::noop());
    let mut ended = |place: &Arc<Place>| place.poll_ended(Direction::Asked, &mut cx).is_ready();
    assert!(ended(&places[0]));
    assert!(!ended(&places[1]));
}

#[test]
fn nothing_is_left_of_streams_that_are_gone() {
    let streams = Arc::new(OpenStreams::default());
    let claims = claims(1);
    let held = streams.open(Arc::clone(&claims), |_| true);
    for _ in 0..100_000 {
        let place = streams.open(Arc::clone(&claims), |_| true);
        let other_direction = Arc::clone(&place);
        drop(place);
        drop(other_direction);
    }
    assert_eq!(streams.len(), 1);
    drop(held);
    assert_eq!(streams.len(), 0);
    assert_eq!(streams.index.len(), 0);
    assert_eq!(Arc::strong_count(&claims), 1);
}

/// By each of the marks of its token, and no other stream is touched.
#[test]
fn a_revocation_finds_its_streams_among_others() {
    use RevokedTarget as Target;
    let signer = Thumbprint::from_bytes([1; 32]);
    // What is revoked, of what was issued until when, and whether it hits `j` and `other`.
    let rows = [
        (Target::Token("j".to_owned()), 0, [true, false]),
        (Target::Token("other".to_owned()), 0, [false, true]),
        (Target::Token("none".to_owned()), 1, [false, false]),
        (Target::Family("j".to_owned()), 1, [false, false]),
        (Target::Client("c".to_owned()), 1, [true, true]),
        // They were issued later.
        (Target::Client("c".to_owned()), 0, [false, false]),
        (Target::Subject("s".to_owned()), 1, [true, true]),
        (Target::Subject("c".to_owned()), 1, [false, false]),
        (Target::Signer(signer), 0, [true, false]),
        (Target::Key(signer), 1, [false, false]),
        (Target::References, 1, [false, false]),
        (Target::Everything, 1, [true, true]),
    ];
    for (target, until, hit) in rows {
        let row = format!("{target:?}");
        let streams = Arc::new(OpenStreams::default());
        let (one, other) = (claims_of("j", 1), claims_of("other", 2));
        let places = [&one, &one, &other].map(|of| streams.open(Arc::clone(of), |_| true));
        drop(streams.open(Arc::clone(&one), |_| true));
        streams.revoke(&batch([target], until));
        let open = places.each_ref().map(is_open);
        assert_eq!(open, [!hit[0], !hit[0], !hit[1]], "{row}");
        drop(places);
        assert_eq!((streams.len(), streams.index.len()), (0, 0), "{row}");
    }
}

#[test]
fn a_place_that_is_given_back_twice_takes_no_others_along() {
    let streams = Arc::new(OpenStreams::default());
    let claims = claims(1);
    let places = [(); 3].map(|()| streams.open(Arc::clone(&claims), |_| true));
    places[0].watched().end(EndCause::Expired);
    let [ended, one, two] = places;
    drop(ended);
    assert_eq!(streams.len(), 2);
    streams.revoke(&batch([RevokedTarget::Token("j".to_owned())], 1));
    assert!(!is_open(&one) && !is_open(&two));
}

/// Not a test: what a guard that begins to watch takes for a list of a million, page by page, while
/// it has 100,000 streams open; and what that took when each page looked at all of them.
///
/// ```text
/// cargo test -p countersign-guard --lib --config 'profile.dev.package.countersign-guard.opt-level=3' \
///     -- --ignored --nocapture a_million_beside_many_streams
/// ```
#[test]
#[ignore = "measures, and takes long"]
fn a_million_beside_many_streams() {
    const STREAMS: usize = 100_000;
    const PAGE: usize = 128;
    let streams = Arc::new(OpenStreams::default());
    let claims: Vec<_> = (0..STREAMS)
        .map(|n| claims_of(&format!("open-{n}"), 1))
        .collect();
    let begun = std::time::Instant::now();
    let places: Vec<_> = claims
        .into_iter()
        .map(|claims| streams.open(claims, |_| true))
        .collect();
    let opened = begun.elapsed() / STREAMS as u32;
    let pages: Vec<_> = (0..1_000_000 / PAGE)
        .map(|page| {
            let names = page * PAGE..(page + 1) * PAGE;
            batch(names.map(|n| RevokedTarget::Token(n.to_string())), 1)
        })
        .collect();

    let begun = std::time::Instant::now();
    for page in &pages {
        streams.revoke(page);
    }
    let indexed = begun.elapsed();
    let some = 20;
    let begun = std::time::Instant::now();
    for page in &pages[..some] {
        streams.end(EndCause::Revoked, |claims| {
            page.hits(claims.marks(), claims.issued_at)
        });
    }
    let looked_at = begun.elapsed() / some as u32;
    assert!(places.iter().all(is_open));
    let begun = std::time::Instant::now();
    streams.revoke(&batch([RevokedTarget::Client("c".to_owned())], 1));
    let all = begun.elapsed();
    assert!(!places.iter().any(is_open));
    let begun = std::time::Instant::now();
    drop(places);
    let dropped = begun.elapsed() / STREAMS as u32;
    println!(
        "{} pages beside {STREAMS} streams: {indexed:?}; a page that looks at all of them \
         {looked_at:?}, {:?} for all pages; a client that has all of them {all:?}; opened in \
         {opened:?} each, dropped in {dropped:?}",
        pages.len(),
        looked_at * pages.len() as u32,
    );
}

#[test]
fn a_revocation_that_comes_while_a_stream_opens_ends_it() {
    let streams = Arc::new(OpenStreams::default());
    let ended = |place: &Arc<Place>| {
        let mut cx = Context::from_waker(Waker::noop());
        place.poll_ended(Direction::Answered, &mut cx).is_ready()
    };
    // Before it has its place: whoever asks then is told.
    streams.revoke(&everything());
    assert!(ended(&streams.open(claims(1), |_| false)));
    // While it is asked whether the token stands: the revocation finds the stream.
    let place = streams.open(claims(1), |_| {
        streams.revoke(&everything());
        true
    });
    assert!(ended(&place));
}

#[test]
fn a_place_is_given_back_whatever_comes_of_opening() {
    let streams = Arc::new(OpenStreams::default());
    let opened = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        streams.open(claims(1), |_| panic!("nobody can tell"))
    }));
    assert!(opened.is_err());
    assert_eq!(streams.len(), 0);
}
