//! Panics, caught without their words. A panic's message may quote what it choked on (a prompt, a
//! key), so only the place is kept, and the default hook, which prints the message, is replaced.

use std::{
    cell::{Cell, RefCell},
    panic::{AssertUnwindSafe, catch_unwind, set_hook},
    sync::Once,
};

thread_local! {
    /// Where the last panic of this thread was raised.
    static PLACE: RefCell<String> = const { RefCell::new(String::new()) };
    /// Whether somebody catches it here and will report it.
    static CAUGHT: Cell<bool> = const { Cell::new(false) };
}

static HOOK: Once = Once::new();

/// Installs the hook that logs a panic's place and nothing else.
pub fn install() {
    HOOK.call_once(|| {
        set_hook(Box::new(|info| {
            let place = info.location().map(ToString::to_string).unwrap_or_default();
            if !CAUGHT.get() {
                tracing::error!(%place, "a task panicked");
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
