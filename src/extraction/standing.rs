//! How extraction is, as ops read it. Being late is an alert: it never makes the server unready,
//! for turns are kept and answers are given without it.

use crate::memory::{UserKey, extract::Gathering};
use serde::Serialize;
use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicI64, AtomicU64, Ordering::Relaxed},
};

/// Turns that are due wait so long at most before it counts as late.
const LATE_MS: i64 = 600_000;

/// See the file's head.
#[derive(Default)]
pub struct Standing {
    /// Whose turns are being read.
    current: Mutex<Option<UserKey>>,
    /// Since when; 0: nobody's.
    since_ms: AtomicI64,
    turns: AtomicU64,
    failures: AtomicU64,
    crashes: AtomicU64,
    last: Mutex<Last>,
}

#[derive(Default)]
struct Last {
    error: Option<String>,
    waits: Option<&'static str>,
}

/// How extraction is.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ExtractionHealth {
    /// `off`, `idle`, `working`, `waiting` for a backend, or `late`.
    status: &'static str,
    /// Users with turns that are not read yet.
    users: usize,
    /// For how long the first of them has been due, in seconds.
    overdue_s: i64,
    /// Turns read since the start.
    turns: u64,
    /// Flushes that came to nothing.
    failures: u64,
    /// Crashes of the loop; it goes on.
    crashes: u64,
    /// Why the last failed flush did.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<String>,
    /// What is waited for.
    #[serde(skip_serializing_if = "Option::is_none")]
    waits_for: Option<&'static str>,
}

impl Standing {
    pub(super) fn begins(&self, user: &UserKey, now_ms: i64) {
        *lock(&self.current) = Some(user.clone());
        self.since_ms.store(now_ms, Relaxed);
        lock(&self.last).waits = None;
    }

    pub(super) fn ends(&self) {
        *lock(&self.current) = None;
        self.since_ms.store(0, Relaxed);
    }

    pub(super) fn read(&self, turns: usize) {
        self.turns.fetch_add(turns as u64, Relaxed);
    }

    pub(super) fn failed(&self, error: &str) {
        self.failures.fetch_add(1, Relaxed);
        lock(&self.last).error = Some(error.to_owned());
    }

    pub(super) fn waits(&self, why: &'static str) {
        lock(&self.last).waits = Some(why);
    }

    /// It crashed; over whom.
    pub(super) fn crashed(&self) -> Option<UserKey> {
        self.crashes.fetch_add(1, Relaxed);
        self.since_ms.store(0, Relaxed);
        lock(&self.current).take()
    }

    /// Whether turns have been due for too long.
    pub fn is_late(&self, gathering: &Gathering, now_ms: i64) -> bool {
        overdue(gathering, now_ms) > LATE_MS
    }

    /// As it is now.
    pub fn health(&self, on: bool, gathering: &Gathering, now_ms: i64) -> ExtractionHealth {
        let last = lock(&self.last);
        let status = match (on, self.since_ms.load(Relaxed), last.waits) {
            (false, ..) => "off",
            _ if self.is_late(gathering, now_ms) => "late",
            (_, 1.., _) => "working",
            (_, _, Some(_)) => "waiting",
            _ => "idle",
        };
        ExtractionHealth {
            status,
            users: gathering.len(),
            overdue_s: overdue(gathering, now_ms) / 1_000,
            turns: self.turns.load(Relaxed),
            failures: self.failures.load(Relaxed),
            crashes: self.crashes.load(Relaxed),
            last_error: last.error.clone(),
            waits_for: last.waits,
        }
    }
}

fn overdue(gathering: &Gathering, now_ms: i64) -> i64 {
    gathering
        .overdue_since()
        .map_or(0, |since| (now_ms - since).max(0))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
