//! What becomes of connections while places run short.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::edge::{Edge, LATER, call, request, was_asked};

#[tokio::test(start_paused = true)]
async fn who_wants_little_leaves_within_seconds_when_places_run_short() {
    let edge = Edge::here();
    let (mut idle, idle_ends) = edge.greet().await;
    call(&mut idle, "/").await.expect("answered");
    let (mut watches, watch_ends) = edge.greet().await;
    let (watch, _) = watches.send_request(request("/watch"), true).expect("sent");
    let watch = watch.await.expect("begun");
    // At other times they stay.
    sleep(Duration::from_secs(30)).await;
    assert!(!idle_ends.is_finished() && !watch_ends.is_finished());

    let taken = edge.scarce().await;
    let (mut busy, busy_ends) = edge.greet().await;
    let begun = Instant::now();
    for _ in 0..10 {
        call(&mut busy, "/later").await.expect("answered");
    }
    for (mut sender, ends) in [(idle, idle_ends), (watches, watch_ends)] {
        let age = ends.await.expect("ended");
        // Until it is looked at, and a second after it was asked.
        assert!(age.as_secs() <= 30 + 5 + 1, "{age:?}");
        assert!(was_asked(&mut sender).await);
    }
    assert!(begun.elapsed() >= 10 * LATER);
    assert!(!busy_ends.is_finished(), "who asks for something stays");
    drop((watch, taken));
}
