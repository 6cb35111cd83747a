//! `ClientService`: registration of clients, on the Unix socket.

use countersign::admin::v1::client_service_server::ClientService;
use countersign::admin::v1::{
    CreateClientRequest, CreateClientResponse, DeleteClientRequest, DeleteClientResponse,
    GetClientRequest, GetClientResponse, ListClientsRequest, ListClientsResponse,
    RotateClientSecretRequest, RotateClientSecretResponse, UpdateClientRequest,
    UpdateClientResponse,
};
use countersign_issuer::model::Client;
use countersign_issuer::register::{ClientChange, NewClient, parse_etag};
use tonic::{Request, Response, Status};
use zeroize::Zeroizing;

use super::operator;
use crate::engine::Engine;
use crate::operation::register::{
    CreateClient, DeleteClient, GetClient, RotateSecret, UpdateClient,
};
use crate::refused::Refused;
use crate::wire::admin::{Asking, Listing, client, client_form, client_id, mask};
use crate::{random, record};

pub(crate) struct Clients {
    pub(crate) engine: Engine,
}

#[tonic::async_trait]
impl ClientService for Clients {
    async fn create_client(
        &self,
        request: Request<CreateClientRequest>,
    ) -> Result<Response<CreateClientResponse>, Status> {
        let actor = operator(&request)?;
        let form = client_form(request.into_inner().client)?;
        let new = NewClient::parse(&form, random::bytes()).map_err(Refused::Issuer)?;
        let random = Zeroizing::new(random::bytes());
        let create = CreateClient { new, random, actor };
        let created = self.engine.decide(&create).await?;
        let version = created.written()?;
        let registered = created.answer;
        Ok(Response::new(CreateClientResponse {
            client: Some(client(&registered.client, version)),
            client_secret: registered
                .secret
                .map_or_else(String::new, |secret| secret.reveal().to_owned()),
        }))
    }

    async fn get_client(
        &self,
        request: Request<GetClientRequest>,
    ) -> Result<Response<GetClientResponse>, Status> {
        let id = client_id(&request.get_ref().client_id)?;
        let known = self.engine.decide(&GetClient { id }).await?.answer;
        Ok(Response::new(GetClientResponse {
            client: Some(client(&known.value, known.version)),
        }))
    }

    async fn list_clients(
        &self,
        request: Request<ListClientsRequest>,
    ) -> Result<Response<ListClientsResponse>, Status> {
        let request = request.get_ref();
        let prefix = record::clients();
        let asking = Asking::parse(request.page_size, &request.page_token, &prefix)?;
        let page = self
            .engine
            .records
            .page::<Client>(&prefix, asking.after.as_ref(), asking.limit)
            .await?;
        let shown = page
            .records
            .into_iter()
            .map(|(key, known)| (key, client(&known.value, known.version)));
        let listing = Listing::of(shown, page.more);
        Ok(Response::new(ListClientsResponse {
            clients: listing.items,
            next_page_token: listing.next_page_token,
        }))
    }

    async fn update_client(
        &self,
        request: Request<UpdateClientRequest>,
    ) -> Result<Response<UpdateClientResponse>, Status> {
        let actor = operator(&request)?;
        let request = request.into_inner();
        let form = client_form(request.client)?;
        let change =
            ClientChange::parse(&form, &mask(request.update_mask)).map_err(Refused::Issuer)?;
        let updated = self.engine.decide(&UpdateClient { change, actor }).await?;
        Ok(Response::new(UpdateClientResponse {
            client: Some(client(&updated.answer, updated.written()?)),
        }))
    }

    async fn delete_client(
        &self,
        request: Request<DeleteClientRequest>,
    ) -> Result<Response<DeleteClientResponse>, Status> {
        let actor = operator(&request)?;
        let id = client_id(&request.get_ref().client_id)?;
        let expected = parse_etag(&request.get_ref().etag).map_err(Refused::Issuer)?;
        let delete = DeleteClient {
            id,
            expected,
            actor,
        };
        self.engine.decide(&delete).await?;
        Ok(Response::new(DeleteClientResponse {}))
    }

    async fn rotate_client_secret(
        &self,
        request: Request<RotateClientSecretRequest>,
    ) -> Result<Response<RotateClientSecretResponse>, Status> {
        let actor = operator(&request)?;
        let id = client_id(&request.get_ref().client_id)?;
        let random = Zeroizing::new(random::bytes());
        let rotate = RotateSecret { id, random, actor };
        let renewed = self.engine.decide(&rotate).await?.answer;
        Ok(Response::new(RotateClientSecretResponse {
            client_secret: renewed.secret.reveal().to_owned(),
        }))
    }
}
