//! `ResourceService`: registration of resources, on the Unix socket.

use countersign::admin::v1::resource_service_server::ResourceService;
use countersign::admin::v1::{
    CreateResourceRequest, CreateResourceResponse, DeleteResourceRequest, DeleteResourceResponse,
    GetResourceRequest, GetResourceResponse, ListResourcesRequest, ListResourcesResponse,
    UpdateResourceRequest, UpdateResourceResponse,
};
use countersign_issuer::model::Resource;
use countersign_issuer::register::{NewResource, ResourceChange, parse_etag};
use tonic::{Request, Response, Status};

use super::operator;
use crate::engine::Engine;
use crate::operation::register::{CreateResource, DeleteResource, GetResource, UpdateResource};
use crate::record;
use crate::refused::Refused;
use crate::wire::admin::{Asking, Listing, mask, resource, resource_form, uri};

pub(crate) struct Resources {
    pub(crate) engine: Engine,
}

#[tonic::async_trait]
impl ResourceService for Resources {
    async fn create_resource(
        &self,
        request: Request<CreateResourceRequest>,
    ) -> Result<Response<CreateResourceResponse>, Status> {
        let actor = operator(&request)?;
        let form = resource_form(request.into_inner().resource)?;
        let new = NewResource::parse(&form, self.engine.now()).map_err(Refused::Issuer)?;
        let created = self.engine.decide(&CreateResource { new, actor }).await?;
        Ok(Response::new(CreateResourceResponse {
            resource: Some(resource(&created.answer, created.written()?)),
        }))
    }

    async fn get_resource(
        &self,
        request: Request<GetResourceRequest>,
    ) -> Result<Response<GetResourceResponse>, Status> {
        let uri = uri(&request.get_ref().uri)?;
        let known = self.engine.decide(&GetResource { uri }).await?.answer;
        Ok(Response::new(GetResourceResponse {
            resource: Some(resource(&known.value, known.version)),
        }))
    }

    async fn list_resources(
        &self,
        request: Request<ListResourcesRequest>,
    ) -> Result<Response<ListResourcesResponse>, Status> {
        let request = request.get_ref();
        let prefix = record::resources();
        let asking = Asking::parse(request.page_size, &request.page_token, &prefix)?;
        let page = self
            .engine
            .records
            .page::<Resource>(&prefix, asking.after.as_ref(), asking.limit)
            .await?;
        let shown = page
            .records
            .into_iter()
            .map(|(key, known)| (key, resource(&known.value, known.version)));
        let listing = Listing::of(shown, page.more);
        Ok(Response::new(ListResourcesResponse {
            resources: listing.items,
            next_page_token: listing.next_page_token,
        }))
    }

    async fn update_resource(
        &self,
        request: Request<UpdateResourceRequest>,
    ) -> Result<Response<UpdateResourceResponse>, Status> {
        let actor = operator(&request)?;
        let request = request.into_inner();
        let form = resource_form(request.resource)?;
        let change =
            ResourceChange::parse(&form, &mask(request.update_mask)).map_err(Refused::Issuer)?;
        let updated = self
            .engine
            .decide(&UpdateResource { change, actor })
            .await?;
        Ok(Response::new(UpdateResourceResponse {
            resource: Some(resource(&updated.answer, updated.written()?)),
        }))
    }

    async fn delete_resource(
        &self,
        request: Request<DeleteResourceRequest>,
    ) -> Result<Response<DeleteResourceResponse>, Status> {
        let actor = operator(&request)?;
        let uri = uri(&request.get_ref().uri)?;
        let expected = parse_etag(&request.get_ref().etag).map_err(Refused::Issuer)?;
        let delete = DeleteResource {
            uri,
            expected,
            actor,
        };
        self.engine.decide(&delete).await?;
        Ok(Response::new(DeleteResourceResponse {}))
    }
}
