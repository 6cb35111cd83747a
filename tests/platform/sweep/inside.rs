//! The libraries in somebody's own program: a client that signs in, and a service behind a guard,
//! with everything that they log and export.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use countersign::example::v1::CreateOrderRequest;
use countersign::example::v1::order_service_client::OrderServiceClient;
use countersign_client::{Builder, Credential, Secret};
use countersign_telemetry::{LogFormat, LogSink, Logs, Metrics, Settings, Traces};
use countersign_testkit::{Problem, sign_in};

use super::call::Caller;
use super::marks::{Heard, Marks};
use super::steps::BACK;
use crate::service::Service;
use crate::{orders, setup};

/// Where lines go.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Runs them on a thread of their own, whose telemetry is heard as the service's is.
pub(crate) fn client_and_guard(
    service: &Service,
    endpoint: &str,
    caller: &mut Caller,
) -> Result<(), Problem> {
    let url = service.url();
    let decides = format!("{url}=authorizations.decide");
    let orders = format!("{}=orders.read,orders.write", setup::RESOURCE);
    let login = setup::client(service, "sign-in", &["--allow", &decides])?;
    let shop = setup::client(
        service,
        "shop",
        &["--redirect-uri", BACK, "--allow", &orders],
    )?;
    let marks = &mut caller.marks;
    for secret in [&login.secret, &shop.secret] {
        marks.add("a client secret", secret.as_bytes(), &[]);
    }
    let lines = Lines::default();
    let settings = Settings {
        service: countersign_telemetry::Service {
            name: "shop".to_owned(),
            version: "1".to_owned(),
            instance_id: "test".to_owned(),
        },
        logs: Logs {
            format: LogFormat::Json,
            filter: super::LOG.to_owned(),
            sink: LogSink::Writer(Box::new(lines.clone())),
        },
        traces: Some(Traces::to(endpoint)),
        metrics: Some(Metrics::to(endpoint)),
    };
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let (dispatch, telemetry) =
                countersign_telemetry::prepare(settings).map_err(|error| error.to_string())?;
            let done = tracing::dispatcher::with_default(&dispatch, || {
                tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .map_err(|error| error.to_string())?
                    .block_on(shops(&url, &login, &shop, marks))
                    .map_err(|error| error.to_string())
            });
            telemetry
                .shutdown(Duration::from_secs(10))
                .map_err(|error| error.to_string())?;
            done
        });
        thread.join().map_err(|_| "the shop panicked".to_owned())?
    })?;
    let bytes = lines
        .0
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    if bytes.is_empty() {
        return Err("the shop logged nothing at all".into());
    }
    caller.heard.push(Heard {
        place: "log of a client and a guard".to_owned(),
        bytes,
    });
    Ok(())
}

async fn shops(
    url: &str,
    login: &setup::Registered,
    shop: &setup::Registered,
    marks: &mut Marks,
) -> Result<(), Problem> {
    let connect = async |who: &setup::Registered| {
        let credential = Credential::ClientSecret(Secret::from(who.secret.as_str()));
        Builder::new(url)
            .client(who.client_id.clone(), credential)
            .connect()
            .await
    };
    let (login, shop) = (connect(login).await?, connect(shop).await?);
    let issued = sign_in(&shop, &login, url, BACK, "ada").await?;
    marks.add(
        "an access token of a person",
        issued.access_token.expose().as_bytes(),
        &[],
    );
    let refresh = issued.refresh_token.ok_or("no refresh token")?;
    marks.add(
        "a refresh token of a person",
        refresh.expose().as_bytes(),
        &[],
    );
    let next = shop.token_service().rotate(&refresh, &[], &[]).await?;
    let next = next.refresh_token.ok_or("no successor")?;
    marks.add("its successor", next.expose().as_bytes(), &[]);

    // A guarded call that passes, and one whose token was revoked with its family.
    let address = orders::serve(url, setup::RESOURCE).await?;
    let origin = format!("http://{address}");
    let channel = shop
        .channel(&origin)
        .resource(setup::RESOURCE)
        .connect()
        .await?;
    let mut stub = OrderServiceClient::new(channel);
    stub.create_order(CreateOrderRequest {
        item: "tea".to_owned(),
    })
    .await?;
    let garbage = Secret::from("csr_garbage-that-a-client-took-for-a-refresh-token-0123456789");
    marks.add(
        "a refresh token that is none",
        garbage.expose().as_bytes(),
        &[],
    );
    if let Ok(issued) = shop.token_service().rotate(&garbage, &[], &[]).await {
        return Err(format!("garbage was accepted: {issued:?}").into());
    }
    Ok(())
}
