//! The reminders of one batch: those of about the same time lie together. Records of a kind live
//! equally long, so those that a batch makes also end together.

use super::super::Edits;
use super::super::backup::BODY_BYTES_MAX;
use super::super::layout::{self, Reminder};
use crate::Key;

/// How much later than the first of them a reminder may be, to lie with it: all are looked at
/// when the first is due, and those that are not due yet are written again.
const SPAN_MILLIS_MAX: u64 = 1000;

/// The most that lie together: their keys have at most 1 KiB each.
const TOGETHER_MAX: usize = 64;

// What would not fit into a backup could not be restored. Beside each key stand its length and a
// time.
const _: () = assert!(TOGETHER_MAX * (Key::BYTES_MAX + 2 + 8) + 64 <= BODY_BYTES_MAX);

/// Hands over reminders that the commits up to `commit` leave. Of those of one record and time there
/// is one: a record that is given more time again and again does not gather more and more of them.
pub(super) fn settle(mut reminders: Vec<Reminder>, commit: u64, edits: &mut Edits) {
    reminders.sort_unstable();
    reminders.dedup();
    let together =
        |first: &Reminder, next: &Reminder| next.at_millis - first.at_millis <= SPAN_MILLIS_MAX;
    let mut rest = &reminders[..];
    let mut count = 0;
    while let Some(first) = rest.first() {
        let near = rest.iter().take(TOGETHER_MAX);
        let near = near.take_while(|next| together(first, next)).count();
        let (these, others) = rest.split_at(near);
        let key = layout::reminders_key(first.at_millis, commit, count);
        let value = layout::encode_reminders(&key, these);
        edits.push((key, Some(value)));
        count += 1;
        rest = others;
    }
}
