//! A backend's condition, as ops read it: whether it can be routed to, and if not, why not and for
//! how long.

use super::{
    breaker::State,
    health::{Probed, Reported},
};
use std::collections::HashSet;
use tokio::time::Instant;

/// Whether a backend can be routed to, and if not, why not and for how long.
#[derive(Clone, Debug, serde::Serialize, utoipa::ToSchema)]
pub struct Condition {
    /// Whether it gets requests now; that it answers a probe is not enough for it.
    pub routable: bool,
    /// Why not, where it does not.
    pub why_not: Option<String>,
    /// What its last requests came to.
    pub breaker: BreakerState,
    /// Seconds until an open breaker lets one request through to find out.
    pub breaker_open_s: Option<u64>,
    /// Seconds for which it has asked to be left alone (`Retry-After`).
    pub rest_s: Option<u64>,
    /// What the probes say.
    pub probe: Probed,
    /// What the last probe found wrong.
    pub probe_error: Option<String>,
    /// What it says of its own load; `null`: it has not said lately.
    pub reported: Option<Reported>,
    /// The models an Ollama has in memory; `null`: it has not said lately, or has nothing to load.
    pub loaded: Option<Vec<String>>,
}

/// What a backend's last requests came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BreakerState {
    /// It gets requests.
    Closed,
    /// Too many failed: it gets none for a while.
    Open,
    /// One request at a time finds out whether it is well again.
    HalfOpen,
}

impl Condition {
    pub(super) fn new(
        (probe, probe_error): (Probed, Option<String>),
        (state, now): (State, Instant),
        rest: Option<Instant>,
        reported: Option<Reported>,
        loaded: Option<HashSet<String>>,
    ) -> Self {
        let left = |until: Instant| {
            // Rounded up: "0 seconds" would be over.
            let left = until.saturating_duration_since(now).as_millis();
            Some(left.div_ceil(1000) as u64).filter(|left| *left > 0)
        };
        let rest = rest.and_then(left);
        let (breaker, open) = match state {
            State::Closed => (BreakerState::Closed, None),
            State::Open { until } => (BreakerState::Open, left(until)),
            State::HalfOpen { .. } => (BreakerState::HalfOpen, None),
        };
        let why_not = match (probe, state) {
            (Probed::Down, _) => Some(format!(
                "its probes fail: {}",
                probe_error
                    .as_deref()
                    .unwrap_or("two in a row must be good again")
            )),
            (_, State::Open { .. }) => Some(format!(
                "too many requests to it failed (see last_error): none for {} s more, then one \
                 to find out",
                open.unwrap_or_default()
            )),
            (_, State::HalfOpen { out: true }) => Some(
                "too many requests to it failed: one is finding out whether it is well again"
                    .into(),
            ),
            _ => rest
                .map(|left| format!("it asked to be left alone for {left} s more (Retry-After)")),
        };
        let mut loaded: Option<Vec<_>> = loaded.map(|all| all.into_iter().collect());
        if let Some(loaded) = &mut loaded {
            loaded.sort_unstable();
        }
        Condition {
            routable: why_not.is_none(),
            why_not,
            breaker,
            breaker_open_s: open,
            rest_s: rest,
            probe,
            probe_error,
            reported,
            loaded,
        }
    }
}
