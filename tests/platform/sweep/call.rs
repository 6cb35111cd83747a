//! Any rpc of the descriptor set, called with a body in JSON.

use countersign_client::clock::{Clock as _, SystemClock};
use countersign_client::random;
use countersign_dpop::{Ath, Jti, Mint, Minter, Origin};
use countersign_testkit::Problem;
use http::uri::PathAndQuery;
use hyper_util::rt::TokioIo;
use prost::Message as _;
use prost::bytes::{Buf as _, BufMut as _};
use prost_reflect::{DescriptorPool, DynamicMessage, MethodDescriptor, SerializeOptions};
use serde_json::Value;
use std::path::PathBuf;
use std::time::Duration;
use tokio::net::UnixStream;
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::metadata::{AsciiMetadataKey, AsciiMetadataValue};
use tonic::transport::{Channel, Endpoint, Uri};
use tonic::{Request, Status};
use tower::service_fn;

use super::marks::{Heard, Marks};

/// Who calls, which says where and with what.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum By {
    /// An administrator, at the Unix socket.
    Admin,
    /// Anybody, with a proof.
    Anybody,
    /// The holder of the access token kept under this name, with a proof.
    Holder(&'static str),
}

/// A call to make.
pub(crate) struct Ask<'a> {
    pub(crate) rpc: &'a str,
    pub(crate) body: &'a Value,
    pub(crate) admin: bool,
    pub(crate) token: Option<&'a str>,
    /// More metadata, which wins over what a call brings along.
    pub(crate) metadata: &'a [(&'a str, &'a str)],
}

/// Makes calls, remembers what is answered, and marks every proof that it makes.
pub(crate) struct Caller {
    tcp: Channel,
    unix: Channel,
    origin: Origin,
    minter: Minter,
    nonce: Option<String>,
    pool: DescriptorPool,
    pub(crate) marks: Marks,
    pub(crate) heard: Vec<Heard>,
}

/// A stream is left after this; it may have nothing to say.
const STREAM_MAX: Duration = Duration::from_millis(300);

impl Caller {
    pub(crate) async fn connect(
        url: &str,
        socket: PathBuf,
        minter: Minter,
    ) -> Result<Self, Problem> {
        let unix = Endpoint::from_static("http://localhost")
            .connect_with_connector(service_fn(move |_: Uri| {
                let path = socket.clone();
                async move { UnixStream::connect(path).await.map(TokioIo::new) }
            }))
            .await?;
        Ok(Self {
            tcp: Endpoint::from_shared(url.to_owned())?.connect().await?,
            unix,
            origin: Origin::parse(url)?,
            minter,
            nonce: None,
            pool: DescriptorPool::decode(countersign::FILE_DESCRIPTOR_SET)?,
            marks: Marks::default(),
            heard: Vec::new(),
        })
    }

    /// Every rpc of ours, as `package.Service/Method`. The example's are not: they are a user's.
    pub(crate) fn rpcs(&self) -> Vec<String> {
        let ours = |name: &str| {
            name.starts_with("countersign.") && !name.starts_with("countersign.example.")
        };
        self.pool
            .services()
            .filter(|service| ours(service.full_name()))
            .flat_map(|service| {
                service
                    .methods()
                    .map(|method| name(&method))
                    .collect::<Vec<_>>()
            })
            .collect()
    }

    /// Calls, once more with a nonce where one is asked for. An answer is JSON; a refusal is none.
    pub(crate) async fn call(&mut self, ask: &Ask<'_>) -> Result<Option<Value>, Problem> {
        let method = self.method(ask.rpc)?;
        // A secret in the place of an enumerator cannot even be said.
        let Ok(body) = DynamicMessage::deserialize(method.input(), ask.body) else {
            return Ok(None);
        };
        let body = body.encode_to_vec();
        for _ in 0..2 {
            match self.once(ask, &method, body.clone()).await? {
                Ok(answer) => {
                    let options = SerializeOptions::new()
                        .use_proto_field_name(true)
                        .skip_default_fields(false);
                    let answer = DynamicMessage::decode(method.output(), &*answer)?
                        .serialize_with_options(serde_json::value::Serializer, &options)?;
                    self.hear(format!("answer of {}", ask.rpc), &answer.to_string());
                    return Ok(Some(answer));
                }
                Err(status) => {
                    self.hear_refusal(ask.rpc, &status);
                    let nonce = status.metadata().get("dpop-nonce");
                    match nonce.and_then(|nonce| nonce.to_str().ok()) {
                        Some(nonce) if self.nonce.as_deref() != Some(nonce) => {
                            self.nonce = Some(nonce.to_owned());
                        }
                        _ => return Ok(None),
                    }
                }
            }
        }
        Ok(None)
    }

    async fn once(
        &mut self,
        ask: &Ask<'_>,
        method: &MethodDescriptor,
        body: Vec<u8>,
    ) -> Result<Result<Vec<u8>, Status>, Problem> {
        let path = format!("/{}", ask.rpc);
        let request = self.request(ask, &path, body)?;
        let channel = if ask.admin { &self.unix } else { &self.tcp };
        let mut client = Grpc::new(channel.clone());
        client.ready().await?;
        let path = PathAndQuery::try_from(path)?;
        if !method.is_server_streaming() {
            let answer = client.unary(request, path, Bytes).await;
            return Ok(answer.map(tonic::Response::into_inner));
        }
        let stream = match client.server_streaming(request, path, Bytes).await {
            Ok(answer) => answer.into_inner(),
            Err(status) => return Ok(Err(status)),
        };
        Ok(first_of(stream).await)
    }

    fn request(
        &mut self,
        ask: &Ask<'_>,
        path: &str,
        body: Vec<u8>,
    ) -> Result<Request<Vec<u8>>, Problem> {
        let mut request = Request::new(body);
        let metadata = request.metadata_mut();
        if !ask.admin {
            metadata.insert("dpop", self.proof(path, ask.token)?.parse()?);
            if let Some(token) = ask.token {
                metadata.insert("authorization", format!("DPoP {token}").parse()?);
            }
        }
        for (name, value) in ask.metadata {
            let name: AsciiMetadataKey = name.parse()?;
            metadata.insert(name, AsciiMetadataValue::try_from(*value)?);
        }
        Ok(request)
    }

    /// A new proof. Whoever has it can use it, once: it is a secret too.
    fn proof(&mut self, path: &str, token: Option<&str>) -> Result<String, Problem> {
        let ath = token.map(Ath::of);
        let proof = self.minter.mint(&Mint {
            jti: Jti::new(random::bytes()?),
            method: "POST",
            target: &self.origin.target(path)?,
            iat: SystemClock.now(),
            nonce: self.nonce.as_deref(),
            ath: ath.as_ref(),
        })?;
        self.marks.add("a proof", proof.as_bytes(), &[]);
        Ok(proof)
    }

    fn method(&self, rpc: &str) -> Result<MethodDescriptor, Problem> {
        let (service, method) = rpc.split_once('/').ok_or("a step without a method")?;
        self.pool
            .get_service_by_name(service)
            .and_then(|service| service.methods().find(|known| known.name() == method))
            .ok_or_else(|| format!("the contracts have no {rpc}").into())
    }

    fn hear(&mut self, place: String, text: &str) {
        let bytes = text.as_bytes().to_vec();
        self.heard.push(Heard { place, bytes });
    }

    /// Message, details and metadata of a refusal.
    fn hear_refusal(&mut self, rpc: &str, status: &Status) {
        let place = format!("refusals of {rpc}");
        self.hear(
            place.clone(),
            &format!("{} {:?}", status.message(), status.metadata()),
        );
        let bytes = status.details().to_vec();
        self.heard.push(Heard { place, bytes });
    }
}

/// The first message of a stream, or none where it says nothing for a while.
async fn first_of(mut stream: tonic::Streaming<Vec<u8>>) -> Result<Vec<u8>, Status> {
    match tokio::time::timeout(STREAM_MAX, stream.message()).await {
        Ok(Ok(message)) => Ok(message.unwrap_or_default()),
        Ok(Err(status)) => Err(status),
        Err(_) => Ok(Vec::new()),
    }
}

fn name(method: &MethodDescriptor) -> String {
    format!("{}/{}", method.parent_service().full_name(), method.name())
}

/// Messages as they are on the wire.
#[derive(Copy, Clone, Default)]
struct Bytes;

impl Codec for Bytes {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Bytes {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put_slice(&item);
        Ok(())
    }
}

impl Decoder for Bytes {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        let mut message = vec![0; from.remaining()];
        from.copy_to_slice(&mut message);
        Ok(Some(message))
    }
}
