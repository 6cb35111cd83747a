//! What a user of the library reads of an error: the fact, and what to do about it.

use std::collections::HashMap;

use countersign::error::v1::Reason;
use countersign_client::outcome::Refused;
use countersign_client::random::NoRandomness;
use countersign_client::{
    Builder, CallError, Client, ConnectError, Credential, CredentialFileError, TokenError,
    WarmError,
};
use countersign_dpop::{Origin, TargetError};
use countersign_jose::{KeyRejected, SigningFailed, UnixTime};
use tonic::Status;
use tonic_types::{ErrorDetails, StatusExt as _};

/// An error and its text for every variant, in rows. Does not compile where a variant has none, nor
/// where one has two.
macro_rules! every {
    ($kind:ident: $($variant:pat => $error:expr, $text:expr;)+) => {{
        let _ = |error: &$kind| match error {
            $($variant => (),)+
        };
        [$({
            let error: $kind = $error;
            assert!(matches!(error, $variant), "{error:?} stands in another's row");
            (error, $text)
        }),+]
    }};
}

#[test]
fn every_connect_error_says_what_to_do() {
    let url = || "orders".to_owned();
    let cause = || "no certificate".to_owned();
    let rows = every! { ConnectError:
        ConnectError::Url { .. } => ConnectError::Url { url: url(), cause: cause() },
            "Give scheme, host and port, such as https://orders.internal:8443";
        ConnectError::Plaintext { .. } => ConnectError::Plaintext { url: url() },
            "use https, or call allow_plaintext() where something else encrypts";
        ConnectError::Origin { .. } => ConnectError::Origin {
            url: url(),
            cause: Origin::parse("orders").unwrap_err(),
        },
            "Give scheme, host and port, such as https://orders.internal:8443";
        ConnectError::Tls { .. } => ConnectError::Tls { url: url(), cause: cause() },
            "Is the certificate authority's file PEM?";
        ConnectError::ServerTwice { .. } => ConnectError::ServerTwice { origin: "https://orders".to_owned() },
            "https://orders was given twice: give each origin once, with all scopes that its requests need";
        ConnectError::ServerMissing => ConnectError::ServerMissing,
            "call server(HttpServer::at(…)) before build()";
        ConnectError::Http(_) => ConnectError::Http("no such proxy".to_owned()),
            "the HTTP client cannot be built: no such proxy";
        ConnectError::ClientMissing => ConnectError::ClientMissing,
            "call client(\"its id\", Credential::…) before connect()";
        ConnectError::CertificateUnencrypted { .. } => ConnectError::CertificateUnencrypted { url: url() },
            "give the https URL at which the token service asks for certificates";
        ConnectError::Credential(_) => no_such_file().into(),
            "the credential's file \"/nowhere/secret\" cannot be read: entity not found";
        ConnectError::Interrupted => ConnectError::Interrupted,
            "the runtime is shutting down; connect before that";
        ConnectError::Key(_) => KeyRejected.into(),
            "Give one with proof_key(…)";
        ConnectError::Randomness(_) => NoRandomness.into(),
            "Give one with proof_key(…)";
    };
    for (error, says) in rows {
        let text = error.to_string();
        assert!(text.contains(says), "{text}");
        // A channel that cannot be made warm for it says the same.
        assert_eq!(WarmError::Configuration(error).to_string(), text);
    }
}

#[tokio::test]
async fn no_error_shows_the_password_in_a_url() {
    let of = async |token_service: &str, server: &str| {
        let countersign = Builder::new(token_service)
            .client("checkout", Credential::ClientSecret("made up".into()))
            .connect()
            .await?;
        countersign.channel(server).connect().await.map(drop)
    };
    let good = "http://127.0.0.1:1";
    let secret = "hunter2/#@";
    for (url, shown) in [
        (
            format!("ftp://me:{secret}@orders:8443"),
            "\"ftp://…@orders:8443\"",
        ),
        (
            format!("http://me:{secret}@orders:8443"),
            "\"http://…@orders:8443\"",
        ),
        (
            format!("https://me:{secret}@orders:8443/?a"),
            "\"https://…@orders:8443/?a\"",
        ),
        (format!("me:{secret}@orders"), "\"…@orders\""),
    ] {
        for refused in [of(&url, good).await, of(good, &url).await] {
            let error = refused.unwrap_err();
            let texts = [error.to_string(), format!("{error:?}")];
            assert!(texts[0].contains(shown), "{texts:?}");
            assert!(
                texts.iter().all(|text| !text.contains("hunter2")),
                "{texts:?}"
            );
        }
    }
}

#[test]
fn every_warm_error_says_what_to_do() {
    let rows = every! { WarmError:
        WarmError::Configuration(_) => ConnectError::ClientMissing.into(),
            "no client was given: call client(\"its id\", Credential::…) before connect()";
        WarmError::Token(_) => TokenError::Spent.into(),
            "the access token that was given is not accepted any more; give a new one, or use a client's credential";
        WarmError::Unreachable { .. } => WarmError::Unreachable {
            url: "https://orders".to_owned(),
            cause: "refused".to_owned(),
        },
            "\"https://orders\" cannot be connected to: refused. Is the server up, and are host, port and certificate right?";
    };
    for (error, text) in rows {
        assert_eq!(error.to_string(), text);
    }
}

#[test]
fn every_token_error_says_what_to_do() {
    let scope_insufficient = Status::with_error_details(
        tonic::Code::PermissionDenied,
        "ask for less",
        ErrorDetails::with_error_info(
            Reason::ScopeInsufficient.as_str_name(),
            "countersign",
            HashMap::new(),
        ),
    );
    let refused = Refused::of(&scope_insufficient).unwrap();
    let status = || Status::unavailable("away");
    let rows = every! { TokenError:
        TokenError::Refused(..) => TokenError::Refused(Box::new(refused), status()),
            "no access token: the token service refused (REASON_SCOPE_INSUFFICIENT): ask for less";
        TokenError::Unavailable(_) => TokenError::Unavailable(status()),
            "no access token: the token service cannot be reached or cannot answer now; try again later: away";
        TokenError::Unexpected(_) => TokenError::Unexpected(status()),
            "no access token: what answered is not the token service, check its URL: away";
        TokenError::NotDpop(_) => TokenError::NotDpop("Bearer".to_owned()),
            "no access token: a bound one was asked for, one of type \"Bearer\" came, and it was thrown away; is the URL that of a Countersign?";
        TokenError::Incomplete(_) => TokenError::Incomplete("lifetime"),
            "no access token: the answer has no lifetime; is the URL that of a Countersign?";
        TokenError::Signing(_) => TokenError::Signing(SigningFailed),
            "no access token: the signature could not be made";
        TokenError::Randomness(_) => TokenError::Randomness(NoRandomness),
            "no access token: the system gives no random bytes";
        TokenError::Credential(_) => no_such_file().into(),
            "no access token: the credential's file \"/nowhere/secret\" cannot be read: entity not found";
        TokenError::Spent => TokenError::Spent,
            "the access token that was given is not accepted any more; give a new one, or use a client's credential";
        TokenError::Interrupted => TokenError::Interrupted,
            "no access token: the request for it was given up, the runtime is shutting down";
    };
    for (error, text) in rows {
        assert_eq!(error.to_string(), text);
        // A call that fails for it says the same.
        assert_eq!(CallError::Token(error).to_string(), text);
    }
}

#[test]
fn every_call_error_says_what_to_do() {
    let path = Origin::parse("https://orders.test")
        .unwrap()
        .target("/a/../b")
        .unwrap_err();
    let rows = every! { CallError:
        CallError::Token(_) => TokenError::Spent.into(),
            "the access token that was given is not accepted any more; give a new one, or use a client's credential";
        CallError::DeadlinePassed => CallError::DeadlinePassed,
            "the deadline passed before the call was sent; nothing was signed: give it more time";
        CallError::Signing(_) => CallError::Signing(SigningFailed),
            "the proof could not be signed: the signature could not be made";
        CallError::Randomness(_) => CallError::Randomness(NoRandomness),
            "no proof: the system gives no random bytes";
        CallError::Path(_) => CallError::Path(path),
            "no proof can be made for this method: the path is not plain: absolute, without percent-encodings, dot segments or a query";
        CallError::Target(_) => CallError::Target(TargetError::UserInfo),
            "no proof can be made for this URL: the URI has user information";
        CallError::Elsewhere(_) => CallError::Elsewhere("https://stock.test".to_owned()),
            "the request is for https://stock.test and was not sent: no server of this client is there; give it with server(…), or send what needs no token with another client";
        CallError::Transport(_) => CallError::Transport("connection refused".into()),
            "connection refused";
    };
    for (error, text) in rows {
        assert_eq!(error.to_string(), text);
    }
}

fn no_such_file() -> CredentialFileError {
    let secret = Credential::SecretFile("/nowhere/secret".into());
    let client = Client::new("checkout", secret, "https://tokens.test");
    match client.authentication(UnixTime::from_secs(0)) {
        Err(TokenError::Credential(error)) => error,
        other => panic!("{other:?}"),
    }
}
