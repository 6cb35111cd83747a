//! A service with a resource and clients registered, as most tests want it.

use serde_json::Value;

use crate::service::Service;

/// The resource that tests ask tokens for.
pub const RESOURCE: &str = "https://orders.example:8443";

/// A confidential client, registered.
pub struct Registered {
    /// Its identifier.
    pub client_id: String,
    /// Its secret.
    pub secret: String,
}

/// Registers the resource `RESOURCE` with the scopes of the example service.
///
/// # Errors
/// What the command said, or left out.
pub fn resource(service: &Service) -> Result<(), String> {
    service.admin(&[
        "resource",
        "add",
        RESOURCE,
        "--scope",
        "orders.read",
        "--scope",
        "orders.write",
    ])?;
    Ok(())
}

/// Registers a client that authenticates by secret; `more` are further flags of
/// `client add`.
///
/// # Errors
/// What the command said, or left out.
pub fn client(service: &Service, name: &str, more: &[&str]) -> Result<Registered, String> {
    let mut arguments = vec!["client", "add", name, "--auth", "client-secret"];
    arguments.extend(more);
    let added = service.admin(&arguments)?;
    let secret = text(&added, "client_secret")?;
    Ok(Registered {
        client_id: name.to_owned(),
        secret,
    })
}

/// The text in the member `name`.
///
/// # Errors
/// What the command said, or left out.
pub fn text(value: &Value, name: &str) -> Result<String, String> {
    value
        .get(name)
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
        .ok_or_else(|| format!("no {name} in {value}"))
}
