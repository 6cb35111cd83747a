//! Who asks for nothing.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::time::Instant;

use super::edge::Edge;
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
