//! An unmodified grpcurl against the running service: what a person can do by
//! hand, with proofs from `countersign proof`.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::service::{Service, Terms, countersign, run};
use crate::setup::{self, text};

const ISSUE: &str = "countersign.token.v1.TokenService/IssueToken";
const INTROSPECT: &str = "countersign.introspection.v1.IntrospectionService/IntrospectToken";

/// Lists services, checks health, sees the rule of a method.
pub(crate) fn looks_around(grpcurl: &Path) -> Result<(), String> {
    let service = Service::start(&Terms::default())?;
    let hand = Hand {
        grpcurl,
        service: &service,
    };

    let listed = hand.ask(&["list"])?;
    for name in [
        "countersign.token.v1.TokenService",
        "countersign.introspection.v1.IntrospectionService",
        "countersign.keys.v1.KeyService",
        "countersign.authorization.v1.AuthorizationService",
        "grpc.health.v1.Health",
    ] {
        expect(&listed, name)?;
    }
    expect(
        &hand.ask(&["describe", INTROSPECT.replace('/', ".").as_str()])?,
        "IntrospectTokenRequest",
    )?;
    // The option arrives with the descriptors: its declaration can be asked for
    // by name.
    expect(
        &hand.ask(&["describe", "countersign.policy.v1.Rule"])?,
        "scopes",
    )?;

    expect(
        &hand.call("grpc.health.v1.Health/Check", &json!({}), &[])?,
        "SERVING",
    )?;
    expect(
        &hand.call(
            "grpc.health.v1.Health/Check",
            &json!({"service": "countersign.token.v1.TokenService"}),
            &[],
        )?,
        "SERVING",
    )
}

/// Issues a token with a proof from `countersign proof`, then calls a guarded
/// method with it.
pub(crate) fn issues_and_calls(grpcurl: &Path) -> Result<(), String> {
    let service = Service::start(&Terms::default())?;
    let hand = Hand {
        grpcurl,
        service: &service,
    };
    setup::resource(&service)?;
    let url = service.url();
    let gateway = setup::client(
        &service,
        "gateway",
        &[
            "--allow",
            &format!("{url}=introspect"),
            "--allow",
            &format!("{}=orders.read", setup::RESOURCE),
            "--serves",
            setup::RESOURCE,
        ],
    )?;

    let ask = |resource: &str| {
        json!({
            "client": {"client_id": gateway.client_id, "client_secret": gateway.secret},
            "client_credentials": {},
            "resources": [resource],
        })
    };
    // An instance that started a moment ago asks for a nonce of its own.
    let refused = hand
        .call(
            ISSUE,
            &ask(&url),
            &[("dpop", &hand.proof(ISSUE, None, None)?)],
        )
        .err()
        .ok_or("a young instance took a proof without a nonce")?;
    expect(&refused, "REASON_DPOP_NONCE_REQUIRED")?;
    let nonce = field(&refused, "dpop-nonce: ")?;

    let issued = hand.call(
        ISSUE,
        &ask(&url),
        &[("dpop", &hand.proof(ISSUE, Some(&nonce), None)?)],
    )?;
    let token = text(&answer(&issued)?, "access_token")?;
    let issued = hand.call(
        ISSUE,
        &ask(setup::RESOURCE),
        &[("dpop", &hand.proof(ISSUE, Some(&nonce), None)?)],
    )?;
    let looked_at = text(&answer(&issued)?, "access_token")?;

    let proof = hand.proof(INTROSPECT, Some(&nonce), Some(&token))?;
    let authorization = format!("DPoP {token}");
    let headers = [("authorization", authorization.as_str()), ("dpop", &proof)];
    let request = json!({"token": looked_at});
    let seen = answer(&hand.call(INTROSPECT, &request, &headers)?)?;
    if seen["active"] != true || seen["scopes"] != json!(["orders.read"]) {
        return Err(format!("introspection answered {seen}"));
    }

    // The same proof once more is a replay, and no credentials are no entry.
    let replayed = hand.call(INTROSPECT, &request, &headers).err();
    expect(&replayed.unwrap_or_default(), "REASON_DPOP_PROOF_REPLAYED")?;
    let bare = hand.call(INTROSPECT, &request, &[]).err();
    expect(&bare.unwrap_or_default(), "REASON_CREDENTIALS_MISSING")
}

/// A person with grpcurl.
struct Hand<'a> {
    grpcurl: &'a Path,
    service: &'a Service,
}

impl Hand<'_> {
    fn ask(&self, words: &[&str]) -> Result<String, String> {
        let mut command = Command::new(self.grpcurl);
        command.args(["-plaintext", "-max-time", "20"]);
        command.arg(self.service.address().to_string());
        run(command.args(words))
    }

    /// All that grpcurl prints of the call, headers and trailers included.
    fn call(
        &self,
        method: &str,
        request: &Value,
        headers: &[(&str, &str)],
    ) -> Result<String, String> {
        let mut command = Command::new(self.grpcurl);
        command.args(["-plaintext", "-max-time", "20", "-v", "-format-error=false"]);
        for (name, value) in headers {
            command.arg("-H").arg(format!("{name}: {value}"));
        }
        command.arg("-d").arg(request.to_string());
        command.arg(self.service.address().to_string()).arg(method);
        run(&mut command)
    }

    fn proof(
        &self,
        method: &str,
        nonce: Option<&str>,
        token: Option<&str>,
    ) -> Result<String, String> {
        let url = format!("{}/{method}", self.service.url());
        let key = self.service.folder().join("hand.pem").display().to_string();
        let mut words = vec![
            "proof",
            "--method",
            "POST",
            "--url",
            &url,
            "--dpop-key",
            &key,
        ];
        if let Some(nonce) = nonce {
            words.extend(["--nonce", nonce]);
        }
        if let Some(token) = token {
            words.extend(["--token", token]);
        }
        Ok(countersign(&words)?.trim().to_owned())
    }
}

/// The message among all that grpcurl printed.
fn answer(printed: &str) -> Result<Value, String> {
    let (_, message) = printed
        .split_once("Response contents:")
        .ok_or_else(|| format!("no message in: {printed}"))?;
    serde_json::Deserializer::from_str(message)
        .into_iter::<Value>()
        .next()
        .ok_or("no message")?
        .map(snake_case)
        .map_err(|error| format!("{error}: {printed}"))
}

/// grpcurl prints lowerCamelCase names.
fn snake_case(value: Value) -> Value {
    let Value::Object(members) = value else {
        return value;
    };
    let rename = |name: String| {
        name.chars()
            .flat_map(|letter| {
                let upper = letter.is_ascii_uppercase();
                upper
                    .then_some('_')
                    .into_iter()
                    .chain([letter.to_ascii_lowercase()])
            })
            .collect::<String>()
    };
    Value::Object(
        members
            .into_iter()
            .map(|(name, value)| (rename(name), snake_case(value)))
            .collect(),
    )
}

fn field(printed: &str, name: &str) -> Result<String, String> {
    printed
        .lines()
        .find_map(|line| line.trim().strip_prefix(name))
        .map(str::to_owned)
        .ok_or_else(|| format!("no {name} in: {printed}"))
}

fn expect(printed: &str, wanted: &str) -> Result<(), String> {
    if printed.contains(wanted) {
        Ok(())
    } else {
        Err(format!("expected {wanted} in: {printed}"))
    }
}
