//! A flood of requests in the name of clients that show nothing, from one address.

use std::time::Instant;

use countersign::admin::v1::AuthenticationMethod;
use countersign_server::Config;
use http::StatusCode;

use super::floods::held;
use crate::comes::{Comes, check};
use crate::devices::{ask, device_client, device_request};
use crate::flow::{pkce, push_request};
use crate::harness::{
    CALLBACK, Client, DEVICE, ORDERS, PUSH, Service, WARM, inner, person_client, with_proof,
};
use crate::http::web::{Answer, Ask, Web, form};
use crate::proof::Key;

/// So many at once, and one more in twenty seconds.
const NUMBER: u32 = 3;

/// Every way in which a stranger has a request written down.
const WAYS: usize = 6;

struct World {
    service: Service,
    web: Web,
    /// With a secret.
    shop: Client,
    app: Client,
    tv: Client,
}

impl World {
    async fn with(number: u32) -> Self {
        Self::started(|config| config.limits.public_requests_per_min = number).await
    }

    async fn started(change: impl FnOnce(&mut Config)) -> Self {
        let service = Service::start_with(|config| {
            config.http.login_url = Some("https://login.example.com/enter".to_owned());
            change(config);
        })
        .await;
        service.add_orders().await;
        let shop = person_client("shop", AuthenticationMethod::ClientSecret);
        let app = person_client("app", AuthenticationMethod::None);
        let tv = device_client("tv", AuthenticationMethod::None);
        Self {
            web: Web::of(&service),
            shop: service.add(shop).await,
            app: service.add(app).await,
            tv: service.add(tv).await,
            service,
        }
    }

    /// One request of a stranger; whether it was written down. Refused, it is told when to come
    /// again.
    async fn lodges(&self, way: usize) -> bool {
        let Self {
            service, web, tv, ..
        } = self;
        let key = Key::new();
        let device = [("client_id", "tv"), ("resource", ORDERS)];
        let answer = match way % WAYS {
            // A browser shows nothing, whatever its client could.
            0 => {
                let client = if way.is_multiple_of(2 * WAYS) {
                    "shop"
                } else {
                    "app"
                };
                let path = format!("/authorize?{}", parameters(client));
                let answer = web.get(&path).await;
                if answer.status == StatusCode::SEE_OTHER {
                    let to = answer.header("location").expect("somewhere");
                    assert!(to.starts_with("https://login.example.com/enter?"), "{to}");
                    return true;
                }
                let kind = answer.header("content-type");
                assert_eq!(kind, Some("text/html; charset=utf-8"), "{answer:?}");
                return late(&answer);
            }
            1 => web.send(pushed("app")).await,
            2 => web.send(pushed("app").proven(service, &key)).await,
            3 => web.send(Ask::post("/device_authorization", &device)).await,
            4 => {
                let message = push_request(&self.app, &pkce().1);
                let proof = service.proof(&key, PUSH);
                let mut authorizations = service.authorizations().await;
                let answer = authorizations.push_authorization(with_proof(message, &proof));
                let answer = inner(answer.await);
                if answer.is_err() {
                    check("pushed over gRPC", &answer, Comes::Limited);
                }
                return answer.is_ok();
            }
            _ => {
                let proof = service.proof(&key, DEVICE);
                let answer = ask(service, with_proof(device_request(tv), &proof)).await;
                if answer.is_err() {
                    check("a device over gRPC", &answer, Comes::Limited);
                }
                return answer.is_ok();
            }
        };
        if answer.status.is_success() {
            return true;
        }
        answer.check("over HTTP", Comes::Limited);
        late(&answer)
    }
}

/// 429, and when to come again.
#[track_caller]
fn late(answer: &Answer) -> bool {
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS, "{answer:?}");
    let wait = answer.header("retry-after").expect("a time");
    assert!((1..=20).contains(&wait.parse::<u64>().expect("seconds")));
    false
}

fn parameters(client: &str) -> String {
    let challenge = pkce().1;
    form(&[
        ("client_id", client),
        ("response_type", "code"),
        ("redirect_uri", CALLBACK),
        ("resource", ORDERS),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ])
}

fn pushed(client: &str) -> Ask {
    let mut ask = Ask::post("/par", &[]);
    ask.body = parameters(client).into_bytes();
    ask
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_lodge_so_many_requests_from_an_address_whichever_way() {
    for first in 0..WAYS {
        let world = World::with(NUMBER).await;
        let begun = Instant::now();
        let mut let_in = 0;
        for way in first..first + 3 * WAYS {
            let_in += u64::from(world.lodges(way).await);
        }
        // A slow machine earns some while it asks.
        let earned = begun.elapsed().as_secs() / 20;
        let expected = u64::from(NUMBER);
        assert!((expected..=expected + earned).contains(&let_in), "{let_in}");
        // Who shows that it is the client is no stranger, wherever it comes from.
        for _ in 0..2 * NUMBER {
            let lodged = world.web.send(pushed("shop").basic(&world.shop)).await;
            assert_eq!(lodged.status, StatusCode::CREATED, "{lodged:?}");
        }
    }
}

/// Else whoever is at the same address could be kept from lodging by requests that come to nothing.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_for_itself_uses_nothing_up() {
    let world = World::with(NUMBER).await;
    for _ in 0..NUMBER {
        let mut wrong = pushed("app");
        wrong.body.extend(b"&scope=launch");
        let pushed = world.web.send(wrong).await;
        pushed.check("a scope that nobody has", Comes::Scope);
        let path = format!("/authorize?{}&scope=launch", parameters("app"));
        let brought = world.web.get(&path).await;
        let to = brought.header("location").expect("back to the client");
        assert!(to.contains("error=invalid_scope"), "{to}");
        let asked = [("client_id", "tv"), ("scope", "launch")];
        let asked = Ask::post("/device_authorization", &asked);
        let asked = world.web.send(asked).await;
        asked.check("the same of a device", Comes::Scope);
    }
    for way in 0..NUMBER as usize {
        assert!(world.lodges(way).await, "{way}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_strangers_does_not_grow_the_store() {
    let mut world = World::with(NUMBER).await;
    world.service.stop().await;
    let (before, _) = held(&world.service).await;
    world.service.run().await;
    world.service.clock.advance(WARM);
    world.web = Web::of(&world.service);
    let begun = Instant::now();
    for way in 0..40 * WAYS {
        world.lodges(way).await;
    }
    let earned = usize::try_from(begun.elapsed().as_secs() / 20).expect("small");
    world.service.stop().await;
    let (after, _) = held(&world.service).await;
    let new = after.keys().filter(|key| !before.contains_key(*key));
    // A request, and for a device the name of its user code; and what a restart writes.
    let most = 2 * (NUMBER as usize + earned) + 4;
    let grown = new.count();
    assert!(grown <= most, "{grown} records");
}

/// A header that everybody can write counts only where a proxy writes it.
#[tokio::test(flavor = "multi_thread")]
async fn strangers_are_told_apart_by_a_proxy_where_there_is_one() {
    for behind_proxy in [true, false] {
        let world = World::started(|config| {
            config.limits.public_requests_per_min = NUMBER;
            config.login.behind_proxy = behind_proxy;
        })
        .await;
        // Each has a whole share, or all have one together.
        let mut let_in = 0;
        for stranger in 1..=3 * NUMBER {
            let from = format!("198.51.100.9, 192.0.2.{stranger}");
            let ask = pushed("app").header("x-forwarded-for", from);
            let_in += u32::from(world.web.send(ask).await.status.is_success());
        }
        let expected = if behind_proxy { 3 * NUMBER } else { NUMBER };
        assert_eq!(let_in, expected, "behind a proxy: {behind_proxy}");
        let again = || pushed("app").header("x-forwarded-for", "192.0.2.1");
        let mut more = 0;
        for _ in 0..NUMBER {
            more += u32::from(world.web.send(again()).await.status.is_success());
        }
        let expected = if behind_proxy { NUMBER - 1 } else { 0 };
        assert_eq!(more, expected, "of one: {behind_proxy}");
    }
}
