use std::sync::atomic::AtomicU32;
use std::task::{Wake, Waker};

use countersign_jose::json;

use super::*;

#[derive(Default)]
struct Woken(AtomicU32);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn claims(signer: u8) -> Arc<Claims> {
    let payload = br#"{"iss":"i","sub":"s","client_id":"c","jti":"j","aud":"a","iat":1,"exp":2}"#;
    let payload = json::object(payload).unwrap();
    let signer = Thumbprint::from_bytes([signer; 32]);
    Arc::new(Claims::read(&payload, "i", signer).unwrap())
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
    streams.revoke(|_, _| false);
    for woken in &woken {
        assert_eq!(woken.0.load(Ordering::SeqCst), 0);
    }
    streams.revoke(|_, issued_at| issued_at == UnixTime::from_secs(1));
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
    assert_eq!(Arc::strong_count(&claims), 1);
}

#[test]
fn a_revocation_that_comes_while_a_stream_opens_ends_it() {
    let streams = Arc::new(OpenStreams::default());
    let ended = |place: &Arc<Place>| {
        let mut cx = Context::from_waker(Waker::noop());
        place.poll_ended(Direction::Answered, &mut cx).is_ready()
    };
    // Before it has its place: whoever asks then is told.
    streams.revoke(|_, _| true);
    assert!(ended(&streams.open(claims(1), |_| false)));
    // While it is asked whether the token stands: the revocation finds the stream.
    let place = streams.open(claims(1), |_| {
        streams.revoke(|_, _| true);
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
