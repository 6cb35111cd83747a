//! Seeds that stand in the tree: published vectors, and the literals of the tests' tables.

use std::path::Path;
use std::{fs, io};

use countersign_jose::base64url;
use proc_macro2::{TokenStream, TokenTree};
use serde_json::Value;

/// Every string of these Rust files, each once.
pub(crate) fn of(paths: &[&str]) -> io::Result<Vec<Vec<u8>>> {
    let mut found = Vec::new();
    for path in paths {
        let source: TokenStream = text(path)?
            .parse()
            .map_err(|error| io::Error::other(format!("{path}: {error}")))?;
        strings(source, &mut found);
    }
    found.sort();
    found.dedup();
    Ok(found)
}

fn strings(source: TokenStream, found: &mut Vec<Vec<u8>>) {
    for token in source {
        match token {
            TokenTree::Group(group) => strings(group.stream(), found),
            TokenTree::Literal(literal) => match syn::parse_str(&literal.to_string()) {
                Ok(syn::Lit::Str(text)) => found.push(text.value().into_bytes()),
                Ok(syn::Lit::ByteStr(bytes)) => found.push(bytes.value()),
                _ => {}
            },
            TokenTree::Ident(_) | TokenTree::Punct(_) => {}
        }
    }
}

/// The published proofs: as they are, and as header and payload to sign again.
pub(crate) fn proofs() -> io::Result<Vec<Vec<u8>>> {
    let published = json("docs/grpc-dpop-vectors.json")?;
    let proofs = published["vectors"].as_array().into_iter().flatten();
    Ok(proofs
        .filter_map(|vector| vector["proof"].as_str())
        .flat_map(|proof| [Some(proof.as_bytes().to_vec()), opened(proof)])
        .flatten()
        .collect())
}

fn opened(jws: &str) -> Option<Vec<u8>> {
    let mut segments = jws
        .split('.')
        .map(|segment| base64url::decode(segment).ok());
    let (header, payload) = (segments.next()??, segments.next()??);
    let fits = header.starts_with(b"{") && !header.contains(&b'\n');
    fits.then(|| [header, payload].join(&b'\n'))
}

/// The keys in the published proofs' headers, and of Wycheproof's sets.
pub(crate) fn keys() -> io::Result<Vec<Vec<u8>>> {
    let headers = proofs()?.into_iter().filter_map(|proof| {
        let header = proof.split(|byte| *byte == b'\n').next()?;
        let header: Value = serde_json::from_slice(header).ok()?;
        Some(header.get("jwk")?.to_string().into_bytes())
    });
    let sets = key_sets()?.into_iter().flat_map(|set| {
        let set: Value = serde_json::from_slice(&set).unwrap_or_default();
        let keys = set["keys"].as_array().cloned().unwrap_or_default();
        keys.into_iter().map(|key| key.to_string().into_bytes())
    });
    let mut found: Vec<Vec<u8>> = headers.chain(sets).collect();
    found.sort();
    found.dedup();
    Ok(found)
}

/// Wycheproof's key sets, and what the tests of ours are made of.
pub(crate) fn key_sets() -> io::Result<Vec<Vec<u8>>> {
    let wycheproof = json("crates/jose/testdata/wycheproof_json_web_key.json")?;
    let groups = wycheproof["testGroups"].as_array().into_iter().flatten();
    let mut found: Vec<Vec<u8>> = groups
        .flat_map(|group| [&group["public"], &group["private"]])
        .filter(|set| set.is_object())
        .map(|set| set.to_string().into_bytes())
        .collect();
    found.extend(of(&["crates/jose/tests/jose/jwks.rs"])?);
    Ok(found)
}

fn json(path: &str) -> io::Result<Value> {
    serde_json::from_str(&text(path)?).map_err(io::Error::other)
}

fn text(path: &str) -> io::Result<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    fs::read_to_string(root.join(path))
        .map_err(|error| io::Error::other(format!("{path}: {error}")))
}
