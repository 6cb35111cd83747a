//! The client over real sockets: against a token service and a guarded service
//! that do what the test says, and write down what they were sent.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot be set up has failed"
)]

mod attempts;
mod certificates;
mod dropped;
mod files;
mod hostile;
mod leaving;
mod middleware;
mod published;
mod refresh;
mod seen;
mod several;
mod stampede;
mod stand;
mod streams;
mod texts;
mod tls;
mod token_service;
mod tokens;
mod warm;
