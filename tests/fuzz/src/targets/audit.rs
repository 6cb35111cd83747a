//! `cli`: the lines of an exported audit log, and the notes that it is compared with.

use countersign_cli::fuzz::{export, note, verified};
use countersign_jose::sha256;
use countersign_server::audit::LOGS;
use countersign_store::{EntryHash, chain};
use serde_json::Value;

pub fn check(input: &[u8]) {
    if let Some(notes) = std::str::from_utf8(input).ok().and_then(note) {
        assert_eq!(notes.as_bytes(), input, "two texts of one note");
    }
    if let Some(notes) = verified(input, &[]) {
        again(input, &notes);
    }
    if let Some(lines) = planned(input) {
        altered(&lines, sha256(&[input]));
    }
}

/// What is accepted is accepted with its own notes, and as it comes out when it is read and written.
fn again(export: &[u8], notes: &[String]) {
    assert!(!notes.is_empty(), "nothing was verified");
    for text in notes {
        assert_eq!(note(text).as_ref(), Some(text));
    }
    assert_eq!(verified(export, notes).as_deref(), Some(notes));
    let text = std::str::from_utf8(export).expect("lines are text");
    let written: String = text
        .lines()
        .map(|line| format!("{}\n", read(line)))
        .collect();
    assert_eq!(verified(written.as_bytes(), notes).as_deref(), Some(notes));
}

/// No change to an export is accepted, nor the lack of a line behind the first.
fn altered(lines: &[String], at: [u8; 32]) {
    let whole = text_of(lines);
    let Some(notes) = verified(whole.as_bytes(), &[]) else {
        // One that begins later than its own announcement says.
        assert!(whole.contains("AUDIT_TRIMMED"), "{whole}");
        return;
    };
    again(whole.as_bytes(), &notes);
    // Where it is changed is for the input to say.
    let place = usize::from(u16::from_be_bytes([at[0], at[1]]));
    let line = place % lines.len();
    let removed = [&lines[..line], &lines[line + 1..]].concat();
    if line > 0 {
        assert!(refused(&removed, &notes), "line {line} is removed");
        let mut moved = lines.to_vec();
        moved.swap(line - 1, line);
        assert!(refused(&moved, &[]), "line {line} is moved");
    }
    let mut twice = lines.to_vec();
    twice.insert(line, lines[line].clone());
    assert!(refused(&twice, &[]), "line {line} is there twice");
    let mut forged = lines.to_vec();
    forged[line] = lines[line].replacen('{', "{\"event\":\"FORGED\",", 1);
    assert!(refused(&forged, &[]), "line {line} says two things");
    let mut bytes = whole.clone().into_bytes();
    let place = place % (bytes.len() - 1);
    bytes[place] ^= at[2].max(1);
    if means_another(&bytes, lines) {
        assert_eq!(verified(&bytes, &[]), None, "changed at {place}");
    }
    let (kept, last) = notes[0].split_at(notes[0].len() - 1);
    let other = if last == "0" { "1" } else { "0" };
    assert!(
        refused(lines, &[format!("{kept}{other}")]),
        "other than noted"
    );
}

fn refused(lines: &[String], notes: &[String]) -> bool {
    verified(text_of(lines).as_bytes(), notes).is_none()
}

/// Whether the lines read as something else now: JSON has several texts for a character.
fn means_another(bytes: &[u8], lines: &[String]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return true;
    };
    let read = |line: &str| serde_json::from_str::<Value>(line).ok();
    let changed = text.lines().map(read);
    !changed.eq(lines.iter().map(|line| read(line)))
}

/// Entries of bytes that say what they are, which no bytes made by chance have: a log, a number,
/// and entries, each its length and its bytes.
pub fn planned(input: &[u8]) -> Option<Vec<String>> {
    let (&log, rest) = input.split_first()?;
    let (first, mut rest) = rest.split_first_chunk()?;
    let log = LOGS[usize::from(log) % LOGS.len()];
    let first = u64::from_be_bytes(*first).max(1);
    let before = match first {
        1 => chain::origin(log),
        _ => EntryHash::from_bytes(sha256(&[input])),
    };
    let mut entries = Vec::new();
    while let Some((&length, after)) = rest.split_first() {
        let (entry, after) = after.split_at(after.len().min(length.into()));
        entries.push(entry);
        rest = after;
    }
    // The service writes no empty block, and no NUL.
    let all = entries
        .iter()
        .map(|&entry| export(log, first, before, &[entry]));
    let lines = all.collect::<Option<Vec<_>>>()?;
    let odd = |lines: &Vec<String>| lines.is_empty() || text_of(lines).contains("\\u0000");
    if lines.is_empty() || lines.iter().any(odd) {
        return None;
    }
    // No log becomes so long that its last number is the last of all.
    first.checked_add(entries.len() as u64)?;
    export(log, first, before, &entries)
}

fn read(line: &str) -> Value {
    serde_json::from_str(line).expect("what was accepted is JSON")
}

fn text_of(lines: &[String]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}
