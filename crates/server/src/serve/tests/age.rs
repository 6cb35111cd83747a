//! Connections that have nothing to do, or are old.

use std::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

use super::edge::{Edge, asks, call, request, was_asked};

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_asked_to_end() {
    let edge = Edge::here();
    let (mut sender, ends) = edge.greet().await;
    for _ in 0..3 {
        call(&mut sender, "/").await.expect("answered");
        sleep(Duration::from_secs(40)).await;
    }
    let after = ends.await.expect("ended");
    assert_eq!(after.as_secs(), 2 * 40 + 60, "{after:?}");
    assert!(was_asked(&mut sender).await);
}

#[tokio::test(start_paused = true)]
async fn an_old_connection_is_asked_to_end_and_its_calls_finish() {
    let edge = Edge::here();
    let (mut sender, ends) = edge.greet().await;
    let begun = Instant::now();
    // Whatever was sent before it heard of it is answered.
    let mut answers = tokio::task::JoinSet::new();
    let refused = loop {
        match sender.send_request(request("/later"), true) {
            Ok((answer, _)) => answers.spawn(answer),
            Err(refused) => break refused,
        };
        assert!(begun.elapsed().as_secs() < 400, "it is for ever");
        sleep(Duration::from_secs(1)).await;
    };
    assert!(asks(&refused), "{refused}");
    let after = begun.elapsed().as_secs();
    assert!((270..=331).contains(&after), "{after}");
    let mut under_way = 0;
    while let Some(answer) = answers.join_next().await {
        answer.expect("no panic").expect("answered");
        under_way += usize::from(begun.elapsed().as_secs() > after);
    }
    assert!(under_way > 10, "{under_way}");
    ends.await.expect("ended");
}

/// Callers that know what GOAWAY means: they connect again, and repeat what was refused by it. They
/// call more often when it is due, at instants at which it is sent, too.
#[tokio::test(start_paused = true)]
async fn callers_that_heed_goaway_fail_no_call_when_a_connection_ages() {
    let edge = Edge::here();
    let begun = Instant::now();
    let connections = Mutex::new(vec![edge.greet().await.0]);
    let caller = async || {
        while begun.elapsed().as_secs() < 400 {
            for path in ["/", "/slow"] {
                while let Err((number, refused)) = called(&connections, path).await {
                    assert!(asks(&refused), "{refused}");
                    let mut all = connections.lock().await;
                    if all.len() == number {
                        all.push(edge.greet().await.0);
                    }
                }
            }
            let due = (269..=332).contains(&begun.elapsed().as_secs());
            sleep(Duration::from_millis(if due { 30 } else { 500 })).await;
        }
    };
    futures_util::future::join_all((0..4).map(|_| caller())).await;
    assert_eq!(connections.into_inner().len(), 2);
}

/// A call on the newest of these connections; on which, if it failed.
async fn called(
    connections: &Mutex<Vec<SendRequest<Bytes>>>,
    path: &str,
) -> Result<(), (usize, h2::Error)> {
    let (number, mut newest) = {
        let all = connections.lock().await;
        (all.len(), all.last().expect("one").clone())
    };
    let answered = call(&mut newest, path).await;
    answered.map_err(|refused| (number, refused))
}

#[tokio::test(start_paused = true)]
async fn who_does_not_end_when_asked_is_cut() {
    let edge = Edge::here();
    let (mut sender, ends) = edge.greet().await;
    call(&mut sender, "/").await.expect("answered");
    let begun = Instant::now();
    call(&mut sender, "/never").await.expect_err("cut");
    let after = begun.elapsed().as_secs();
    assert!((300..=361).contains(&after), "{after}");
    ends.await.expect("ended");
    edge.all_places_are_free().await;
}
