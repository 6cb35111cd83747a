//! What a person does, and what the client has of it in the end.

use std::path::Path;
use std::time::Duration;

use countersign::admin::v1::account_service_client::AccountServiceClient;
use countersign::admin::v1::resource_service_client::ResourceServiceClient;
use countersign::admin::v1::{
    Account, CreateAccountRequest, GrantType, Resource, ScopeDescription, UpdateResourceRequest,
};
use countersign_client::Countersign;
use countersign_client::authorization::{AuthorizationRequest, PendingAuthorization, Prompt};
use countersign_jose::base64url;
use countersign_testkit::{Platform, Problem, person_client};
use prost_types::FieldMask;
use serde_json::{Value, json};

use crate::walk::{DESKTOP, PHONE, Screen, walk};

const RESOURCE: &str = "https://orders.example";
const BACK: &str = "https://desk.example/back";
const SCOPES: &[&str] = &["orders.read", "orders.write"];
/// What they allow, in the words of the resource.
const WORDS: [&str; 2] = ["See what you have ordered", "Order in your name"];
const NAME: &str = "ann";
const PASSWORD: &str = "correct horse battery staple";

/// A service with the login application and an account in it, and a client.
struct World {
    platform: Platform,
    desk: Countersign,
}

impl World {
    async fn new() -> Result<Self, Problem> {
        let platform = Platform::start_with(|config| {
            config.login.serve = true;
            config.device.interval = Duration::from_secs(1);
        })
        .await?;
        platform.register_resource(RESOURCE, SCOPES).await?;
        let described = SCOPES.iter().zip(WORDS);
        let described = described.map(|(&scope, words)| ScopeDescription {
            scope: scope.to_owned(),
            description: words.to_owned(),
        });
        ResourceServiceClient::new(platform.admin().await?)
            .update_resource(UpdateResourceRequest {
                resource: Some(Resource {
                    uri: RESOURCE.to_owned(),
                    scope_descriptions: described.collect(),
                    ..Resource::default()
                }),
                update_mask: Some(FieldMask {
                    paths: vec!["scope_descriptions".to_owned()],
                }),
            })
            .await?;
        let mut desk = person_client("desk", BACK, RESOURCE, SCOPES);
        desk.display_name = "The Order Desk".to_owned();
        desk.grant_types.push(GrantType::DeviceCode.into());
        let desk = platform.register(desk).await?;
        let desk = platform.client(&desk).connect().await?;
        AccountServiceClient::new(platform.admin().await?)
            .create_account(CreateAccountRequest {
                account: Some(Account {
                    name: NAME.to_owned(),
                    display_name: "Ann Lee".to_owned(),
                    ..Account::default()
                }),
                password: PASSWORD.to_owned(),
            })
            .await?;
        Ok(Self { platform, desk })
    }

    fn asks(&self) -> AuthorizationRequest {
        self.desk.authorization(BACK).scopes(SCOPES.iter().copied())
    }

    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.platform.issuer())
    }
}

/// What every scene knows.
fn known(more: &Value) -> Value {
    let mut known = json!({"back": BACK, "name": NAME, "password": PASSWORD});
    if let (Value::Object(known), Value::Object(more)) = (&mut known, more) {
        known.extend(more.clone());
    }
    known
}

fn text<'a>(outcome: &'a Value, name: &str) -> Result<&'a str, Problem> {
    let text = outcome[name].as_str();
    Ok(text.ok_or_else(|| format!("no {name} in {outcome}"))?)
}

/// What the access token says.
fn claims(access_token: &str) -> Result<Value, Problem> {
    let payload = access_token.split('.').nth(1).ok_or("no token")?;
    Ok(serde_json::from_slice(&base64url::decode(payload)?)?)
}

/// The client takes the answer for its own, and gets a token of the person.
async fn redeemed(
    world: &World,
    pending: &PendingAuthorization,
    at: &str,
    scopes: &[&str],
) -> Result<Value, Problem> {
    let code = pending.check(at)?;
    let issued = world.desk.token_service().redeem(&code, &[], &[]).await?;
    if issued.scopes != scopes {
        return Err(format!("the token has {:?}", issued.scopes).into());
    }
    let claims = claims(issued.access_token.expose())?;
    if claims["acr"] != "pwd" || !claims["cnf"]["jkt"].is_string() {
        return Err(format!("the token says {claims}").into());
    }
    Ok(claims)
}

/// Runs a scene's two halves: the browser in a thread that may wait, the service beside it.
fn play<F: Future<Output = Result<(), Problem>>>(scene: F) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    runtime.block_on(scene).map_err(|error| error.to_string())
}

async fn walked(
    launcher: &Path,
    scene: &'static str,
    screen: Screen,
    more: Value,
) -> Result<Value, Problem> {
    let launcher = launcher.to_owned();
    let walk = move || walk(&launcher, scene, screen, known(&more));
    Ok(tokio::task::spawn_blocking(walk).await??)
}

fn login(launcher: &Path, screen: Screen) -> Result<(), String> {
    play(async {
        let world = World::new().await?;
        let pending = world.asks().push().await?;
        let asked = json!({"url": pending.url(), "withheld": "orders.write", "words": WORDS[1]});
        let outcome = walked(launcher, "login", screen, asked).await?;
        redeemed(&world, &pending, text(&outcome, "at")?, &["orders.read"]).await?;
        world.platform.stop().await
    })
}

pub(crate) fn login_on_a_phone(launcher: &Path) -> Result<(), String> {
    login(launcher, PHONE)
}

pub(crate) fn login_on_a_desktop(launcher: &Path) -> Result<(), String> {
    login(launcher, DESKTOP)
}

pub(crate) fn login_by_keyboard(launcher: &Path) -> Result<(), String> {
    play(async {
        let world = World::new().await?;
        let pending = world.asks().push().await?;
        // Where the focus is, script has to say.
        let screen = Screen {
            audit: true,
            ..DESKTOP
        };
        let asked = json!({"url": pending.url()});
        let outcome = walked(launcher, "keyboard", screen, asked).await?;
        redeemed(&world, &pending, text(&outcome, "at")?, SCOPES).await?;
        world.platform.stop().await
    })
}

fn denial(launcher: &Path, screen: Screen) -> Result<(), String> {
    play(async {
        let world = World::new().await?;
        let pending = world.asks().push().await?;
        let outcome = walked(launcher, "denial", screen, json!({"url": pending.url()})).await?;
        match pending.check(text(&outcome, "at")?) {
            Err(error) if error.to_string().contains("access_denied") => {}
            other => return Err(format!("{other:?}").into()),
        }
        world.platform.stop().await
    })
}

pub(crate) fn denial_on_a_phone(launcher: &Path) -> Result<(), String> {
    denial(launcher, PHONE)
}

pub(crate) fn denial_on_a_desktop(launcher: &Path) -> Result<(), String> {
    denial(launcher, DESKTOP)
}

fn step_up(launcher: &Path, screen: Screen) -> Result<(), String> {
    play(async {
        let world = World::new().await?;
        let first = world.asks().push().await?;
        let again = world.asks().prompts([Prompt::Login]).push().await?;
        let asked = json!({"url": first.url(), "again": again.url()});
        let outcome = walked(launcher, "step_up", screen, asked).await?;
        let before = redeemed(&world, &first, text(&outcome, "first")?, SCOPES).await?;
        let after = redeemed(&world, &again, text(&outcome, "at")?, SCOPES).await?;
        let logged_in_at = |claims: &Value| claims["auth_time"].as_u64().ok_or("no auth_time");
        if before["sub"] != after["sub"] || logged_in_at(&before)? >= logged_in_at(&after)? {
            return Err(format!("{before}, then {after}").into());
        }
        world.platform.stop().await
    })
}

pub(crate) fn step_up_on_a_phone(launcher: &Path) -> Result<(), String> {
    step_up(launcher, PHONE)
}

pub(crate) fn step_up_on_a_desktop(launcher: &Path) -> Result<(), String> {
    step_up(launcher, DESKTOP)
}

fn device(launcher: &Path, screen: Screen) -> Result<(), String> {
    play(async {
        let world = World::new().await?;
        let device = world.desk.device().scopes(SCOPES.iter().copied());
        let device = device.begin().await?;
        let asked = json!({"url": device.verification_uri(), "code": device.user_code()});
        walked(launcher, "device", screen, asked).await?;
        let issued = device.wait().await?;
        if issued.scopes != SCOPES {
            return Err(format!("the device got {:?}", issued.scopes).into());
        }
        world.platform.stop().await
    })
}

pub(crate) fn device_on_a_phone(launcher: &Path) -> Result<(), String> {
    device(launcher, PHONE)
}

pub(crate) fn device_on_a_desktop(launcher: &Path) -> Result<(), String> {
    device(launcher, DESKTOP)
}

/// A client that is not registered: nothing is known of where the browser should go.
fn error_page(launcher: &Path, screen: Screen) -> Result<(), String> {
    play(async {
        let world = World::new().await?;
        let url = world.at("/authorize?client_id=nobody&redirect_uri=https%3A%2F%2Fevil.example");
        let asked = json!({"url": url, "heading": "This request cannot go on"});
        let outcome = walked(launcher, "error_page", screen, asked).await?;
        if text(&outcome, "at")? != url || outcome["status"].as_u64() != Some(400) {
            return Err(format!("the browser is at {outcome}").into());
        }
        world.platform.stop().await
    })
}

pub(crate) fn error_on_a_phone(launcher: &Path) -> Result<(), String> {
    error_page(launcher, PHONE)
}

pub(crate) fn error_on_a_desktop(launcher: &Path) -> Result<(), String> {
    error_page(launcher, DESKTOP)
}

fn account(launcher: &Path, screen: Screen) -> Result<(), String> {
    play(async {
        let world = World::new().await?;
        let first = world.asks().push().await?;
        let again = world.asks().push().await?;
        let once_more = world.asks().push().await?;
        let asked = json!({
            "url": first.url(), "again": again.url(), "once_more": once_more.url(),
            "account": world.at("/login/account"),
        });
        let outcome = walked(launcher, "account", screen, asked).await?;
        redeemed(&world, &again, text(&outcome, "at")?, SCOPES).await?;
        world.platform.stop().await
    })
}

pub(crate) fn account_on_a_phone(launcher: &Path) -> Result<(), String> {
    account(launcher, PHONE)
}

pub(crate) fn account_on_a_desktop(launcher: &Path) -> Result<(), String> {
    account(launcher, DESKTOP)
}
