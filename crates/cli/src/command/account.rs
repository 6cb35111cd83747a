//! `countersign account`: people who can log in.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use countersign::admin::v1::account_service_client::AccountServiceClient;
use countersign::admin::v1::{
    Account, CreateAccountRequest, DisableAccountRequest, ListAccountsRequest,
    ListAccountsResponse, SetAccountPasswordRequest,
};
use tonic::Status;
use tonic::transport::Channel;

use super::connection::AdminArgs;
use crate::exit::Failure;
use crate::output::{self, Output};
use crate::password;

/// The full name of what these commands print.
const ACCOUNT: &str = "countersign.admin.v1.Account";

/// Accounts.
#[derive(Subcommand, Debug)]
pub(crate) enum AccountCommand {
    /// Make an account
    #[command(after_help = "\
The password is asked for at the terminal, or read from standard input.

Examples:
  countersign account add ann --name 'Ann Lee'
  pass ann | countersign account add ann --password-file -
  countersign account add bob --subject employee-4711 --password-file bob.txt")]
    Add(Add),
    /// List the accounts
    #[command(after_help = "\
Examples:
  countersign account list
  countersign account list --json | jq -r '.accounts[].subject'
  countersign account list --socket countersign-login/login.sock")]
    List(AdminArgs),
    /// Close an account to logins; its sessions end
    #[command(after_help = "\
Tokens that the person's clients have are not touched:
`countersign token revoke-all --subject SUBJECT` revokes them.

Examples:
  countersign account disable ann")]
    Disable(Named),
    /// Open an account again
    #[command(after_help = "\
Examples:
  countersign account enable ann")]
    Enable(Named),
    /// Give an account another password; its sessions end
    #[command(after_help = "\
The password is asked for at the terminal, or read from standard input.

Examples:
  countersign account set-password ann
  pass ann | countersign account set-password ann --password-file -")]
    SetPassword(SetPassword),
}

/// An account to make.
#[derive(Args, Debug)]
pub(crate) struct Add {
    #[command(flatten)]
    named: Named,

    /// Their name for people
    #[arg(
        long = "name",
        value_name = "NAME",
        default_value = "",
        hide_default_value = true
    )]
    display_name: String,

    /// Who they are in tokens (`sub`) [default: a new random one]
    #[arg(
        long,
        value_name = "SUBJECT",
        default_value = "",
        hide_default_value = true
    )]
    subject: String,

    #[command(flatten)]
    password: PasswordArgs,
}

/// An account that is there.
#[derive(Args, Debug)]
pub(crate) struct Named {
    /// What the person types to log in
    #[arg(value_name = "ACCOUNT")]
    account: String,

    #[command(flatten)]
    admin: AdminArgs,
}

/// Another password.
#[derive(Args, Debug)]
pub(crate) struct SetPassword {
    #[command(flatten)]
    named: Named,

    #[command(flatten)]
    password: PasswordArgs,
}

/// Where the password is.
#[derive(Args, Debug)]
struct PasswordArgs {
    /// A file that holds the password and nothing else, mode 0600; `-` for standard input
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

impl AccountCommand {
    /// Does what it was told.
    pub(crate) async fn run(self, output: &Output) -> Result<(), Failure> {
        match self {
            Self::Add(add) => add.run(output).await,
            Self::List(admin) => list(&admin, output).await,
            Self::Disable(named) => named.disable(true, output).await,
            Self::Enable(named) => named.disable(false, output).await,
            Self::SetPassword(set) => set.run(output).await,
        }
    }
}

impl Add {
    async fn run(self, output: &Output) -> Result<(), Failure> {
        let password = password::read(self.password.password_file.as_deref())?;
        let name = self.named.account;
        let request = CreateAccountRequest {
            account: Some(Account {
                name: name.clone(),
                display_name: self.display_name,
                subject: self.subject,
                ..Account::default()
            }),
            password: password.to_string(),
        };
        let answer = service(&self.named.admin)
            .await?
            .create_account(request)
            .await
            .map_err(|status| about(&name, &status))?
            .into_inner();
        output.message(ACCOUNT, &answer.account.unwrap_or_default(), shown)
    }
}

impl Named {
    async fn disable(self, disable: bool, output: &Output) -> Result<(), Failure> {
        let request = DisableAccountRequest {
            name: self.account.clone(),
            enable: !disable,
        };
        let answer = service(&self.admin)
            .await?
            .disable_account(request)
            .await
            .map_err(|status| about(&self.account, &status))?
            .into_inner();
        output.message(ACCOUNT, &answer.account.unwrap_or_default(), shown)
    }
}

impl SetPassword {
    async fn run(self, output: &Output) -> Result<(), Failure> {
        let password = password::read(self.password.password_file.as_deref())?;
        let name = self.named.account;
        let request = SetAccountPasswordRequest {
            name: name.clone(),
            password: password.to_string(),
        };
        let answer = service(&self.named.admin)
            .await?
            .set_account_password(request)
            .await
            .map_err(|status| about(&name, &status))?
            .into_inner();
        output.message(ACCOUNT, &answer.account.unwrap_or_default(), shown)
    }
}

/// Why a call about this account failed.
fn about(name: &str, status: &Status) -> Failure {
    Failure::answered(status).during(format!("account {name}"))
}

async fn list(admin: &AdminArgs, output: &Output) -> Result<(), Failure> {
    let mut service = service(admin).await?;
    let mut all = ListAccountsResponse::default();
    loop {
        let request = ListAccountsRequest {
            page_size: 0,
            page_token: all.next_page_token,
        };
        let page = service.list_accounts(request).await;
        let page = page
            .map_err(|status| Failure::answered(&status))?
            .into_inner();
        all.accounts.extend(page.accounts);
        all.next_page_token = page.next_page_token;
        if all.next_page_token.is_empty() {
            break;
        }
    }
    output.message("countersign.admin.v1.ListAccountsResponse", &all, |all| {
        let rows = all.accounts.iter().map(|account| {
            [
                account.name.clone(),
                account.display_name.clone(),
                account.subject.clone(),
                state(account).to_owned(),
            ]
        });
        output::table(
            ["account", "name", "subject", "state"],
            rows,
            "no accounts; `countersign account add --help` shows how to make one",
        )
    })
}

async fn service(admin: &AdminArgs) -> Result<AccountServiceClient<Channel>, Failure> {
    Ok(AccountServiceClient::new(admin.connect().await?))
}

fn shown(account: &Account) -> String {
    output::fields([
        ("account", account.name.clone()),
        ("name", account.display_name.clone()),
        ("subject", account.subject.clone()),
        ("state", state(account).to_owned()),
        ("made", output::time(account.create_time)),
        ("password set", output::time(account.password_time)),
    ])
}

fn state(account: &Account) -> &'static str {
    if account.disabled { "closed" } else { "open" }
}
