//! The right to use one backend, given back on drop; and the places at all backends, which it is
//! taken from. One lock holds places and lines, so that a place that is free has nobody waiting
//! for it, and one that is given back goes to exactly one turn.

use super::{Backend, BackendId, breaker::Outcome, catalog::Catalog, queue::Lines, ticket::Ticket};
use crate::error::Error;
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, atomic::Ordering::Relaxed},
    time::Duration,
};
use tokio::time::Instant;

/// One request's place at one backend.
pub struct Lease {
    backend: Arc<Backend>,
    places: Arc<Places>,
    ticket: Ticket,
}

impl Lease {
    /// Which backend.
    pub fn backend(&self) -> &Arc<Backend> {
        &self.backend
    }

    /// The first word of the answer has come.
    pub fn answered(&mut self) {
        if self.ticket.answered() {
            self.places.wake(&self.backend);
        }
    }

    /// The answer is complete.
    pub fn good(&mut self) {
        self.record(Outcome::Good);
    }

    /// There is no answer, or it broke off. A lease dropped without a word says nothing of its
    /// backend: the caller went away.
    pub fn failed(&mut self, error: &Error) {
        self.record(Outcome::of(error));
    }

    /// The same, where its head was good: nobody has counted it yet.
    pub fn broke(&mut self, error: &Error) {
        self.backend.seen.failed(error);
        self.failed(error);
    }

    /// The backend does not want to be asked for so long.
    pub fn rest(&self, wait: Duration) {
        self.backend.health.rest(wait);
    }

    fn record(&mut self, outcome: Outcome) {
        if self.ticket.record(outcome) {
            self.places.wake(&self.backend);
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // Before the place, so that whoever is let in next finds the trial free.
        self.ticket.record(Outcome::Neutral);
        self.places.give_back(&self.backend);
    }
}

/// The places at all backends.
pub(super) struct Places {
    pub backends: Vec<Arc<Backend>>,
    catalog: RwLock<Arc<Catalog>>,
    load: Mutex<Load>,
}

/// What is taken, and who waits.
pub(super) struct Load {
    /// Leases that are out, by backend.
    in_flight: Vec<usize>,
    pub lines: Lines,
}

impl Places {
    pub(super) fn new(backends: Vec<Arc<Backend>>) -> Arc<Places> {
        let load = Load {
            in_flight: vec![0; backends.len()],
            lines: Lines::default(),
        };
        Arc::new(Places {
            backends,
            catalog: RwLock::default(),
            load: Mutex::new(load),
        })
    }

    pub(super) fn catalog(&self) -> Arc<Catalog> {
        let catalog = self.catalog.read().unwrap_or_else(PoisonError::into_inner);
        catalog.clone()
    }

    /// A new catalog; whoever waits for what it now serves is let in.
    pub(super) fn publish(self: &Arc<Self>, catalog: Catalog) {
        *self.catalog.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(catalog);
        for backend in &self.backends {
            self.wake(backend);
        }
    }

    /// The backend takes requests again: whoever waits for it is let in.
    pub(super) fn wake(self: &Arc<Self>, backend: &Arc<Backend>) {
        while self.let_in(backend, &mut self.lock()) {}
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Load> {
        self.load.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place at the least loaded that serves it; `None`: all are full.
    pub(super) fn take(
        self: &Arc<Self>,
        load: &mut Load,
        model: &str,
        tried: &[BackendId],
    ) -> Result<Option<Lease>, Error> {
        let catalog = self.catalog();
        let none = || Error::NoBackend(model.to_owned());
        let entry = catalog.entry(model).ok_or_else(none)?;
        let all = entry.backends.iter().copied().enumerate();
        let untried = all.filter(|(_, id)| !tried.contains(id));
        let now = Instant::now();
        // A trial that is out may end any moment: worth waiting for.
        let soon = |id: BackendId| self.backends[id].health.wait(now) == Some(Duration::ZERO);
        if !untried.clone().any(|(_, id)| soon(id)) {
            return Err(none());
        }
        let (start, count) = (entry.next.fetch_add(1, Relaxed), entry.backends.len());
        let least = untried
            .filter(|(_, id)| self.has_room(load, *id) && self.backends[*id].health.routable(now))
            .min_by_key(|(at, id)| (load.in_flight[*id], at.wrapping_add(start) % count));
        let Some((_, id)) = least else {
            return Ok(None);
        };
        let ticket = self.backends[id].health.try_enter(now);
        Ok(ticket.map(|ticket| self.occupy(load, id, ticket)))
    }

    /// How many are at the backend, and how many wait for a model of its.
    pub(super) fn gauges(&self, backend: BackendId) -> (usize, usize) {
        let (catalog, load) = (self.catalog(), self.lock());
        let waiting = load.lines.waiting(|model| catalog.serves(backend, model));
        (load.in_flight[backend], waiting)
    }

    fn has_room(&self, load: &Load, id: BackendId) -> bool {
        let most = self.backends[id].max_concurrent;
        most.is_none_or(|most| load.in_flight[id] < most)
    }

    fn occupy(self: &Arc<Self>, load: &mut Load, id: BackendId, ticket: Ticket) -> Lease {
        load.in_flight[id] += 1;
        Lease {
            backend: self.backends[id].clone(),
            places: self.clone(),
            ticket,
        }
    }

    fn give_back(self: &Arc<Self>, backend: &Arc<Backend>) {
        let mut load = self.lock();
        load.in_flight[backend.id] -= 1;
        self.let_in(backend, &mut load);
    }

    /// Hands a free place to the first in line that can use it.
    fn let_in(self: &Arc<Self>, backend: &Arc<Backend>, load: &mut Load) -> bool {
        if load.lines.is_empty() || !self.has_room(load, backend.id) {
            return false;
        }
        // Before a waiter is taken out; without one it is given back.
        let Some(ticket) = backend.health.try_enter(Instant::now()) else {
            return false;
        };
        let catalog = self.catalog();
        let first = load
            .lines
            .first(backend.id, |model| catalog.serves(backend.id, model));
        let Some(waiter) = first else { return false };
        // Whoever stands in line takes its entry out, under this lock, before it goes: it is there.
        waiter.hand(self.occupy(load, backend.id, ticket));
        true
    }
}

#[cfg(test)]
mod tests {
    use crate::pool::testing::pool;

    #[test]
    fn the_least_loaded_is_taken_and_ties_go_round() {
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
