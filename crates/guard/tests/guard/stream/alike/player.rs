//! A service whose handlers do what the call's metadata says.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use countersign::example::v1::order_service_server::OrderService;
use countersign::example::v1::{
    CreateOrderRequest, CreateOrderResponse, ExchangeOrdersRequest, ExchangeOrdersResponse,
    GetOrderRequest, GetOrderResponse, ImportOrdersRequest, ImportOrdersResponse, Order,
    PingRequest, PingResponse, PurgeOrdersRequest, PurgeOrdersResponse, WatchOrdersRequest,
    WatchOrdersResponse,
};
use tokio::sync::Notify;
use tokio_stream::{Stream, StreamExt as _};
use tonic::metadata::{BinaryMetadataValue, MetadataMap};
use tonic::{Code, Request, Response, Status, Streaming};

/// The metadata that says what a handler is to play.
pub(super) const PLAY: &str = "play";

/// Of a message where there are many.
pub(super) const MESSAGE_BYTES: usize = 1024;

pub(super) struct Player(pub(super) Arc<Played>);

/// What handlers did, and are to do.
#[derive(Default)]
pub(super) struct Played {
    running: AtomicUsize,
    produced: AtomicUsize,
    /// Handlers that wait go on.
    pub(super) go: Notify,
}

impl Played {
    /// How many handlers, or streams of theirs, are there.
    pub(super) fn running(&self) -> usize {
        self.running.load(Ordering::SeqCst)
    }

    /// How many messages streams were asked for.
    pub(super) fn produced(&self) -> usize {
        self.produced.load(Ordering::SeqCst)
    }
}

/// A handler that is there.
struct Running(Arc<Played>);

impl Running {
    fn begin(played: &Arc<Played>) -> Self {
        played.running.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(played))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

type Sent<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// A handler's stream, which is there for as long as `running`.
fn sent<T: 'static>(
    running: Running,
    items: impl Stream<Item = Result<String, Status>> + Send + 'static,
    message: fn(Order) -> T,
) -> Response<Sent<T>> {
    let items = items.map(move |item| {
        running.0.produced.fetch_add(1, Ordering::SeqCst);
        item.map(|item| {
            message(Order {
                item,
                ..Order::default()
            })
        })
    });
    let mut response = Response::new(Box::pin(items) as Sent<T>);
    note(response.metadata_mut(), "head");
    response
}

fn note(metadata: &mut MetadataMap, what: &str) {
    metadata.insert("said-by", what.parse().unwrap());
    let bytes = BinaryMetadataValue::from_bytes(&[0, 255, 7]);
    metadata.append_bin("said-bin", bytes);
    metadata.append("said-by", "twice".parse().unwrap());
}

/// With everything that a status can have.
fn failure() -> Status {
    let mut metadata = MetadataMap::new();
    note(&mut metadata, "trailers");
    let details = Bytes::from_static(b"\x08\x09details");
    Status::with_details_and_metadata(Code::DataLoss, "50 % of it – lost", details, metadata)
}

/// No failure, but metadata at the end.
fn last_words() -> Status {
    let mut metadata = MetadataMap::new();
    note(&mut metadata, "trailers");
    Status::with_metadata(Code::Ok, "", metadata)
}

fn item(text: &str) -> Result<String, Status> {
    Ok(text.to_owned())
}

fn large() -> Result<String, Status> {
    Ok("x".repeat(MESSAGE_BYTES))
}

fn play<T>(request: &Request<T>) -> String {
    let play = request.metadata().get(PLAY).unwrap();
    play.to_str().unwrap().to_owned()
}

#[tonic::async_trait]
impl OrderService for Player {
    type WatchOrdersStream = Sent<WatchOrdersResponse>;

    async fn watch_orders(
        &self,
        request: Request<WatchOrdersRequest>,
    ) -> Result<Response<Self::WatchOrdersStream>, Status> {
        let running = Running::begin(&self.0);
        let message = |order| WatchOrdersResponse { order: Some(order) };
        let two = tokio_stream::iter([item("one"), item("two")]);
        Ok(match &*play(&request) {
            "empty" => sent(running, tokio_stream::empty(), message),
            "two" => sent(running, two, message),
            "last words" => {
                let last = tokio_stream::once(Err(last_words()));
                sent(running, two.chain(last), message)
            }
            "fails" => {
                let last = tokio_stream::once(Err(failure()));
                sent(running, two.chain(last), message)
            }
            "refuses" => return Err(failure()),
            "one" => {
                let more = tokio_stream::pending();
                sent(
                    running,
                    tokio_stream::once(item("one")).chain(more),
                    message,
                )
            }
            "one, then another" => {
                let played = Arc::clone(&self.0);
                let (tell, told) = tokio::sync::mpsc::channel(1);
                tokio::spawn(async move {
                    let _ = tell.send(item("one")).await;
                    tokio::select! {
                        () = played.go.notified() => {
                            let _ = tell.send(item("another")).await;
                        }
                        () = tell.closed() => {}
                    }
                });
                let told = tokio_stream::wrappers::ReceiverStream::new(told);
                sent(running, told, message)
            }
            "forever" => {
                let all = futures_util::stream::repeat_with(large);
                sent(running, all, message)
            }
            other => panic!("no play for a watch: {other}"),
        })
    }

    async fn import_orders(
        &self,
        request: Request<Streaming<ImportOrdersRequest>>,
    ) -> Result<Response<ImportOrdersResponse>, Status> {
        let _running = Running::begin(&self.0);
        let play = play(&request);
        let mut orders = request.into_inner();
        let most = match &*play {
            "all" => usize::MAX,
            "first" => 1,
            "two, then fails" => 2,
            "reads nothing" => return std::future::pending().await,
            "waits, then all" => {
                self.0.go.notified().await;
                usize::MAX
            }
            other => panic!("no play for an import: {other}"),
        };
        let mut count = 0;
        while count < most && orders.message().await?.is_some() {
            count += 1;
        }
        if play == "two, then fails" {
            return Err(failure());
        }
        let count = i32::try_from(count).unwrap();
        let mut response = Response::new(ImportOrdersResponse { count });
        note(response.metadata_mut(), "head");
        Ok(response)
    }

    type ExchangeOrdersStream = Sent<ExchangeOrdersResponse>;

    async fn exchange_orders(
        &self,
        request: Request<Streaming<ExchangeOrdersRequest>>,
    ) -> Result<Response<Self::ExchangeOrdersStream>, Status> {
        let running = Running::begin(&self.0);
        let message = |order| ExchangeOrdersResponse { order: Some(order) };
        let play = play(&request);
        let asks = request.into_inner();
        let echo = asks.map(|asked| asked.map(|asked| asked.item));
        Ok(match &*play {
            "echo, then bye" => {
                let bye = tokio_stream::once(item("bye"));
                sent(running, echo.chain(bye), message)
            }
            "first" => sent(running, echo.take(1), message),
            "two, then fails" => {
                let last = tokio_stream::once(Err(failure()));
                sent(running, echo.take(2).chain(last), message)
            }
            "empty" => sent(running, tokio_stream::empty(), message),
            "reads nothing" => {
                let played = Arc::clone(&self.0);
                let silent = futures_util::stream::once(async move {
                    played.go.notified().await;
                    item("done")
                });
                sent(running, silent.holding(echo), message)
            }
            "forever" => {
                let all = futures_util::stream::repeat_with(large);
                sent(running, all.holding(echo), message)
            }
            other => panic!("no play for an exchange: {other}"),
        })
    }

    async fn create_order(
        &self,
        _: Request<CreateOrderRequest>,
    ) -> Result<Response<CreateOrderResponse>, Status> {
        Err(Status::unimplemented("not a stream"))
    }

    async fn get_order(
        &self,
        _: Request<GetOrderRequest>,
    ) -> Result<Response<GetOrderResponse>, Status> {
        Err(Status::unimplemented("not a stream"))
    }

    async fn ping(&self, _: Request<PingRequest>) -> Result<Response<PingResponse>, Status> {
        Err(Status::unimplemented("not a stream"))
    }

    async fn purge_orders(
        &self,
        _: Request<PurgeOrdersRequest>,
    ) -> Result<Response<PurgeOrdersResponse>, Status> {
        Err(Status::unimplemented("not a stream"))
    }
}

/// A stream that holds another one and never reads it.
trait Holding: Stream + Sized {
    fn holding<S>(self, held: S) -> impl Stream<Item = Self::Item>
    where
        S: Stream,
    {
        self.map(move |each| {
            let _held = &held;
            each
        })
    }
}

impl<S: Stream> Holding for S {}
