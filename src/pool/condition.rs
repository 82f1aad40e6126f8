//! A backend's condition, as ops read it: whether it can be routed to, and if not, why not and for
//! how long.

use super::{
    breaker::State,
    circuit::Standing,
    health::{Probed, Reported},
};
use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};
use tokio::time::Instant;

/// Whether a backend can be routed to, and if not, why not and for how long.
#[derive(Clone, Debug, serde::Serialize, utoipa::ToSchema)]
pub struct Condition {
    /// Whether it gets requests now; that it answers a probe is not enough for it.
    pub routable: bool,
    /// Why not, where it does not.
    pub why_not: Option<String>,
    /// Models that get no requests now though others of its do, and why not.
    pub models_out: BTreeMap<String, String>,
    /// What its last requests came to: of several models, the one that does best.
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
        (models, now): (Vec<(Arc<str>, Standing)>, Instant),
        reported: Option<Reported>,
        loaded: Option<HashSet<String>>,
    ) -> Self {
        let best = models.iter().map(|(_, standing)| *standing);
        let best = best.min_by_key(Standing::rank).unwrap_or_default();
        let rest = best.rest.and_then(|until| left(until, now));
        let (breaker, open) = match best.breaker {
            State::Closed => (BreakerState::Closed, None),
            State::Open { until } => (BreakerState::Open, left(until, now)),
            State::HalfOpen { .. } => (BreakerState::HalfOpen, None),
        };
        let why_not = match probe {
            Probed::Down => Some(format!(
                "its probes fail: {}",
                probe_error
                    .as_deref()
                    .unwrap_or("two in a row must be good again")
            )),
            _ => best.why_not(now),
        };
        let out = models.iter().filter_map(|(model, standing)| {
            let why = standing.why_not(now)?;
            Some((model.to_string(), why))
        });
        let models_out = match &why_not {
            None => out.collect(),
            // It is all of them.
            Some(_) => BTreeMap::new(),
        };
        let mut loaded: Option<Vec<_>> = loaded.map(|all| all.into_iter().collect());
        if let Some(loaded) = &mut loaded {
            loaded.sort_unstable();
        }
        Condition {
            routable: why_not.is_none(),
            why_not,
            models_out,
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

impl Standing {
    /// The less, the sooner it gets a request.
    fn rank(&self) -> (Option<Instant>, bool, bool) {
        let (until, out, half) = match self.breaker {
            State::Closed => (None, false, false),
            State::HalfOpen { out } => (None, out, true),
            State::Open { until } => (Some(until), false, false),
        };
        (until.max(self.rest), out, half)
    }

    fn why_not(&self, now: Instant) -> Option<String> {
        match self.breaker {
            State::Open { until } => Some(format!(
                "too many requests to it failed (see last_error): none for {} s more, then one \
                 to find out",
                left(until, now).unwrap_or_default()
            )),
            State::HalfOpen { out: true } => Some(
                "too many requests to it failed: one is finding out whether it is well again"
                    .into(),
            ),
            _ => self
                .rest
                .and_then(|until| left(until, now))
                .map(|left| format!("it asked to be left alone for {left} s more (Retry-After)")),
        }
    }
}

/// Rounded up: "0 seconds" would be over.
fn left(until: Instant, now: Instant) -> Option<u64> {
    let left = until.saturating_duration_since(now).as_millis();
    Some(left.div_ceil(1000) as u64).filter(|left| *left > 0)
}
