//! Accounts.

use countersign::admin::v1 as message;
use countersign_login::{Account, AccountFault, AccountForm, Name};

use super::needed;
use crate::refused::Refused;
use crate::wire::timestamp;

/// The field `account` of a request.
pub(crate) fn account_form(account: Option<message::Account>) -> Result<AccountForm, Refused> {
    let account = needed("account", account)?;
    Ok(AccountForm {
        name: account.name,
        display_name: account.display_name,
        subject: account.subject,
    })
}

/// The field `name` of a request.
pub(crate) fn account_name(text: &str) -> Result<Name, Refused> {
    Name::parse(text).map_err(|fault: AccountFault| Refused::Field {
        field: "name",
        expected: fault.expected(),
    })
}

/// An account as it is shown.
pub(crate) fn account(account: &Account) -> message::Account {
    message::Account {
        name: account.name.as_str().to_owned(),
        display_name: account.display_name.clone(),
        subject: account.subject.clone(),
        disabled: account.disabled,
        create_time: Some(timestamp(account.created_at)),
        password_time: Some(timestamp(account.password_at)),
    }
}
