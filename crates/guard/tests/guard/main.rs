//! The guard over real sockets: in front of a tonic service, with a key source
//! of the test's own, and calls made by hand so that anything can be presented.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot be set up has failed"
)]

mod attacks;
mod bearer;
mod certificates;
mod client;
mod cut_off;
mod http;
mod http_stand;
mod key_service;
mod keys;
mod made_up;
mod measured;
mod nonce;
mod observe;
mod orders;
mod outage;
mod ownership;
mod presentation;
mod references;
mod replay;
mod revocation;
mod rules;
mod set_back;
mod stand;
mod startup;
mod stream;
mod texts;
mod token;
mod told;
mod vectors;
mod watched;
