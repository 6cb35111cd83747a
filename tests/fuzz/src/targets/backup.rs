//! `store`: the reader of backups, and the database behind it.

use std::{env, fs, process};

use countersign_jose::sha256;
use countersign_store::embedded::fuzz::{COUNTER, FORMAT, Unpacked, decodes, pack, sealed, unpack};
use countersign_store::embedded::{restore, verify};

/// One in so many goes into a database as well, which takes a thousand times as long.
const RESTORED: u8 = 32;

/// The last frame: kind, length and checksum; three numbers; a hash.
const END_BYTES: usize = 1 + 4 + 4 + 3 * 8 + 32;

pub fn check(input: &[u8]) {
    if let Some(whole) = unpack(input) {
        assert_eq!(pack(&whole), input, "two texts of one backup");
        restored(input);
    }
    let plan = planned(input);
    for (key, value) in &plan.items {
        // Whatever the answer: it must come.
        value.as_ref().map(|value| decodes(key, value));
    }
    let packed = pack(&plan);
    assert_eq!(unpack(&packed).as_ref(), Some(&plan));
    // Where it is cut or changed is for the input to say.
    let at = sha256(&[input]);
    let place = usize::from(u16::from_be_bytes([at[0], at[1]])) % packed.len();
    assert!(unpack(&packed[..place]).is_none(), "cut off at {place}");
    let mut changed = packed.clone();
    changed[place] ^= at[2].max(1);
    assert!(unpack(&changed).is_none(), "changed at {place}");
    assert!(unpack(&[&packed[..], &[0]].concat()).is_none(), "longer");
    if let Some(swapped) = swapped(&plan) {
        let end = packed.len() - END_BYTES;
        let frames = [&pack(&swapped)[..end], &packed[end..]].concat();
        assert!(unpack(&frames).is_none(), "in another order");
    }
    if at[3] % RESTORED == 0 {
        restored(&packed);
    }
}

/// What the bytes mean as items with checksums that fit, which no bytes made by chance have: a
/// format, a commit, and items, each a kind, two lengths, a key and a value.
pub fn planned(input: &[u8]) -> Unpacked {
    let (kind, rest) = input.split_first().unwrap_or((&0, &[]));
    let (commit, mut rest) = rest.split_first_chunk().unwrap_or((&[0; 8], &[]));
    let mut plan = Unpacked {
        format: match kind / 2 {
            format @ 1..4 => u64::from(format),
            _ => FORMAT,
        },
        items: Vec::new(),
        commit: u64::from_be_bytes(*commit),
    };
    while let Some(([kind, key, value], after)) = rest.split_first_chunk() {
        let (key, after) = after.split_at(after.len().min((*key).into()));
        let (value, after) = after.split_at(after.len().min((*value).into()));
        let value = match kind % 8 {
            0 => Some(value.to_vec()),
            1 => None,
            tag => Some(sealed(key, tag, value)),
        };
        plan.items.push((key.to_vec(), value));
        rest = after;
    }
    if kind % 2 == 1 {
        let counter = sealed(COUNTER, 3, commit);
        plan.items.push((COUNTER.to_vec(), Some(counter)));
    }
    plan
}

/// The same with its first two items the other way round, if that is not the same.
fn swapped(plan: &Unpacked) -> Option<Unpacked> {
    let mut swapped = plan.clone();
    if let [first, second, ..] = &mut swapped.items[..] {
        std::mem::swap(first, second);
    }
    (&swapped != plan).then_some(swapped)
}

/// A store, or an error and nothing.
fn restored(backup: &[u8]) {
    let directory = env::temp_dir().join(format!("countersign-fuzz-{}", process::id()));
    match restore(backup, &directory, |_| Ok(())) {
        Ok(_) => {
            let verified = verify(&directory).expect("a store that was just restored");
            assert!(verified.is_sound(), "{:?}", verified.findings);
            fs::remove_dir_all(&directory).expect("it is ours");
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            assert!(!directory.exists(), "{error} left something behind");
        }
    }
}
