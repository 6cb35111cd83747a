//! A person with a browser, without script: it follows redirects, keeps cookies by host, reads the
//! forms of a page, and sends them as they are filled in.

use std::collections::BTreeMap;

use ureq::http::header::{LOCATION, SET_COOKIE};
use url::Url;
use url::form_urlencoded::Serializer;

/// More than any page leads on to.
const REDIRECTS_MAX: usize = 10;

pub(crate) struct Person {
    agent: ureq::Agent,
    /// By host and port, then by name.
    cookies: BTreeMap<String, BTreeMap<String, String>>,
}

/// A page, where it is, and how it was answered.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) at: Url,
    pub(crate) status: u16,
    pub(crate) text: String,
}

/// A form, as the page fills it in.
#[derive(Clone, Debug)]
pub(crate) struct Form {
    /// Where it goes to; relative to its page.
    action: String,
    pub(crate) fields: Vec<(String, String)>,
    /// Names and values of the buttons that have one.
    buttons: Vec<(String, String)>,
}

impl Person {
    pub(crate) fn new() -> Self {
        let config = ureq::Agent::config_builder()
            .max_redirects(0)
            .http_status_as_error(false)
            .build();
        Self {
            agent: config.into(),
            cookies: BTreeMap::new(),
        }
    }

    /// Opens an address, and whatever it leads to.
    pub(crate) fn open(&mut self, address: &str) -> Page {
        self.arrive(Url::parse(address).unwrap(), None)
    }

    /// Sends the form of this page by the button with that value, or by its only one.
    pub(crate) fn send(&mut self, page: &Page, form: &Form, button: &str) -> Page {
        let pressed = form.buttons.iter().filter(|(_, value)| value == button);
        let mut body = Serializer::new(String::new());
        body.extend_pairs(form.fields.iter().chain(pressed));
        let to = page.at.join(&form.action).unwrap();
        self.arrive(to, Some((page.at.clone(), body.finish())))
    }

    fn arrive(&mut self, mut at: Url, mut posts: Option<(Url, String)>) -> Page {
        for _ in 0..REDIRECTS_MAX {
            let cookie = self.cookies_of(&at);
            let answer = match posts.take() {
                None => {
                    let ask = self.agent.get(at.as_str()).header("cookie", cookie);
                    ask.header("sec-fetch-site", "none").call()
                }
                Some((from, body)) => self
                    .agent
                    .post(at.as_str())
                    .header("cookie", cookie)
                    .header("origin", from.origin().ascii_serialization())
                    .header("sec-fetch-site", "same-origin")
                    .content_type("application/x-www-form-urlencoded")
                    .send(body),
            };
            let mut answer = answer.unwrap();
            for set in answer.headers().get_all(SET_COOKIE) {
                self.keep(&at, set.to_str().unwrap());
            }
            if let Some(to) = answer.headers().get(LOCATION) {
                at = at.join(to.to_str().unwrap()).unwrap();
                continue;
            }
            let text = answer.body_mut().read_to_string().unwrap();
            // What browsers do after this.
            if let Some((_, rest)) = text.split_once("http-equiv=\"refresh\" content=\"0; url=") {
                let to = rest.split('"').next().unwrap().replace("&amp;", "&");
                at = at.join(&to).unwrap();
                continue;
            }
            return Page {
                at,
                status: answer.status().as_u16(),
                text,
            };
        }
        panic!("led around in a circle, last to {at}");
    }

    fn keep(&mut self, at: &Url, set: &str) {
        let (pair, attributes) = set.split_once(';').unwrap_or((set, ""));
        let (name, value) = pair.split_once('=').unwrap();
        let kept = self.cookies.entry(host(at)).or_default();
        if attributes.to_ascii_lowercase().contains("max-age=0") {
            kept.remove(name);
        } else {
            kept.insert(name.to_owned(), value.to_owned());
        }
    }

    fn cookies_of(&self, at: &Url) -> String {
        let kept = self.cookies.get(&host(at)).into_iter().flatten();
        let pairs: Vec<_> = kept
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        pairs.join("; ")
    }
}

fn host(at: &Url) -> String {
    at.origin().ascii_serialization()
}

impl Page {
    /// It was answered so, and has this text.
    pub(crate) fn says(&self, status: u16, text: &str) {
        assert!(
            self.status == status && self.text.contains(text),
            "no {text:?} in {self:?}"
        );
    }

    /// The form that has a field or a button of that name.
    pub(crate) fn form(&self, name: &str) -> Form {
        let forms = self.text.split("<form").skip(1);
        let mut forms = forms.map(|rest| Form::read(rest.split("</form>").next().unwrap()));
        let found = forms.find(|form| {
            let mut fields = form.fields.iter().chain(&form.buttons);
            fields.any(|(field, _)| field == name)
        });
        found.unwrap_or_else(|| panic!("no form with {name} in {self:?}"))
    }
}

impl Form {
    fn read(text: &str) -> Self {
        let mut form = Self {
            action: attribute(text.split('>').next().unwrap(), "action").unwrap_or_default(),
            fields: Vec::new(),
            buttons: Vec::new(),
        };
        for tag in text.split('<').skip(1) {
            let (tag, _) = tag.split_once('>').unwrap_or((tag, ""));
            let value = attribute(tag, "value").unwrap_or_default();
            let Some(name) = attribute(tag, "name") else {
                continue;
            };
            if tag.starts_with("button") {
                form.buttons.push((name, value));
            } else if !tag.contains("checkbox") || tag.ends_with(" checked") {
                form.fields.push((name, value));
            }
        }
        form
    }

    /// The same with this typed into a field.
    pub(crate) fn with(mut self, name: &str, typed: &str) -> Self {
        let mut fields = self.fields.iter_mut();
        let field = fields.find(|(field, _)| field == name);
        typed.clone_into(&mut field.unwrap_or_else(|| panic!("no field {name}")).1);
        self
    }
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    let value = rest.split('"').next()?;
    Some(value.replace("&amp;", "&"))
}
