//! One trace reads from the stub to the handler, and from the token that had to
//! be fetched to the commit of the store.

use std::path::Path;
use std::time::Duration;

use countersign::example::v1::order_service_client::OrderServiceClient;
use countersign::example::v1::{CreateOrderRequest, GetOrderRequest};
use countersign_client::{AssertionKey, Builder, Credential};
use countersign_jose::SigningKey;
use countersign_telemetry::{LogFormat, LogSink, Logs, Settings, Traces};
use countersign_testkit::Problem;

use crate::jaeger::{Jaeger, Trace};
use crate::service::{Service, Terms, countersign};
use crate::work::in_a_runtime;
use crate::{orders, setup};

const CREATE: &str = "countersign.example.v1.OrderService/CreateOrder";
const GET: &str = "countersign.example.v1.OrderService/GetOrder";
const ISSUE: &str = "countersign.token.v1.TokenService/IssueToken";

/// Drives the platform and reads the span tree back through Jaeger's API.
pub(crate) fn one_trace_tells_the_whole_call(program: &Path) -> Result<(), String> {
    let jaeger = Jaeger::start(program)?;
    let service = Service::start(&Terms {
        configuration: format!(
            "[telemetry]\notlp_endpoint = \"{}\"\nsample_ratio = 1.0\n",
            jaeger.endpoint()
        ),
        ..Terms::default()
    })?;
    let telemetry = countersign_telemetry::start(Settings {
        service: countersign_telemetry::Service {
            name: "shop".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            instance_id: "test".to_owned(),
        },
        logs: Logs {
            format: LogFormat::Pretty,
            filter: "off".to_owned(),
            sink: LogSink::Stderr,
        },
        traces: Some(Traces::to(jaeger.endpoint())),
        metrics: None,
    })
    .map_err(|error| error.to_string())?;

    in_a_runtime(drive(&service))?;
    telemetry
        .shutdown(Duration::from_secs(10))
        .map_err(|error| error.to_string())?;

    let call = format!("shop: {CREATE}");
    let accepted = jaeger.trace("shop", CREATE, |trace| whole(trace, &call))?;
    println!("{}", accepted.tree());

    // The call that the scopes do not cover says why, where a person looks.
    let refused = format!("shop: {GET}");
    let refused = jaeger.trace("shop", GET, |trace| {
        let reason = "countersign.refusal.reason";
        let told = trace.path(&[&refused, &refused])?.tags.get(reason).cloned();
        match told.as_deref() {
            Some("REASON_SCOPE_INSUFFICIENT") => Ok(()),
            other => Err(format!("the server's span has {reason} {other:?}")),
        }
    })?;

    // No token, proof, assertion or handle in any attribute. JWTs begin with
    // the base64url of `{"`.
    for trace in [&accepted, &refused] {
        if let Some(leak) = trace
            .values()
            .find(|text| text.contains("eyJ") || text.contains("csr_"))
        {
            return Err(format!("an attribute holds a secret: {leak}"));
        }
    }
    Ok(())
}

fn whole(trace: &Trace, call: &str) -> Result<(), String> {
    let (asks, answers) = (format!("shop: {ISSUE}"), format!("countersign: {ISSUE}"));
    trace.path(&[call, "shop: countersign.token.fetch", &asks, &answers])?;
    trace.path(&[&answers, "countersign: countersign.proof.verify"])?;
    trace.path(&[
        &answers,
        "countersign: countersign.issue",
        "countersign: countersign.store.commit",
    ])?;
    // The same name twice: the client's span and the server's.
    trace.path(&[
        call,
        call,
        "shop: countersign.guard",
        "shop: countersign.proof.verify",
    ])?;
    trace.path(&[call, call, "shop: countersign.handler"])?;
    let server = trace.path(&[call, call])?;
    for (name, value) in [
        ("rpc.system.name", "grpc"),
        ("rpc.method", CREATE),
        ("rpc.status_code", "OK"),
    ] {
        if server.tags.get(name).map(String::as_str) != Some(value) {
            return Err(format!(
                "the server's span lacks {name} {value}: {:?}",
                server.tags
            ));
        }
    }
    Ok(())
}

/// One call that is accepted and one that is refused, by a client that
/// authenticates with an assertion: that it was used goes to the store.
async fn drive(service: &Service) -> Result<(), Problem> {
    setup::resource(service)?;
    let folder = service.folder();
    let (key, jwks) = (folder.join("checkout.pem"), folder.join("checkout.jwks"));
    let published = countersign(&["key".as_ref(), "generate".as_ref(), key.as_os_str()])?;
    std::fs::write(&jwks, published)?;
    service.admin(&[
        "client",
        "add",
        "checkout",
        "--jwks",
        &jwks.display().to_string(),
        "--allow",
        &format!("{}=orders.write", setup::RESOURCE),
    ])?;

    let address = orders::serve(&service.url(), setup::RESOURCE).await?;
    let key = SigningKey::from_pkcs8_pem(&std::fs::read_to_string(&key)?)?;
    let countersign = Builder::new(service.url())
        .client(
            "checkout",
            Credential::PrivateKeyJwt(AssertionKey::new(key)),
        )
        .connect()
        .await?;
    let channel = countersign
        .channel(format!("http://{address}"))
        .scopes(["orders.write"])
        .resource(setup::RESOURCE)
        .connect()
        .await?;
    let mut orders = OrderServiceClient::new(channel);
    orders
        .create_order(CreateOrderRequest {
            item: "tea".to_owned(),
        })
        .await?;
    let refused = orders
        .get_order(GetOrderRequest {
            order_id: "1".to_owned(),
        })
        .await;
    match refused {
        Err(_) => Ok(()),
        Ok(_) => Err("a call was accepted that the scopes do not cover".into()),
    }
}
