//! Where accounts are kept.

use std::sync::Arc;

use countersign_client::clock::Clock;
use countersign_client::random;
use countersign_jose::{UnixTime, base64url};
use countersign_store::{Change, Commit, Key, Store, StoreError, Version, Write};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::account::{Account, AccountFault, AccountForm, Name, check_password};
use crate::event::{Event, EventKind, LoginRefused};
use crate::password::{NotHashed, Passwords};
use crate::record::{self, Damaged, Kept};

/// The most accounts in one answer.
pub const PAGE_MAX: usize = 1_000;

/// Two who change one record at once, operators or windows of a person: one of them is tried again.
pub(crate) const ATTEMPTS_MAX: usize = 8;

/// Looks after accounts.
#[derive(Clone)]
pub struct Accounts {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    passwords: Passwords,
}

/// Why an account was not made, changed or read.
#[derive(Debug, Error)]
pub enum AccountsError {
    /// A field is wrong.
    #[error("{field} {}", fault.expected())]
    Field {
        /// Its name.
        field: &'static str,
        /// How.
        fault: AccountFault,
    },
    /// There is an account of that name already.
    #[error("there is an account of that name")]
    Exists,
    /// There is no account of that name.
    #[error("there is no account of that name")]
    Unknown,
    /// The password was not looked at.
    #[error(transparent)]
    NotHashed(#[from] NotHashed),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system gives no random bytes, a record cannot be read, or others change the account
    /// all the time.
    #[error("{0}")]
    Fault(&'static str),
}

impl AccountsError {
    /// A field of an account, or its password.
    const fn wrong(fault: AccountFault) -> Self {
        let field = match fault {
            AccountFault::Name => "account.name",
            AccountFault::DisplayName => "account.display_name",
            AccountFault::Subject | AccountFault::SubjectTaken => "account.subject",
            AccountFault::Password => "password",
        };
        Self::Field { field, fault }
    }
}

impl From<Damaged> for AccountsError {
    fn from(_: Damaged) -> Self {
        Self::Fault("a record of the login application cannot be read")
    }
}

/// Some accounts.
#[derive(Debug)]
pub struct AccountPage {
    /// Where each is, in the order of names.
    pub accounts: Vec<(Key, Account)>,
    /// There are more.
    pub more: bool,
}

/// What came of a name and a password.
pub(crate) enum Verified {
    /// They are that account's, and it may log in.
    Account(Account),
    /// They are not, and whose account it was that was tried.
    Not(Option<Account>, LoginRefused),
}

/// Who changes an account, and what.
#[derive(Copy, Clone)]
enum By<'a> {
    /// Somebody who looks after accounts.
    Operator(&'a str, &'static str),
    /// The person: all of their sessions end.
    Person,
}

impl<'a> By<'a> {
    fn event(self, subject: &'a str, now: UnixTime) -> Event<'a> {
        match self {
            Self::Operator(actor, reason) => {
                Event::by(EventKind::AccountUpdated, actor, subject, now).because(reason)
            }
            Self::Person => {
                Event::of_person(EventKind::LoggedOut, subject, now).because("everywhere")
            }
        }
    }
}

/// An account, with what is needed to change it.
struct Found {
    kept: Kept,
    version: Version,
}

/// Where all accounts are, in the store.
pub fn accounts_prefix() -> Key {
    record::accounts()
}

impl Accounts {
    /// Those of this store.
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, passwords: Passwords) -> Self {
        Self {
            store,
            clock,
            passwords,
        }
    }

    /// Makes an account. `actor` does it, as the audit log has it.
    ///
    /// # Errors
    /// See [`AccountsError`].
    pub async fn create(
        &self,
        form: &AccountForm,
        password: Zeroizing<String>,
        actor: &str,
    ) -> Result<Account, AccountsError> {
        let drawn = random::bytes::<16>().map_err(|_| AccountsError::Fault("no random bytes"))?;
        let account = Account::new(form, &base64url::encode(drawn), self.clock.now());
        let account = account.map_err(AccountsError::wrong)?;
        if self.find(&account.name).await?.is_some() {
            return Err(AccountsError::Exists);
        }
        let hash = self.hash(password).await?;
        let kept = Kept { account, hash };
        let Account {
            name,
            subject,
            created_at,
            ..
        } = &kept.account;
        let writes = [
            Write::create(record::account_key(name), record::account(&kept)),
            // Two people of one subject would be one person to every resource (RFC 9068 §2.2).
            Write::create(record::subject_key(subject), record::subject_of(name)),
        ];
        let event = Event::by(EventKind::AccountCreated, actor, subject, *created_at);
        let change = Change::of(writes).append(record::AUDIT, record::audit_entry(&event));
        match self.store.commit(change).await? {
            Commit::Done(_) => Ok(kept.account),
            Commit::Conflict(key) if key == record::subject_key(subject) => {
                Err(AccountsError::wrong(AccountFault::SubjectTaken))
            }
            Commit::Conflict(_) => Err(AccountsError::Exists),
        }
    }

    /// Up to `limit` accounts, at most [`PAGE_MAX`], after the one at `after`.
    ///
    /// # Errors
    /// See [`AccountsError`].
    pub async fn page(
        &self,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<AccountPage, AccountsError> {
        let limit = limit.clamp(1, PAGE_MAX);
        let page = self.store.scan(&record::accounts(), after, limit).await?;
        let more = page.next.is_some();
        let read = |(key, found): (Key, countersign_store::Versioned)| {
            let kept = record::read_account(&found.value)?;
            Ok((key, kept.account))
        };
        let accounts: Result<_, Damaged> = page.records.into_iter().map(read).collect();
        Ok(AccountPage {
            accounts: accounts?,
            more,
        })
    }

    /// Closes an account, or opens it.
    ///
    /// # Errors
    /// See [`AccountsError`].
    pub async fn disable(
        &self,
        name: &Name,
        disabled: bool,
        actor: &str,
    ) -> Result<Account, AccountsError> {
        let reason = if disabled { "disabled" } else { "enabled" };
        self.change(
            name,
            |kept| {
                kept.account.disabled = disabled;
                kept.account.generation += 1;
            },
            By::Operator(actor, reason),
        )
        .await
    }

    /// Gives an account another password.
    ///
    /// # Errors
    /// See [`AccountsError`].
    pub async fn set_password(
        &self,
        name: &Name,
        password: Zeroizing<String>,
        actor: &str,
    ) -> Result<Account, AccountsError> {
        if self.find(name).await?.is_none() {
            return Err(AccountsError::Unknown);
        }
        let hash = self.hash(password).await?;
        let now = self.clock.now();
        self.change(
            name,
            |kept| {
                kept.hash = hash.clone();
                kept.account.password_at = now;
                kept.account.generation += 1;
            },
            By::Operator(actor, "password"),
        )
        .await
    }

    /// Ends all sessions of an account: the person logs out everywhere.
    pub(crate) async fn end_sessions(&self, name: &Name) -> Result<Account, AccountsError> {
        self.change(name, |kept| kept.account.generation += 1, By::Person)
            .await
    }

    /// The account whose password it is, if that may log in. For any other answer the work is the
    /// same.
    pub(crate) async fn verify(
        &self,
        name: Option<&Name>,
        password: Zeroizing<String>,
    ) -> Result<Verified, AccountsError> {
        let found = match name {
            Some(name) => self.find(name).await?,
            None => None,
        };
        let hash = found.as_ref().map(|found| found.kept.hash.clone());
        let right = self.passwords.verify(password, hash).await?;
        let Some(account) = found.map(|found| found.kept.account) else {
            return Ok(Verified::Not(None, LoginRefused::Unknown));
        };
        Ok(match (right, account.disabled) {
            (true, false) => Verified::Account(account),
            (true, true) => Verified::Not(Some(account), LoginRefused::Disabled),
            (false, _) => Verified::Not(Some(account), LoginRefused::WrongPassword),
        })
    }

    /// The account of that name.
    pub(crate) async fn account(&self, name: &Name) -> Result<Option<Account>, AccountsError> {
        Ok(self.find(name).await?.map(|found| found.kept.account))
    }

    async fn hash(
        &self,
        password: Zeroizing<String>,
    ) -> Result<crate::password::Hash, AccountsError> {
        check_password(&password).map_err(AccountsError::wrong)?;
        Ok(self.passwords.hash(password).await?)
    }

    async fn find(&self, name: &Name) -> Result<Option<Found>, AccountsError> {
        let found = self.store.load(&[record::account_key(name)]).await?;
        let Some(found) = found.into_iter().next().flatten() else {
            return Ok(None);
        };
        Ok(Some(Found {
            kept: record::read_account(&found.value)?,
            version: found.version,
        }))
    }

    async fn change(
        &self,
        name: &Name,
        change: impl Fn(&mut Kept),
        by: By<'_>,
    ) -> Result<Account, AccountsError> {
        for _ in 0..ATTEMPTS_MAX {
            let found = self.find(name).await?.ok_or(AccountsError::Unknown)?;
            let mut kept = found.kept;
            change(&mut kept);
            let key = record::account_key(name);
            let write = Write::replace(key, found.version, record::account(&kept));
            let event = by.event(&kept.account.subject, self.clock.now());
            let change = Change::of([write]).append(record::AUDIT, record::audit_entry(&event));
            if let Commit::Done(_) = self.store.commit(change).await? {
                return Ok(kept.account);
            }
        }
        Err(AccountsError::Fault(
            "others change the account all the time",
        ))
    }
}
