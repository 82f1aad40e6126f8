//! How extraction is, as ops read it. Being late is an alert: it never makes the server unready,
//! for turns are kept and answers are given without it.

use crate::{
    memory::{
        UserKey,
        extract::{FlushTurn, Gathering, Spent},
    },
    store::extraction::Claim,
};
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
    /// What is being read.
    current: Mutex<Option<Current>>,
    /// Since when; 0: nobody's.
    since_ms: AtomicI64,
    turns: AtomicU64,
    failures: AtomicU64,
    crashes: AtomicU64,
    last: Mutex<Last>,
    /// So many flushes are still to panic: tests only.
    provoked: AtomicU64,
}

/// What is being read; it outlives a panic over it.
#[derive(Debug)]
pub(super) struct Current {
    pub(super) user: UserKey,
    /// Rows of the turns, once they are known …
    pub(super) seqs: Vec<i64>,
    /// … and how often the one failed that failed most.
    pub(super) attempts: i64,
    /// What it has cost so far.
    pub(super) spent: Spent,
    /// What other replicas leave alone meanwhile.
    pub(super) claim: Option<Claim>,
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
        *lock(&self.current) = Some(Current {
            user: user.clone(),
            seqs: Vec::new(),
            attempts: 0,
            spent: Spent::default(),
            claim: None,
        });
        self.since_ms.store(now_ms, Relaxed);
        lock(&self.last).waits = None;
    }

    /// The model is asked about these.
    pub(super) fn asks(&self, turns: &[FlushTurn], claim: Option<Claim>) {
        if let Some(current) = &mut *lock(&self.current) {
            current.seqs = turns.iter().map(|turn| turn.seq).collect();
            current.attempts = most_attempts(turns);
            current.claim = claim;
        }
    }

    /// It has been asked, at this cost.
    pub(super) fn asked(&self, spent: Spent) {
        if let Some(current) = &mut *lock(&self.current) {
            current.spent = spent;
        }
        let one_less = |left: u64| left.checked_sub(1);
        if (self.provoked)
            .fetch_update(Relaxed, Relaxed, one_less)
            .is_ok()
        {
            std::panic::panic_any("provoked");
        }
    }

    /// Makes the next so many flushes panic; no request can.
    pub fn provoke(&self, flushes: u64) {
        self.provoked.store(flushes, Relaxed);
    }

    pub(super) fn ends(&self) -> Option<Current> {
        self.since_ms.store(0, Relaxed);
        lock(&self.current).take()
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

    /// It crashed; over what.
    pub(super) fn crashed(&self, error: &str) -> Option<Current> {
        self.crashes.fetch_add(1, Relaxed);
        lock(&self.last).error = Some(error.to_owned());
        self.ends()
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

/// How often the turn failed that failed most.
pub(super) fn most_attempts(turns: &[FlushTurn]) -> i64 {
    turns.iter().map(|turn| turn.attempts).max().unwrap_or(0)
}

fn overdue(gathering: &Gathering, now_ms: i64) -> i64 {
    gathering
        .overdue_since()
        .map_or(0, |since| (now_ms - since).max(0))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
