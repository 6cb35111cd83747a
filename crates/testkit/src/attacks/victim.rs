//! Who was robbed.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use countersign_client::source::BoxFuture;
use countersign_client::{Countersign, Issued, Secret};
use countersign_jose::{SigningKey, base64url};

use crate::checkpoint::{Caller, LIFETIME, new_key};
use crate::{Platform, Problem, service_client};

/// A scope that no method asks for.
const USELESS: &str = "countersign-testkit.nothing";

/// A resource that nobody serves.
const ELSEWHERE: &str = "https://elsewhere.test";

/// A token, and the key that it is bound to.
pub(crate) struct Held {
    pub(crate) token: String,
    pub(crate) key: Arc<SigningKey>,
    pub(crate) lifetime: Duration,
    /// Its identifier (`jti`), where we made it.
    token_id: Option<String>,
}

impl Held {
    /// By how much a clock must be moved for the token to be over.
    pub(crate) fn outlived(&self) -> Duration {
        self.lifetime + Duration::from_secs(1)
    }

    /// The same claims, signed by somebody else; of an opaque token, a guess.
    pub(crate) fn forged(&self) -> Result<Self, Problem> {
        let mut parts = self.token.split('.');
        let token = match (parts.next(), parts.next(), parts.next()) {
            (Some(header), Some(payload), Some(_)) => {
                new_key()?.sign_segments(header, &base64url::decode(payload)?)?
            }
            _ => guess(&self.token),
        };
        Ok(Self {
            token,
            key: Arc::clone(&self.key),
            lifetime: self.lifetime,
            token_id: None,
        })
    }
}

/// A token that differs in the middle.
fn guess(token: &str) -> String {
    let at = token.chars().count() / 2;
    let change = |(i, letter)| match letter {
        'A' if i == at => 'B',
        _ if i == at => 'A',
        letter => letter,
    };
    token.chars().enumerate().map(change).collect()
}

/// Without its token.
impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held")
            .field("lifetime", &self.lifetime)
            .finish_non_exhaustive()
    }
}

/// Somebody with tokens.
pub(crate) trait Victim: Send + Sync {
    /// A token that is good for the call.
    fn holds(&self) -> BoxFuture<'_, Result<Held, Problem>>;
    /// One that lacks the scopes.
    fn without_scope(&self) -> BoxFuture<'_, Result<Held, Problem>>;
    /// One for another resource.
    fn elsewhere(&self) -> BoxFuture<'_, Result<Held, Problem>>;
    /// Revokes the token.
    fn revoke<'a>(&'a self, held: &'a Held) -> BoxFuture<'a, Result<(), Problem>>;
}

impl Caller {
    /// A new token each time: one of them is revoked, another one outlived.
    fn held(&self) -> Held {
        let caller = self.clone().renewed();
        Held {
            token: caller.token(),
            key: Arc::clone(caller.key()),
            lifetime: LIFETIME,
            token_id: caller.token_id().map(str::to_owned),
        }
    }
}

impl Victim for Caller {
    fn holds(&self) -> BoxFuture<'_, Result<Held, Problem>> {
        Box::pin(std::future::ready(Ok(self.held())))
    }

    fn without_scope(&self) -> BoxFuture<'_, Result<Held, Problem>> {
        let caller = self.clone().without("scope");
        Box::pin(std::future::ready(Ok(caller.held())))
    }

    fn elsewhere(&self) -> BoxFuture<'_, Result<Held, Problem>> {
        let caller = self.clone().claim("aud", ELSEWHERE);
        Box::pin(std::future::ready(Ok(caller.held())))
    }

    fn revoke<'a>(&'a self, held: &'a Held) -> BoxFuture<'a, Result<(), Problem>> {
        Box::pin(self.checkpoint().revoke_token(held.token_id.as_deref()))
    }
}

/// A client of a token service.
pub(crate) struct ServiceVictim {
    key: Arc<SigningKey>,
    good: Countersign,
    useless: Countersign,
    resource: String,
    scopes: Vec<String>,
}

impl ServiceVictim {
    /// Registers what the attacks take.
    pub(crate) async fn new(
        platform: &Platform,
        resource: &str,
        scopes: &[&str],
    ) -> Result<Self, Problem> {
        let all: Vec<&str> = scopes.iter().copied().chain([USELESS]).collect();
        platform.ensure_resource(resource, &all).await?;
        platform.ensure_resource(ELSEWHERE, scopes).await?;
        let mut good = service_client(&platform.new_name("victim"), resource, scopes);
        good.permissions
            .extend(service_client("", ELSEWHERE, scopes).permissions);
        let useless = service_client(&platform.new_name("useless"), resource, &[USELESS]);
        let good = platform.register(good).await?;
        let useless = platform.register(useless).await?;
        let key = Arc::new(new_key()?);
        let copy = || SigningKey::from_pkcs8_der(&key.to_pkcs8_der()?);
        let good = platform.client(&good).proof_key(copy()?);
        let useless = platform.client(&useless).proof_key(copy()?);
        Ok(Self {
            good: good.connect().await?,
            useless: useless.connect().await?,
            resource: resource.to_owned(),
            scopes: scopes.iter().map(|&scope| scope.to_owned()).collect(),
            key,
        })
    }

    fn held(&self, issued: &Issued) -> Held {
        Held {
            token: issued.access_token.expose().to_owned(),
            key: Arc::clone(&self.key),
            lifetime: issued.expires_in,
            token_id: None,
        }
    }

    async fn issue(
        &self,
        client: &Countersign,
        scopes: &[String],
        resource: &str,
    ) -> Result<Held, Problem> {
        let resources = [resource.to_owned()];
        let issued = client.token_service().issue(scopes, &resources).await?;
        Ok(self.held(&issued))
    }
}

impl Victim for ServiceVictim {
    fn holds(&self) -> BoxFuture<'_, Result<Held, Problem>> {
        Box::pin(self.issue(&self.good, &self.scopes, &self.resource))
    }

    fn without_scope(&self) -> BoxFuture<'_, Result<Held, Problem>> {
        Box::pin(self.issue(&self.useless, &[], &self.resource))
    }

    fn elsewhere(&self) -> BoxFuture<'_, Result<Held, Problem>> {
        Box::pin(self.issue(&self.good, &self.scopes, ELSEWHERE))
    }

    fn revoke<'a>(&'a self, held: &'a Held) -> BoxFuture<'a, Result<(), Problem>> {
        Box::pin(async move {
            let token = Secret::from(held.token.as_str());
            Ok(self.good.token_service().revoke(&token).await?)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(token: &str) -> Held {
        Held {
            token: token.to_owned(),
            key: Arc::new(new_key().expect("there are random bytes")),
            lifetime: Duration::from_secs(300),
            token_id: None,
        }
    }

    #[test]
    fn a_forged_token_says_the_same_and_is_signed_anew() {
        let forged = held("e30.eyJzdWIiOiJhbm4ifQ.AAAA").forged();
        let token = forged.expect("three segments").token;
        assert!(token.starts_with("e30.eyJzdWIiOiJhbm4ifQ."), "{token}");
        assert!(!token.ends_with(".AAAA"), "{token}");
    }

    #[test]
    fn an_opaque_token_is_guessed() {
        for (token, guessed) in [("abcde", "abAde"), ("abAde", "abBde")] {
            assert_eq!(held(token).forged().expect("opaque").token, guessed);
        }
    }
}
