//! The methods that are called: of every case a unary one, and of some the streams of each kind.

use std::pin::Pin;

use countersign_client::outcome::Refused;
use tokio_stream::Stream;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::metadata::MetadataMap;
use tonic::transport::Channel;
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

use crate::stand::{ORIGIN, SERVICE};

/// A method of the guarded service.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    CreateOrder,
    WatchOrders,
    ImportOrders,
    ExchangeOrders,
}

/// What a caller sends after the head of its call.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Messages {
    /// One, and nothing after it.
    One,
    /// None, while the call stays open: who answers did not wait for any.
    Withheld,
}

impl Method {
    /// The unary one is called in every case.
    pub(crate) const STREAMS: [Self; 3] =
        [Self::WatchOrders, Self::ImportOrders, Self::ExchangeOrders];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::CreateOrder => "CreateOrder",
            Self::WatchOrders => "WatchOrders",
            Self::ImportOrders => "ImportOrders",
            Self::ExchangeOrders => "ExchangeOrders",
        }
    }

    pub(crate) fn path(self) -> String {
        format!("{SERVICE}{}", self.name())
    }

    /// What a proof for it is for.
    pub(crate) fn target(self) -> String {
        format!("{ORIGIN}{}", self.path())
    }

    /// The scopes that its rule asks for, all of them.
    pub(crate) fn scopes(self) -> &'static [&'static str] {
        match self {
            Self::CreateOrder | Self::ImportOrders => &["orders.write"],
            Self::WatchOrders => &["orders.read"],
            Self::ExchangeOrders => &["orders.read", "orders.write"],
        }
    }

    /// A scope of the service that is not enough for it.
    pub(crate) fn scope_too_little(self) -> &'static str {
        match self {
            Self::WatchOrders => "orders.write",
            Self::CreateOrder | Self::ImportOrders | Self::ExchangeOrders => "orders.read",
        }
    }

    /// What its cases are counted as.
    pub(crate) fn counted(self) -> &'static str {
        match self {
            Self::CreateOrder => "of all, to a unary method",
            Self::WatchOrders => "of all, to a method whose server sends a stream",
            Self::ImportOrders => "of all, to a method whose client sends a stream",
            Self::ExchangeOrders => "of all, to a method with streams in both directions",
        }
    }

    /// Calls it, and reads its first message. What is in the messages is of no account: an empty
    /// one is good for each method, and of an answer everything is skipped.
    pub(crate) async fn call(
        self,
        channel: &Channel,
        metadata: MetadataMap,
        messages: Messages,
    ) -> Result<Response<()>, Status> {
        let mut request = Request::new(messages.sent());
        *request.metadata_mut() = metadata;
        let mut grpc = Grpc::new(channel.clone());
        grpc.ready()
            .await
            .map_err(|error| Status::unavailable(error.to_string()))?;
        let path = PathAndQuery::try_from(self.path()).unwrap();
        let codec = ProstCodec::<(), ()>::default();
        let answers = grpc.streaming(request, path, codec).await?;
        match answers.into_inner().message().await {
            Ok(Some(())) => {}
            // HTTP's own refusal, which has no status of gRPC.
            Err(status) if Refused::of(&status).is_none() => return Err(status),
            // The guard's comes instead of an answer, never after it began.
            late => panic!("an answer began, and then: {late:?}"),
        }
        Ok(Response::new(()))
    }
}

impl Messages {
    fn sent(self) -> Pin<Box<dyn Stream<Item = ()> + Send>> {
        match self {
            Self::One => Box::pin(tokio_stream::once(())),
            Self::Withheld => Box::pin(tokio_stream::pending()),
        }
    }
}
