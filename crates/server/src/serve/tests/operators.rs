//! The connections of operators.

use std::time::Duration;

use tokio::time::sleep;

use super::super::*;
use super::edge::{Edge, call, request};

/// A backup, or a watch, of an hour.
#[tokio::test(start_paused = true)]
async fn an_operators_answer_goes_on_for_as_long_as_it_takes() {
    let edge = Edge::of(Peers::Operators, Workers::here());
    let (mut sender, ends) = edge.greet().await;
    let (answer, _) = sender.send_request(request("/watch"), true).expect("sent");
    let watch = answer.await.expect("begun");
    sleep(Duration::from_secs(3_600)).await;
    assert!(!ends.is_finished(), "cut");
    call(&mut sender, "/")
        .await
        .expect("nobody is asked to end");
    // Without it, the connection is idle.
    drop(watch);
    let ended = ends.await.expect("ended");
    assert!(ended.as_secs() < 3_600 + 120, "{ended:?}");
}
