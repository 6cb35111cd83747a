//! One trace from a Python caller through a guard to a Rust handler, which calls a second guarded
//! service.

use std::path::Path;
use std::time::Duration;

use countersign::example::v1::order_service_client::OrderServiceClient;
use countersign_client::{Builder, Credential};
use countersign_testkit::service::{Service, Terms};
use countersign_testkit::{Problem, parts, setup, work};

use crate::client::run;
use crate::jaeger::{Jaeger, Trace};
use crate::shop::Shop;
use crate::stock;

const PLACE: &str = "place an order";
const CREATE: &str = "shop: countersign.example.v1.OrderService/CreateOrder";
/// The handler's call, and the same in the process that is called.
const ASKS: &str = "shop: countersign.example.v1.OrderService/GetOrder";
const ANSWERS: &str = "stock: countersign.example.v1.OrderService/GetOrder";
const STOCK: &str = "https://stock.example:8443";

pub(crate) fn from_python(launcher: &Path) -> Result<(), String> {
    let program = parts::find("jaeger").ok_or("jaeger is not installed as well")?;
    let jaeger = Jaeger::start(&program)?;
    // The only test of this program that starts telemetry, which is the process's own.
    let telemetry = stock::telemetry("shop", jaeger.endpoint())?;
    work::in_a_runtime(drive(launcher, jaeger.endpoint()))?;
    telemetry
        .shutdown(Duration::from_secs(10))
        .map_err(|error| error.to_string())?;
    let trace = jaeger.trace("python", PLACE, whole)?;
    println!("{}", trace.tree());
    match trace.values().find(|text| text.contains("eyJ")) {
        Some(leak) => Err(format!("an attribute holds a token or a proof: {leak}")),
        None => Ok(()),
    }
}

fn whole(trace: &Trace) -> Result<(), String> {
    let place = format!("python: {PLACE}");
    trace.path(&[&place, CREATE, "shop: countersign.guard"])?;
    let onward = [&place, CREATE, "shop: countersign.handler", ASKS, ANSWERS];
    for last in ["stock: countersign.guard", "stock: countersign.handler"] {
        trace.path(&[&onward[..], &[last]].concat())?;
    }
    Ok(())
}

async fn drive(launcher: &Path, otlp: String) -> Result<(), Problem> {
    let service = Service::start(&Terms::default())?;
    setup::resource(&service)?;
    service.admin(&["resource", "add", STOCK, "--scope", "orders.read"])?;
    let allow = format!("{}=orders.write", setup::RESOURCE);
    let python = setup::client(&service, "python", &["--allow", &allow])?;
    let allow = format!("{STOCK}=orders.read");
    let shop = setup::client(&service, "shop", &["--allow", &allow])?;

    let order = stock::Order {
        issuer: service.url(),
        resource: STOCK.to_owned(),
        otlp: otlp.clone(),
    };
    let stock = tokio::task::spawn_blocking(move || order.give()).await??;
    let onward = Builder::new(service.url())
        .client(shop.client_id, Credential::ClientSecret(shop.secret.into()))
        .connect()
        .await?
        .channel(format!("http://{}", stock.address))
        .resource(STOCK)
        .connect()
        .await?;
    let orders = Shop {
        stock: Some(OrderServiceClient::new(onward)),
        ..Shop::default()
    };
    let orders = orders.serve(&service.url(), setup::RESOURCE).await?;

    let (launcher, url) = (launcher.to_owned(), service.url());
    let ended = tokio::task::spawn_blocking(move || {
        let words = [
            "traced",
            "--token-service",
            &url,
            "--client",
            &python.client_id,
            "--orders",
            &format!("http://{orders}"),
            "--resource",
            setup::RESOURCE,
            "--otlp",
            &otlp,
        ];
        run(&launcher, "python", &words, &python.secret)
    });
    let said = ended.await??.well()?;
    tokio::task::spawn_blocking(|| drop(stock)).await?;
    match said.as_slice() {
        [line] if line == "placed: tea" => Ok(()),
        other => Err(format!("it said {other:?}").into()),
    }
}
