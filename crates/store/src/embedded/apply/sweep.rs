//! The removal of records that have expired, by their reminders.

use std::ops::Bound;

use super::super::Broken;
use super::super::layout::{self, Item, Reminder};
use super::Writer;
use crate::Swept;

/// The key of reminders that lie together, and the reminders.
type Together = (Vec<u8>, Vec<Reminder>);

impl Writer<'_> {
    /// Looks at up to `max` reminders that are due, and removes the records that have expired.
    pub(in super::super) fn sweep(
        &mut self,
        now_millis: u64,
        max: usize,
        removing: impl FnOnce(u64),
    ) -> Result<Swept, Broken> {
        // The database is asked for what is due.
        self.apply()?;
        let due = self.due(now_millis, max)?;
        let mut swept = Swept::default();
        if due.is_empty() {
            return Ok(swept);
        }
        self.commits += 1;
        self.batch.commits += 1;
        removing(self.commits);
        for (key, reminders) in due {
            self.batch.edit(key, None);
            for Reminder { at_millis, key } in reminders {
                if at_millis > now_millis || swept.looked == max {
                    swept.more |= at_millis <= now_millis;
                    self.batch.remind(at_millis, key);
                    continue;
                }
                swept.looked += 1;
                match self.head(&key)?.and_then(|head| head.expires_at_millis) {
                    Some(at) if at <= now_millis => {
                        self.batch.edit(layout::record_key(&key), None);
                        self.batch.records.insert(key, None);
                        swept.removed += 1;
                    }
                    // It was given more time.
                    Some(at) => self.batch.remind(at, key),
                    None => {}
                }
            }
        }
        Ok(swept)
    }

    /// The reminders that are due, and those that lie with them, under their keys: more than `max`
    /// that are due, if there are.
    fn due(&self, now_millis: u64, max: usize) -> Result<Vec<Together>, Broken> {
        let mut due = Vec::new();
        let mut count = 0;
        for (from, until) in layout::due(now_millis) {
            self.database
                .items(Bound::Included(from), until, |key, item| {
                    if let Item::Reminders(reminders) = item {
                        count += reminders.partition_point(|next| next.at_millis <= now_millis);
                        due.push((key.to_vec(), reminders));
                    }
                    Ok(count <= max)
                })?;
        }
        Ok(due)
    }
}
