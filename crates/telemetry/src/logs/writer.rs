//! A bounded queue of lines and the thread that writes them, because a write to
//! a pipe that nobody reads would stop the call that logs.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use tracing_subscriber::fmt::MakeWriter;

use crate::settings::{LogFormat, LogSink};

/// A burst of a second or so; at 300 bytes a line, about 2 MiB.
const LINES_MAX: usize = 8_192;

/// How often a full queue is tried again while flushing.
const RETRY_EVERY: Duration = Duration::from_millis(5);

/// The near end of the queue. A line that finds it full is dropped, and the next
/// that is written says how many were.
#[derive(Clone, Debug)]
pub(crate) struct Lines {
    queue: SyncSender<Message>,
    dropped: Arc<AtomicU64>,
}

#[derive(Debug)]
enum Message {
    Line(Vec<u8>),
    Flush(SyncSender<()>),
}

impl Lines {
    /// Starts the thread; also tells whether there is a terminal to colour for.
    pub(crate) fn to(sink: LogSink, format: LogFormat) -> io::Result<(Self, bool)> {
        let (out, colours): (Box<dyn Write + Send>, bool) = match sink {
            LogSink::Stderr => (
                Box::new(io::stderr()),
                io::stderr().is_terminal() && wants_colour(),
            ),
            LogSink::Writer(out) => (out, false),
        };
        let (queue, lines) = sync_channel(LINES_MAX);
        let dropped = Arc::new(AtomicU64::new(0));
        let count = dropped.clone();
        thread::Builder::new()
            .name("countersign-logs".into())
            .spawn(move || write_all(out, &lines, &count, format))?;
        Ok((Self { queue, dropped }, colours))
    }

    /// Waits until what was logged so far is written, at most until `deadline`.
    pub(crate) fn flush(&self, deadline: Instant) -> bool {
        let (done, written) = sync_channel(1);
        let mut message = Message::Flush(done);
        loop {
            match self.queue.try_send(message) {
                Ok(()) => break,
                Err(TrySendError::Disconnected(_)) => return false,
                Err(TrySendError::Full(again)) => message = again,
            }
            if Instant::now() >= deadline {
                return false;
            }
            thread::sleep(RETRY_EVERY);
        }
        written
            .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            .is_ok()
    }
}

/// The convention of no-color.org.
fn wants_colour() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

// Where even the log cannot be written there is nobody left to tell, so what
// `out` answers is not looked at.
fn write_all(
    mut out: Box<dyn Write + Send>,
    lines: &Receiver<Message>,
    dropped: &AtomicU64,
    format: LogFormat,
) {
    while let Ok(message) = lines.recv() {
        match message {
            Message::Line(line) => {
                let lost = dropped.swap(0, Ordering::Relaxed);
                if lost > 0 {
                    let _ = match format {
                        LogFormat::Pretty => writeln!(out, "{lost} log lines dropped here"),
                        LogFormat::Json => writeln!(
                            out,
                            r#"{{"level":"WARN","message":"log lines dropped here","fields":{{"count":{lost}}}}}"#
                        ),
                    };
                }
                let _ = out.write_all(&line);
            }
            Message::Flush(done) => {
                let _ = out.flush();
                let _ = done.send(());
            }
        }
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Write for Lines {
    /// The formatter hands over one whole line at a time.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.queue.try_send(Message::Line(line.to_vec())).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
