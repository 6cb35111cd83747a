//! Consent that is remembered. Rules alone.

use std::collections::BTreeSet;

use countersign_jose::{UnixTime, base64url, sha256};
use url::Url;

use crate::token_service::Asked;

/// What a consent is about: a client as it was registered, where the browser goes on to, and the
/// resources together. A scope that was allowed at one resource says nothing about another, and
/// whoever has a client's identifier after it is another client.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct About {
    pub(crate) client_id: String,
    pub(crate) client_created_at: UnixTime,
    pub(crate) redirect_uri: String,
    pub(crate) resources: BTreeSet<String>,
}

/// What a person allowed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Consent {
    pub(crate) about: About,
    pub(crate) client_display_name: String,
    pub(crate) scopes: BTreeSet<String>,
    pub(crate) granted_at: UnixTime,
}

/// Names a consent of a person.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) struct ConsentId(pub(crate) [u8; 32]);

impl ConsentId {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        base64url::decode_array(text).ok().map(Self)
    }

    pub(crate) fn text(self) -> String {
        base64url::encode(self.0)
    }
}

impl About {
    /// What consent to this would be about, where it can be remembered at all.
    pub(crate) fn of(asked: &Asked) -> Option<Self> {
        // What is allowed beyond scopes is about one thing: a payment, a file.
        let only_scopes = asked.details.is_empty();
        // RFC 8252 §8.6: any program of the machine can be behind another scheme or behind loopback,
        // and say that it is this client.
        let sure = Url::parse(&asked.redirect_uri).is_ok_and(|url| url.scheme() == "https");
        let can_be =
            only_scopes && sure && !asked.device && !asked.scopes.is_empty() && !asked.ask_again;
        let client_created_at = asked.client_created_at.filter(|_| can_be)?;
        Some(Self {
            client_id: asked.client_id.clone(),
            client_created_at,
            redirect_uri: asked.redirect_uri.clone(),
            resources: asked.resources.iter().cloned().collect(),
        })
    }

    pub(crate) fn id(&self) -> ConsentId {
        // Neither a client's identifier nor a URI has a zero byte.
        let mut text = self.client_id.clone();
        for uri in [&self.redirect_uri].into_iter().chain(&self.resources) {
            text.push('\0');
            text.push_str(uri);
        }
        let created = self.client_created_at.as_millis().to_be_bytes();
        let label = b"countersign login consent\0";
        ConsentId(sha256(&[label, &created, text.as_bytes()]))
    }
}

impl Consent {
    /// What was allowed now, with what was allowed before.
    pub(crate) fn given(
        about: &About,
        asked: &Asked,
        scopes: &[String],
        before: Option<Self>,
        now: UnixTime,
    ) -> Self {
        let mut all = before.map(|before| before.scopes).unwrap_or_default();
        all.extend(scopes.iter().cloned());
        Self {
            about: about.clone(),
            client_display_name: asked.client_display_name.clone(),
            scopes: all,
            granted_at: now,
        }
    }

    /// Whether the person need not be asked.
    pub(crate) fn covers(&self, asked: &Asked) -> bool {
        About::of(asked).as_ref() == Some(&self.about)
            && asked.scopes.iter().all(|scope| self.scopes.contains(scope))
    }
}

/// Whether consent to this can be remembered at all.
pub(crate) fn can_be_remembered(asked: &Asked) -> bool {
    About::of(asked).is_some()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn asked(scopes: &[&str], resources: &[&str]) -> Asked {
        let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        Asked {
            client_id: "desk".to_owned(),
            client_created_at: Some(REGISTERED),
            redirect_uri: "https://desk.example/back".to_owned(),
            scopes: texts(scopes),
            resources: texts(resources),
            ..Asked::default()
        }
    }

    const REGISTERED: UnixTime = UnixTime::from_secs(900_000);
    const NOW: UnixTime = UnixTime::from_secs(1_000_000);

    fn given(asked: &Asked, scopes: &[&str], before: Option<Consent>) -> Consent {
        let scopes: Vec<_> = scopes.iter().map(|&scope| scope.to_owned()).collect();
        let about = About::of(asked).expect("it can be remembered");
        Consent::given(&about, asked, &scopes, before, NOW)
    }

    #[test]
    fn what_was_allowed_is_not_asked_for_again_and_nothing_else() {
        let first = asked(&["read"], &["https://a.example"]);
        let before = given(&first, &["read"], None);
        assert!(before.covers(&first));
        let more = asked(&["read", "write"], &["https://a.example"]);
        assert!(!before.covers(&more));
        // Of what was asked for, one was allowed.
        let part = given(&more, &["write"], Some(before));
        assert!(part.covers(&more));
        // Nothing can be asked for that is everything.
        assert!(!part.covers(&asked(&[], &["https://a.example"])));
    }

    #[test]
    fn a_consent_is_about_its_registration_its_end_and_its_resources() {
        let first = asked(&["read"], &["https://a.example", "https://b.example"]);
        let known = given(&first, &["read"], None);
        let turned = asked(&["read"], &["https://b.example", "https://a.example"]);
        assert!(known.covers(&turned));
        assert_eq!(known.about.id(), About::of(&turned).unwrap().id());
        let registered = |client_created_at| Asked {
            client_created_at,
            ..first.clone()
        };
        for other in [
            Asked {
                client_id: "till".to_owned(),
                ..first.clone()
            },
            // The same identifier, in other hands.
            registered(Some(REGISTERED.plus(Duration::from_millis(1)))),
            registered(Some(UnixTime::from_secs(0))),
            Asked {
                redirect_uri: "https://till.example/back".to_owned(),
                ..first.clone()
            },
            asked(&["read"], &["https://a.example"]),
            asked(&["read"], &["https://b.example"]),
            asked(&["read"], &[]),
        ] {
            assert!(!known.covers(&other), "{other:?}");
            let id = About::of(&other).unwrap().id();
            assert_ne!(known.about.id(), id, "{other:?}");
        }
        // Whose registration it is nobody says.
        assert!(!known.covers(&registered(None)));
        assert_eq!(About::of(&registered(None)), None);
    }

    #[test]
    fn who_cannot_be_told_apart_or_wants_more_than_scopes_is_asked_every_time() {
        let plain = asked(&["read"], &[]);
        let known = given(&plain, &["read"], None);
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
            assert!(!known.covers(&other), "{other:?}");
            assert_eq!(About::of(&other), None, "{other:?}");
        }
        assert!(known.covers(&plain));
    }
}
