//! What the command can be told. One file per command, in which the arguments
//! stand above what they do.

mod account;
mod audit;
mod bench;
pub(crate) mod certificate;
mod client;
pub(crate) mod connection;
mod data;
mod key;
mod login;
mod login_app;
mod logout;
mod proof;
mod resource;
mod rules;
mod serve;
mod store;
mod token;

#[cfg(feature = "fuzz")]
pub use self::audit::fuzz;

use clap::{Parser, Subcommand};

use crate::demo;
use crate::exit::{CODES_HELP, Failure};
use crate::output::Output;

/// The variables that client commands read, which `serve` passes over.
const CLIENT_VARIABLES: &[&str] = &[
    connection::SERVER_VARIABLE,
    connection::CA_VARIABLE,
    token::CLIENT_ID_VARIABLE,
    crate::secret::CLIENT_SECRET_VARIABLE,
    proof::DPOP_KEY_VARIABLE,
    crate::kept_login::LOGIN_FILE_VARIABLE,
];

/// A token service that speaks gRPC, with DPoP everywhere
#[derive(Parser, Debug)]
#[command(
    name = "countersign",
    version,
    after_help = after_help(),
    max_term_width = 100,
    propagate_version = true,
    arg_required_else_help = true
)]
pub(crate) struct Cli {
    /// Print JSON for scripts: the fields of the contracts by their names there
    #[arg(long, global = true)]
    pub(crate) json: bool,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands.
#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Run a token service
    Serve(Box<serve::Serve>),
    /// See everything at work: a token service, a guarded service, a client and an attacker
    Demo(demo::Demo),
    /// Register clients: what tokens are given to
    #[command(subcommand)]
    Client(client::ClientCommand),
    /// Register resources: what tokens are for
    #[command(subcommand)]
    Resource(resource::ResourceCommand),
    /// Make and close accounts of people, who can log in
    #[command(subcommand)]
    Account(account::AccountCommand),
    /// Run the login application in a process of its own
    LoginApp(Box<login_app::RunLoginApp>),
    /// Ask a token service for tokens, and about tokens
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Log in as a person, in a browser, and keep the login
    Login(Box<login::LoginCommand>),
    /// Give up the login that is kept
    Logout(logout::Logout),
    /// See who may call what at a guarded service, and check it
    #[command(subcommand)]
    Rules(rules::RulesCommand),
    /// Print one DPoP proof, for calls made by hand
    Proof(proof::ProofCommand),
    /// See the keys of a token service; make keys for clients
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// Copy the store, verify it, restore it, and go on after a loss
    #[command(subcommand)]
    Store(store::StoreCommand),
    /// See what happened, and verify that nobody changed the record of it
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Measure what calls cost on this machine, against what they must cost
    Bench(Box<bench::Bench>),
    /// Be a server that `bench` measures
    #[command(hide = true)]
    BenchServer(bench::BenchServer),
}

impl Command {
    /// Does what it was told.
    pub(crate) async fn run(self, output: &Output) -> Result<(), Failure> {
        match self {
            Self::Serve(serve) => serve.run(output).await,
            Self::Demo(demo) => demo.run(output).await,
            Self::Client(client) => client.run(output).await,
            Self::Resource(resource) => resource.run(output).await,
            Self::Account(account) => account.run(output).await,
            Self::LoginApp(app) => app.run(output).await,
            Self::Token(token) => token.run(output).await,
            Self::Login(login) => login.run(output).await,
            Self::Logout(logout) => logout.run(output).await,
            Self::Rules(rules) => rules.run(output).await,
            Self::Proof(proof) => proof.run(output),
            Self::Key(key) => key.run(output).await,
            Self::Store(store) => store.run(output).await,
            Self::Audit(audit) => audit.run(output).await,
            Self::Bench(bench) => bench.run(output).await,
            Self::BenchServer(server) => server.run().await,
        }
    }
}

fn after_help() -> String {
    format!(
        "\
Examples:
  countersign demo                      see the whole of it in a minute
  countersign serve                     a token service on 127.0.0.1:7443
  countersign resource add https://orders.internal:8443 --scope orders.read
  countersign client add checkout --allow https://orders.internal:8443=orders.read
  countersign token issue --client-id checkout --client-secret-file checkout.secret

{CODES_HELP}"
    )
}
