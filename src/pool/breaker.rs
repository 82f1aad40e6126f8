//! The breaker of one model at one backend: what its last requests came to decides whether it gets
//! another. A state machine over outcomes and a time that it is told; it neither waits nor asks
//! anybody.

use super::window::{WINDOW, Window};
use crate::config::PoolConfig;
use std::time::Duration;
use tokio::time::Instant;

/// So many failures in a row open it.
const STREAK: u32 = 5;
/// So do half of the requests of a window, once it has seen so many.
const ENOUGH: u64 = 20;

/// What a request says of its backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It answered, wholly.
    Good,
    /// It did not, broke off or took too long.
    Failed,
    /// Nothing: the caller went away, or the request itself was refused.
    Neutral,
}

/// A change that people on call want to read of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// It gets no requests for so long.
    Opened(Duration),
    /// It gets them again.
    Closed,
}

/// How long it stays open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Periods {
    /// The first time.
    pub first: Duration,
    /// At most; each re-opening doubles it up to here.
    pub most: Duration,
}

impl Periods {
    pub(super) fn of(config: &PoolConfig) -> Self {
        let first = Duration::from_millis(config.breaker_ms);
        Periods {
            first,
            most: Duration::from_millis(config.breaker_most_ms).max(first),
        }
    }
}

/// Where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Requests pass.
    Closed,
    /// None passes until then.
    Open { until: Instant },
    /// One request at a time is let through to find out; `out`: it is under way.
    HalfOpen { out: bool },
}

/// See the file's head.
pub(super) struct Breaker {
    state: State,
    /// Raised by each change of state: what a request that entered before it comes to says nothing
    /// of the backend as it is now.
    era: u64,
    /// Failures since the last good one.
    streak: u32,
    /// Good and failed ones.
    window: Window,
    periods: Periods,
    /// How long it was open last.
    period: Duration,
    /// When it closed last; `None`: it has never been open.
    closed: Option<Instant>,
    /// A whole answer has come since.
    proven: bool,
}

impl Breaker {
    pub(super) fn new(periods: Periods, now: Instant) -> Self {
        Breaker {
            state: State::Closed,
            era: 0,
            streak: 0,
            window: Window::new(now),
            periods,
            period: periods.first,
            closed: None,
            proven: true,
        }
    }

    /// Where it stands now: an open one whose time is over is half open.
    pub(super) fn state(&self, now: Instant) -> State {
        match self.state {
            State::Open { until } if now >= until => State::HalfOpen { out: false },
            state => state,
        }
    }

    /// Whether `enter` would let one through.
    pub(super) fn admits(&self, now: Instant) -> bool {
        matches!(
            self.state(now),
            State::Closed | State::HalfOpen { out: false }
        )
    }

    /// Lets a request through; the era it belongs to.
    pub(super) fn enter(&mut self, now: Instant) -> Option<u64> {
        match self.state(now) {
            State::Closed => {}
            State::HalfOpen { out: false } => {
                self.era += 1;
                self.state = State::HalfOpen { out: true };
            }
            State::Open { .. } | State::HalfOpen { out: true } => return None,
        }
        Some(self.era)
    }

    /// The request has its first word: that ends the trial of a half-open breaker, for a long
    /// answer must not keep everybody else waiting. The era it belongs to from now on.
    pub(super) fn answered(&mut self, era: u64, now: Instant) -> (u64, Option<Change>) {
        if era != self.era || self.state != (State::HalfOpen { out: true }) {
            return (era, None);
        }
        self.era += 1;
        self.state = State::Closed;
        self.streak = 0;
        self.window = Window::new(now);
        self.closed = Some(now);
        self.proven = false;
        (self.era, Some(Change::Closed))
    }

    /// The request is over; `proof`: it is the one whose first word closed the breaker.
    pub(super) fn record(
        &mut self,
        (era, proof): (u64, bool),
        outcome: Outcome,
        now: Instant,
    ) -> Option<Change> {
        if era != self.era {
            return None;
        }
        let trial = self.state == State::HalfOpen { out: true };
        match outcome {
            Outcome::Neutral if trial => {
                self.state = State::HalfOpen { out: false };
                None
            }
            Outcome::Neutral => None,
            Outcome::Good => {
                let (_, change) = self.answered(era, now);
                self.streak = 0;
                self.proven = true;
                self.window.count(now, 0);
                change
            }
            // A backend that only ever begins its answers is not well.
            Outcome::Failed if trial || proof && !self.proven => Some(self.open(now)),
            Outcome::Failed => {
                self.streak += 1;
                self.window.count(now, 1);
                let [good, failed] = self.window.sums(now);
                let half = good + failed >= ENOUGH && failed >= good;
                (self.streak >= STREAK || half).then(|| self.open(now))
            }
        }
    }

    fn open(&mut self, now: Instant) -> Change {
        // Closed for a whole window: it had recovered, and begins anew.
        let recovered = self.state == State::Closed
            && self.closed.is_none_or(|since| {
                now.saturating_duration_since(since) >= WINDOW.max(self.periods.first)
            });
        self.period = match recovered {
            true => self.periods.first,
            false => (self.period * 2).min(self.periods.most),
        };
        self.era += 1;
        self.state = State::Open {
            until: now + self.period,
        };
        Change::Opened(self.period)
    }
}

#[cfg(test)]
#[path = "breaker_tests.rs"]
mod tests;
