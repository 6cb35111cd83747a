//! A server whose processor time can be asked for.

use std::pin::Pin;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use countersign::example::v1::order_service_client::OrderServiceClient;
use countersign::example::v1::order_service_server::OrderServiceServer;
use countersign_jose::PublicKey;
use countersign_telemetry::{
    LogFormat, LogSink, Logs, ServerLayer, Service, Settings, Telemetry, Traces,
};
use rustix::time::{ClockId, clock_gettime};
use tokio::runtime::{self, Runtime};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Server};
use tracing::dispatcher::{self, DefaultGuard};

use crate::STREAMS;
use crate::caller::Caller;
use crate::guards::{Knows, guard};
use crate::orders::{ByHand, Echo};

/// What a server does before it answers.
pub(crate) enum Serves {
    /// Nothing.
    Bare,
    /// Verifies the proof's signature by this key.
    ByHand(PublicKey),
    /// All that a guard does, which trusts this issuer.
    Guarded(PublicKey, Knows),
    /// The same, and one trace in a hundred goes to this collector.
    Traced(PublicKey, Knows, String),
}

/// A server on its own thread.
pub(crate) struct Measured {
    pub(crate) channel: Channel,
    ask: mpsc::UnboundedSender<oneshot::Sender<Duration>>,
}

impl Measured {
    pub(crate) fn start(callers: &Runtime, serves: Serves) -> Self {
        let (ask, asked) = mpsc::unbounded_channel();
        let (address, listening) = oneshot::channel();
        thread::spawn(move || {
            let _telemetry = match &serves {
                Serves::Traced(_, _, collector) => Some(traced(collector)),
                Serves::Bare | Serves::ByHand(_) | Serves::Guarded(..) => None,
            };
            let runtime = runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async move {
                let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
                address.send(incoming.local_addr().unwrap()).unwrap();
                let incoming = incoming.with_nodelay(Some(true));
                tokio::select! {
                    () = serve(serves, incoming) => {}
                    () = tell(asked) => {}
                }
            });
        });
        let channel = callers.block_on(async {
            let url = format!("http://{}", listening.await.unwrap());
            Channel::from_shared(url)
                .unwrap()
                .tcp_nodelay(true)
                .connect()
                .await
                .unwrap()
        });
        Self { channel, ask }
    }

    /// The server's processor time for so many calls.
    pub(crate) fn measure(
        &self,
        callers: &Runtime,
        caller: &Arc<Caller>,
        calls: usize,
    ) -> Duration {
        callers.block_on(async {
            let before = self.thread_time().await;
            let mut streams = JoinSet::new();
            for stream in 0..STREAMS {
                let caller = Arc::clone(caller);
                let mut orders = OrderServiceClient::new(self.channel.clone());
                let share = calls / STREAMS + usize::from(stream < calls % STREAMS);
                streams.spawn(async move {
                    for _ in 0..share {
                        orders.create_order(caller.request()).await.unwrap();
                    }
                });
            }
            streams.join_all().await;
            self.thread_time().await - before
        })
    }

    pub(crate) async fn thread_time(&self) -> Duration {
        let (reply, time) = oneshot::channel();
        self.ask.send(reply).unwrap();
        time.await.unwrap()
    }
}

async fn serve(serves: Serves, incoming: TcpIncoming) {
    let echo = OrderServiceServer::new(Echo);
    let served: Pin<Box<dyn Future<Output = _>>> = match serves {
        Serves::Bare => {
            let server = Server::builder().add_service(echo);
            Box::pin(server.serve_with_incoming(incoming))
        }
        Serves::ByHand(caller) => {
            let orders = OrderServiceServer::new(ByHand(caller));
            let server = Server::builder().add_service(orders);
            Box::pin(server.serve_with_incoming(incoming))
        }
        Serves::Guarded(issuer, knows) => {
            let guard = guard(issuer, knows).await;
            let server = Server::builder().layer(guard.layer()).add_service(echo);
            Box::pin(server.serve_with_incoming(incoming))
        }
        Serves::Traced(issuer, knows, _) => {
            let guard = guard(issuer, knows).await;
            let server = Server::builder()
                .layer(ServerLayer::new())
                .layer(guard.layer())
                .add_service(echo);
            Box::pin(server.serve_with_incoming(incoming))
        }
    };
    served.await.unwrap();
}

/// Tells the thread's processor time to whoever asks.
async fn tell(mut asked: mpsc::UnboundedReceiver<oneshot::Sender<Duration>>) {
    while let Some(reply) = asked.recv().await {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        let time = Duration::new(
            time.tv_sec.try_into().unwrap(),
            time.tv_nsec.try_into().unwrap(),
        );
        reply.send(time).unwrap();
    }
}

/// Of this thread alone: the others are not to pay for it.
fn traced(collector: &str) -> (DefaultGuard, Telemetry) {
    let settings = Settings {
        service: Service {
            name: "orders".to_owned(),
            version: "1".to_owned(),
            instance_id: "measured".to_owned(),
        },
        logs: Logs {
            format: LogFormat::Pretty,
            filter: "warn".to_owned(),
            sink: LogSink::Stderr,
        },
        traces: Some(Traces {
            ratio: 0.01,
            ..Traces::to(collector)
        }),
        metrics: None,
    };
    let (dispatch, telemetry) = countersign_telemetry::prepare(settings).unwrap();
    (dispatcher::set_default(&dispatch), telemetry)
}
