//! Who does not read, and who reads slowly.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::super::SEND_BYTES_MAX;
use super::edge::{Edge, request};

#[tokio::test(start_paused = true)]
async fn who_does_not_read_holds_little_and_is_cut_after_half_a_minute() {
    let edge = Edge::here();
    let (mut sender, ends) = edge.greet().await;
    let begun = Instant::now();
    let mut unread = Vec::new();
    for _ in 0..10 {
        let (answer, _) = sender
            .send_request(request("/endless"), true)
            .expect("sent");
        unread.push(answer.await.expect("begun"));
    }
    sleep(Duration::from_secs(1)).await;
    // What the peer's windows let through (64 KiB in all), and what waits in each stream.
    let most = 64 * 1024 + unread.len() * (SEND_BYTES_MAX + 2 * 1024);
    let taken = edge.service.taken.load(Ordering::Relaxed);
    assert!(taken <= most, "{taken} bytes of at most {most}");
    ends.await.expect("ended");
    let after = begun.elapsed().as_secs();
    assert!((30..=40).contains(&after), "{after}");
    edge.all_places_are_free().await;
}

#[tokio::test(start_paused = true)]
async fn who_reads_slowly_is_served() {
    let edge = Edge::here();
    let (mut sender, ends) = edge.greet().await;
    let (answer, _) = sender
        .send_request(request("/endless"), true)
        .expect("sent");
    let mut body = answer.await.expect("begun").into_body();
    for _ in 0..10 {
        sleep(Duration::from_secs(20)).await;
        let piece = body.data().await.expect("there is more").expect("a piece");
        let room = body.flow_control().release_capacity(piece.len());
        room.expect("released");
    }
    assert!(!ends.is_finished());
}
