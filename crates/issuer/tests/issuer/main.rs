//! What the issuer decides, line by line, and what holds whatever order things happen in.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up has failed"
)]

mod access_tokens;
mod authentication;
mod authorization;
mod bound_families;
mod browser;
mod certificates;
mod codes;
mod credentials;
mod details;
mod details_grants;
mod details_schemas;
mod devices;
mod handles;
mod introspection;
mod keys;
mod keys_laws;
mod records;
mod references;
mod registration;
mod resources;
mod revocation;
mod revoke_all;
mod rotation;
mod rotation_laws;
mod set_back;
mod shown;
mod user_codes;
mod values;
mod world;
