//! Spring Security as a resource server, with DPoP: access tokens against the keys of the metadata.

use std::path::Path;

use countersign_testkit::{Problem, setup};

use crate::dialogue::Program;
use crate::stand::{ELSEWHERE, Stand};

pub(crate) fn resource_server(launcher: &Path) -> Result<(), String> {
    run(launcher).map_err(|error| error.to_string())
}

fn run(launcher: &Path) -> Result<(), Problem> {
    let stand = Stand::start()?;
    let words = [&stand.issuer(), setup::RESOURCE];
    let mut program = Program::start(launcher, "spring", &words, &stand)?;
    let port = loop {
        match program.line()? {
            Some(line) => {
                if let Some(port) = line.strip_prefix("port ") {
                    break port.to_owned();
                }
            }
            None => return Err(format!("it does not serve: {}", program.complaints()).into()),
        }
    };
    let token = stand.token(setup::RESOURCE, "key.pem")?;
    let elsewhere = stand.token(ELSEWHERE, "key.pem")?;
    let url = |path: &str| format!("http://127.0.0.1:{port}{path}");
    let (orders, purge) = (url("/orders"), url("/purge"));
    let right = |url: &str, token: &str| stand.proof(url, token, "key.pem");
    let dpop = |token: &str| Some(format!("DPoP {token}"));
    let spent = right(&orders, &token)?;
    let tampered = tampered(&token)?;
    let rows = [
        (
            "right",
            &orders,
            dpop(&token),
            Some(spent.clone()),
            "200 orders of batch",
        ),
        (
            "the same proof",
            &orders,
            dpop(&token),
            Some(spent),
            "401 invalid_dpop_proof",
        ),
        (
            "without the scope",
            &purge,
            dpop(&token),
            Some(right(&purge, &token)?),
            "403 insufficient_scope",
        ),
        ("no token", &orders, None, None, "401"),
        (
            "no proof",
            &orders,
            dpop(&token),
            None,
            "401 invalid_request",
        ),
        (
            "tampered",
            &orders,
            dpop(&tampered),
            Some(right(&orders, &tampered)?),
            "401 invalid_token",
        ),
        (
            "by another key",
            &orders,
            dpop(&token),
            Some(stand.proof(&orders, &token, "thief.pem")?),
            "401 invalid_dpop_proof",
        ),
        (
            "proof for another path",
            &orders,
            dpop(&token),
            Some(right(&purge, &token)?),
            "401 invalid_dpop_proof",
        ),
        (
            "for another resource",
            &orders,
            dpop(&elsewhere),
            Some(right(&orders, &elsewhere)?),
            "401 invalid_token",
        ),
        (
            "as a bearer token",
            &orders,
            Some(format!("Bearer {token}")),
            None,
            "401 invalid_token",
        ),
    ];
    let mut wrong = String::new();
    for (what, url, authorization, proof, wanted) in rows {
        let came = ask(url, authorization.as_deref(), proof.as_deref())?;
        if came != wanted {
            wrong.push_str(&format!("{what}: {came}, not {wanted}\n"));
        }
    }
    match wrong.is_empty() {
        true => program.ended(),
        false => Err(wrong.into()),
    }
}

/// The status, with what was said: the body of a success, the error code of a refusal.
fn ask(url: &str, authorization: Option<&str>, proof: Option<&str>) -> Result<String, Problem> {
    let mut request = ureq::get(url).config().http_status_as_error(false).build();
    for (name, value) in [("authorization", authorization), ("dpop", proof)] {
        if let Some(value) = value {
            request = request.header(name, value);
        }
    }
    let mut response = request.call()?;
    let status = response.status().as_u16();
    let challenges = response.headers().get_all("www-authenticate").iter();
    let error = challenges
        .filter_map(|value| {
            value
                .to_str()
                .ok()?
                .split_once("error=\"")?
                .1
                .split_once('"')
        })
        .map(|(error, _)| error.to_owned())
        .next();
    let body = response.body_mut().read_to_string()?;
    Ok(match error {
        _ if status == 200 => format!("{status} {body}"),
        Some(error) => format!("{status} {error}"),
        None => status.to_string(),
    })
}

/// The same token with another claim, under the same signature.
fn tampered(token: &str) -> Result<String, Problem> {
    let mut parts = token.split('.');
    let (Some(header), Some(claims), Some(signature)) = (parts.next(), parts.next(), parts.next())
    else {
        return Err("no JWT".into());
    };
    let claims = countersign_jose::base64url::decode(claims)?;
    let mut claims: serde_json::Value = serde_json::from_slice(&claims)?;
    claims["sub"] = "mallory".into();
    let claims = countersign_jose::base64url::encode(claims.to_string());
    Ok(format!("{header}.{claims}.{signature}"))
}
