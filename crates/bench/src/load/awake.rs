//! A load that does not sleep.

use tokio::task::{JoinHandle, spawn, yield_now};

/// While there is one, this thread looks for answers without ever waiting for them.
///
/// Whoever writes to a socket whose reader sleeps wakes the reader's core, and pays for it: in a
/// virtual machine 10 µs and more, as much as all the rest of a write. That is a price of a load on
/// the same machine, not of a server; callers elsewhere do not take it. Answers over one connection
/// share a write, and so a waking. Between servers that write for every answer and such that do not,
/// it would be most of what is measured.
pub(crate) struct Awake(JoinHandle<()>);

impl Awake {
    /// From now on; needs a tokio runtime, on whose thread that is.
    pub(crate) fn begin() -> Self {
        Self(spawn(async {
            loop {
                yield_now().await;
            }
        }))
    }
}

impl Drop for Awake {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::sleep;

    use super::*;
    use crate::run::own_time;

    /// The processor time of this thread while it waits for `span`.
    async fn waiting(span: Duration) -> Duration {
        let before = own_time().expect("told");
        sleep(span).await;
        own_time().expect("told") - before
    }

    #[tokio::test]
    async fn a_thread_that_is_kept_awake_works_while_it_waits() {
        let span = Duration::from_millis(300);
        let awake = Awake::begin();
        let kept = waiting(span).await;
        drop(awake);
        let left = waiting(span).await;
        assert!(left < kept / 4, "{left:?}, kept awake {kept:?}");
    }
}
