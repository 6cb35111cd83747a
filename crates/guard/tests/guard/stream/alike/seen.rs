//! What a caller sees of a call.

use countersign::example::v1::{ExchangeOrdersResponse, ImportOrdersResponse, WatchOrdersResponse};
use tonic::metadata::MetadataMap;
use tonic::{Code, Response, Status, Streaming};

/// All of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// What came before the messages.
    pub(super) head: Metadata,
    pub(super) messages: Vec<String>,
    pub(super) end: End,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct End {
    pub(super) code: Code,
    pub(super) message: String,
    pub(super) details: Vec<u8>,
    pub(super) metadata: Metadata,
}

/// Names and values, sorted.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Metadata(Vec<(String, Vec<u8>)>);

impl Metadata {
    fn of(metadata: &MetadataMap) -> Self {
        let headers = metadata.clone().into_headers();
        let mut all: Vec<_> = headers
            .iter()
            // The time of day differs.
            .filter(|(name, _)| *name != http::header::DATE)
            .map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()))
            .collect();
        all.sort();
        Self(all)
    }

    pub(super) fn has(&self, name: &str, value: &str) -> bool {
        let mut all = self.0.iter();
        all.any(|(known, said)| known == name && said == value.as_bytes())
    }
}

impl End {
    fn well(metadata: Metadata) -> Self {
        Self {
            code: Code::Ok,
            message: String::new(),
            details: Vec::new(),
            metadata,
        }
    }

    fn of(status: &Status) -> Self {
        Self {
            code: status.code(),
            message: status.message().to_owned(),
            details: status.details().to_vec(),
            metadata: Metadata::of(status.metadata()),
        }
    }
}

/// A message's text.
pub(super) trait Text {
    fn text(self) -> String;
}

impl Text for WatchOrdersResponse {
    fn text(self) -> String {
        self.order.unwrap().item
    }
}

impl Text for ExchangeOrdersResponse {
    fn text(self) -> String {
        self.order.unwrap().item
    }
}

impl Seen {
    /// Hears a stream to its end.
    pub(super) async fn of_stream<T: Text>(answer: Result<Response<Streaming<T>>, Status>) -> Self {
        let (head, mut stream) = match answer {
            Ok(response) => {
                let head = Metadata::of(response.metadata());
                (head, response.into_inner())
            }
            Err(status) => return Self::refused(&status),
        };
        let mut messages = Vec::new();
        let end = loop {
            match stream.message().await {
                Ok(Some(message)) => messages.push(message.text()),
                Ok(None) => {
                    let trailers = stream.trailers().await.unwrap().unwrap_or_default();
                    break End::well(Metadata::of(&trailers));
                }
                Err(status) => break End::of(&status),
            }
        };
        Self {
            head,
            messages,
            end,
        }
    }

    /// Of a client's stream, which has one answer.
    pub(super) fn of_count(answer: Result<Response<ImportOrdersResponse>, Status>) -> Self {
        match answer {
            Ok(response) => Self {
                head: Metadata::of(response.metadata()),
                messages: vec![response.get_ref().count.to_string()],
                end: End::well(Metadata::default()),
            },
            Err(status) => Self::refused(&status),
        }
    }

    fn refused(status: &Status) -> Self {
        Self {
            head: Metadata::default(),
            messages: Vec::new(),
            end: End::of(status),
        }
    }
}
