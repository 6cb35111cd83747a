//! Clients and resources that are registered, changed, given new secrets and
//! removed.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use countersign::admin::v1::client_service_client::ClientServiceClient;
use countersign::admin::v1::resource_service_client::ResourceServiceClient;
use countersign::admin::v1::{
    Client, CreateClientRequest, CreateResourceRequest, DeleteClientRequest, DeleteResourceRequest,
    GetClientRequest, GetResourceRequest, Resource, RotateClientSecretRequest, UpdateClientRequest,
    UpdateResourceRequest,
};
use countersign_client::{Builder, Credential, TokenError};
use countersign_testkit::{Problem, service_client, setup};
use parking_lot::Mutex;
use tonic::transport::Channel;
use tonic::{Code, Status};

use super::told::AuditLog;
use super::{Acknowledged, Loop};
use crate::counts;

pub(super) struct Registrations {
    url: String,
    admin: Channel,
    acknowledged: Arc<Acknowledged>,
    names: AtomicUsize,
    /// Those that the last round touched.
    touched: Mutex<Vec<Entry>>,
    /// Those of earlier rounds.
    earlier: Mutex<Vec<Entry>>,
    /// Secrets are tried of this many in a round: each is a connection.
    secrets_max: usize,
}

/// What whoever registered something knows of it.
struct Entry {
    kind: Kind,
    name: String,
    /// As it was acknowledged; none when it is not there.
    known: Option<Known>,
    /// What was sent and not answered.
    asked: Option<Step>,
    /// The secrets that were acknowledged, the newest last.
    secrets: Vec<String>,
    /// What was done to it: acknowledged, or found to have been done.
    done: Vec<Step>,
}

#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Kind {
    Client,
    Resource,
}

/// What can be seen of a registration.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Known {
    display_name: String,
    etag: String,
}

/// What is done with a registration.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Step {
    Create,
    Rename,
    NewSecret,
    Remove,
}

impl Step {
    /// What the audit log calls it.
    const fn event(self, kind: Kind) -> &'static str {
        match (kind, self) {
            (Kind::Client, Self::Create) => "CLIENT_CREATED",
            (Kind::Client, Self::Rename) => "CLIENT_UPDATED",
            (Kind::Client, Self::Remove) => "CLIENT_DELETED",
            (_, Self::NewSecret) => "CLIENT_SECRET_ROTATED",
            (Kind::Resource, Self::Create) => "RESOURCE_CREATED",
            (Kind::Resource, Self::Rename) => "RESOURCE_UPDATED",
            (Kind::Resource, Self::Remove) => "RESOURCE_DELETED",
        }
    }
}

const BEFORE: &str = "as it was registered";
const AFTER: &str = "renamed";

impl Registrations {
    pub(super) fn new(
        url: String,
        admin: Channel,
        secrets_max: usize,
        acknowledged: Arc<Acknowledged>,
    ) -> Self {
        Self {
            url,
            admin,
            acknowledged,
            names: AtomicUsize::new(0),
            touched: Mutex::default(),
            earlier: Mutex::default(),
            secrets_max,
        }
    }

    /// Registers one after the other until there is no answer.
    pub(super) async fn register(&self, turn: usize) -> Loop {
        for turn in turn.. {
            let kind = [Kind::Client, Kind::Client, Kind::Resource][turn % 3];
            let mut entry = Entry::new(kind, self.names.fetch_add(1, Ordering::SeqCst));
            let mut steps = vec![Step::Create, Step::Rename];
            if kind == Kind::Client {
                steps.push(Step::NewSecret);
            }
            if turn % 2 == 0 {
                steps.push(Step::Remove);
            }
            for step in steps {
                entry.asked = Some(step);
                let sent = Acknowledged::sending();
                match self.step(&mut entry, step).await {
                    Ok(()) => {
                        entry.asked = None;
                        entry.done.push(step);
                        self.acknowledged.add(sent);
                    }
                    Err(status) => {
                        self.touched.lock().push(entry);
                        return gone(&status, step);
                    }
                }
            }
            self.touched.lock().push(entry);
        }
        Ok(())
    }

    /// Takes the step, and writes down what was acknowledged.
    async fn step(&self, entry: &mut Entry, step: Step) -> Result<(), Status> {
        let etag = entry.known.as_ref().map(|known| known.etag.clone());
        let etag = etag.unwrap_or_default();
        let name = match step {
            Step::Rename => AFTER,
            _ => BEFORE,
        };
        let mut clients = ClientServiceClient::new(self.admin.clone());
        let mut resources = ResourceServiceClient::new(self.admin.clone());
        match (entry.kind, step) {
            (Kind::Client, Step::Create) => {
                let client = Some(client(entry, name, etag));
                let request = CreateClientRequest { client };
                let answer = clients.create_client(request).await?.into_inner();
                entry.secrets.push(answer.client_secret);
                entry.known = answer.client.map(Known::of_client);
            }
            (Kind::Client, Step::Rename) => {
                let request = UpdateClientRequest {
                    client: Some(client(entry, name, etag)),
                    update_mask: None,
                };
                let answer = clients.update_client(request).await?.into_inner();
                entry.known = answer.client.map(Known::of_client);
            }
            (Kind::Client, Step::Remove) => {
                let client_id = entry.name.clone();
                let request = DeleteClientRequest { client_id, etag };
                clients.delete_client(request).await?;
                entry.known = None;
            }
            (_, Step::NewSecret) => {
                let client_id = entry.name.clone();
                let request = RotateClientSecretRequest { client_id };
                let answer = clients.rotate_client_secret(request).await?.into_inner();
                entry.secrets.push(answer.client_secret);
                // A new secret is a new version of the client.
                entry.known = self.look(entry).await?;
            }
            (Kind::Resource, Step::Create) => {
                let resource = Some(resource(entry, name, etag));
                let request = CreateResourceRequest { resource };
                let answer = resources.create_resource(request).await?.into_inner();
                entry.known = answer.resource.map(Known::of_resource);
            }
            (Kind::Resource, Step::Rename) => {
                let request = UpdateResourceRequest {
                    resource: Some(resource(entry, name, etag)),
                    update_mask: None,
                };
                let answer = resources.update_resource(request).await?.into_inner();
                entry.known = answer.resource.map(Known::of_resource);
            }
            (Kind::Resource, Step::Remove) => {
                let uri = entry.name.clone();
                let request = DeleteResourceRequest { uri, etag };
                resources.delete_resource(request).await?;
                entry.known = None;
            }
        }
        Ok(())
    }

    async fn look(&self, entry: &Entry) -> Result<Option<Known>, Status> {
        let found = match entry.kind {
            Kind::Client => {
                let client_id = entry.name.clone();
                ClientServiceClient::new(self.admin.clone())
                    .get_client(GetClientRequest { client_id })
                    .await
                    .map(|answer| answer.into_inner().client.map(Known::of_client))
            }
            Kind::Resource => {
                let uri = entry.name.clone();
                ResourceServiceClient::new(self.admin.clone())
                    .get_resource(GetResourceRequest { uri })
                    .await
                    .map(|answer| answer.into_inner().resource.map(Known::of_resource))
            }
        };
        match found {
            Err(status) if status.code() == Code::NotFound => Ok(None),
            found => found,
        }
    }

    /// Everything since the beginning is looked at the next time.
    pub(super) fn recall_all(&self) {
        let earlier = mem::take(&mut *self.earlier.lock());
        self.touched.lock().extend(earlier);
    }

    /// Whether everything is as whoever registered it knows it.
    pub(super) async fn hold(&self) -> Result<(), Problem> {
        let mut touched = mem::take(&mut *self.touched.lock());
        for entry in &mut touched {
            let found = self.look(entry).await?;
            if !entry.fits(found.as_ref()) {
                return Err(format!("{entry:?} is {found:?} after a restart").into());
            }
            if found != entry.known {
                entry.done.extend(entry.asked);
            }
            entry.known = found;
        }
        for entry in touched.iter_mut().rev().take(self.secrets_max) {
            self.secrets_hold(entry).await?;
        }
        for entry in &mut touched {
            // Of a secret whose answer was lost nothing is known, now and later.
            if entry.asked.take() == Some(Step::NewSecret) {
                entry.secrets.clear();
            }
        }
        counts::add("registrations looked at after a crash", touched.len());
        self.earlier.lock().extend(touched);
        Ok(())
    }

    /// Whether the log tells of what was done, of nothing else, and in that order.
    pub(super) fn are_told(&self, log: &AuditLog) -> Result<(), Problem> {
        let earlier = self.earlier.lock();
        for entry in &*earlier {
            let done: Vec<_> = entry
                .done
                .iter()
                .map(|step| step.event(entry.kind))
                .collect();
            let told = log.about(&entry.name);
            if told != done {
                return Err(format!("{entry:?} was done {done:?}, and told of is {told:?}").into());
            }
        }
        counts::add("registrations compared with the audit log", earlier.len());
        Ok(())
    }

    /// The newest secret works, and the one before it does not.
    async fn secrets_hold(&self, entry: &Entry) -> Result<(), Problem> {
        if entry.known.is_none() || entry.asked == Some(Step::NewSecret) {
            return Ok(());
        }
        let newest = entry.secrets.len().saturating_sub(1);
        for (index, secret) in entry.secrets.iter().enumerate() {
            let credential = Credential::ClientSecret(secret.clone().into());
            let client = Builder::new(&self.url).client(&entry.name, credential);
            let tokens = client.connect().await?.token_service();
            match (tokens.issue(&[], &[]).await, index == newest) {
                (Ok(_), true) | (Err(TokenError::Refused(..)), false) => {}
                (Ok(_), false) => return Err(format!("an old secret of {entry:?} works").into()),
                (Err(error), _) => return Err(format!("{entry:?}: {error}").into()),
            }
        }
        Ok(())
    }
}

impl Entry {
    fn new(kind: Kind, number: usize) -> Self {
        Self {
            kind,
            name: match kind {
                Kind::Client => format!("client-{number}"),
                Kind::Resource => format!("https://resource-{number}.example"),
            },
            known: None,
            asked: None,
            secrets: Vec::new(),
            done: Vec::new(),
        }
    }

    /// Whether what was found is what was acknowledged, or that and the step
    /// that was asked for.
    fn fits(&self, found: Option<&Known>) -> bool {
        let known = self.known.as_ref();
        let is_new = |name: &str| {
            found.is_some_and(|found| {
                found.display_name == name && known.is_none_or(|known| known.etag != found.etag)
            })
        };
        found == known
            || match self.asked {
                None => false,
                Some(Step::Create) => is_new(BEFORE),
                Some(Step::Rename) => is_new(AFTER),
                Some(Step::NewSecret) => known.is_some_and(|known| is_new(&known.display_name)),
                Some(Step::Remove) => found.is_none(),
            }
    }
}

impl std::fmt::Debug for Entry {
    /// Without the secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            name, known, asked, ..
        } = self;
        write!(f, "{name}, known as {known:?}, asked for {asked:?},")
    }
}

impl Known {
    fn of_client(client: Client) -> Self {
        Self {
            display_name: client.display_name,
            etag: client.etag,
        }
    }

    fn of_resource(resource: Resource) -> Self {
        Self {
            display_name: resource.display_name,
            etag: resource.etag,
        }
    }
}

fn client(entry: &Entry, display_name: &str, etag: String) -> Client {
    Client {
        display_name: display_name.to_owned(),
        etag,
        ..service_client(&entry.name, setup::RESOURCE, &["orders.read"])
    }
}

fn resource(entry: &Entry, display_name: &str, etag: String) -> Resource {
    Resource {
        uri: entry.name.clone(),
        display_name: display_name.to_owned(),
        scopes: vec!["all".to_owned()],
        etag,
        ..Resource::default()
    }
}

/// A refusal is a surprise; anything else means that the service has gone.
fn gone(status: &Status, step: Step) -> Loop {
    match status.code() {
        Code::Unavailable | Code::Cancelled | Code::Unknown | Code::Internal => Ok(()),
        _ => Err(format!("{step:?} was refused: {status}").into()),
    }
}
