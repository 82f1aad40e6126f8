//! The places at all backends, and who takes one: what the catalog offers is filtered by health and
//! room, and the policy chooses. One lock holds places and lines, so that a place that is free has
//! nobody waiting for it, and one that is given back goes to exactly one turn.

use super::{
    Backend, Lease,
    catalog::Catalog,
    forecast::Forecast,
    leg::Leg,
    queue::Lines,
    route::{Candidate, choose},
    ticket::Ticket,
    tried::Tried,
};
use crate::error::Error;
use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::time::Instant;

/// See the file's head.
pub(super) struct Places {
    catalog: RwLock<Arc<Catalog>>,
    load: Mutex<Load>,
}

/// What is taken, and who waits.
#[derive(Default)]
pub(super) struct Load {
    pub lines: Lines,
    /// Requests routed so far.
    routed: u64,
    /// Kept for its capacity.
    candidates: Vec<Candidate>,
}

/// One backend's part of the load. It is a backend's own, so that one that has left the catalog
/// still counts what is under way; changed only under the lock of `Places`.
#[derive(Default)]
pub(super) struct Gauge {
    in_flight: AtomicUsize,
    forecast: Mutex<Forecast>,
}

impl Gauge {
    /// Leases that are out.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.load(Relaxed)
    }

    pub(super) fn forecast(&self) -> MutexGuard<'_, Forecast> {
        self.forecast.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a turn needs a place for.
#[derive(Clone, Copy, Debug)]
pub struct Want<'a> {
    /// The model, or an alias.
    pub model: &'a str,
    /// Whose prefix it goes on with.
    pub affinity: Option<u64>,
    /// What has failed it already.
    pub tried: &'a [Tried],
}

impl Places {
    pub(super) fn new() -> Arc<Places> {
        Arc::new(Places {
            catalog: RwLock::default(),
            load: Mutex::default(),
        })
    }

    pub(super) fn catalog(&self) -> Arc<Catalog> {
        let catalog = self.catalog.read().unwrap_or_else(PoisonError::into_inner);
        catalog.clone()
    }

    /// A new catalog, in one step. Whoever waits is to be let in by `wake_all`.
    pub(super) fn publish(&self, catalog: Catalog) {
        *self.catalog.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(catalog);
    }

    /// Whoever waits for what can be had now is let in, and whoever waits for what cannot be had any
    /// more is told so.
    pub(super) fn wake_all(self: &Arc<Self>) {
        let catalog = self.catalog();
        for backend in &catalog.backends {
            self.wake(backend);
        }
        self.lock()
            .lines
            .turn_away(|model, tried| catalog.cannot(model, tried));
    }

    /// The backend takes requests again: whoever waits for it is let in.
    pub(super) fn wake(self: &Arc<Self>, backend: &Arc<Backend>) {
        while self.let_in(backend, &mut self.lock()) {}
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Load> {
        self.load.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for it; `None`: all are full. An error: nobody could take it soon.
    pub(super) fn take(
        self: &Arc<Self>,
        load: &mut Load,
        want: Want<'_>,
    ) -> Result<Option<Lease>, Error> {
        let catalog = self.catalog();
        let none = || Error::NoBackend(want.model.to_owned());
        let entry = catalog.entry(want.model).ok_or_else(none)?;
        let now = Instant::now();
        let mut candidates = std::mem::take(&mut load.candidates);
        let mut soon = false;
        // Of a tier, those that have not failed the turn yet come first, before other models of those
        // that have.
        let known = |leg: &Leg| want.tried.iter().any(|t| t.backend == leg.backend.id);
        let again = !want.tried.is_empty();
        let passes = entry
            .tiers
            .iter()
            .flat_map(|tier| [(tier, false), (tier, true)]);
        for (tier, failed) in passes.filter(|(_, failed)| !failed || again) {
            candidates.clear();
            for (at, leg) in tier.iter().enumerate() {
                if known(leg) != failed || want.tried.iter().any(|t| t.is(leg)) {
                    continue;
                }
                // A trial that is out may end any moment: worth waiting for.
                soon |= leg.wait(now) == Some(Duration::ZERO);
                if leg.is_free(now) {
                    candidates.push(leg.candidate(at, load.routed, now));
                }
            }
            while let Some(at) = choose(entry.policy, &mut candidates, want.affinity, load.routed) {
                // Nobody who came earlier is passed by: the place may have come free unheard.
                if self.let_in(&tier[at].backend, load) {
                    candidates.retain(|c| c.at != at);
                    if tier[at].is_free(now) {
                        candidates.push(tier[at].candidate(at, load.routed, now));
                    }
                    continue;
                }
                if let Some(ticket) = tier[at].enter(now) {
                    load.candidates = candidates;
                    load.routed += 1;
                    return Ok(Some(self.occupy(&tier[at], ticket, now)));
                }
                candidates.retain(|c| c.at != at);
            }
        }
        load.candidates = candidates;
        match soon {
            true => Ok(None),
            false => Err(none()),
        }
    }

    /// How many are at the backend, and how many wait for a model of its.
    pub(super) fn gauges(&self, backend: &Backend) -> (usize, usize) {
        let (catalog, load) = (self.catalog(), self.lock());
        let serves = |model: &str| catalog.legs_at(backend.id, model).next().is_some();
        (backend.gauge.in_flight(), load.lines.waiting(serves))
    }

    /// A request that found so many there had its first word after `took`.
    pub(super) fn learn(&self, backend: &Backend, load: f64, took: Duration, now: Instant) {
        let routed = self.lock().routed;
        backend.gauge.forecast().learn(load, took, routed, now);
    }

    fn occupy(self: &Arc<Self>, leg: &Leg, ticket: Ticket, now: Instant) -> Lease {
        let backend = leg.backend.clone();
        let before = backend.gauge.in_flight.fetch_add(1, Relaxed);
        let waiting = backend.health.reported(now).map_or(0, |said| said.waiting);
        Lease {
            model: leg.name.clone(),
            places: self.clone(),
            ticket,
            began: Some((now, (before + 1) as f64 + f64::from(waiting))),
            backend,
        }
    }

    pub(super) fn give_back(self: &Arc<Self>, backend: &Arc<Backend>) {
        let mut load = self.lock();
        backend.gauge.in_flight.fetch_sub(1, Relaxed);
        self.let_in(backend, &mut load);
    }

    /// Hands a free place to the first in line that can use it.
    fn let_in(self: &Arc<Self>, backend: &Arc<Backend>, load: &mut Load) -> bool {
        if load.lines.is_empty() {
            return false;
        }
        let (catalog, now) = (self.catalog(), Instant::now());
        // As it is now: its settings may have changed since the place was taken.
        let backend = catalog.backends.iter().find(|b| b.id == backend.id);
        let Some(backend) = backend.filter(|b| b.has_room()) else {
            return false;
        };
        let leg = |model: &str, tried: &[Tried]| {
            let mut legs = catalog.legs_at(backend.id, model);
            legs.find(|leg| leg.is_free(now) && !tried.iter().any(|t| t.is(leg)))
        };
        while let Some((number, model, leg)) = load.lines.first(leg) {
            // Its breaker may just have opened: then somebody else comes first.
            let Some(ticket) = leg.enter(now) else {
                continue;
            };
            // Whoever stands in line takes its entry out, under this lock, before it goes: it is
            // there.
            if let Some(waiter) = load.lines.call(&model, number) {
                load.routed += 1;
                waiter.tell(Ok(self.occupy(leg, ticket, now)));
                return true;
            }
        }
        false
    }
}

impl Backend {
    pub(super) fn has_room(&self) -> bool {
        let in_flight = self.gauge.in_flight();
        self.max_concurrent.is_none_or(|most| in_flight < most)
    }
}

#[cfg(test)]
mod tests {
    use crate::pool::testing::pool;

    #[test]
    fn the_least_loaded_and_among_equals_each_in_turn() {
        let pool = pool(&[0, 0, 0]);
        let mut leases = Vec::new();
        for round in 1..=4 {
            for _ in 0..3 {
                leases.push(pool.lease("m", &[]).unwrap().unwrap());
            }
            let load: Vec<_> = pool.status().iter().map(|s| s.in_flight).collect();
            assert_eq!(load, [round; 3]);
        }
        leases.retain(|lease| lease.backend().id != 1);
        assert_eq!(pool.lease("m", &[]).unwrap().unwrap().backend().id, 1);
        drop(leases);
        assert!(pool.status().iter().all(|s| s.in_flight == 0));
        let mut firsts: Vec<_> = (0..3)
            .map(|_| pool.lease("m", &[]).unwrap().unwrap().backend().id)
            .collect();
        firsts.sort_unstable();
        assert_eq!(firsts, [0, 1, 2]);
    }

    #[test]
    fn what_was_tried_and_what_is_full_is_left_out() {
        let pool = pool(&[1, 1]);
        let one = pool.lease("m", &[1]).unwrap().unwrap();
        assert_eq!(one.backend().id, 0);
        assert!(pool.lease("m", &[1]).unwrap().is_none());
        assert!(pool.lease("m", &[0, 1]).is_err());
        assert!(pool.lease("unknown", &[]).is_err());
    }
}
