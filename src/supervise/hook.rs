//! Panics, caught without their words. A panic's message may quote what it choked on (a prompt, a
//! key), so only the place is kept. In a process that logs the same goes for panics that nobody
//! catches here; elsewhere (a test whose assertion fails) these are told as usual.

use std::{
    cell::{Cell, RefCell},
    panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook},
    sync::{
        Once,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

thread_local! {
    /// Where the last panic of this thread was raised.
    static PLACE: RefCell<String> = const { RefCell::new(String::new()) };
    /// Whether somebody catches it here and will report it.
    static CAUGHT: Cell<bool> = const { Cell::new(false) };
}

static HOOK: Once = Once::new();

/// Whether uncaught panics are logged, by their place, instead of printed.
static LOGGED: AtomicBool = AtomicBool::new(false);

/// From now on no panic's words reach stderr.
pub fn log_panics() {
    LOGGED.store(true, Relaxed);
    install();
}

fn install() {
    HOOK.call_once(|| {
        let usual = take_hook();
        set_hook(Box::new(move |info| {
            let place = info.location().map(ToString::to_string).unwrap_or_default();
            match (CAUGHT.get(), LOGGED.load(Relaxed)) {
                (true, _) => {}
                (false, true) => tracing::error!(%place, "a task panicked"),
                (false, false) => usual(info),
            }
            // A panic while the thread is torn down finds no thread-local; nobody reads it then.
            let _ = PLACE.try_with(|p| *p.borrow_mut() = place);
        }));
    });
}

/// Runs `f`; `Err` is the place where it panicked.
pub fn catch_quietly<T>(f: impl FnOnce() -> T) -> Result<T, String> {
    install();
    let before = CAUGHT.replace(true);
    let result = catch_unwind(AssertUnwindSafe(f));
    CAUGHT.set(before);
    result.map_err(|payload| {
        // A payload whose own drop panics would take us along.
        std::mem::forget(payload);
        PLACE.with(|p| p.take())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_leaves_its_place_and_not_its_words() {
        let place = catch_quietly(|| panic!("secret {}", 42)).unwrap_err();
        assert!(place.contains("hook.rs"), "{place}");
        assert!(!place.contains("secret"));
        assert_eq!(catch_quietly(|| 7), Ok(7));
    }
}
