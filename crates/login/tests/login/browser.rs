//! A browser: it follows nothing by itself, and keeps cookies.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, COOKIE, LOCATION, ORIGIN, SET_COOKIE, USER_AGENT};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use url::form_urlencoded;

/// What the name of the application's cookie begins with.
pub(crate) const COOKIE_NAME: &str = "__Host-countersign-login-";

/// A person's browser.
#[derive(Clone)]
pub(crate) struct Browser {
    client: Client<HttpConnector, Full<Bytes>>,
    origin: String,
    pub(crate) cookies: BTreeMap<String, String>,
    /// What a proxy says of where it is.
    pub(crate) forwarded: Option<String>,
    /// What it calls itself.
    pub(crate) agent: Option<&'static str>,
}

/// What it got.
pub(crate) struct Seen {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Browser {
    pub(crate) fn new(origin: &str) -> Self {
        Self {
            client: Client::builder(TokioExecutor::new()).build_http(),
            origin: origin.to_owned(),
            cookies: BTreeMap::new(),
            forwarded: None,
            agent: None,
        }
    }

    pub(crate) async fn get(&mut self, path: &str) -> Seen {
        self.send(Method::GET, path, "", &[]).await
    }

    /// Sends a form as a page of the application would.
    pub(crate) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Seen {
        let origin = self.origin.clone();
        let said = [
            ("sec-fetch-site", "same-origin"),
            (ORIGIN.as_str(), &origin),
        ];
        self.post_saying(path, fields, &said).await
    }

    /// Sends a form with these headers.
    pub(crate) async fn post_saying(
        &mut self,
        path: &str,
        fields: &[(&str, &str)],
        said: &[(&str, &str)],
    ) -> Seen {
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(fields);
        let form = (CONTENT_TYPE.as_str(), "application/x-www-form-urlencoded");
        let headers: Vec<_> = std::iter::once(form).chain(said.iter().copied()).collect();
        self.send(Method::POST, path, &body.finish(), &headers)
            .await
    }

    pub(crate) async fn send(
        &mut self,
        method: Method,
        path: &str,
        body: &str,
        headers: &[(&str, &str)],
    ) -> Seen {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.origin));
        if !self.cookies.is_empty() {
            let pairs: Vec<_> = self
                .cookies
                .iter()
                .map(|(k, v)| format!("{k}={v}"))
                .collect();
            request = request.header(COOKIE, pairs.join("; "));
        }
        if let Some(forwarded) = &self.forwarded {
            request = request.header("x-forwarded-for", forwarded);
        }
        if let Some(agent) = self.agent {
            request = request.header(USER_AGENT, agent);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::from(body.to_owned())).unwrap();
        let response = self.client.request(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let text = body.collect().await.unwrap().to_bytes();
        for cookie in parts.headers.get_all(SET_COOKIE) {
            let cookie = cookie.to_str().unwrap();
            let (pair, attributes) = cookie.split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            if attributes.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        Seen {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8(text.to_vec()).unwrap(),
        }
    }

    pub(crate) fn session(&self) -> Option<&str> {
        let mut cookies = self.cookies.iter();
        let (_, value) = cookies.find(|(name, _)| name.starts_with(COOKIE_NAME))?;
        Some(value.as_str())
    }

    /// The browser, with that value in the application's cookie.
    pub(crate) async fn showing(mut self, session: &str) -> Self {
        self.cookies.clear();
        self.get("/").await;
        let mut cookies = self.cookies.iter_mut();
        let (_, value) = cookies
            .find(|(name, _)| name.starts_with(COOKIE_NAME))
            .expect("the first page gives it one");
        *value = session.to_owned();
        self
    }
}

impl Seen {
    /// The form token of the page.
    pub(crate) fn token(&self) -> String {
        self.field("token")
    }

    /// The value of a hidden field.
    pub(crate) fn field(&self, name: &str) -> String {
        let begin = format!("name=\"{name}\" value=\"");
        let (_, rest) = self.text.split_once(&begin).unwrap_or_else(|| {
            panic!("{}: no {name} in {}", self.status, self.text);
        });
        rest.split('"').next().unwrap().to_owned()
    }

    /// That a device's code was typed, where the page is about one.
    pub(crate) fn typed(&self) -> Option<String> {
        let is_there = self.text.contains("name=\"typed\"");
        is_there.then(|| self.field("typed"))
    }

    /// Where the browser is sent: by a redirect, or by the page that ends the chain of a form.
    pub(crate) fn location(&self) -> String {
        match self.status {
            StatusCode::OK => self.onward(),
            status => {
                assert_eq!(status, StatusCode::SEE_OTHER, "{}", self.text);
                self.headers[LOCATION].to_str().unwrap().to_owned()
            }
        }
    }

    /// Where the page sends the browser by itself, and by its link.
    pub(crate) fn onward(&self) -> String {
        self.says(200, "Going back");
        let after = |begin: &str| {
            let (_, rest) = self.text.split_once(begin).expect(begin);
            let url = rest.split('"').next().unwrap_or_default();
            url.replace("&amp;", "&")
        };
        let url = after("http-equiv=\"refresh\" content=\"0; url=");
        assert_eq!(after("id=\"onward\" href=\""), url);
        url
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().unwrap())
    }

    /// The page says so.
    pub(crate) fn says(&self, status: u16, text: &str) {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        assert!(self.text.contains(text), "no {text:?} in {}", self.text);
    }
}
