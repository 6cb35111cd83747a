//! A service with a resource and clients registered, as most tests want it.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::service::{Service, countersign};

/// The resource that tests ask tokens for.
pub(crate) const RESOURCE: &str = "https://orders.example:8443";

/// A confidential client, registered.
pub(crate) struct Registered {
    pub(crate) client_id: String,
    pub(crate) secret: String,
    pub(crate) secret_file: PathBuf,
}

/// Registers the resource `RESOURCE` with the scopes of the example service.
pub(crate) fn resource(service: &Service) -> Result<(), String> {
    service.admin(&[
        "resource", "add", RESOURCE, "--scope", "orders.read", "--scope", "orders.write",
    ])?;
    Ok(())
}

/// Registers a client that authenticates by secret; `more` are further flags of
/// `client add`.
pub(crate) fn client(service: &Service, name: &str, more: &[&str]) -> Result<Registered, String> {
    let mut arguments = vec!["client", "add", name, "--auth", "client-secret"];
    arguments.extend(more);
    let added = service.admin(&arguments)?;
    let secret = text(&added, "client_secret")?;
    let secret_file = service.folder().join(format!("{name}.secret"));
    fs::write(&secret_file, &secret).map_err(|error| error.to_string())?;
    Ok(Registered {
        client_id: name.to_owned(),
        secret,
        secret_file,
    })
}

/// Runs `countersign token …` as this client, with a proof key of its own.
pub(crate) fn token(
    service: &Service,
    client: &Registered,
    arguments: &[&str],
) -> Result<Value, String> {
    let key = service.folder().join(format!("{}.dpop.pem", client.client_id));
    let mut all: Vec<String> = vec!["token".into()];
    all.extend(arguments.iter().map(|&argument| argument.to_owned()));
    all.extend([
        "--server".into(),
        service.url(),
        "--client-id".into(),
        client.client_id.clone(),
        "--client-secret-file".into(),
        client.secret_file.display().to_string(),
        "--dpop-key".into(),
        key.display().to_string(),
        "--json".into(),
    ]);
    let said = countersign(&all)?;
    serde_json::from_str(&said).map_err(|error| format!("{error}: {said}"))
}

/// The text in the member `name`.
pub(crate) fn text(value: &Value, name: &str) -> Result<String, String> {
    value
        .get(name)
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
        .ok_or_else(|| format!("no {name} in {value}"))
}
