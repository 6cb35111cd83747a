//! The service's own keys: seen, replaced and revoked over the admin socket.

use clap::{Args, ValueEnum};
use countersign::admin::v1::signing_key_service_client::SigningKeyServiceClient;
use countersign::admin::v1::{
    ListSigningKeysRequest, ListSigningKeysResponse, RevokeSigningKeyRequest,
    RotateSigningKeyRequest, RotateSigningKeyResponse, SigningKey, SigningKeyPurpose,
    SigningKeyState,
};
use tonic::transport::Channel;

use crate::command::connection::AdminArgs;
use crate::confirm::confirm;
use crate::exit::{Failure, Kind};
use crate::output::{self, Output};

/// A key to replace.
#[derive(Args, Debug)]
pub(crate) struct Rotate {
    /// Which: the one that signs access tokens, or the one that makes refresh tokens and codes
    #[arg(long, value_enum, default_value_t = Purpose::Signing)]
    purpose: Purpose,

    #[command(flatten)]
    admin: AdminArgs,
}

/// A key to revoke.
#[derive(Args, Debug)]
pub(crate) struct Revoke {
    /// Its name, as `countersign key list --all` shows it
    #[arg(value_name = "KID", allow_hyphen_values = true)]
    kid: String,

    /// Do not ask
    #[arg(long)]
    yes: bool,

    #[command(flatten)]
    admin: AdminArgs,
}

/// What a key is for.
#[derive(Copy, Clone, PartialEq, Eq, Debug, ValueEnum)]
enum Purpose {
    /// Signs access tokens
    Signing,
    /// Makes refresh tokens, codes and `request_uri`s
    Mac,
}

impl Rotate {
    pub(super) async fn run(self, output: &Output) -> Result<(), Failure> {
        let purpose = match self.purpose {
            Purpose::Signing => SigningKeyPurpose::AccessTokens,
            Purpose::Mac => SigningKeyPurpose::Handles,
        };
        let answer = service(&self.admin)
            .await?
            .rotate_signing_key(RotateSigningKeyRequest {
                purpose: purpose.into(),
            })
            .await
            .map_err(|status| Failure::answered(&status))?
            .into_inner();
        let name = "countersign.admin.v1.RotateSigningKeyResponse";
        output.message(name, &answer, rotated)
    }
}

impl Revoke {
    pub(super) async fn run(self, output: &Output) -> Result<(), Failure> {
        let mut service = service(&self.admin).await?;
        let listed = service
            .list_signing_keys(ListSigningKeysRequest {})
            .await
            .map_err(|status| Failure::answered(&status))?
            .into_inner();
        let mut keys = listed.signing_keys.iter();
        let key = keys.find(|key| key.kid == self.kid).ok_or_else(|| {
            Failure::new(Kind::Registry, format!("no key is called {}", self.kid))
                .next("`countersign key list --all` shows them")
        })?;
        confirm(&dies(key), self.yes)?;
        let answer = service
            .revoke_signing_key(RevokeSigningKeyRequest { kid: self.kid })
            .await
            .map_err(|status| Failure::answered(&status))?
            .into_inner();
        let name = "countersign.admin.v1.RevokeSigningKeyResponse";
        output.message(name, &answer, |answer| {
            let active = answer.active_key.as_ref().map_or("", |key| &key.kid);
            format!("revoked the key {}; {active} is active", key.kid)
        })
    }
}

/// What is dead when this key is gone.
fn dies(key: &SigningKey) -> String {
    let what = match (key.purpose(), key.state()) {
        (_, SigningKeyState::Next) => "nothing was made with it yet; another one takes its place",
        (SigningKeyPurpose::Handles, _) => {
            "every refresh token, code and request_uri that it made is dead at once, and people \
             must sign in again"
        }
        _ => {
            "every access token that it signed is refused: here at once, by guards that watch within \
             a second, elsewhere as soon as the key set is asked for again"
        }
    };
    format!("revoking the {} key {}: {what}", state(key), key.kid)
}

/// All keys with their states and times.
pub(super) async fn list(admin: &AdminArgs, output: &Output) -> Result<(), Failure> {
    let answer = service(admin)
        .await?
        .list_signing_keys(ListSigningKeysRequest {})
        .await
        .map_err(|status| Failure::answered(&status))?
        .into_inner();
    output.message(
        "countersign.admin.v1.ListSigningKeysResponse",
        &answer,
        table,
    )
}

fn table(answer: &ListSigningKeysResponse) -> String {
    let rows = answer.signing_keys.iter().map(|key| {
        [
            key.kid.clone(),
            purpose(key).to_owned(),
            state(key).to_owned(),
            times(key),
        ]
    });
    output::table(["key", "for", "state", "times"], rows, "no keys")
}

fn times(key: &SigningKey) -> String {
    let words = match key.state() {
        SigningKeyState::Active => ["made", "active since", "replaced at", "removed at"],
        SigningKeyState::Retiring => ["made", "active since", "replaced", "removed at"],
        SigningKeyState::Next | SigningKeyState::Unspecified => {
            ["made", "ready at", "replaced at", "removed at"]
        }
    };
    let at = [
        key.create_time,
        key.activate_time,
        key.retire_time,
        key.remove_time,
    ];
    let mut lines: Vec<_> = words
        .iter()
        .zip(at)
        .filter(|(_, at)| at.is_some())
        .map(|(word, at)| format!("{word} {}", output::time(at)))
        .collect();
    if key.rotation_asked {
        lines.push("to be replaced as soon as the next one is ready".to_owned());
    }
    lines.join("\n")
}

fn rotated(answer: &RotateSigningKeyResponse) -> String {
    let kid =
        |key: &Option<SigningKey>| key.as_ref().map_or_else(String::new, |key| key.kid.clone());
    let (active, next) = (kid(&answer.active_key), kid(&answer.next_key));
    match answer.rotate_time {
        None => format!("{active} is active now; {next} comes after it"),
        due => format!(
            "{active} is active until every verifier knows its successor: {next} takes over at {}",
            output::time(due)
        ),
    }
}

fn purpose(key: &SigningKey) -> &'static str {
    match key.purpose() {
        SigningKeyPurpose::Unspecified => "-",
        SigningKeyPurpose::AccessTokens => "access tokens",
        SigningKeyPurpose::Handles => "refresh tokens, codes",
    }
}

fn state(key: &SigningKey) -> &'static str {
    match key.state() {
        SigningKeyState::Unspecified => "-",
        SigningKeyState::Next => "next",
        SigningKeyState::Active => "active",
        SigningKeyState::Retiring => "retiring",
    }
}

async fn service(admin: &AdminArgs) -> Result<SigningKeyServiceClient<Channel>, Failure> {
    Ok(SigningKeyServiceClient::new(admin.connect().await?))
}
