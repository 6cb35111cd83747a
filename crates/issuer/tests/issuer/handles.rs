//! Handles: what is ours, and what only looks like it.

use countersign_issuer::model::{Generation, RecordId};
use countersign_issuer::{Handle, HandleKind, MacKey, MacKeyId, MacKeys};
use countersign_jose::base64url;
use proptest::prelude::*;

fn key(id: u8, secret: u8) -> MacKey {
    MacKey::new(MacKeyId::new([id; 4]), &[secret; 32])
}

fn keys() -> MacKeys {
    MacKeys::new(key(1, 1), vec![key(2, 2)])
}

const KINDS: [HandleKind; 7] = [
    HandleKind::Refresh,
    HandleKind::Access,
    HandleKind::Code,
    HandleKind::RequestUri,
    HandleKind::Interaction,
    HandleKind::Resume,
    HandleKind::Device,
];

fn handle(kind: HandleKind) -> Handle {
    Handle {
        kind,
        record: RecordId::from_bytes([5; 16]),
        generation: Generation::new(7),
    }
}

#[test]
fn a_handle_is_read_as_it_was_made() {
    for kind in KINDS {
        let text = handle(kind).text(&keys());
        assert!(text.reveal().starts_with(kind.prefix()));
        assert_eq!(text.reveal().len(), kind.prefix().len() + 75);
        assert_eq!(
            Handle::parse(kind, text.reveal(), &keys()),
            Ok(handle(kind))
        );
        assert_eq!(
            text,
            handle(kind).text(&keys()),
            "the same handle is the same text"
        );
        assert_eq!(format!("{text:?}"), "HandleText(..)");
    }
}

#[test]
fn a_handle_of_one_kind_is_not_one_of_another() {
    for made in KINDS {
        for taken in KINDS.into_iter().filter(|taken| *taken != made) {
            let text = handle(made).text(&keys());
            let encoded = text.reveal().strip_prefix(made.prefix()).unwrap();
            let passed_off = format!("{}{encoded}", taken.prefix());
            assert!(Handle::parse(taken, text.reveal(), &keys()).is_err());
            assert!(Handle::parse(taken, &passed_off, &keys()).is_err());
        }
    }
}

#[test]
fn a_retiring_key_still_checks_and_a_dropped_one_does_not() {
    for kind in KINDS {
        let text = handle(kind).text(&keys());
        let read = |keys: &MacKeys| Handle::parse(kind, text.reveal(), keys).is_ok();
        assert!(read(&MacKeys::new(key(3, 3), vec![key(1, 1)])));
        assert!(!read(&MacKeys::new(key(3, 3), vec![key(2, 2)])));
        assert!(
            !read(&MacKeys::new(key(1, 9), vec![])),
            "another key of that name"
        );
    }
}

#[test]
fn what_only_looks_like_a_handle_is_refused() {
    for kind in KINDS {
        let good = handle(kind).text(&keys());
        let good = good.reveal();
        let prefix = kind.prefix();
        for text in [
            "",
            prefix,
            &format!("{prefix}AAAA"),
            &format!("{prefix}{}", "A".repeat(75)),
            &format!("{prefix}{}", "A".repeat(1_000_000)),
            &good[prefix.len()..],
            &format!("{good}="),
            &format!("{good} "),
            &good.to_uppercase(),
            &format!("{prefix}\0{}", &good[prefix.len() + 1..]),
        ] {
            assert!(Handle::parse(kind, text, &keys()).is_err());
        }
    }
}

proptest! {
    #[test]
    fn no_bit_of_a_handle_can_be_changed(kind in 0..KINDS.len(), bit in 0..56_usize * 8) {
        let kind = KINDS[kind];
        let text = handle(kind).text(&keys());
        let encoded = text.reveal().strip_prefix(kind.prefix()).unwrap();
        let mut bytes = base64url::decode(encoded).unwrap();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let changed = format!("{}{}", kind.prefix(), base64url::encode(bytes));
        prop_assert!(Handle::parse(kind, &changed, &keys()).is_err());
    }

    #[test]
    fn any_text_is_refused_without_a_panic(text in ".{0,200}") {
        for kind in KINDS {
            prop_assert!(Handle::parse(kind, &text, &keys()).is_err());
        }
    }
}
