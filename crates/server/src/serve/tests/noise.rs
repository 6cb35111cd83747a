//! Frames that belong to no call.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::Instant;

use super::edge::Edge;
use super::frames::{PREFACE, frame, settings};

#[tokio::test(start_paused = true)]
async fn noise_is_cut_off() {
    for (what, noise) in [
        ("pings", frame(6, 0, 0, &[0; 8])),
        ("settings", settings()),
        // Priority frames mean nothing any more.
        ("priorities", frame(2, 0, 1, &[0; 5])),
        ("unknown frames", frame(0xbb, 0, 0, &[0; 100])),
    ] {
        let edge = Edge::here();
        let (mut reader, mut writer) = tokio::io::split(edge.connect());
        tokio::spawn(async move {
            let mut buffer = vec![0; 64 * 1024];
            while matches!(reader.read(&mut buffer).await, Ok(1..)) {}
        });
        let begun = Instant::now();
        let greeting = [PREFACE, &settings()].concat();
        writer.write_all(&greeting).await.expect("written");
        let mut sent = 0;
        while writer.write_all(&noise).await.is_ok() {
            sent += noise.len();
            assert!(sent < 4 * 1024 * 1024, "{what}: it is still open");
            tokio::task::yield_now().await;
        }
        assert!(sent > 256 * 1024, "{what}: {sent} bytes are no flood yet");
        assert!(
            begun.elapsed() < Duration::from_secs(4),
            "not for being silent"
        );
        edge.all_places_are_free().await;
    }
}
