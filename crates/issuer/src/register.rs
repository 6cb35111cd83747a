//! Registration: what tokens are given to, and what they are for.
//!
//! Creating and changing go in two steps. Reading the form checks each field by itself and says
//! which registered resources it names; the decision checks the whole against what is registered.

mod client;
mod client_form;
mod etag;
mod resource;

pub use client::{
    Registered, RenewedSecret, create_client, delete_client, rotate_client_secret, update_client,
};
pub use client_form::{
    AuthenticationMethod, CertificateNameForm, ClientChange, ClientForm, NewClient, PermissionForm,
};
pub use etag::{etag, parse_etag};
pub(crate) use resource::INTROSPECT;
pub use resource::{
    DetailsTypeForm, DurationForm, FormatForm, NewResource, ResourceChange, ResourceForm,
    ScopeDescriptionForm, create_resource, delete_resource, ensure_own_resource, own_resource_uri,
    update_resource,
};

use crate::Version;
use crate::change::Known;
use crate::refusal::Refusal;

/// The record to change, if it is there and still what the caller read.
fn current<T>(known: Option<&Known<T>>, expected: Option<Version>) -> Result<&Known<T>, Refusal> {
    let known = known.ok_or(Refusal::NotFound)?;
    match expected {
        Some(version) if version != known.version => Err(Refusal::Changed),
        _ => Ok(known),
    }
}
