//! What the client layer adds: the same calls through a generated client, once
//! with the layer, once with headers that are attached and signed by hand. What
//! is measured is this thread's processor time, for the caller pays.

use std::sync::Arc;
use std::time::{Duration, Instant};

use countersign::example::v1::CreateOrderRequest;
use countersign::example::v1::order_service_client::OrderServiceClient;
use countersign_client::clock::{Clock as _, SystemClock};
use countersign_client::layer::DpopLayer;
use countersign_client::source::{AccessToken, GivenToken};
use countersign_dpop::{Minter, Origin};
use tokio::task::JoinSet;
use tonic::body::Body;
use tonic::client::GrpcService;
use tonic::codegen::{Body as HttpBody, Bytes, StdError};
use tonic::metadata::MetadataValue;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};
use tower::ServiceBuilder;

use super::access_tokens::AccessTokens;
use super::floor::{self, CREATE};
use super::{ORDER_ANSWER_BYTES, ORDER_REQUEST_BYTES, Side};
use crate::call::Failed;
use crate::child::ORIGIN;
use crate::load::{Measurement, Outcome};
use crate::plan::Cell;
use crate::process::{Used, own_memory_mib};
use crate::run::{Round, own_time, within};
use crate::world::Prover;
use crate::{BenchError, World, keys};

/// Longer than a run.
const LIFETIME: Duration = Duration::from_secs(600);

pub(crate) async fn round(world: &mut World, cell: Cell, side: Side) -> Result<Round, BenchError> {
    let server = cell.row.server(side, world).await?;
    let channels = channels(&server.facts().url, cell.shape.connections).await?;
    let prover = Prover::new(ORIGIN)?;
    let token = AccessTokens::new(&prover)?.token(0)?;
    let before = own_time()?;
    let work = match side {
        Side::Floor => {
            let by_hand = ByHand::new(prover, &token)?;
            within(cell.row, by_hand.calls(&channels, cell)).await?
        }
        Side::Ours => {
            let layer = layer(&token)?;
            within(cell.row, layered(&layer, &channels, cell)).await?
        }
    };
    let load = own_time()?.saturating_sub(before);
    Ok(Round {
        measurement: work,
        used: Used::processor(load),
        load,
        memory_mib: own_memory_mib()?,
    })
}

async fn channels(url: &str, count: usize) -> Result<Vec<Channel>, BenchError> {
    let mut channels = Vec::with_capacity(count);
    for _ in 0..count {
        let channel = Endpoint::from_shared(url.to_owned())
            .map_err(BenchError::preparing("a channel"))?
            .tcp_nodelay(true)
            .connect()
            .await
            .map_err(BenchError::preparing("a channel"))?;
        channels.push(channel);
    }
    Ok(channels)
}

fn layer(token: &str) -> Result<DpopLayer, BenchError> {
    let wrong = || BenchError::preparing("the caller's key");
    let clock = Arc::new(SystemClock);
    let minter = Arc::new(Minter::new(Arc::new(keys::caller().map_err(wrong())?)));
    let origin = Origin::parse(ORIGIN).map_err(BenchError::preparing("an origin"))?;
    let token = AccessToken::new(token, Vec::new(), LIFETIME, clock.now())
        .map_err(BenchError::preparing("an access token"))?;
    Ok(DpopLayer::new(minter, origin, clock).tokens(Arc::new(GivenToken::new(token))))
}

async fn layered(layer: &DpopLayer, channels: &[Channel], cell: Cell) -> Measurement {
    let clients = channels.iter().map(|channel| {
        let service = ServiceBuilder::new()
            .layer(layer.clone())
            .service(channel.clone());
        OrderServiceClient::new(service)
    });
    let clients: Vec<_> = clients.collect();
    loops(&clients, cell, || Ok(Request::new(order()))).await
}

/// What a caller would write without the layer.
struct ByHand {
    prover: Prover,
    token: String,
    authorization: MetadataValue<tonic::metadata::Ascii>,
}

impl ByHand {
    fn new(prover: Prover, token: &str) -> Result<Self, BenchError> {
        Ok(Self {
            prover,
            token: token.to_owned(),
            authorization: sensitive(&format!("DPoP {token}"))
                .map_err(BenchError::preparing("an access token"))?,
        })
    }

    async fn calls(self, channels: &[Channel], cell: Cell) -> Measurement {
        let clients: Vec<_> = channels
            .iter()
            .map(|channel| OrderServiceClient::new(channel.clone()))
            .collect();
        loops(&clients, cell, move || self.request()).await
    }

    fn request(&self) -> Result<Request<CreateOrderRequest>, Failed> {
        let unsigned = |_| Failed::Wrong("it was not signed");
        let proof = self
            .prover
            .proof(CREATE, Some(&self.token))
            .map_err(unsigned)?;
        let mut request = Request::new(order());
        let metadata = request.metadata_mut();
        metadata.insert("authorization", self.authorization.clone());
        let proof = sensitive(&proof).map_err(|_| Failed::Wrong("it was not signed"))?;
        metadata.insert("dpop", proof);
        Ok(request)
    }
}

fn sensitive(
    text: &str,
) -> Result<MetadataValue<tonic::metadata::Ascii>, tonic::metadata::errors::InvalidMetadataValue> {
    let mut value = MetadataValue::try_from(text)?;
    value.set_sensitive(true);
    Ok(value)
}

fn order() -> CreateOrderRequest {
    CreateOrderRequest {
        item: "x".repeat(ORDER_REQUEST_BYTES),
    }
}

/// The same closed loop for both sides.
async fn loops<S>(
    clients: &[OrderServiceClient<S>],
    cell: Cell,
    request: impl Fn() -> Result<Request<CreateOrderRequest>, Failed> + Send + Sync + 'static,
) -> Measurement
where
    S: GrpcService<Body> + Clone + Send + 'static,
    S::Error: Into<StdError>,
    S::Future: Send,
    S::ResponseBody: HttpBody<Data = Bytes> + Send + 'static,
    <S::ResponseBody as HttpBody>::Error: Into<StdError> + Send,
{
    let request = Arc::new(request);
    let streams = cell.shape.streams;
    let begun = Instant::now();
    let mut at_work = JoinSet::new();
    for (stream, client) in (0..streams).zip(clients.iter().cycle()) {
        let (mut client, request) = (client.clone(), Arc::clone(&request));
        let share = cell.calls / streams + usize::from(stream < cell.calls % streams);
        at_work.spawn(async move {
            let check = floor::check(ORDER_ANSWER_BYTES);
            let mut outcomes = Vec::with_capacity(share);
            for _ in 0..share {
                let begun = Instant::now();
                let answer = match request() {
                    Ok(request) => client.create_order(request).await.map_err(failed),
                    Err(unsigned) => Err(unsigned),
                };
                outcomes.push(Outcome {
                    took: begun.elapsed(),
                    request_bytes: ORDER_REQUEST_BYTES,
                    answer: answer
                        .and_then(|answer| check(answer.into_inner()))
                        .map(|()| ORDER_ANSWER_BYTES),
                });
            }
            outcomes
        });
    }
    let done = at_work.join_all().await;
    Measurement::of(done.into_iter().flatten(), begun.elapsed())
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "it stands where a function of a status is wanted"
)]
fn failed(status: Status) -> Failed {
    Failed::Status(status.to_string())
}
