//! A worker that outlives a panic, and peers that a stop meets.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::time::timeout;

use super::super::Workers;
use super::edge::{Edge, call};
use super::frames::{END_HEADERS, END_STREAM, HEADERS, PREFACE, frame, settings};

/// Real time: the other thread's clock does not stand still.
#[tokio::test]
async fn a_panic_ends_its_connection_and_not_its_worker() {
    let edge = Edge::on(Workers::start(1).expect("started"));
    for _ in 0..3 {
        let (mut sender, ends) = edge.greet().await;
        call(&mut sender, "/panic").await.expect_err("panics");
        ends.await.expect("ended");
        edge.all_places_are_free().await;
    }
    let (mut sender, _) = edge.greet().await;
    call(&mut sender, "/").await.expect("answered");
    edge.stop.begun.cancel();
    let served = timeout(Duration::from_secs(30), edge.serving).await;
    served
        .expect("in time")
        .expect("no panic")
        .expect("ended well");
}

#[tokio::test]
async fn who_waits_at_the_stop_is_served() {
    let edge = Edge::here();
    // Nothing runs in between: none has been accepted when the stop begins.
    edge.stop.begun.cancel();
    let mut waiting = Vec::new();
    for _ in 0..3 {
        let mut stream = edge.connect();
        let call = frame(
            HEADERS,
            END_HEADERS | END_STREAM,
            1,
            b"\x83\x86\x84\x01\x01x",
        );
        let said = [PREFACE, &settings(), &call].concat();
        stream.write_all(&said).await.expect("written");
        waiting.push(stream);
    }
    for mut stream in waiting {
        assert!(is_answered(&mut stream).await);
    }
    // They answer no ping, and so do not end by themselves.
    edge.stop.cut.cancel();
    edge.serving.await.expect("no panic").expect("ended well");
}

/// Whether the head of an answer comes.
async fn is_answered(stream: &mut DuplexStream) -> bool {
    loop {
        let mut head = [0; 9];
        if stream.read_exact(&mut head).await.is_err() {
            return false;
        }
        if head[3] == HEADERS {
            return true;
        }
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        stream
            .read_exact(&mut payload)
            .await
            .expect("a whole frame");
    }
}
