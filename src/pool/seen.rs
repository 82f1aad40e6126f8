//! What has been seen of a backend since the start, for ops: answers, failures, the last trouble.

use super::BackendStatus;
use crate::error::Error;
use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering::Relaxed},
    },
    time::{SystemTime, UNIX_EPOCH},
};

/// What has been seen of a backend.
#[derive(Default)]
pub(super) struct Seen {
    served: AtomicU64,
    failed: AtomicU64,
    /// Unix milliseconds; 0: never.
    last_ms: AtomicI64,
    troubles: Mutex<Troubles>,
}

#[derive(Default)]
struct Troubles {
    /// Words of our own only, for what a backend says may quote a prompt or a key; and when.
    last: Option<(String, i64)>,
    /// Whether it told what it serves when it was last asked; `None`: it has not been asked.
    tells: Option<bool>,
}

impl Seen {
    /// It answered a request.
    pub(super) fn served(&self) {
        self.served.fetch_add(1, Relaxed);
        self.now();
    }

    /// It answered, whatever it was.
    pub(super) fn now(&self) {
        self.last_ms.store(unix_ms(), Relaxed);
    }

    /// An exchange failed: failures are the backend's, refusals the caller's.
    pub(super) fn failed(&self, error: &Error) {
        let why = match error {
            Error::Refused { status: 429, .. } => "it answered 429".into(),
            Error::Refused { .. } => return self.served(),
            // It was never asked.
            Error::Invalid { .. } => return,
            // What it said after the colon may quote a prompt.
            Error::Upstream(what) => what.split(": ").next().unwrap_or(what).to_owned(),
            error => error.to_string(),
        };
        self.failed.fetch_add(1, Relaxed);
        self.troubles().last = Some((why, unix_ms()));
    }

    /// It was asked what it serves. Whether the outcome is another than last time.
    pub(super) fn told(&self, outcome: Result<(), &str>) -> bool {
        let mut troubles = self.troubles();
        if let Err(why) = outcome {
            troubles.last = Some((why.to_owned(), unix_ms()));
        }
        troubles.tells.replace(outcome.is_ok()) != Some(outcome.is_ok())
    }

    /// Fills in what was seen.
    pub(super) fn report(&self, status: &mut BackendStatus) {
        status.served = self.served.load(Relaxed);
        status.failed = self.failed.load(Relaxed);
        status.last_seen_ms = Some(self.last_ms.load(Relaxed)).filter(|ms| *ms > 0);
        (status.last_error, status.last_error_ms) = self.troubles().last.clone().unzip();
    }

    fn troubles(&self) -> MutexGuard<'_, Troubles> {
        self.troubles.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Now, in Unix milliseconds.
pub(super) fn unix_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() as i64)
}
