//! The reminders of one batch: those of about the same time lie together. Records of a kind live
//! equally long, so those that a batch makes also end together.

use super::super::Edits;
use super::super::layout::{self, Reminder};

/// How much later than the first of them a reminder may be, to lie with it: all are looked at
/// when the first is due, and those that are not due yet are written again.
const SPAN_MILLIS_MAX: u64 = 1000;

/// The most that lie together: their keys have at most 1 KiB each.
const TOGETHER_MAX: usize = 64;

/// Hands over reminders that the commits up to `commit` leave.
pub(super) fn settle(mut reminders: Vec<Reminder>, commit: u64, edits: &mut Edits) {
    reminders.sort_unstable_by_key(|reminder| reminder.at_millis);
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
