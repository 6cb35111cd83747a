//! Whether secrets are compared in constant time, read off a file's syntax.

use quote::ToTokens as _;
use syn::visit::{self, Visit};

/// Types that hold a secret, or a hash or MAC of one, beside those with a `Zeroizing` in them.
const SECRET_TYPES: &[&str] = &[
    "Ath",
    "CertificateThumbprint",
    "ClientSecret",
    "CodeChallenge",
    "CodeVerifier",
    "Contents",
    "HandleText",
    "KeyEncryptionKey",
    "MacKey",
    "NonceKey",
    "Nonces",
    "RedactedText",
    "Secret",
    "SecretHash",
    "SigningKey",
];

/// What fields, variables and functions with a secret, a MAC or a hash of one in them are called.
const SECRET_NAMES: &[&str] = &[
    "access_token",
    "ath",
    "client_assertion",
    "client_secret",
    "code_challenge",
    "code_verifier",
    "expose",
    "hmac",
    "mac",
    "password",
    "refresh_token",
    "reveal",
    "secret",
    "secret_hash",
    "secret_sha256",
    "tag",
    "token",
    "verifier",
];

/// Derives that compare byte by byte, and stop at the first that differs.
const COMPARING: &[&str] = &["PartialEq", "Eq", "PartialOrd", "Ord", "Hash"];

/// Methods that hand on what they are called on.
const HANDING_ON: &[&str] = &[
    "as_bytes",
    "as_deref",
    "as_mut",
    "as_ref",
    "as_slice",
    "as_str",
    "clone",
    "deref",
    "to_owned",
    "to_string",
    "to_vec",
    "unwrap",
    "expect",
    "trim",
    "unwrap_or_default",
];

/// The comparisons of secrets in these items that are not in constant time.
pub(super) fn leaks<'i>(items: impl Iterator<Item = &'i syn::Item>) -> Vec<String> {
    let mut found = Found::default();
    items.for_each(|item| found.visit_item(item));
    found.0
}

#[derive(Default)]
struct Found(Vec<String>);

impl Found {
    fn type_of(
        &mut self,
        name: &syn::Ident,
        fields: &dyn quote::ToTokens,
        attributes: &[syn::Attribute],
    ) {
        let wiped = fields.to_token_stream().to_string().contains("Zeroizing");
        if !wiped && !SECRET_TYPES.iter().any(|known| name == known) {
            return;
        }
        let derives = attributes
            .iter()
            .filter(|attribute| attribute.path().is_ident("derive"))
            .map(|attribute| attribute.meta.to_token_stream().to_string())
            .collect::<String>();
        let words = derives.split(|byte: char| !byte.is_alphanumeric());
        if let Some(word) = words.into_iter().find(|word| COMPARING.contains(word)) {
            self.0
                .push(format!("derives {word} for {name}, which holds a secret"));
        }
    }
}

impl<'a> Visit<'a> for Found {
    fn visit_item_mod(&mut self, item: &'a syn::ItemMod) {
        if !super::source::is_test(&syn::Item::Mod(item.clone())) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_struct(&mut self, item: &'a syn::ItemStruct) {
        self.type_of(&item.ident, &item.fields, &item.attrs);
    }

    fn visit_item_enum(&mut self, item: &'a syn::ItemEnum) {
        self.type_of(&item.ident, &item.variants, &item.attrs);
    }

    fn visit_item_impl(&mut self, item: &'a syn::ItemImpl) {
        let compares = item.trait_.as_ref().is_some_and(|(_, path, _)| {
            path.segments
                .last()
                .is_some_and(|last| last.ident == "PartialEq")
        });
        let name = item.self_ty.to_token_stream().to_string();
        let holds = SECRET_TYPES.contains(&name.split(' ').next().unwrap_or_default());
        let text = item.to_token_stream().to_string();
        if compares && holds && !text.contains("ct_eq") {
            self.0.push(format!("compares {name} without ct_eq"));
        }
        visit::visit_item_impl(self, item);
    }

    fn visit_expr_binary(&mut self, binary: &'a syn::ExprBinary) {
        if matches!(binary.op, syn::BinOp::Eq(_) | syn::BinOp::Ne(_)) {
            let secret = [&binary.left, &binary.right]
                .into_iter()
                .filter_map(|operand| meant(operand))
                .find(|name| SECRET_NAMES.contains(&name.as_str()));
            if let Some(name) = secret {
                self.0.push(format!("compares {name} with == or !="));
            }
        }
        visit::visit_expr_binary(self, binary);
    }
}

/// What an operand is called: the last field, variable or function in it.
fn meant(operand: &syn::Expr) -> Option<String> {
    match operand {
        syn::Expr::Field(field) => match &field.member {
            syn::Member::Named(name) => Some(name.to_string()),
            syn::Member::Unnamed(_) => meant(&field.base),
        },
        syn::Expr::Path(path) => Some(path.path.segments.last()?.ident.to_string()),
        syn::Expr::MethodCall(call) => {
            let name = call.method.to_string();
            match HANDING_ON.contains(&name.as_str()) {
                true => meant(&call.receiver),
                false => Some(name),
            }
        }
        syn::Expr::Call(call) => match (&*call.func, call.args.first()) {
            // `Some(token)`, `Ok(mac)`.
            (syn::Expr::Path(path), Some(inner))
                if path.path.is_ident("Some") || path.path.is_ident("Ok") =>
            {
                meant(inner)
            }
            (function, _) => meant(function),
        },
        syn::Expr::Reference(reference) => meant(&reference.expr),
        syn::Expr::Unary(unary) => meant(&unary.expr),
        syn::Expr::Paren(paren) => meant(&paren.expr),
        syn::Expr::Index(index) => meant(&index.expr),
        syn::Expr::Try(tried) => meant(&tried.expr),
        _ => None,
    }
}
