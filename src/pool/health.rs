//! Whether a backend can be routed to, and what it says of its own load: the verdict of the
//! requests it got (its breaker) and of the probes, and what was scraped from it. A lock for each,
//! held for a few instructions; nothing here asks a backend anything.

use super::{
    breaker::{Breaker, Change, Periods, State},
    condition::Condition,
    ticket::Ticket,
};
use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{sync::Notify, time::Instant};

/// What a backend said of itself counts for so long.
const FRESH: Duration = Duration::from_secs(5);
/// So many failed probes in a row take it out …
const DOWN: u32 = 3;
/// … and so many good ones bring it back.
const UP: u32 = 2;
/// A rest that a backend has asked for is worth waiting out up to this.
const SHORT: Duration = Duration::from_secs(5);

/// See the file's head.
pub struct Health {
    /// As in logs.
    name: Arc<str>,
    verdict: Mutex<Verdict>,
    said: Mutex<Said>,
    /// It gets no requests for a while: its breaker has opened, or it rests.
    opened: Notify,
}

struct Verdict {
    breaker: Breaker,
    probed: Probed,
    /// Probes in a row that contradict `probed`.
    against: u32,
    /// What the last one found wrong, in our own words.
    complaint: Option<String>,
    /// It has asked not to be asked before then.
    rest: Option<Instant>,
}

/// What the probes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Probed {
    /// Not enough of them yet: it is tried.
    Unknown,
    /// It answers.
    Up,
    /// It does not: it gets no requests.
    Down,
}

/// What a backend says of its load.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, utoipa::ToSchema)]
pub struct Reported {
    /// Requests it works at.
    pub running: u32,
    /// Requests that wait inside it.
    pub waiting: u32,
    /// How much of its KV cache is used, 0 to 1; `null`: it does not say.
    pub kv_used: Option<f32>,
}

#[derive(Default)]
struct Said {
    load: Option<(Instant, Reported)>,
    /// What is in memory; `None`: it has not said, or its kind has nothing to load.
    loaded: Option<(Instant, HashSet<String>)>,
}

impl Health {
    pub(super) fn new(name: Arc<str>, periods: Periods) -> Arc<Self> {
        Arc::new(Health {
            name,
            verdict: Mutex::new(Verdict {
                breaker: Breaker::new(periods, Instant::now()),
                probed: Probed::Unknown,
                against: 0,
                complaint: None,
                rest: None,
            }),
            said: Mutex::default(),
            opened: Notify::new(),
        })
    }

    /// Lets a request through; `None` while the breaker is open, its one trial is out or the
    /// backend is probed down.
    pub fn try_enter(self: &Arc<Self>, now: Instant) -> Option<Ticket> {
        let mut verdict = self.verdict();
        if verdict.probed == Probed::Down || verdict.rest.is_some_and(|until| now < until) {
            return None;
        }
        let era = verdict.breaker.enter(now)?;
        Some(Ticket::new(self.clone(), era))
    }

    /// Whether `try_enter` would let one through.
    pub fn routable(&self, now: Instant) -> bool {
        let verdict = self.verdict();
        verdict.probed != Probed::Down && verdict.away(now).is_zero() && verdict.breaker.admits(now)
    }

    /// It has asked not to be asked for so long (`Retry-After`).
    pub fn rest(&self, wait: Duration) {
        let until = Instant::now() + wait;
        let mut verdict = self.verdict();
        verdict.rest = verdict.rest.max(Some(until));
        drop(verdict);
        self.opened.notify_one();
    }

    /// How long it certainly gets no request, as far as that is not for the probes to say.
    pub(super) fn away(&self, now: Instant) -> Duration {
        self.verdict().away(now)
    }

    /// How long until a request may be let through: zero where one is now, or where that is worth
    /// waiting for, because the trial of a half-open breaker is out and may end any moment, or it
    /// rests for a moment; `None` where only probes can tell.
    pub fn wait(&self, now: Instant) -> Option<Duration> {
        let verdict = self.verdict();
        if verdict.probed == Probed::Down {
            return None;
        }
        // A short rest is about load and not about health: waiting it out is better than an error.
        Some(match (verdict.breaker.state(now), verdict.away(now)) {
            (State::Open { .. }, away) => away,
            (_, rest) if rest <= SHORT => Duration::ZERO,
            (_, rest) => rest,
        })
    }

    /// What it said of its load, if lately.
    pub fn reported(&self, now: Instant) -> Option<Reported> {
        let said = self.said();
        said.load.filter(|(at, _)| fresh(*at, now)).map(|(_, r)| r)
    }

    /// Whether it said lately that the model is in memory. Only an Ollama says so; whoever has
    /// nothing to load is always ready.
    pub fn loaded(&self, now: Instant, model: &str) -> bool {
        match &self.said().loaded {
            Some((at, models)) => fresh(*at, now) && models.contains(model),
            None => true,
        }
    }

    /// A probe's outcome. True: the backend has become routable by it.
    ///
    /// It never touches the breaker: what answers a ping may still fail each request.
    pub(super) fn probed(&self, outcome: Result<(), String>) -> bool {
        let mut verdict = self.verdict();
        let well = outcome.is_ok();
        verdict.complaint = outcome.err();
        let (says, enough) = match well {
            // One that has not been down needs no proof that it is up.
            true if verdict.probed == Probed::Unknown => (Probed::Up, 1),
            true => (Probed::Up, UP),
            false => (Probed::Down, DOWN),
        };
        if verdict.probed == says {
            verdict.against = 0;
            return false;
        }
        verdict.against += 1;
        if verdict.against < enough {
            return false;
        }
        verdict.against = 0;
        let was = std::mem::replace(&mut verdict.probed, says);
        let complaint = verdict.complaint.clone().unwrap_or_default();
        drop(verdict);
        let backend = &self.name;
        match (was, says) {
            (_, Probed::Down) => {
                tracing::warn!(%backend, "gets no requests: {DOWN} probes in a row failed ({complaint})");
            }
            (Probed::Down, _) => tracing::info!(%backend, "answers probes again"),
            _ => {}
        }
        was == Probed::Down
    }

    /// Whether probes say that it is down.
    pub(super) fn is_down(&self) -> bool {
        self.verdict().probed == Probed::Down
    }

    /// Resolves when it gets no requests for a while.
    pub(super) async fn opened(&self) {
        self.opened.notified().await;
    }

    /// It said how loaded it is.
    pub(super) fn reports(&self, reported: Reported) {
        self.said().load = Some((Instant::now(), reported));
    }

    /// It said which models it has in memory.
    pub(super) fn loads(&self, models: HashSet<String>) {
        self.said().loaded = Some((Instant::now(), models));
    }

    /// For ops.
    pub(super) fn condition(&self, now: Instant) -> Condition {
        let verdict = self.verdict();
        let state = verdict.breaker.state(now);
        let (probe, complaint) = (verdict.probed, verdict.complaint.clone());
        let rest = verdict.rest;
        drop(verdict);
        let loaded = self.said().loaded.clone();
        Condition::new(
            (probe, complaint),
            (state, now),
            rest,
            self.reported(now),
            loaded.filter(|(at, _)| fresh(*at, now)).map(|(_, m)| m),
        )
    }

    /// Tells of a change; true: it is routable by it.
    pub(super) fn changed(&self, change: Option<Change>) -> bool {
        let backend = &self.name;
        match change {
            Some(Change::Opened(period)) => {
                tracing::warn!(%backend, "gets no requests for {period:?}: too many failed");
                self.opened.notify_one();
            }
            Some(Change::Closed) => tracing::info!(%backend, "takes requests again"),
            None => {}
        }
        change == Some(Change::Closed)
    }

    pub(super) fn breaker<T>(&self, f: impl FnOnce(&mut Breaker) -> T) -> T {
        f(&mut self.verdict().breaker)
    }

    fn verdict(&self) -> MutexGuard<'_, Verdict> {
        self.verdict.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn said(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn fresh(at: Instant, now: Instant) -> bool {
    now.saturating_duration_since(at) <= FRESH
}

impl Verdict {
    fn away(&self, now: Instant) -> Duration {
        let until = |until: Instant| until.saturating_duration_since(now);
        let open = match self.breaker.state(now) {
            State::Open { until: end } => until(end),
            State::Closed | State::HalfOpen { .. } => Duration::ZERO,
        };
        open.max(self.rest.map_or(Duration::ZERO, until))
    }
}

#[cfg(test)]
#[path = "health_tests.rs"]
mod tests;
