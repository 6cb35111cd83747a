//! Lodging an authorization request.

use std::time::Duration;

use countersign_jose::{Thumbprint, UnixTime};

use super::named::handle;
use crate::Expect;
use crate::access_token::Claims;
use crate::authenticate::Authenticated;
use crate::change::{Change, Decision, Record};
use crate::handle::{HandleKind, HandleText};
use crate::issuer::Issuer;
use crate::model::{
    Authorization, Catalogue, Client, CodeChallenge, GrantedDetails, Malformed, Permissions,
    Prompts, RecordId, Redirect, RedirectUri, Stage, State, Way, Wishes, acr_values,
};
use crate::policy::{self, Ask};
use crate::refusal::{FieldFault, NotAllowedCause, Refusal};

/// The fields of a pushed authorization request.
#[derive(Copy, Clone)]
pub struct PushForm<'a, S> {
    /// `redirect_uri`
    pub redirect_uri: &'a str,
    /// `scopes`
    pub scopes: &'a [S],
    /// `resources`
    pub resources: &'a [S],
    /// `state`
    pub state: &'a str,
    /// `code_challenge`
    pub code_challenge: &'a str,
    /// `code_challenge_method`
    pub code_challenge_method: &'a str,
    /// `dpop_jkt`
    pub dpop_jkt: &'a str,
    /// `max_age`
    pub max_age: Option<Duration>,
    /// `acr_values`
    pub acr_values: &'a [S],
    /// `prompts`
    pub prompts: &'a [S],
    /// `authorization_details`
    pub authorization_details: &'a str,
}

/// An authorization request that is well-formed.
#[derive(Clone, Debug)]
pub struct Lodging {
    redirect_uri: RedirectUri,
    ask: Ask,
    state: Option<State>,
    challenge: CodeChallenge,
    dpop_jkt: Option<Thumbprint>,
    max_age: Option<Duration>,
    wishes: Wishes,
}

/// The request was lodged.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lodged {
    /// Names it to the login application.
    pub request_uri: HandleText,
    /// How long the person has to decide.
    pub expires_in: Duration,
}

impl Lodging {
    /// Reads the request.
    ///
    /// # Errors
    /// [`Refusal::InvalidRequest`] naming the field; what [`Ask::parse`] and
    /// [`Ask::and_details`] refuse.
    pub fn parse<S: AsRef<str>>(form: &PushForm<'_, S>) -> Result<Self, Refusal> {
        let fault = |field: &str| {
            let field = field.to_owned();
            move |problem| FieldFault::new(field, problem)
        };
        // RFC 9700 §2.1.1: S256 for every code; `plain` shows the verifier to the browser.
        if form.code_challenge_method != "S256" {
            let problem = Malformed::CodeChallengeMethod;
            return Err(FieldFault::new("code_challenge_method", problem).into());
        }
        Ok(Self {
            redirect_uri: RedirectUri::parse(form.redirect_uri).map_err(fault("redirect_uri"))?,
            ask: Ask::parse(form.scopes, form.resources)?
                .and_details(form.authorization_details)?,
            state: State::parse(form.state).map_err(fault("state"))?,
            challenge: CodeChallenge::parse(form.code_challenge)
                .map_err(fault("code_challenge"))?,
            dpop_jkt: match form.dpop_jkt {
                "" => None,
                text => Some(
                    Thumbprint::parse(text)
                        .map_err(|_| FieldFault::new("dpop_jkt", Malformed::Thumbprint))?,
                ),
            },
            max_age: form.max_age,
            wishes: Wishes {
                authenticated_since: None,
                acr_values: acr_values(form.acr_values).map_err(fault("acr_values"))?,
                prompts: Prompts::parse(form.prompts).map_err(fault("prompts"))?,
            },
        })
    }

    /// What it asks for; [`Ask::concerns`] says which resources to load.
    pub const fn ask(&self) -> &Ask {
        &self.ask
    }
}

/// Decides whether a request may be lodged. `proof` is the key of the proof that came with it, if
/// one did; `id` names the new record.
pub fn push(
    client: &Authenticated<'_>,
    lodging: &Lodging,
    catalogue: &Catalogue,
    issuer: &Issuer,
    proof: Option<Thumbprint>,
    id: RecordId,
    now: UnixTime,
) -> Decision<Lodged> {
    let change = Change::by(client);
    match lodged(client.client(), lodging, catalogue, proof, issuer, now) {
        Ok(authorization) => change
            .put(Record::Authorization(id, authorization), Expect::Absent)
            .answer(Lodged {
                request_uri: handle(HandleKind::RequestUri, id, issuer),
                expires_in: issuer.lifetimes.request_uri,
            }),
        Err(refusal) => change.refuse(refusal),
    }
}

/// What a client may ask a person for. That it is the client, others have seen to; a browser shows
/// nothing for it.
pub(super) fn lodged(
    client: &Client,
    lodging: &Lodging,
    catalogue: &Catalogue,
    proof: Option<Thumbprint>,
    issuer: &Issuer,
    now: UnixTime,
) -> Result<Authorization, Refusal> {
    if !client.grant_types.authorization_code {
        return Err(NotAllowedCause::GrantType.into());
    }
    // RFC 9700 §4.1.3: exact comparison.
    if !client.may_redirect_to(&lodging.redirect_uri) {
        let problem = Malformed::RedirectUriNotRegistered;
        return Err(FieldFault::new("redirect_uri", problem).into());
    }
    // RFC 9449 §10.1: both ways of naming the key must name one key.
    let dpop_jkt = match (lodging.dpop_jkt, proof) {
        (Some(said), Some(shown)) if said != shown => {
            return Err(FieldFault::new("dpop_jkt", Malformed::ThumbprintOfOtherKey).into());
        }
        (said, shown) => said.or(shown),
    };
    let permissions = policy::choose(&lodging.ask, client, catalogue)?;
    let details = details_asked(&lodging.ask, client, &permissions, catalogue, issuer)?;
    Ok(Authorization {
        client: client.id.clone(),
        permissions,
        details,
        dpop_jkt,
        // A clock that was set back must not make it older than its client.
        lodged_at: now.max(client.created_at),
        expires_at: now.plus(issuer.lifetimes.request_uri),
        epoch: issuer.epoch,
        way: Way::Redirect(Redirect {
            uri: lodging.redirect_uri.clone(),
            state: lodging.state.clone(),
            challenge: lodging.challenge,
            wishes: lodging.wishes.clone().at(now, lodging.max_age),
            browser: None,
        }),
        stage: Stage::Pending,
    })
}

/// The details that a person is asked for: none that no token could carry.
pub(super) fn details_asked(
    ask: &Ask,
    client: &Client,
    permissions: &Permissions,
    catalogue: &Catalogue,
    issuer: &Issuer,
) -> Result<GrantedDetails, Refusal> {
    let asked = policy::choose_details(ask, client, permissions, catalogue)?;
    if asked.is_empty() {
        return Ok(asked);
    }
    let carried = policy::carried_details(None, &asked, permissions, catalogue)?;
    // Where the resources have several formats, tokens are for fewer of them, with fewer details.
    if let Ok(format) = policy::format(permissions, catalogue) {
        Claims::longest(&client.id, permissions).with_details(carried, format, &issuer.name)?;
    }
    Ok(asked)
}
