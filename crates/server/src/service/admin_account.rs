//! `AccountService`: accounts of people, on the Unix socket.

use countersign::admin::v1::account_service_server::AccountService;
use countersign::admin::v1::{
    CreateAccountRequest, CreateAccountResponse, DisableAccountRequest, DisableAccountResponse,
    ListAccountsRequest, ListAccountsResponse, SetAccountPasswordRequest,
    SetAccountPasswordResponse,
};
use countersign_login::{Accounts as Kept, accounts_prefix};
use tonic::{Request, Response, Status};
use tracing::info;
use zeroize::Zeroizing;

use super::operator;
use crate::refused::Refused;
use crate::wire::admin::{Asking, Listing, account, account_form, account_name};

pub(crate) struct Accounts {
    pub(crate) kept: Kept,
}

#[tonic::async_trait]
impl AccountService for Accounts {
    async fn create_account(
        &self,
        request: Request<CreateAccountRequest>,
    ) -> Result<Response<CreateAccountResponse>, Status> {
        let actor = operator(&request)?;
        let request = request.into_inner();
        let password = Zeroizing::new(request.password);
        let form = account_form(request.account)?;
        let created = self.kept.create(&form, password, &actor.to_string()).await;
        let created = created.map_err(Refused::from)?;
        info!(account = %created.name, %actor, "an account was made");
        Ok(Response::new(CreateAccountResponse {
            account: Some(account(&created)),
        }))
    }

    async fn list_accounts(
        &self,
        request: Request<ListAccountsRequest>,
    ) -> Result<Response<ListAccountsResponse>, Status> {
        let request = request.get_ref();
        let prefix = accounts_prefix();
        let asking = Asking::parse(request.page_size, &request.page_token, &prefix)?;
        let page = self.kept.page(asking.after.as_ref(), asking.limit).await;
        let page = page.map_err(Refused::from)?;
        let shown = page.accounts.into_iter();
        let shown = shown.map(|(key, found)| (key, account(&found)));
        let listing = Listing::of(shown, page.more);
        Ok(Response::new(ListAccountsResponse {
            accounts: listing.items,
            next_page_token: listing.next_page_token,
        }))
    }

    async fn disable_account(
        &self,
        request: Request<DisableAccountRequest>,
    ) -> Result<Response<DisableAccountResponse>, Status> {
        let actor = operator(&request)?;
        let request = request.get_ref();
        let name = account_name(&request.name)?;
        let by = actor.to_string();
        let changed = self.kept.disable(&name, !request.enable, &by).await;
        let changed = changed.map_err(Refused::from)?;
        info!(account = %name, %actor, disabled = changed.disabled, "an account was changed");
        Ok(Response::new(DisableAccountResponse {
            account: Some(account(&changed)),
        }))
    }

    async fn set_account_password(
        &self,
        request: Request<SetAccountPasswordRequest>,
    ) -> Result<Response<SetAccountPasswordResponse>, Status> {
        let actor = operator(&request)?;
        let request = request.into_inner();
        let password = Zeroizing::new(request.password);
        let name = account_name(&request.name)?;
        let by = actor.to_string();
        let changed = self.kept.set_password(&name, password, &by).await;
        let changed = changed.map_err(Refused::from)?;
        info!(account = %name, %actor, "an account has another password");
        Ok(Response::new(SetAccountPasswordResponse {
            account: Some(account(&changed)),
        }))
    }
}
