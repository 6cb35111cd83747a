//! Consent that is remembered. Rules alone.

use std::collections::BTreeSet;

use countersign_jose::{UnixTime, base64url, sha256};
use url::Url;

use crate::token_service::Asked;

/// What a person allowed a client, at these resources together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Consent {
    pub(crate) client_id: String,
    pub(crate) client_display_name: String,
    pub(crate) resources: BTreeSet<String>,
    pub(crate) scopes: BTreeSet<String>,
    pub(crate) granted_at: UnixTime,
}

/// Names a consent of a person.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) struct ConsentId(pub(crate) [u8; 32]);

impl ConsentId {
    /// What is asked for is about one consent: that of this client at exactly these resources. A
    /// scope that was allowed at one resource says nothing about another.
    pub(crate) fn of(client_id: &str, resources: &BTreeSet<String>) -> Self {
        // Neither a client's identifier nor a URI has a zero byte.
        let mut text = client_id.to_owned();
        for resource in resources {
            text.push('\0');
            text.push_str(resource);
        }
        Self(sha256(&[b"countersign login consent\0", text.as_bytes()]))
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        base64url::decode_array(text).ok().map(Self)
    }

    pub(crate) fn text(self) -> String {
        base64url::encode(self.0)
    }
}

impl Consent {
    /// What was allowed now, with what was allowed before.
    pub(crate) fn given(
        asked: &Asked,
        scopes: &[String],
        before: Option<Self>,
        now: UnixTime,
    ) -> Self {
        let mut all = before.map(|before| before.scopes).unwrap_or_default();
        all.extend(scopes.iter().cloned());
        Self {
            client_id: asked.client_id.clone(),
            client_display_name: asked.client_display_name.clone(),
            resources: asked.resources.iter().cloned().collect(),
            scopes: all,
            granted_at: now,
        }
    }

    pub(crate) fn id(&self) -> ConsentId {
        ConsentId::of(&self.client_id, &self.resources)
    }

    /// Whether the person need not be asked.
    pub(crate) fn covers(&self, asked: &Asked) -> bool {
        can_be_remembered(asked) && asked.scopes.iter().all(|scope| self.scopes.contains(scope))
    }
}

/// Whether consent to this can be remembered at all.
pub(crate) fn can_be_remembered(asked: &Asked) -> bool {
    // What is allowed beyond scopes is about one thing: a payment, a file.
    let only_scopes = asked.details.is_empty();
    // RFC 8252 §8.6: any program of the machine can be behind another scheme or behind loopback,
    // and say that it is this client.
    let sure = Url::parse(&asked.redirect_uri).is_ok_and(|url| url.scheme() == "https");
    only_scopes && sure && !asked.device && !asked.scopes.is_empty() && !asked.ask_again
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(scopes: &[&str], resources: &[&str]) -> Asked {
        let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        Asked {
            client_id: "desk".to_owned(),
            redirect_uri: "https://desk.example/back".to_owned(),
            scopes: texts(scopes),
            resources: texts(resources),
            ..Asked::default()
        }
    }

    const NOW: UnixTime = UnixTime::from_secs(1_000_000);

    #[test]
    fn what_was_allowed_is_not_asked_for_again_and_nothing_else() {
        let first = asked(&["read"], &["https://a.example"]);
        let given = Consent::given(&first, &["read".to_owned()], None, NOW);
        assert!(given.covers(&first));
        let more = asked(&["read", "write"], &["https://a.example"]);
        assert!(!given.covers(&more));
        // Of what was asked for, one was allowed.
        let part = Consent::given(&more, &["write".to_owned()], Some(given), NOW);
        assert!(part.covers(&more));
        // Nothing can be asked for that is everything.
        assert!(!part.covers(&asked(&[], &["https://a.example"])));
    }

    #[test]
    fn a_consent_is_about_its_client_and_its_resources() {
        let id = |client: &str, resources: &[&str]| {
            ConsentId::of(
                client,
                &resources.iter().map(|&text| text.to_owned()).collect(),
            )
        };
        let first = id("desk", &["https://a.example"]);
        assert_ne!(first, id("till", &["https://a.example"]));
        assert_ne!(first, id("desk", &["https://b.example"]));
        assert_ne!(
            first,
            id("desk", &["https://a.example", "https://b.example"])
        );
        assert_eq!(
            id("desk", &["https://b.example", "https://a.example"]),
            id("desk", &["https://a.example", "https://b.example"])
        );
    }

    #[test]
    fn who_cannot_be_told_apart_or_wants_more_than_scopes_is_asked_every_time() {
        let plain = asked(&["read"], &[]);
        let given = Consent::given(&plain, &["read".to_owned()], None, NOW);
        let to = |redirect_uri: &str| Asked {
            redirect_uri: redirect_uri.to_owned(),
            ..plain.clone()
        };
        for other in [
            to("http://127.0.0.1/back"),
            to("com.example.desk:/back"),
            to(""),
            Asked {
                details: "[{}]".to_owned(),
                ..plain.clone()
            },
            Asked {
                device: true,
                ..plain.clone()
            },
            Asked {
                ask_again: true,
                ..plain.clone()
            },
        ] {
            assert!(!given.covers(&other), "{other:?}");
        }
        assert!(given.covers(&plain));
    }
}
