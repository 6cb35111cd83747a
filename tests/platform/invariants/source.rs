//! A Rust file as tokens, without comments and without what is compiled for tests alone.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;

use super::constant_time;

/// A Rust file, ready to be looked at.
pub(super) struct Source {
    pub(super) path: String,
    /// Identifiers and punctuation in order, groups opened up.
    tokens: Vec<String>,
    /// String literals, without quotes.
    pub(super) strings: Vec<String>,
    /// Comparisons of secrets that stop at the first difference.
    pub(super) leaks: Vec<String>,
}

impl Source {
    pub(super) fn read(path: &str, text: &str) -> Result<Self, String> {
        let file = syn::parse_file(text).map_err(|error| format!("{path}: {error}"))?;
        let mut source = Self {
            path: path.to_owned(),
            tokens: Vec::new(),
            strings: Vec::new(),
            leaks: constant_time::leaks(file.items.iter().filter(|item| !is_test(item))),
        };
        for item in file.items.iter().filter(|item| !is_test(item)) {
            source.flatten(item.to_token_stream());
        }
        Ok(source)
    }

    fn flatten(&mut self, stream: TokenStream) {
        for token in stream {
            match token {
                TokenTree::Group(group) => self.flatten(group.stream()),
                TokenTree::Ident(ident) => self.tokens.push(ident.to_string()),
                TokenTree::Punct(punct) => match (punct.as_char(), self.tokens.last_mut()) {
                    (':', Some(last)) if last == ":" => last.push(':'),
                    (character, _) => self.tokens.push(character.to_string()),
                },
                TokenTree::Literal(literal) => {
                    if let Ok(text) = syn::parse2::<syn::LitStr>(literal.into_token_stream()) {
                        self.strings.push(text.value());
                    }
                }
            }
        }
    }

    pub(super) fn names(&self, forbidden: &[&str]) -> Option<String> {
        self.tokens
            .iter()
            .find(|token| forbidden.contains(&token.as_str()))
            .map(|token| format!("names {token}"))
    }

    pub(super) fn sequence(&self, wanted: &[&str]) -> Option<String> {
        self.tokens
            .windows(wanted.len())
            .any(|window| window.iter().zip(wanted).all(|(token, want)| token == want))
            .then(|| format!("names {}", wanted.concat()))
    }

    /// `Status::unavailable(…)` and its like choose a code as well.
    pub(super) fn status_constructor(&self) -> Option<String> {
        const CONSTRUCTORS: &[&str] = &[
            "aborted",
            "already_exists",
            "cancelled",
            "data_loss",
            "deadline_exceeded",
            "failed_precondition",
            "internal",
            "invalid_argument",
            "not_found",
            "out_of_range",
            "permission_denied",
            "resource_exhausted",
            "unauthenticated",
            "unavailable",
            "unimplemented",
            "unknown",
        ];
        CONSTRUCTORS
            .iter()
            .find_map(|name| self.sequence(&["Status", "::", name]))
    }
}

pub(super) fn is_test(item: &syn::Item) -> bool {
    let attributes = match item {
        syn::Item::Mod(item) => &item.attrs,
        syn::Item::Fn(item) => &item.attrs,
        syn::Item::Impl(item) => &item.attrs,
        syn::Item::Use(item) => &item.attrs,
        syn::Item::Static(item) => &item.attrs,
        syn::Item::Const(item) => &item.attrs,
        syn::Item::Struct(item) => &item.attrs,
        _ => return false,
    };
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute
                .meta
                .require_list()
                .is_ok_and(|list| list.tokens.to_string() == "test")
    })
}
