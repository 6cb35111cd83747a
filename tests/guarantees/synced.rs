//! Every kind of write is on the disk before its answer leaves, as the system
//! saw it.

use std::fs;
use std::path::Path;

use countersign::admin::v1::client_service_client::ClientServiceClient;
use countersign::admin::v1::resource_service_client::ResourceServiceClient;
use countersign::admin::v1::signing_key_service_client::SigningKeyServiceClient;
use countersign::admin::v1::{
    AuthenticationMethod, Client, CreateClientRequest, CreateResourceRequest, DeleteClientRequest,
    DeleteResourceRequest, Resource, RevokeSigningKeyRequest, RotateClientSecretRequest,
    RotateSigningKeyRequest, UpdateClientRequest,
};
use countersign_client::{Builder, Credential, random};
use countersign_jose::{Algorithm, PublishedKey, SigningKey, jwks};
use countersign_testkit::service::{Service, Terms};
use countersign_testkit::work::in_a_runtime;
use countersign_testkit::{Desk, Problem, service_client, setup};
use tempfile::NamedTempFile;

use crate::counts;
use crate::traffic::CONFIGURATION;

/// Sign-ins, redemptions, rotations, reuse, revocations, registrations, changes,
/// secrets, removals, keys and assertions, one after the other under `strace`:
/// `fdatasync` on the database stands between each request and its answer.
pub(crate) fn each_kind_of_write_is_synced_before_its_answer(strace: &Path) -> Result<(), String> {
    let trace = Trace::new()?;
    let terms = Terms {
        under: trace.command(strace),
        configuration: CONFIGURATION.to_owned(),
        ..Terms::default()
    };
    let service = Service::start(&terms)?;
    in_a_runtime(async {
        people(&service, &trace).await?;
        registrations(&service, &trace).await?;
        keys(&service, &trace).await?;
        assertions(&service, &trace).await
    })
}

async fn people(service: &Service, trace: &Trace) -> Result<(), Problem> {
    let desk = Desk::open(service).await?;
    let tokens = desk.desk.token_service();
    // An access token to approve with is had before it counts.
    desk.code("ada").await?;
    let code = trace
        .synced("a request and its approval", desk.code("ada"))
        .await?;
    let redeem = tokens.redeem(&code, &[], &[]);
    let issued = trace.synced("a code's redemption", redeem).await?;
    let first = issued.refresh_token.ok_or("no refresh token")?;
    let rotate = tokens.rotate(&first, &[], &[]);
    let issued = trace.synced("a rotation", rotate).await?;
    let access_token = issued.access_token;
    let revoke = tokens.revoke(&access_token);
    trace.synced("an access token's revocation", revoke).await?;
    let newest = issued.refresh_token.ok_or("no refresh token")?;
    tokens.rotate(&newest, &[], &[]).await?;
    trace
        .synced("a family's end by reuse", async {
            match tokens.rotate(&first, &[], &[]).await {
                Ok(_) => Err("a token of long ago was accepted"),
                Err(_) => Ok(()),
            }
        })
        .await?;
    let issued = desk.sign_in("ada").await?;
    let token = issued.refresh_token.ok_or("no refresh token")?;
    trace
        .synced("a family's revocation", tokens.revoke(&token))
        .await
}

async fn registrations(service: &Service, trace: &Trace) -> Result<(), Problem> {
    let admin = service.admin_channel().await?;
    let mut clients = ClientServiceClient::new(admin.clone());
    let mut resources = ResourceServiceClient::new(admin);
    let client_id = "somebody".to_owned();
    let client = Client {
        display_name: "before".to_owned(),
        ..service_client(&client_id, setup::RESOURCE, &["orders.read"])
    };
    let create = clients.create_client(CreateClientRequest {
        client: Some(client.clone()),
    });
    trace.synced("a client's registration", create).await?;
    let update = clients.update_client(UpdateClientRequest {
        client: Some(Client {
            display_name: "after".to_owned(),
            ..client
        }),
        update_mask: None,
    });
    trace.synced("a client's change", update).await?;
    let rotate = clients.rotate_client_secret(RotateClientSecretRequest {
        client_id: client_id.clone(),
    });
    trace.synced("a client's new secret", rotate).await?;
    let delete = clients.delete_client(DeleteClientRequest {
        client_id,
        etag: String::new(),
    });
    trace.synced("a client's removal", delete).await?;
    let uri = "https://another.example".to_owned();
    let create = resources.create_resource(CreateResourceRequest {
        resource: Some(Resource {
            uri: uri.clone(),
            scopes: vec!["all".to_owned()],
            ..Resource::default()
        }),
    });
    trace.synced("a resource's registration", create).await?;
    let delete = resources.delete_resource(DeleteResourceRequest {
        uri,
        etag: String::new(),
    });
    trace.synced("a resource's removal", delete).await?;
    Ok(())
}

async fn keys(service: &Service, trace: &Trace) -> Result<(), Problem> {
    let admin = service.admin_channel().await?;
    let mut keys = SigningKeyServiceClient::new(admin);
    let rotate = keys.rotate_signing_key(RotateSigningKeyRequest::default());
    let rotated = trace.synced("a key's replacement", rotate).await?;
    let next = rotated.into_inner().next_key.ok_or("no next key")?;
    let revoke = keys.revoke_signing_key(RevokeSigningKeyRequest { kid: next.kid });
    trace.synced("a key's revocation", revoke).await?;
    Ok(())
}

async fn assertions(service: &Service, trace: &Trace) -> Result<(), Problem> {
    let key = SigningKey::generate_es256(random::bytes()?)?;
    let client = Client {
        authentication_method: AuthenticationMethod::PrivateKeyJwt.into(),
        jwks: jwks::publish(&[PublishedKey {
            kid: "key",
            algorithm: Algorithm::Es256,
            key: key.public(),
        }]),
        ..service_client("signing", setup::RESOURCE, &["orders.read"])
    };
    ClientServiceClient::new(service.admin_channel().await?)
        .create_client(CreateClientRequest {
            client: Some(client),
        })
        .await?;
    let signing = Builder::new(service.url())
        .client("signing", Credential::PrivateKeyJwt(key.into()))
        .connect()
        .await?;
    // The first call learns the nonce of the cold start.
    let tokens = signing.token_service();
    tokens.issue(&[], &[]).await?;
    trace
        .synced("an assertion's spending", tokens.issue(&[], &[]))
        .await?;
    Ok(())
}

/// What `strace` writes down.
struct Trace(NamedTempFile);

impl Trace {
    fn new() -> Result<Self, String> {
        NamedTempFile::new()
            .map(Self)
            .map_err(|error| error.to_string())
    }

    fn command(&self, strace: &Path) -> Vec<String> {
        let (strace, log) = (strace.display(), self.0.path().display());
        [
            &strace.to_string(),
            // Every thread; descriptors with their paths; the calls that write
            // to the disk and to sockets.
            "-f",
            "-y",
            "-e",
            "trace=fdatasync,write,writev,sendto,sendmsg",
            // An answer begins in the first of them, after a few small frames at most.
            "-s",
            "1024",
            "-o",
            &log.to_string(),
        ]
        .map(str::to_owned)
        .into()
    }

    /// Whether the database was synced before the answer to `call` left.
    async fn synced<T, E>(
        &self,
        what: &str,
        call: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Problem>
    where
        Problem: From<E>,
    {
        let before = self.lines()?.len();
        let answer = call.await?;
        // Whoever has the answer finds in the log what was sent.
        let lines = self.lines()?;
        let during = &lines[before..];
        let sync = during
            .iter()
            .position(|line| line.contains("fdatasync") && line.contains("/db>"));
        let sent = during.iter().position(|line| {
            let socket = ["TCP:", "UNIX", "socket:"];
            socket.iter().any(|name| line.contains(name)) && begins_an_answer(line)
        });
        match (sync, sent) {
            (Some(sync), Some(sent)) if sync < sent => {
                counts::add("kinds of writes synced before their answer", 1);
                Ok(answer)
            }
            _ => {
                let seen = during.join("\n");
                Err(format!("{what}: no fdatasync before the answer:\n{seen}").into())
            }
        }
    }

    fn lines(&self) -> Result<Vec<String>, Problem> {
        let text = fs::read_to_string(self.0.path())?;
        Ok(text.lines().map(str::to_owned).collect())
    }
}

/// Whether what was sent has a HEADERS frame (RFC 9113, section 6.2) in it, as every answer has: the
/// other frames that a server sends are no answers, and may leave at any time.
fn begins_an_answer(line: &str) -> bool {
    const HEADERS: u8 = 1;
    const FRAME_HEAD_BYTES: usize = 9;
    let sent: Vec<u8> = literals(line).flat_map(bytes_of).collect();
    let mut rest = &sent[..];
    while let [a, b, c, kind, ..] = *rest {
        if kind == HEADERS {
            return true;
        }
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        rest = rest.get(FRAME_HEAD_BYTES + length..).unwrap_or_default();
    }
    false
}

/// What stands between quotation marks.
fn literals(line: &str) -> impl Iterator<Item = &str> {
    let mut rest = line;
    std::iter::from_fn(move || {
        let begins = rest.find('"')? + 1;
        let text = &rest[begins..];
        let mut escaped = false;
        let ends = text.find(|c| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        })?;
        rest = &text[ends + 1..];
        Some(&text[..ends])
    })
}

/// The bytes that `strace` shows like this, as C does.
fn bytes_of(literal: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = literal.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        if first != b'\\' {
            bytes.push(first);
            continue;
        }
        let digits = rest
            .iter()
            .take(3)
            .take_while(|c| (b'0'..=b'7').contains(c));
        let digits = digits.count();
        let (number, after) = rest.split_at(digits.max(1).min(rest.len()));
        rest = after;
        bytes.push(match number {
            b"n" => b'\n',
            b"t" => b'\t',
            b"r" => b'\r',
            b"v" => 0x0b,
            b"f" => 0x0c,
            _ if digits > 0 => number.iter().fold(0, |n, c| n << 3 | (c - b'0')),
            _ => number.first().copied().unwrap_or_default(),
        });
    }
    bytes
}
