//! What can be revoked, and somebody who loses by it.

use countersign::admin::v1::revocation_service_client::RevocationServiceClient;
use countersign::admin::v1::revoke_tokens_request::Target;
use countersign::admin::v1::signing_key_service_client::SigningKeyServiceClient;
use countersign::admin::v1::{
    ListSigningKeysRequest, RevokeSigningKeyRequest, RevokeTokensRequest, SigningKeyPurpose,
    SigningKeyState,
};
use countersign_client::{Countersign, Issued};
use countersign_testkit::setup::RESOURCE;
use countersign_testkit::{Platform, Problem, person_client, service_client, sign_in};

const BACK: &str = "http://127.0.0.1/back";

/// Which of the things that a token has is revoked.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Token,
    Family,
    Client,
    Subject,
    /// The key that the token is bound to.
    HolderKey,
    /// The key that signed it, and all others of that time: those of the guards' watches, too.
    SigningKey,
}

impl Kind {
    pub(super) const ALL: [Self; 6] = [
        Self::Token,
        Self::Family,
        Self::Client,
        Self::Subject,
        Self::HolderKey,
        Self::SigningKey,
    ];

    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Family => "family",
            Self::Client => "client",
            Self::Subject => "subject",
            Self::HolderKey => "holder key",
            Self::SigningKey => "signing key",
        }
    }
}

/// Persons who sign in, each with a client of their own.
pub(super) struct Persons<'p> {
    platform: &'p Platform,
    login: Countersign,
}

/// One of them.
pub(super) struct Person {
    pub(super) client: Countersign,
    pub(super) issued: Issued,
    name: String,
}

impl<'p> Persons<'p> {
    pub(super) async fn at(platform: &'p Platform) -> Result<Self, Problem> {
        let login = service_client("login", platform.issuer(), &["authorizations.decide"]);
        let login = platform.register(login).await?;
        let login = platform.client(&login).connect().await?;
        Ok(Self { platform, login })
    }

    /// Somebody who was not there before: nothing that was revoked of others is theirs.
    pub(super) async fn next(&self, nth: usize) -> Result<Person, Problem> {
        let name = format!("person-{nth}");
        let client = person_client(&shop_of(&name), BACK, RESOURCE, &["orders.read"]);
        let client = self.platform.register(client).await?;
        let client = self.platform.client(&client).connect().await?;
        let issuer = self.platform.issuer();
        let issued = sign_in(&client, &self.login, issuer, BACK, &name).await?;
        Ok(Person {
            client,
            issued,
            name,
        })
    }

    /// Revokes what is theirs of this kind: as its client does, or else as an operator.
    pub(super) async fn revoke(&self, kind: Kind, person: &Person) -> Result<(), Problem> {
        let own = person.client.token_service();
        match kind {
            Kind::Token => own.revoke(&person.issued.access_token).await?,
            Kind::Family => {
                let family = person.issued.family_id.as_deref();
                own.revoke_family(family.ok_or("no family")?).await?;
            }
            Kind::Client => self.all(Target::ClientId(shop_of(&person.name))).await?,
            Kind::Subject => self.all(Target::Subject(person.name.clone())).await?,
            Kind::HolderKey => {
                let jkt = person.client.thumbprint().to_string();
                self.all(Target::Jkt(jkt)).await?;
            }
            Kind::SigningKey => self.revoke_signing_key().await?,
        }
        Ok(())
    }

    async fn all(&self, target: Target) -> Result<(), Problem> {
        let target = Some(target);
        RevocationServiceClient::new(self.platform.admin().await?)
            .revoke_tokens(RevokeTokensRequest { target })
            .await?;
        Ok(())
    }

    async fn revoke_signing_key(&self) -> Result<(), Problem> {
        let mut keys = SigningKeyServiceClient::new(self.platform.admin().await?);
        let listed = keys
            .list_signing_keys(ListSigningKeysRequest::default())
            .await?
            .into_inner();
        let active = listed.signing_keys.into_iter().find(|key| {
            key.purpose() == SigningKeyPurpose::AccessTokens
                && key.state() == SigningKeyState::Active
        });
        let kid = active.ok_or("no key is active")?.kid;
        keys.revoke_signing_key(RevokeSigningKeyRequest { kid })
            .await?;
        Ok(())
    }
}

fn shop_of(person: &str) -> String {
    format!("shop-of-{person}")
}
