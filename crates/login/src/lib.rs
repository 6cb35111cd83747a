//! The login and consent application: people, between the clients that ask and the token service
//! that issues.
//!
//! A browser arrives with the name of an authorization request. The application asks the token
//! service what is wanted ([`TokenService`]), lets the person log in, shows them what they would
//! allow, tells the token service what they decided, and sends the browser on. It holds accounts,
//! sessions and remembered consent in a [`Store`](countersign_store::Store): the token service's
//! own, where the application is a part of it, or one of its own. It issues nothing.
//!
//! | file | what it is for |
//! | --- | --- |
//! | `account.rs`, `accounts.rs` | an account; where accounts are kept |
//! | `password.rs` | argon2id, a few at a time |
//! | `throttle.rs` | pauses between wrong passwords |
//! | `session.rs`, `sessions.rs` | when a session counts; where sessions are kept |
//! | `consent.rs`, `consents.rs` | when somebody need not be asked again |
//! | `event.rs` | what the audit log is told |
//! | `fields.rs` | what a form or a query says |
//! | `csrf.rs` | whether a form is ours and was sent from our page |
//! | `token_service.rs`, `over_grpc.rs`, `wire.rs` | what the token service is asked, and in which words |
//! | `named.rs`, `typed_code.rs` | which request a browser is here for; that it typed the device's code |
//! | `web.rs`, `web/` | routes and handlers |
//! | `pages.rs`, `pages/` | what people see |

mod account;
mod accounts;
mod address;
mod consent;
mod consents;
mod csrf;
mod event;
mod fields;
mod named;
mod over_grpc;
mod pages;
mod password;
mod record;
mod session;
mod sessions;
mod throttle;
mod token_service;
mod typed_code;
mod web;
mod wire;

pub use account::{Account, AccountFault, AccountForm, Name};
pub use accounts::{AccountPage, Accounts, AccountsError, PAGE_MAX, accounts_prefix};
pub use address::{Address, Proxies};
pub use event::{LoginRefused, Witness};
pub use over_grpc::OverGrpc;
pub use password::{NotHashed, Passwords};
pub use token_service::{
    ACR_PASSWORD, Approval, Asked, Denial, ScopeAt, TokenService, Trouble, Typed,
};
pub use web::{App, PAGES, Settings, SettingsError};
