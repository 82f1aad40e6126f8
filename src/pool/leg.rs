//! One model at one backend: what a turn is given a place at.

use super::{Backend, affinity::settled, route::Candidate, ticket::Ticket};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// So many waiting inside a backend, or so much of its KV cache in use, and no affinity is worth
/// going there.
const SATURATED: (u32, f32) = (5, 0.8);

/// One backend that serves a model.
#[derive(Clone)]
pub(super) struct Leg {
    pub backend: Arc<Backend>,
    /// The model as this backend knows it.
    pub name: Arc<str>,
    /// In tokens, where the backend tells.
    pub context: Option<usize>,
}

impl Leg {
    /// Whether a request could go there now.
    pub(super) fn is_free(&self, now: Instant) -> bool {
        self.backend.has_room() && self.backend.health.routable(&self.name, now)
    }

    pub(super) fn wait(&self, now: Instant) -> Option<Duration> {
        self.backend.health.wait(&self.name, now)
    }

    pub(super) fn enter(&self, now: Instant) -> Option<Ticket> {
        self.backend.health.try_enter(&self.name, now)
    }

    pub(super) fn candidate(&self, at: usize, routed: u64, now: Instant) -> Candidate {
        let Leg { backend, name, .. } = self;
        let in_flight = backend.gauge.in_flight();
        let said = backend.health.reported(now);
        let waiting = said.map_or(0, |said| said.waiting);
        let full = said.and_then(|said| said.kv_used).unwrap_or_default();
        let forecast = backend.gauge.forecast();
        Candidate {
            at,
            hash: backend.hash,
            load: in_flight as f64 + f64::from(waiting),
            weight: backend.weight,
            line: forecast.line(in_flight == 0, routed, now),
            loaded: backend.health.loaded(now, name),
            saturated: waiting >= SATURATED.0 || full >= SATURATED.1,
            settled: settled(backend.joined, now),
        }
    }
}
