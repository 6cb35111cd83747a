//! `kill -9` as soon as something is used up, by clients of HTTP: asked over HTTP once more, the
//! service that comes back refuses it.

use std::sync::Arc;

use countersign_client::clock::{Clock as _, SystemClock};
use countersign_client::random;
use countersign_dpop::{Jti, Mint, Minter, Target};
use countersign_jose::{SigningKey, base64url, sha256};
use countersign_testkit::service::{Service, Terms};
use countersign_testkit::work::in_a_runtime;
use countersign_testkit::{Desk, Problem, setup};
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use serde_json::Value;
use url::{Url, form_urlencoded};

use crate::traffic::{CONFIGURATION, Room};
use crate::{counts, scale};

/// As the desk is registered.
const BACK: &str = "http://127.0.0.1/back";

/// Browsers are sent to it; what is decided there is decided by the test.
const HTTP: &str = "\n[http]\nlogin_url = \"https://login.example/enter\"\n";

/// A question without the nonce, and one with it.
const ATTEMPTS_MAX: usize = 3;

/// What is used up before a kill.
#[derive(Copy, Clone, Debug)]
enum Use {
    Code,
    RefreshToken,
    Family,
    DeviceCode,
    Interaction,
}

const ALL: [Use; 5] = [
    Use::Code,
    Use::RefreshToken,
    Use::Family,
    Use::DeviceCode,
    Use::Interaction,
];

/// What must be so after it.
#[derive(Default)]
struct After {
    /// These refresh tokens live: nothing was lost that was acknowledged.
    live: Vec<(&'static str, String)>,
    /// These are refused at the token endpoint, in this order, whatever is asked first.
    refused: Vec<Fields>,
    /// These addresses lead a browser with this cookie nowhere.
    nowhere: Vec<String>,
    cookie: String,
}

type Fields = Vec<(&'static str, String)>;

/// A code that was redeemed, a refresh token that was rotated, a family that was revoked, a device
/// code that was redeemed and an interaction that was decided stay so when the service is killed at
/// once after it said so. Each is the last thing that it did before one of the kills.
pub(crate) fn what_was_used_stays_used_after_a_kill() -> Result<(), String> {
    let terms = Terms {
        configuration: format!("{CONFIGURATION}{HTTP}"),
        ..Terms::default()
    };
    let mut service = Service::start(&terms)?;
    in_a_runtime(async {
        Desk::open(&service).await?;
        let web = Web {
            room: Room::open(&service).await?,
            client: Client::builder()
                .redirect(Policy::none())
                // A connection does not outlive a kill.
                .pool_max_idle_per_host(0)
                .build()?,
            minter: Minter::new(Arc::new(SigningKey::generate_es256(random::bytes()?)?)),
            issuer: service.url(),
        };
        for round in 0..scale::of(1, 20) {
            for used in ALL {
                let after = web.uses(used).await?;
                service.kill()?;
                service.restart(&terms)?;
                let about = |error| format!("round {round}, {used:?}: {error}");
                web.holds(after).await.map_err(about)?;
                counts::add("uses over HTTP before and after a kill", 1);
            }
        }
        Ok(())
    })
}

/// Clients of HTTP: a browser, and what has the key.
struct Web {
    room: Room,
    client: Client,
    minter: Minter,
    issuer: String,
}

impl Web {
    async fn uses(&self, used: Use) -> Result<After, Problem> {
        let mut after = After::default();
        match used {
            Use::Code => {
                let redeem = self.came_back().await?.2;
                let given = self.given(&redeem).await?;
                after.live.push(("desk", given));
                after.refused.push(redeem);
            }
            Use::RefreshToken => {
                let first = self.given(&self.came_back().await?.2).await?;
                let second = self.given(&refresh("desk", &first)).await?;
                let third = self.given(&refresh("desk", &second)).await?;
                after.live.push(("desk", third));
                after.refused.push(refresh("desk", &first));
                after.refused.push(refresh("desk", &second));
            }
            Use::Family => {
                let first = self.given(&self.came_back().await?.2).await?;
                let second = self.given(&refresh("desk", &first)).await?;
                let revoke = [("client_id", "desk".to_owned()), ("token", second.clone())];
                let revoked = self.ask("/revoke", &revoke).await?;
                if revoked.0 != 200 {
                    return Err(format!("not revoked: {revoked:?}").into());
                }
                after.refused.push(refresh("desk", &second));
                after.refused.push(refresh("desk", &first));
            }
            Use::DeviceCode => {
                let client = ("client_id", "tv".to_owned());
                let (_, asked) = self
                    .ask("/device_authorization", std::slice::from_ref(&client))
                    .await?;
                self.room.lets_in(&text(&asked, "user_code")?).await?;
                let grant = "urn:ietf:params:oauth:grant-type:device_code";
                let redeem = vec![
                    ("grant_type", grant.to_owned()),
                    ("device_code", text(&asked, "device_code")?),
                    client,
                ];
                after.live.push(("tv", self.given(&redeem).await?));
                after.refused.push(redeem);
            }
            Use::Interaction => (after.nowhere, after.cookie, _) = self.came_back().await?,
        }
        Ok(after)
    }

    async fn holds(&self, after: After) -> Result<(), Problem> {
        let mut families = Vec::new();
        for (client, token) in &after.live {
            families.push(refresh(client, &self.given(&refresh(client, token)).await?));
        }
        // A second use ends what the first led to.
        for fields in after.refused.iter().chain(&families) {
            let (status, answer) = self.ask("/token", fields).await?;
            if (status, answer["error"].as_str()) != (400, Some("invalid_grant")) {
                return Err(format!("{status} for what is used up: {}", fields[0].1).into());
            }
        }
        for url in &after.nowhere {
            let answer = self.open(url, &after.cookie).await?;
            if answer.status() != 400 {
                return Err(format!("{} where nothing is left", answer.status()).into());
            }
        }
        Ok(())
    }

    /// A browser brings a pushed request, the person approves, and the browser comes back: what it
    /// went through, its cookie, and how the code is redeemed.
    async fn came_back(&self) -> Result<(Vec<String>, String, Fields), Problem> {
        let verifier = base64url::encode(random::bytes::<32>()?);
        let push = [
            ("client_id", "desk".to_owned()),
            ("response_type", "code".to_owned()),
            ("redirect_uri", BACK.to_owned()),
            ("code_challenge_method", "S256".to_owned()),
            (
                "code_challenge",
                base64url::encode(sha256(&[verifier.as_bytes()])),
            ),
        ];
        let (_, pushed) = self.ask("/par", &push).await?;
        let request_uri = text(&pushed, "request_uri")?;
        let mut begin = Url::parse(&format!("{}/authorize", self.issuer))?;
        begin
            .query_pairs_mut()
            .append_pair("client_id", "desk")
            .append_pair("request_uri", &request_uri);
        let sent = self.open(begin.as_str(), "").await?;
        let cookie = header(&sent, "set-cookie")?;
        let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        let handle = parameter(&header(&sent, "location")?, "interaction")?;
        let way_back = self.room.approves(&handle).await?;
        let back = self.open(&way_back, &cookie).await?;
        let redeem = vec![
            ("grant_type", "authorization_code".to_owned()),
            ("code", parameter(&header(&back, "location")?, "code")?),
            ("code_verifier", verifier),
            ("redirect_uri", BACK.to_owned()),
            ("client_id", "desk".to_owned()),
        ];
        if self.room.approves(&handle).await.is_ok() {
            return Err("an interaction was decided twice".into());
        }
        Ok((vec![begin.into(), way_back], cookie, redeem))
    }

    async fn open(&self, url: &str, cookie: &str) -> Result<Response, Problem> {
        Ok(self.client.get(url).header("cookie", cookie).send().await?)
    }

    /// The refresh token that comes of it.
    async fn given(&self, fields: &[(&'static str, String)]) -> Result<String, Problem> {
        let (status, answer) = self.ask("/token", fields).await?;
        match status {
            200 => Ok(text(&answer, "refresh_token")?),
            _ => Err(format!("{status} for {}: {}", fields[0].1, answer["error"]).into()),
        }
    }

    /// Asks with a proof, which has a nonce where the service wants one: it has just started.
    async fn ask(&self, path: &str, fields: &[(&str, String)]) -> Result<(u16, Value), Problem> {
        let url = format!("{}{path}", self.issuer);
        let mut nonce = None;
        for _ in 0..ATTEMPTS_MAX {
            let proof = self.minter.mint(&Mint {
                jti: Jti::new(random::bytes()?),
                method: "POST",
                target: &Target::parse(&url)?,
                iat: SystemClock.now(),
                nonce: nonce.as_deref(),
                ath: None,
            })?;
            let request = self.client.post(&url).header("dpop", proof);
            let request = request.header("content-type", "application/x-www-form-urlencoded");
            let body = form_urlencoded::Serializer::new(String::new())
                .extend_pairs(fields)
                .finish();
            let answer = request.body(body).send().await?;
            let status = answer.status().as_u16();
            let challenge = header(&answer, "dpop-nonce").ok();
            let body = answer.bytes().await?;
            let told = serde_json::from_slice(&body).unwrap_or_default();
            let told: Value = told;
            if told["error"] != "use_dpop_nonce" {
                return Ok((status, told));
            }
            nonce = challenge;
        }
        Err("every nonce is refused".into())
    }
}

fn refresh(client: &str, token: &str) -> Fields {
    vec![
        ("grant_type", "refresh_token".to_owned()),
        ("refresh_token", token.to_owned()),
        ("client_id", client.to_owned()),
    ]
}

fn text(answer: &Value, name: &str) -> Result<String, String> {
    setup::text(answer, name)
}

fn header(answer: &Response, name: &str) -> Result<String, Problem> {
    let status = answer.status();
    let value = answer.headers().get(name);
    let value = value.ok_or_else(|| format!("{status} without {name}"))?;
    Ok(value.to_str()?.to_owned())
}

fn parameter(url: &str, name: &str) -> Result<String, Problem> {
    let url = Url::parse(url)?;
    let found = url.query_pairs().find(|(key, _)| key == name);
    let (_, value) = found.ok_or_else(|| format!("no {name}"))?;
    Ok(value.into_owned())
}
