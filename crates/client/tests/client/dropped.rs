//! What goes on in the background ends with the client.

use std::time::Duration;

use countersign_client::{Builder, Credential};
use tokio::runtime::Handle;

use crate::stand::{Stand, Step, until};

/// A token service that takes its time is asked, and then nobody is there any more.
#[test]
fn no_task_is_left_of_a_client_that_was_dropped() {
    let runtime = || {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap()
    };
    // The servers' tasks are not counted.
    let servers = runtime();
    let stand = servers.block_on(Stand::start());
    let clock = stand.clock.clone();
    runtime().block_on(async {
        let tasks = || Handle::current().metrics().num_alive_tasks();
        assert_eq!(tasks(), 0);
        let countersign = Builder::new(&stand.tokens_url)
            .client("checkout", Credential::ClientSecret("s3cret".into()))
            .clock(clock)
            .connect()
            .await
            .unwrap();
        let tokens = countersign.tokens(Vec::new(), Vec::new());
        let channel = countersign.channel(&stand.orders_url);
        let channel = channel.warm().await.unwrap();
        tokens.token().await.unwrap();
        stand.clock.advance(241);
        let never = Duration::from_secs(3600);
        stand.tokens.script.then([Step::After(never)]);
        tokens.token().await.unwrap();
        until("a renewal is under way", || {
            stand.tokens.script.calls() == 3
        })
        .await;
        assert!(tasks() > 0);
        drop((countersign, tokens));
        // Connections end when they are told that nobody needs them.
        drop(channel);
        until("nothing is left", || tasks() == 0).await;
    });
}
