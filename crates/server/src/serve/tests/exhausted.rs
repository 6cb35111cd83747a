//! A process without a file descriptor to spare.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{DuplexStream, duplex};
use tokio::sync::{Mutex, mpsc};
use tokio::time::{Instant, timeout};

use super::super::*;
use super::edge::Made;

/// A listener of a process that has no file descriptor left for a while.
struct Exhausted {
    made: Made,
    failures: AtomicUsize,
    attempts: Arc<AtomicUsize>,
}

impl Listener for Exhausted {
    type Accepted = DuplexStream;
    type Stream = DuplexStream;

    async fn accept(&self) -> io::Result<Option<DuplexStream>> {
        self.attempts.fetch_add(1, Ordering::Relaxed);
        let left = |left: usize| left.checked_sub(1);
        let fails = self
            .failures
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, left);
        if fails.is_ok() {
            return Err(rustix::io::Errno::MFILE.into());
        }
        self.made.accept().await
    }

    fn waiting(self) -> impl Iterator<Item = DuplexStream> {
        self.made.waiting()
    }

    fn open(accepted: DuplexStream) -> io::Result<DuplexStream> {
        Ok(accepted)
    }
}

#[tokio::test(start_paused = true)]
async fn without_descriptors_it_waits_and_goes_on() {
    let (connect, made) = mpsc::unbounded_channel();
    let attempts = Arc::new(AtomicUsize::new(0));
    let listener = Exhausted {
        made: Made(Mutex::new(made)),
        failures: AtomicUsize::new(10),
        attempts: Arc::clone(&attempts),
    };
    let (ours, theirs) = duplex(64 * 1024);
    connect.send(theirs).expect("it waits");
    let begun = Instant::now();
    let accepted = async {
        let (first, accepted) = tokio::sync::oneshot::channel();
        let first = std::sync::Mutex::new(Some(first));
        let places = Places::new(100);
        tokio::select! {
            stream = accepted => stream.expect("accepted"),
            never = listen::take(&listener, &places, |stream, _| {
                let first = first.lock().expect("no panic").take();
                first.expect("only one").send(stream).expect("waited for");
            }) => match never {},
        }
    };
    let stream = timeout(Duration::from_secs(60), accepted).await;
    drop((stream.expect("accepted in the end"), ours));
    // Ten that failed, the one that did not, and perhaps the next.
    let attempts = attempts.load(Ordering::Relaxed);
    assert!((11..=12).contains(&attempts), "{attempts}");
    let waited = begun.elapsed();
    assert!(
        waited >= Duration::from_millis(10 * 50),
        "it spins: {waited:?}"
    );
    assert!(waited < Duration::from_secs(2), "it sleeps: {waited:?}");
}
