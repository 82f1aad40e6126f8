//! How embedding goes, as ops read it, and the rest that questions take after too many went
//! unanswered: no turn waits in vain for what does not come.

use serde::Serialize;
use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// After so many unanswered questions in a row nobody asks …
const MISSES: u32 = 3;
/// … for so long; then one that is not answered either is enough.
const REST: Duration = Duration::from_secs(10);

/// See the file's head.
#[derive(Default)]
pub struct Standing {
    working: AtomicBool,
    texts: AtomicU64,
    refused: AtomicU64,
    failures: AtomicU64,
    crashes: AtomicU64,
    questions: AtomicU64,
    unanswered: AtomicU64,
    /// Unanswered questions in a row.
    misses: AtomicU32,
    last: Mutex<Last>,
}

#[derive(Default)]
struct Last {
    error: Option<String>,
    waits: Option<&'static str>,
    /// The last call failed.
    failing: bool,
    /// Nobody asks before.
    rests_until: Option<Instant>,
}

/// How embedding goes.
#[derive(Default, Serialize, utoipa::ToSchema)]
pub struct EmbeddingHealth {
    /// `off`, `idle`, `working`, `waiting` for a backend, or `failing`.
    status: &'static str,
    /// Users whose texts may lack vectors.
    users: usize,
    /// Texts that got a vector since the start.
    texts: u64,
    /// Texts that the model does not take.
    refused: u64,
    /// Calls that failed; the texts are asked about again.
    failures: u64,
    /// Crashes of the loop; it goes on.
    crashes: u64,
    /// Questions asked of the model.
    questions: u64,
    /// Questions that were not answered in time: they went by their words.
    unanswered: u64,
    /// Why the last failed call did.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<String>,
    /// What is waited for.
    #[serde(skip_serializing_if = "Option::is_none")]
    waits_for: Option<&'static str>,
}

impl EmbeddingHealth {
    /// There is no model.
    pub fn off() -> Self {
        EmbeddingHealth {
            status: "off",
            ..EmbeddingHealth::default()
        }
    }
}

impl Standing {
    pub(super) fn begins(&self) {
        self.working.store(true, Relaxed);
    }

    pub(super) fn ends(&self) {
        self.working.store(false, Relaxed);
    }

    pub(super) fn embedded(&self, texts: usize) {
        self.texts.fetch_add(texts as u64, Relaxed);
        let mut last = self.last();
        (last.failing, last.waits) = (false, None);
    }

    pub(super) fn refused(&self, texts: usize) {
        self.refused.fetch_add(texts as u64, Relaxed);
    }

    pub(super) fn failed(&self, why: &str) {
        self.failures.fetch_add(1, Relaxed);
        let mut last = self.last();
        (last.failing, last.waits) = (true, None);
        last.error = Some(why.to_owned());
    }

    pub(super) fn waits(&self, why: &'static str) {
        self.last().waits = Some(why);
    }

    pub(super) fn crashed(&self) {
        self.crashes.fetch_add(1, Relaxed);
        self.ends();
    }

    /// A question was asked, and answered or not.
    pub(super) fn asked(&self, answered: bool) {
        self.questions.fetch_add(1, Relaxed);
        if answered {
            return self.misses.store(0, Relaxed);
        }
        self.unanswered.fetch_add(1, Relaxed);
        if self.misses.fetch_add(1, Relaxed) + 1 >= MISSES {
            self.last().rests_until = Some(Instant::now() + REST);
        }
    }

    /// Whether questions are not asked just now.
    pub(super) fn rests(&self) -> bool {
        self.misses.load(Relaxed) >= MISSES
            && self
                .last()
                .rests_until
                .is_some_and(|until| Instant::now() < until)
    }

    /// As it is now.
    pub fn health(&self, users: usize) -> EmbeddingHealth {
        let last = self.last();
        EmbeddingHealth {
            status: match (last.failing, self.working.load(Relaxed), last.waits) {
                (true, ..) => "failing",
                (_, _, Some(_)) => "waiting",
                (_, true, _) => "working",
                _ => "idle",
            },
            users,
            texts: self.texts.load(Relaxed),
            refused: self.refused.load(Relaxed),
            failures: self.failures.load(Relaxed),
            crashes: self.crashes.load(Relaxed),
            questions: self.questions.load(Relaxed),
            unanswered: self.unanswered.load(Relaxed),
            last_error: last.error.clone(),
            waits_for: last.waits,
        }
    }

    fn last(&self) -> MutexGuard<'_, Last> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_rest_after_too_many_were_not_answered() {
        let standing = Standing::default();
        for answered in [false, false, true, false, false] {
            standing.asked(answered);
            assert!(!standing.rests());
        }
        standing.asked(false);
        assert!(standing.rests());
        let health = standing.health(0);
        assert_eq!((health.questions, health.unanswered), (6, 5));
        standing.last().rests_until = Some(Instant::now());
        assert!(!standing.rests());
        standing.asked(false);
        assert!(standing.rests());
        standing.last().rests_until = Some(Instant::now());
        standing.asked(true);
        standing.asked(false);
        assert!(!standing.rests());
    }
}
