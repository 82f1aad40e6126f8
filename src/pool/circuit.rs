//! What the requests for one model of a backend came to, and whether it may be asked for it: its
//! breaker, and the rest that it has asked for.

use super::breaker::{Breaker, Periods, State};
use std::time::Duration;
use tokio::time::Instant;

/// A rest that a backend has asked for is worth waiting out up to this.
const SHORT: Duration = Duration::from_secs(5);

/// See the file's head.
pub(super) struct Circuit {
    pub breaker: Breaker,
    /// It has asked not to be asked before then.
    rest: Option<Instant>,
}

/// Where it stands, for ops.
#[derive(Clone, Copy)]
pub(super) struct Standing {
    pub breaker: State,
    pub rest: Option<Instant>,
}

impl Default for Standing {
    fn default() -> Self {
        Standing {
            breaker: State::Closed,
            rest: None,
        }
    }
}

impl Circuit {
    pub(super) fn new(periods: Periods) -> Self {
        Circuit {
            breaker: Breaker::new(periods, Instant::now()),
            rest: None,
        }
    }

    /// Lets a request through; the breaker's era it belongs to.
    pub(super) fn enter(&mut self, now: Instant) -> Option<u64> {
        match self.rest.is_some_and(|until| now < until) {
            true => None,
            false => self.breaker.enter(now),
        }
    }

    /// Whether `enter` would let one through.
    pub(super) fn admits(&self, now: Instant) -> bool {
        self.away(now).is_zero() && self.breaker.admits(now)
    }

    /// It has asked not to be asked before then.
    pub(super) fn rest(&mut self, until: Instant) {
        self.rest = self.rest.max(Some(until));
    }

    /// How long it certainly gets no request.
    pub(super) fn away(&self, now: Instant) -> Duration {
        let until = |until: Instant| until.saturating_duration_since(now);
        let open = match self.breaker.state(now) {
            State::Open { until: end } => until(end),
            State::Closed | State::HalfOpen { .. } => Duration::ZERO,
        };
        open.max(self.rest.map_or(Duration::ZERO, until))
    }

    /// How long until a request may be let through: zero where one is now, or where that is worth
    /// waiting for, because the trial of a half-open breaker is out and may end any moment, or it
    /// rests for a moment.
    pub(super) fn wait(&self, now: Instant) -> Duration {
        // A short rest is about load and not about health: waiting it out is better than an error.
        match (self.breaker.state(now), self.away(now)) {
            (State::Open { .. }, away) => away,
            (_, rest) if rest <= SHORT => Duration::ZERO,
            (_, rest) => rest,
        }
    }

    pub(super) fn standing(&self, now: Instant) -> Standing {
        Standing {
            breaker: self.breaker.state(now),
            rest: self.rest.filter(|until| now < *until),
        }
    }
}
