use super::*;

/// A backup of these items.
fn packed(items: &[(&[u8], Option<&[u8]>)]) -> Vec<u8> {
    let mut packer = Packer::new(2);
    for (key, value) in items {
        packer.item(key, *value);
    }
    packer.finish(7).flat_map(|chunk| chunk.to_vec()).collect()
}

type Items = Vec<(Vec<u8>, Option<Vec<u8>>)>;

fn unpacked(bytes: &[u8]) -> Option<(Items, Totals)> {
    let (mut unpacker, format) = Unpacker::new(bytes).ok()?;
    assert_eq!(format, 2);
    let mut items = Items::new();
    loop {
        match unpacker.next().ok()? {
            Frame::Item(key, value) => items.push((key.to_vec(), value.map(<[u8]>::to_vec))),
            Frame::End(totals) => return Some((items, totals)),
        }
    }
}

const ITEMS: [(&[u8], Option<&[u8]>); 4] = [
    (b"rb", Some(b"1")),
    (b"ra", Some(b"")),
    (b"ra", None),
    (b"ra", Some(b"12345")),
];

#[test]
fn what_was_packed_is_unpacked_in_order() {
    let (items, totals) = unpacked(&packed(&ITEMS)).expect("it is whole");
    let expected = ITEMS.map(|(key, value)| (key.to_vec(), value.map(<[u8]>::to_vec)));
    assert_eq!(items, expected);
    let said = Totals {
        sets: 3,
        deletes: 1,
        commit: 7,
    };
    assert_eq!(totals, said);
}

/// Every byte in every other value, every length: none is taken for a backup.
#[test]
fn no_changed_byte_and_no_cut_is_accepted() {
    let whole = packed(&ITEMS);
    for at in 0..whole.len() {
        assert!(unpacked(&whole[..at]).is_none(), "cut at {at}");
        for bit in 0..8 {
            let mut changed = whole.clone();
            changed[at] ^= 1 << bit;
            let accepted = Unpacker::new(&changed[..]).is_ok() && at_end(&changed);
            assert!(!accepted, "bit {bit} of byte {at}");
        }
    }
}

fn at_end(bytes: &[u8]) -> bool {
    let Ok((mut unpacker, _)) = Unpacker::new(bytes) else {
        return false;
    };
    loop {
        match unpacker.next() {
            Ok(Frame::End(_)) => return true,
            Ok(Frame::Item(..)) => {}
            Err(_) => return false,
        }
    }
}

/// A length that nobody could have written is refused before memory is taken for it.
#[test]
fn a_frame_that_is_too_long_is_refused() {
    let mut bytes = packed(&[]);
    bytes.truncate(MAGIC.len());
    bytes.push(SET);
    bytes.extend(u32::MAX.to_be_bytes());
    bytes.extend([0; 4]);
    assert!(
        matches!(Unpacker::new(&bytes[..]), Err(Unreadable::Wrong(why)) if why.contains("longer"))
    );
}

#[test]
fn chunks_are_full_and_no_larger() {
    let mut packer = Packer::new(2);
    let value = vec![7; Change::VALUE_BYTES_MAX];
    for _ in 0..3 {
        packer.item(b"r", Some(&value));
    }
    let mut chunks: Vec<_> = std::iter::from_fn(|| packer.chunk()).collect();
    assert!(chunks.iter().all(|chunk| chunk.len() == CHUNK_BYTES_MAX));
    chunks.extend(packer.finish(1));
    assert!(unpacked(&chunks.concat()).is_some());
}
