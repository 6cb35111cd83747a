//! `KeyService`: the keys that verify access tokens. They are in memory; asking costs no store.

use std::sync::Arc;

use countersign::keys::v1::key_service_server::KeyService;
use countersign::keys::v1::{
    ListKeysRequest, ListKeysResponse, WatchKeysRequest, WatchKeysResponse,
};
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use tokio::sync::watch;
use tokio::time::timeout;
use tonic::{Request, Response, Status};

use crate::revoked::HEARTBEAT;
use crate::signer::KeySet;
use crate::watchers::{Sharer, Watchers};
use crate::wire;

pub(crate) struct Keys {
    pub(crate) set: Arc<KeySet>,
    pub(crate) watchers: Arc<Watchers>,
}

#[tonic::async_trait]
impl KeyService for Keys {
    type WatchKeysStream = BoxStream<'static, Result<WatchKeysResponse, Status>>;

    async fn list_keys(
        &self,
        _: Request<ListKeysRequest>,
    ) -> Result<Response<ListKeysResponse>, Status> {
        Ok(Response::new(listed(&self.set)))
    }

    async fn watch_keys(
        &self,
        request: Request<WatchKeysRequest>,
    ) -> Result<Response<Self::WatchKeysStream>, Status> {
        let place = self
            .watchers
            .enter(Sharer::of_peer(request.remote_addr()))?;
        let watching = Watching {
            set: Arc::clone(&self.set),
            news: self.set.news(),
            begun: false,
        };
        let messages = stream::unfold(watching, Watching::step).map(move |message| {
            // Given back when the watch ends.
            let _ = &place;
            Ok(message)
        });
        Ok(Response::new(messages.boxed()))
    }
}

struct Watching {
    set: Arc<KeySet>,
    news: watch::Receiver<()>,
    /// The keys were told once.
    begun: bool,
}

impl Watching {
    async fn step(mut self) -> Option<(WatchKeysResponse, Self)> {
        let is_new = if self.begun {
            match timeout(HEARTBEAT, self.news.changed()).await {
                Ok(Ok(())) => true,
                Ok(Err(_)) => return None,
                Err(_) => false,
            }
        } else {
            // What changes from here on is news.
            self.news.mark_unchanged();
            true
        };
        self.begun = true;
        let message = WatchKeysResponse {
            key_set: is_new.then(|| listed(&self.set)),
            heartbeat_interval: Some(wire::duration(HEARTBEAT)),
        };
        Some((message, self))
    }
}

fn listed(set: &KeySet) -> ListKeysResponse {
    ListKeysResponse {
        keys: set.in_use().listed().to_vec(),
        max_age: Some(wire::duration(set.max_age())),
        issuer: set.issuer().to_owned(),
    }
}
