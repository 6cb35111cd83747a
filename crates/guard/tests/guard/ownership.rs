//! Two users at the door of each other's things, and at the administrator's:
//! what OWASP calls broken object and function level authorization.

use countersign::example::v1::{GetOrderRequest, GetOrderResponse, PurgeOrdersRequest};
use serde_json::{Value, json};
use tonic::{Request, Response, Status};

use crate::stand::{Expected, ORIGIN, SERVICE, Shown, Stand};
use countersign_guard::NonceMode;

async fn stand() -> Stand {
    let admin = format!("[\"{SERVICE}PurgeOrders\"]\nscopes = [\"orders.admin\"]");
    Stand::with(|builder| builder.nonces(NonceMode::Off).rules(admin)).await
}

/// The claims of a token for this person.
fn person(stand: &Stand, subject: &str) -> Value {
    let mut claims = stand.claims();
    claims["sub"] = subject.into();
    claims
}

async fn read(
    stand: &Stand,
    claims: &Value,
    order: &str,
) -> Result<Response<GetOrderResponse>, Status> {
    let token = stand.token_of(claims);
    let mut request = Request::new(GetOrderRequest {
        order_id: order.to_owned(),
    });
    Shown::new(&token, &stand.proof("GetOrder", &token)).onto(request.metadata_mut());
    stand.client().get_order(request).await
}

#[tokio::test]
async fn nobody_reads_the_order_of_another() {
    let stand = stand().await;
    let (alice, bob) = (person(&stand, "alice"), person(&stand, "bob"));
    Expected::Ok.check("her own", read(&stand, &alice, "owner:alice").await);
    Expected::Ok.check("his own", read(&stand, &bob, "owner:bob").await);
    for order in [
        "owner:bob",
        "owner:Alice",
        "owner:alice ",
        "owner:",
        "owner:ali",
        "owner:*",
    ] {
        Expected::NotOwner.check(order, read(&stand, &alice, order).await);
    }
    // Who brings her token does not make it another's.
    let mut through_shop = person(&stand, "alice");
    through_shop["client_id"] = "shop".into();
    Expected::Ok.check("by shop", read(&stand, &through_shop, "owner:alice").await);
    Expected::NotOwner.check(
        "the client she came through",
        read(&stand, &through_shop, "owner:shop").await,
    );
}

/// A person and a client of one name have one subject; what a client's own token says twice, a
/// person's token never does.
#[tokio::test]
async fn a_person_and_a_client_of_one_name_do_not_pass_for_each_other() {
    let stand = stand().await;
    let token = |subject: &str, client: &str| {
        let mut claims = person(&stand, subject);
        claims["client_id"] = client.into();
        claims
    };
    use Expected::{NotOwner, Ok};
    for (row, claims, order, expected) in [
        ("her own", token("alice", "shop"), "person:alice", Ok),
        ("another's", token("bob", "shop"), "person:alice", NotOwner),
        (
            "a client that is called as she is",
            token("alice", "alice"),
            "person:alice",
            NotOwner,
        ),
        (
            "its own",
            token("checkout", "checkout"),
            "client:checkout",
            Ok,
        ),
        (
            "another client",
            token("shop", "shop"),
            "client:checkout",
            NotOwner,
        ),
        (
            "a person who is called as it is",
            token("checkout", "shop"),
            "client:checkout",
            NotOwner,
        ),
        (
            "a person who came through it",
            token("alice", "checkout"),
            "client:checkout",
            NotOwner,
        ),
    ] {
        expected.check(row, read(&stand, &claims, order).await);
    }
}

#[tokio::test]
async fn nobody_reads_an_account_that_the_token_is_not_for() {
    let stand = stand().await;
    let with = |details: Value| {
        let mut claims = person(&stand, "alice");
        claims["authorization_details"] = details;
        claims
    };
    let account = |id: &str| json!({ "type": "account", "identifier": id, "actions": ["read"] });
    use Expected::{NotOwner, Ok, T};
    let rows = [
        ("this one", json!([account("7")]), Ok),
        ("one of two", json!([account("8"), account("7")]), Ok),
        (
            "meant for here",
            {
                let mut detail = account("7");
                detail["locations"] = json!(["https://else.test", ORIGIN]);
                json!([detail])
            },
            Ok,
        ),
        ("none", json!([]), NotOwner),
        ("another", json!([account("8")]), NotOwner),
        ("longer", json!([account("77")]), NotOwner),
        (
            "of another type",
            json!([{ "type": "card", "identifier": "7" }]),
            NotOwner,
        ),
        ("of no identifier", json!([{ "type": "account" }]), NotOwner),
        (
            "split in two",
            json!([{ "type": "account" }, { "type": "x", "identifier": "7" }]),
            NotOwner,
        ),
        (
            "meant for elsewhere",
            {
                let mut detail = account("7");
                detail["locations"] = json!(["https://else.test"]);
                json!([detail])
            },
            NotOwner,
        ),
        (
            "meant for nowhere",
            {
                let mut detail = account("7");
                detail["locations"] = json!([]);
                json!([detail])
            },
            NotOwner,
        ),
        ("not a list", account("7"), T),
        ("a list of texts", json!(["account"]), T),
        ("without a type", json!([{ "identifier": "7" }]), T),
        (
            "a number for a type",
            json!([{ "type": 7, "identifier": "7" }]),
            T,
        ),
        (
            "a number for an identifier",
            json!([{ "type": "account", "identifier": 7 }]),
            T,
        ),
        (
            "a text for locations",
            json!([{ "type": "account", "identifier": "7", "locations": ORIGIN }]),
            T,
        ),
        ("one good, one broken", json!([account("7"), 1]), T),
        ("null", Value::Null, T),
    ];
    for (row, details, expected) in rows {
        expected.check(row, read(&stand, &with(details), "account:7").await);
    }
    let plain = person(&stand, "alice");
    NotOwner.check("no details", read(&stand, &plain, "account:7").await);
}

#[tokio::test]
async fn nobody_calls_an_administrators_method_with_a_users_token() {
    let stand = stand().await;
    let purge = async |scope: &str, subject: &str| {
        let mut claims = person(&stand, subject);
        claims["scope"] = scope.into();
        let token = stand.token_of(&claims);
        let mut request = Request::new(PurgeOrdersRequest {});
        Shown::new(&token, &stand.proof("PurgeOrders", &token)).onto(request.metadata_mut());
        stand.client().purge_orders(request).await
    };
    Expected::Ok.check("an administrator", purge("orders.admin", "root").await);
    for (scope, subject) in [
        ("orders.read orders.write", "alice"),
        ("orders.read orders.write", "root"),
        ("orders", "alice"),
        ("orders.administrator", "alice"),
        ("Orders.Admin", "alice"),
        ("", "admin"),
    ] {
        Expected::Scope.check(scope, purge(scope, subject).await);
    }
    // With a proof for a method that they may call.
    let token = stand.token();
    let mut request = Request::new(PurgeOrdersRequest {});
    Shown::new(&token, &stand.proof("CreateOrder", &token)).onto(request.metadata_mut());
    Expected::P.check(
        "another's proof",
        stand.client().purge_orders(request).await,
    );
}
