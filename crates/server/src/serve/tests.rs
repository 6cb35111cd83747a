//! A whole listener on a clock that stands still until everybody waits.

use std::future::{Ready, pending, ready};
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use h2::client::SendRequest;
use http_body::Frame;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::*;
use crate::listen::Place;

/// How long a call takes that takes long: less than a connection that is asked to end has.
const LATER: Duration = Duration::from_secs(20);

/// What the service does, by path.
#[derive(Clone, Default)]
struct Echo {
    /// Bytes of endless answers that were taken from the service.
    taken: Arc<AtomicUsize>,
}

impl Service<Request<Body>> for Echo {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = futures_util::future::Either<
        Ready<Result<Response<Body>, Infallible>>,
        std::pin::Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>,
    >;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        use futures_util::future::Either::{Left, Right};
        match request.uri().path() {
            "/panic" => panic!("as asked"),
            "/never" => Right(Box::pin(pending())),
            "/later" => Right(Box::pin(async {
                sleep(LATER).await;
                Ok(Response::new(Body::empty()))
            })),
            "/slow" => Right(Box::pin(async {
                sleep(Duration::from_millis(20)).await;
                Ok(Response::new(Body::empty()))
            })),
            "/watch" => Left(ready(Ok(Response::new(Body::new(
                http_body_util::StreamBody::new(futures_util::stream::pending::<
                    Result<Frame<Bytes>, Infallible>,
                >()),
            ))))),
            "/whole" => Right(Box::pin(async move {
                let mut body = request.into_body();
                while let Some(frame) = http_body_util::BodyExt::frame(&mut body).await {
                    if frame.is_err() {
                        return pending().await;
                    }
                }
                Ok(Response::new(Body::empty()))
            })),
            "/endless" => Left(ready(Ok(Response::new(Body::new(Endless(Arc::clone(
                &self.taken,
            ))))))),
            _ => Left(ready(Ok(Response::new(Body::empty())))),
        }
    }
}

/// An answer without an end.
struct Endless(Arc<AtomicUsize>);

impl http_body::Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = Bytes::from_static(&[0; 1024]);
        self.0.fetch_add(piece.len(), Ordering::Relaxed);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }
}

/// Connections that a test makes.
struct Made(Mutex<mpsc::UnboundedReceiver<DuplexStream>>);

impl Listener for Made {
    type Accepted = DuplexStream;
    type Stream = DuplexStream;

    async fn accept(&self) -> io::Result<Option<DuplexStream>> {
        match self.0.lock().await.recv().await {
            Some(stream) => Ok(Some(stream)),
            None => pending().await,
        }
    }

    fn waiting(self) -> impl Iterator<Item = DuplexStream> {
        let mut made = self.0.into_inner();
        std::iter::from_fn(move || made.try_recv().ok())
    }

    fn open(accepted: DuplexStream) -> io::Result<DuplexStream> {
        Ok(accepted)
    }
}

struct Edge {
    connect: mpsc::UnboundedSender<DuplexStream>,
    service: Echo,
    places: Places,
    stop: Stop,
    serving: JoinHandle<Result<(), ServeError>>,
}

impl Edge {
    fn on(workers: Workers) -> Self {
        Self::of(Peers::Callers, workers)
    }

    fn of(peers: Peers, workers: Workers) -> Self {
        let (connect, made) = mpsc::unbounded_channel();
        let (service, places, stop) = (Echo::default(), Places::new(100), Stop::default());
        let serving = tokio::spawn(serve(
            Made(Mutex::new(made)),
            None,
            service.clone(),
            peers,
            places.clone(),
            workers,
            stop.clone(),
        ));
        Self {
            connect,
            service,
            places,
            stop,
            serving,
        }
    }

    fn here() -> Self {
        Self::on(Workers::here())
    }

    /// Takes so many places that they run short, and gives them back when it is dropped.
    async fn scarce(&self) -> Vec<Place> {
        let mut taken = Vec::new();
        while self.places.taken() < 80 {
            taken.push(self.places.next().await);
        }
        taken
    }

    fn connect(&self) -> DuplexStream {
        let (ours, theirs) = duplex(1024 * 1024);
        self.connect.send(theirs).expect("it serves");
        ours
    }

    /// An honest peer, and when its connection ends.
    async fn greet(&self) -> (SendRequest<Bytes>, JoinHandle<Duration>) {
        let begun = Instant::now();
        let (sender, connection) = h2::client::handshake(self.connect())
            .await
            .expect("greeted");
        let ends = tokio::spawn(async move {
            let _ = connection.await;
            begun.elapsed()
        });
        (sender.ready().await.expect("ready"), ends)
    }

    async fn all_places_are_free(&self) {
        let freed = async {
            // But for the one that waits for the next connection.
            while self.places.taken() > 1 {
                sleep(Duration::from_millis(10)).await;
            }
        };
        let due = timeout(Duration::from_secs(30), freed).await;
        due.expect("every place is given back");
    }
}

fn request(path: &str) -> Request<()> {
    Request::post(format!("http://localhost{path}"))
        .body(())
        .expect("a request")
}

/// Whether the peer was asked to end the connection (RFC 9113 §6.8), and told that nothing is wrong.
async fn was_asked(sender: &mut SendRequest<Bytes>) -> bool {
    let refused = call(sender, "/").await.expect_err("the connection is over");
    asks(&refused)
}

fn asks(error: &h2::Error) -> bool {
    error.is_go_away() && error.is_remote() && error.reason() == Some(h2::Reason::NO_ERROR)
}

async fn call(sender: &mut SendRequest<Bytes>, path: &str) -> Result<(), h2::Error> {
    let (answer, _) = sender.send_request(request(path), true)?;
    answer.await.map(drop)
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// RFC 9113 §6.
const GOAWAY: u8 = 7;

/// RFC 9113 §4.1.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("small").to_be_bytes();
    let head = [length[1], length[2], length[3], kind, flags];
    [&head[..], &stream.to_be_bytes(), payload].concat()
}

fn settings() -> Vec<u8> {
    frame(4, 0, 0, &[])
}

/// RFC 9113 §6.2.
const HEADERS: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// POST http://x/never (RFC 7541): two of the static table, the path, and an authority.
fn head(flags: u8) -> Vec<u8> {
    frame(HEADERS, flags, 1, b"\x83\x86\x04\x06/never\x01\x01x")
}

/// Reads until the connection is cut: whether it was asked to end before, and after how long it
/// was cut.
async fn ended(mut stream: DuplexStream) -> (bool, Duration) {
    let begun = Instant::now();
    let mut asked = false;
    loop {
        let mut head = [0; 9];
        if stream.read_exact(&mut head).await.is_err() {
            return (asked, begun.elapsed());
        }
        asked |= head[3] == GOAWAY;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        if stream.read_exact(&mut payload).await.is_err() {
            return (asked, begun.elapsed());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_asks_for_nothing_is_cut_after_five_seconds() {
    let edge = Edge::here();
    for (what, sent, asked) in [
        ("nothing", vec![], false),
        ("half a preface", PREFACE[..10].to_vec(), false),
        ("half a greeting", PREFACE.to_vec(), true),
        ("a greeting", [PREFACE, &settings()].concat(), true),
        (
            "half a frame",
            [PREFACE, &settings(), &head(END_HEADERS)[..12]].concat(),
            true,
        ),
        (
            "half a head",
            [PREFACE, &settings(), &head(0)].concat(),
            true,
        ),
        (
            "a head without its body",
            [PREFACE, &settings(), &head(END_HEADERS)].concat(),
            true,
        ),
    ] {
        let mut stream = edge.connect();
        stream.write_all(&sent).await.expect("written");
        let (was_asked, after) = ended(stream).await;
        assert_eq!(was_asked, asked, "{what}");
        assert_eq!(after.as_secs(), 5, "{what}: {after:?}");
    }
    edge.all_places_are_free().await;
}

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
