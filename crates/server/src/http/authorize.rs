//! The authorization endpoint (RFC 6749 §3.1): a browser brings a request, is handed over to the
//! login application, and comes back to take the answer to the client.
//!
//! What is wrong is shown as a page until client and redirect URI are known to belong together; from
//! then on it is the client's to know (RFC 6749 §4.1.2.1).

use std::sync::Arc;

use ::http::header::{ALLOW, CACHE_CONTROL, LOCATION, REFERRER_POLICY};
use ::http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use countersign_issuer::authorize::{Return, brought, returning};
use countersign_issuer::model::{self, ClientId, Malformed, RedirectUri};
use countersign_login::{Address, Proxies};

use super::cookie::Cookies;
use super::form::Form;
use super::problem::{self, Misfit, Problem};
use super::{Edge, answer, other_method_page, page, par};
use crate::config::LoginUrl;
use crate::desk::{Handover, Onward};
use crate::refused::{Fault, Refused};

/// Where the browser goes, and what it keeps or forgets.
struct Goes {
    to: String,
    cookies: Vec<HeaderValue>,
}

pub(super) async fn visit(
    State(edge): State<Arc<Edge>>,
    State(proxies): State<Proxies>,
    request: Request<Body>,
) -> Response {
    match visited(&edge, proxies, request).await {
        Ok(goes) => redirect(goes),
        Err(problem) => page::of(&problem),
    }
}

/// As [`super::other_method`], for people.
pub(super) async fn other_method() -> Response {
    let mut response = other_method_page().await;
    // Of itself the router would add HEAD to it, and nothing to the answer to HEAD.
    let methods = HeaderValue::from_static("GET, POST");
    response.headers_mut().insert(ALLOW, methods);
    response
}

async fn visited(edge: &Edge, proxies: Proxies, request: Request<Body>) -> Result<Goes, Problem> {
    let Some(login) = &edge.login else {
        return Err(Misfit::NotFound.into());
    };
    let (head, body) = request.into_parts();
    // RFC 6749 §3.1: either way, and each parameter once.
    let form = match head.method {
        Method::POST => Form::read(&head, body).await?,
        _ => Form::of_query(&head.uri)?,
    };
    match form.get("resume") {
        // A browser comes back by a redirect, which posts nothing.
        Some(way_back) if head.method == Method::GET => {
            resumed(edge, way_back, &head.headers).await
        }
        Some(_) => Err(Refused::field("resume", Malformed::Resume).into()),
        None => {
            let from = Address::of_request(&head, proxies);
            arrived(edge, login, &form, &head.headers, from).await
        }
    }
}

async fn arrived(
    edge: &Edge,
    login: &LoginUrl,
    form: &Form,
    headers: &HeaderMap,
    from: Address,
) -> Result<Goes, Problem> {
    let client = ClientId::parse(form.text("client_id"))
        .map_err(|problem| Refused::field("client_id", problem))?;
    let Some(request_uri) = form.get("request_uri") else {
        return with_parameters(edge, login, client, form, headers, from).await;
    };
    // RFC 9101 §5: not both. Whatever else stands outside counts for nothing (§6.3): what was
    // lodged is what is asked.
    if form.get("request").is_some() {
        return Err(Refused::Field {
            field: "request",
            expected: "must be absent where there is a request_uri",
        }
        .into());
    }
    let id = brought(request_uri, &edge.desk.engine.issuer().mac_keys)?;
    let handover = edge.desk.begin(client, id).await?;
    Ok(edge.hand_over(login, &handover, headers))
}

async fn with_parameters(
    edge: &Edge,
    login: &LoginUrl,
    client: ClientId,
    form: &Form,
    headers: &HeaderMap,
    from: Address,
) -> Result<Goes, Problem> {
    let back = Return {
        redirect_uri: RedirectUri::parse(form.text("redirect_uri"))
            .map_err(|problem| Refused::field("redirect_uri", problem))?,
        // One that cannot be returned is refused below, without it.
        state: model::State::parse(form.text("state")).unwrap_or_default(),
    };
    let (lodging, wrong) = match edge.lodging(form) {
        Ok(lodging) => (Some(lodging), None),
        Err(wrong) => (None, Some(wrong)),
    };
    match edge.desk.arrive(client, back, lodging, from).await? {
        Onward::Login(handover) => Ok(edge.hand_over(login, &handover, headers)),
        Onward::Back(back, found) => {
            // One of the two: what is right and allowed is begun.
            let refused = found.or(wrong);
            let refused = refused.ok_or(Refused::Fault(Fault::NothingWritten))?;
            Ok(edge.back(&back, &refused))
        }
    }
}

async fn resumed(edge: &Edge, way_back: &str, headers: &HeaderMap) -> Result<Goes, Problem> {
    let id = returning(way_back, &edge.desk.engine.issuer().mac_keys)?;
    let keeps = edge.cookies.of(id, headers);
    let to = edge.desk.resume(id, keeps).await?;
    Ok(Goes {
        to: to.reveal().to_owned(),
        cookies: edge.cookies.forget(id).into_iter().collect(),
    })
}

impl Edge {
    /// What a browser asks for in plain parameters: what a client would push.
    fn lodging(&self, form: &Form) -> Result<countersign_issuer::authorize::Lodging, Refused> {
        if self.only_pushed {
            return Err(Refused::Field {
                field: "request_uri",
                expected: "must be there: requests are pushed first",
            });
        }
        par::lodging(form)
    }

    fn hand_over(&self, login: &LoginUrl, handover: &Handover, headers: &HeaderMap) -> Goes {
        let mut cookies = self.cookies.crowded_out(headers);
        cookies.extend(self.cookies.keep(handover));
        Goes {
            to: login.with(handover.interaction.reveal()),
            cookies,
        }
    }

    fn back(&self, back: &Return, refused: &Refused) -> Goes {
        problem::noted(refused);
        let (error, description) = problem::said_of(refused);
        let to = back.with(error, &description, &self.desk.engine.issuer());
        Goes {
            to: to.reveal().to_owned(),
            cookies: Vec::new(),
        }
    }
}

/// RFC 9700 §4.12: a browser that has posted posts nothing on.
fn redirect(goes: Goes) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(answer::NO_STORE));
    // The address holds what the next page need not learn.
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    page::unframed(headers);
    // All of them are URLs that were parsed.
    if let Ok(location) = goes.to.parse() {
        headers.insert(LOCATION, location);
    }
    Cookies::set(headers, goes.cookies);
    response
}
