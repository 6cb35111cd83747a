//! A request in plain words.

use maud::{Markup, html};
use serde_json::Value;
use url::Url;

use crate::token_service::{Asked, ScopeAt};

/// The client's name, as its administrator wrote it.
pub(super) fn client(asked: &Asked) -> Markup {
    named(&asked.client_display_name, &asked.client_id)
}

/// A client by its name, or by its identifier where it has none.
pub(super) fn named(display_name: &str, id: &str) -> Markup {
    let name = if display_name.is_empty() {
        id
    } else {
        display_name
    };
    // Whatever direction it is written in, it leaves the text around it alone.
    html! { bdi { (name) } }
}

/// What a scope allows, in the words of the resources that have it, and its name. Where several
/// resources have it, each is named with its words, or with the scope's name where it has none: what
/// one says must not hide another.
pub(super) fn scope(asked: &Asked, scope: &str) -> Markup {
    let at: Vec<_> = asked
        .scopes_at
        .iter()
        .filter(|at| at.scope == scope)
        .collect();
    if at.iter().all(|at| at.description.is_empty()) {
        return html! { bdi { (scope) } };
    }
    let words = |at: &ScopeAt| match at.description.as_str() {
        "" => scope.to_owned(),
        description => description.to_owned(),
    };
    html! {
        @for &at in &at {
            span.words {
                bdi { (words(at)) }
                @if asked.resources.len() > 1 { " (" bdi { (at.resource) } ")" }
            }
            // Read aloud, they are words apart.
            " "
        }
        span.name { bdi { (scope) } }
    }
}

/// Where the browser goes in the end.
pub(super) fn destination(asked: &Asked) -> Markup {
    if asked.device {
        return html! { "The device goes on by itself." };
    }
    onward(&asked.redirect_uri)
}

/// Where the browser goes with what came of it.
pub(super) fn onward(redirect_uri: &str) -> Markup {
    let Ok(url) = Url::parse(redirect_uri) else {
        return html! { "You go on to " bdi { (redirect_uri) } "." };
    };
    let host = url.host_str().unwrap_or_default();
    match url.scheme() {
        "https" => html! { "You go on to " strong { bdi { (host) } } "." },
        "http" => html! {
            "You go on to a program on this computer (" bdi { (host) } ")."
        },
        scheme => html! { "You go on to an app on this device (" bdi { (scheme) } ")." },
    }
}

/// What is asked for beyond scopes: each object by its type, with its members below.
pub(super) fn details(text: &str) -> Markup {
    let Ok(Value::Array(objects)) = serde_json::from_str(text) else {
        // Not as it should be: as it is.
        return html! { pre tabindex="0" { (text) } };
    };
    html! {
        @for object in &objects {
            section.detail {
                h3 { bdi { (object.get("type").and_then(Value::as_str).unwrap_or("other")) } }
                dl {
                    @for (path, value) in lines(object) {
                        div { dt { bdi { (path) } } dd { bdi { (value) } } }
                    }
                }
            }
        }
    }
}

/// Each value with the way to it.
fn lines(object: &Value) -> Vec<(String, String)> {
    let mut lines = Vec::new();
    if let Value::Object(members) = object {
        for (name, value) in members.iter().filter(|(name, _)| *name != "type") {
            add(&mut lines, name, value);
        }
    }
    lines
}

fn add(lines: &mut Vec<(String, String)>, path: &str, value: &Value) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (name, value) in members {
                add(lines, &format!("{path} › {name}"), value);
            }
        }
        Value::Array(items) if items.iter().any(|item| item.is_object() || item.is_array()) => {
            for (index, item) in items.iter().enumerate() {
                add(lines, &format!("{path} {}", index + 1), item);
            }
        }
        Value::Array(items) => {
            let texts: Vec<_> = items.iter().map(plain).collect();
            lines.push((path.to_owned(), texts.join(", ")));
        }
        value => lines.push((path.to_owned(), plain(value))),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Null => "nothing".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_member_of_a_detail_is_shown() {
        let html = details(
            r#"[{"type":"payment","amount":{"value":"12.50","currency":"EUR"},"to":["a","b"],
                "parts":[{"x":1},{"x":null}],"once":true,"e":{}}]"#,
        )
        .into_string();
        for (path, value) in [
            ("amount › value", "12.50"),
            ("amount › currency", "EUR"),
            ("to", "a, b"),
            ("parts 1 › x", "1"),
            ("parts 2 › x", "nothing"),
            ("once", "yes"),
            ("e", "{}"),
        ] {
            let line = format!("<dt><bdi>{path}</bdi></dt><dd><bdi>{value}</bdi></dd>");
            assert!(html.contains(&line), "{line} in {html}");
        }
        assert!(html.contains("<h3><bdi>payment</bdi></h3>"));
    }

    fn described(scopes: &[(&str, &str, &str)]) -> Asked {
        let at = |(scope, resource, description): &(&str, &str, &str)| ScopeAt {
            scope: (*scope).to_owned(),
            resource: (*resource).to_owned(),
            description: (*description).to_owned(),
        };
        let mut resources: Vec<_> = scopes.iter().map(|(_, at, _)| (*at).to_owned()).collect();
        resources.dedup();
        Asked {
            scopes_at: scopes.iter().map(at).collect(),
            resources,
            ..Asked::default()
        }
    }

    #[test]
    fn a_scope_is_its_words_and_its_name_or_its_name_alone() {
        let page = |asked: &Asked, name: &str| scope(asked, name).into_string();
        let asked = described(&[
            ("read", "https://a", "See your things"),
            ("x", "https://a", ""),
        ]);
        assert_eq!(
            page(&asked, "read"),
            "<span class=\"words\"><bdi>See your things</bdi></span> \
             <span class=\"name\"><bdi>read</bdi></span>"
        );
        assert_eq!(page(&asked, "x"), "<bdi>x</bdi>");
        // Of a token service that does not tell.
        assert_eq!(page(&Asked::default(), "read"), "<bdi>read</bdi>");
    }

    #[test]
    fn what_one_resource_says_of_a_scope_hides_no_other() {
        let asked = described(&[
            ("use", "https://a", "See your things"),
            ("use", "https://b", ""),
        ]);
        assert_eq!(
            scope(&asked, "use").into_string(),
            "<span class=\"words\"><bdi>See your things</bdi> (<bdi>https://a</bdi>)</span> \
             <span class=\"words\"><bdi>use</bdi> (<bdi>https://b</bdi>)</span> \
             <span class=\"name\"><bdi>use</bdi></span>"
        );
    }

    #[test]
    fn what_is_not_as_it_should_be_is_shown_as_it_is() {
        let html = details("<not json>").into_string();
        assert!(html.contains("&lt;not json&gt;"), "{html}");
    }
}
