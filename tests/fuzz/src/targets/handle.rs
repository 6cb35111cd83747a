//! `issuer`: refresh tokens, reference tokens, codes and request URIs.

use std::sync::LazyLock;

use countersign_issuer::model::{Generation, RecordId};
use countersign_issuer::{Handle, HandleKind, MacKey, MacKeyId, MacKeys};

const KINDS: [HandleKind; 6] = [
    HandleKind::Refresh,
    HandleKind::Access,
    HandleKind::Code,
    HandleKind::RequestUri,
    HandleKind::Interaction,
    HandleKind::Resume,
];

/// An active key and a retiring one.
pub static KEYS: LazyLock<MacKeys> = LazyLock::new(|| {
    let key = |id: u8| MacKey::new(MacKeyId::new([id; 4]), &[id; 32]);
    MacKeys::new(key(1), vec![key(2)])
});

pub fn check(input: &[u8]) {
    if let Ok(text) = std::str::from_utf8(input) {
        read(text);
    }
    if let Some((made, rest)) = made(input) {
        kept(&made, rest);
    }
}

/// Any text is a handle of one kind at most, and then has one spelling.
fn read(text: &str) {
    let read: Vec<Handle> = KINDS
        .into_iter()
        .filter_map(|kind| Handle::parse(kind, text, &KEYS).ok())
        .collect();
    assert!(read.len() <= 1, "of two kinds");
    let Some(handle) = read.first() else {
        return;
    };
    // Of the retiring key it may have come, and be written with the active one.
    let written = handle.text(&KEYS);
    assert_eq!(
        Handle::parse(handle.kind, written.reveal(), &KEYS),
        Ok(*handle)
    );
    assert!(text.starts_with(handle.kind.prefix()) && text.len() == written.reveal().len());
    let without = MacKeys::new(MacKey::new(MacKeyId::new([9; 4]), &[9; 32]), Vec::new());
    assert!(Handle::parse(handle.kind, text, &without).is_err());
}

/// A handle made of the input's bytes, and what is left of them.
fn made(input: &[u8]) -> Option<(Handle, &[u8])> {
    let (kind, rest) = input.split_first()?;
    let (record, rest) = rest.split_first_chunk()?;
    let (generation, rest) = rest.split_first_chunk()?;
    let handle = Handle {
        kind: KINDS[usize::from(*kind) % KINDS.len()],
        record: RecordId::from_bytes(*record),
        generation: Generation::new(u32::from_be_bytes(*generation)),
    };
    Some((handle, rest))
}

/// What was made is read; as another kind, or with a character changed, it is not.
fn kept(handle: &Handle, rest: &[u8]) {
    let text = handle.text(&KEYS);
    let text = text.reveal();
    assert_eq!(Handle::parse(handle.kind, text, &KEYS), Ok(*handle));
    for kind in KINDS.into_iter().filter(|kind| *kind != handle.kind) {
        assert!(Handle::parse(kind, text, &KEYS).is_err());
        let encoded = &text[handle.kind.prefix().len()..];
        let passed_off = format!("{}{encoded}", kind.prefix());
        assert!(Handle::parse(kind, &passed_off, &KEYS).is_err());
    }
    if let [at, character, ..] = rest
        && character.is_ascii()
    {
        let mut changed = text.as_bytes().to_vec();
        let at = usize::from(*at) % changed.len();
        changed[at] = *character;
        let changed = String::from_utf8(changed).expect("it is ASCII");
        assert!(changed == text || Handle::parse(handle.kind, &changed, &KEYS).is_err());
    }
}
