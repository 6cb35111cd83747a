//! Panics of the database driver, turned into errors.
//!
//! The driver panics where its file is damaged, with pieces of the file in the message. So the
//! message is never shown: only where the panic came from is kept.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::sync::Once;

use super::{Broken, WORKER_THREADS};

thread_local! {
    static CATCHING: Cell<bool> = const { Cell::new(false) };
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs `work`; a panic in it is an error, and is not printed.
pub(super) fn catch<T>(work: impl FnOnce() -> Result<T, Broken>) -> Result<T, Broken> {
    install();
    let outer = CATCHING.replace(true);
    // Nothing of what `work` touched is used after a panic: the store takes no more calls.
    let result = catch_unwind(AssertUnwindSafe(work));
    CATCHING.set(outer);
    result.unwrap_or_else(|_| {
        let place = PLACE
            .take()
            .unwrap_or_else(|| "an unknown place".to_owned());
        Err(Broken::new(format!("the database gave up at {place}")))
    })
}

/// Puts a hook before the process's own, once. Panics of other code reach that one as before.
fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if CATCHING.get() {
                PLACE.set(Some(place(panic)));
            } else if is_worker() {
                tracing::error!("a thread of the database gave up at {}", place(panic));
            } else {
                before(panic);
            }
        }));
    });
}

/// The file's name and the line: the path before it is the build machine's.
fn place(panic: &PanicHookInfo<'_>) -> String {
    let Some(location) = panic.location() else {
        return "an unknown place".to_owned();
    };
    let file = location
        .file()
        .rsplit(['/', '\\'])
        .next()
        .unwrap_or_default();
    format!("{file}:{}", location.line())
}

fn is_worker() -> bool {
    std::thread::current()
        .name()
        .is_some_and(|name| name.starts_with(WORKER_THREADS))
}
