//! Who asks for nothing.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::time::Instant;

use super::edge::{Edge, LATER, call, request, was_asked};
use super::frames::{END_HEADERS, GOAWAY, PREFACE, head, settings};

#[tokio::test(start_paused = true)]
async fn who_asks_for_nothing_is_cut_after_five_seconds() {
    let edge = Edge::here();
    for (what, sent, asked) in [
        ("nothing", vec![], false),
        ("half a preface", PREFACE[..10].to_vec(), false),
        ("half a greeting", PREFACE.to_vec(), true),
        ("a greeting", [PREFACE, &settings()].concat(), true),
        (
            "half a frame",
            [PREFACE, &settings(), &head(END_HEADERS)[..12]].concat(),
            true,
        ),
        (
            "half a head",
            [PREFACE, &settings(), &head(0)].concat(),
            true,
        ),
        (
            "a head without its body",
            [PREFACE, &settings(), &head(END_HEADERS)].concat(),
            true,
        ),
    ] {
        let mut stream = edge.connect();
        stream.write_all(&sent).await.expect("written");
        let (was_asked, after) = ended(stream).await;
        assert_eq!(was_asked, asked, "{what}");
        assert_eq!(after.as_secs(), 5, "{what}: {after:?}");
    }
    edge.all_places_are_free().await;
}

/// On a connection whose first it is, as on any other; and nobody stays longer for it.
#[tokio::test(start_paused = true)]
async fn who_sends_half_a_request_is_told_so_before_he_is_cut() {
    let edge = Edge::here();
    for scarce in [false, true] {
        let taken = match scarce {
            true => edge.scarce().await,
            false => Vec::new(),
        };
        let begun = Instant::now();
        let (mut sender, ends) = edge.greet().await;
        let (answer, mut body) = sender.send_request(request("/rest"), false).expect("sent");
        body.send_data("half".into(), false).expect("sent");
        let answer = answer.await.expect("answered");
        assert_eq!(answer.status(), 408, "{scarce}");
        let due_millis = if scarce { 850 } else { 4_250 };
        assert_eq!(begun.elapsed().as_millis(), due_millis, "{scarce}");
        // It goes on with nothing, and does not even take its half back.
        let after = ends.await.expect("ended");
        assert!(after.as_millis() <= due_millis + 1_000, "{after:?}");
        assert!(was_asked(&mut sender).await, "{scarce}");
        drop(body);
        drop(taken);
    }
    // A connection that has greeted has its own time.
    let (mut sender, _ends) = edge.greet().await;
    call(&mut sender, "/").await.expect("answered");
    let begun = Instant::now();
    let (answer, _body) = sender.send_request(request("/rest"), false).expect("sent");
    assert_eq!(answer.await.expect("answered").status(), 408);
    assert_eq!(begun.elapsed(), LATER);
}

/// Reads until the connection is cut: whether it was asked to end before, and after how long it
/// was cut.
async fn ended(mut stream: DuplexStream) -> (bool, Duration) {
    let begun = Instant::now();
    let mut asked = false;
    loop {
        let mut head = [0; 9];
        if stream.read_exact(&mut head).await.is_err() {
            return (asked, begun.elapsed());
        }
        asked |= head[3] == GOAWAY;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        if stream.read_exact(&mut payload).await.is_err() {
            return (asked, begun.elapsed());
        }
    }
}
