//! Lines: where all backends of a model are full, its turns stand in one line, first come first
//! served, whichever worker they came in at. Dropping the future leaves the line; a place that
//! was being handed over just then goes to the next.

use super::{
    Lease, Tried,
    leg::Leg,
    places::{Places, Want},
};
use crate::error::Error;
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};
use tokio::{sync::oneshot, time::Instant};

/// One that waits.
pub(super) struct Waiter {
    tried: Vec<Tried>,
    /// Told where it may go, or why it may go nowhere.
    told: oneshot::Sender<Result<Lease, Error>>,
}

/// One line a model, in order of arrival.
#[derive(Default)]
pub(super) struct Lines {
    lines: HashMap<Arc<str>, BTreeMap<u64, Waiter>>,
    /// How fast each model's line moves.
    paces: HashMap<Arc<str>, Pace>,
    arrivals: u64,
}

/// How fast a line moves.
struct Pace {
    /// When somebody was called last, or the line began.
    since: Instant,
    /// From one call to the next, lately; `None`: nobody has been called yet.
    every: Option<Duration>,
}

/// Nobody in a line that crawls is told to come back later than this.
const LONGEST: Duration = Duration::from_secs(60);

impl Lines {
    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    pub(super) fn waiting(&self, serves: impl Fn(&str) -> bool) -> usize {
        let served = self.lines.iter().filter(|(model, _)| serves(model));
        served.map(|(_, line)| line.len()).sum()
    }

    fn len(&self, model: &str) -> usize {
        self.lines.get(model).map_or(0, BTreeMap::len)
    }

    fn join(&mut self, model: &str, waiter: Waiter) -> u64 {
        self.arrivals += 1;
        let line = self.lines.entry(model.into()).or_default();
        if line.is_empty() {
            let every = self.paces.get(model).and_then(|pace| pace.every);
            let since = Instant::now();
            self.paces.insert(model.into(), Pace { since, every });
        }
        line.insert(self.arrivals, waiter);
        self.arrivals
    }

    /// How long until a line as it is now has been served, by its pace.
    fn served_in(&self, model: &str) -> Duration {
        let every = self.paces.get(model).and_then(|pace| pace.every);
        let waiting = u32::try_from(self.len(model)).unwrap_or(u32::MAX);
        let all = every.unwrap_or_default().saturating_mul(waiting);
        all.min(LONGEST)
    }

    /// Takes one out who may go somewhere.
    pub(super) fn call(&mut self, model: &str, number: u64) -> Option<Waiter> {
        let waiter = self.leave(model, number)?;
        if let Some(pace) = self.paces.get_mut(model) {
            let now = Instant::now();
            let took = now.saturating_duration_since(pace.since);
            // The last few count most.
            let every = pace.every.map_or(took, |every| (every * 3 + took) / 4);
            (pace.since, pace.every) = (now, Some(every));
        }
        Some(waiter)
    }

    fn leave(&mut self, model: &str, number: u64) -> Option<Waiter> {
        let line = self.lines.get_mut(model)?;
        let waiter = line.remove(&number);
        if line.is_empty() {
            self.lines.remove(model);
        }
        waiter
    }

    /// The longest waiting that may go somewhere: its number, its model, and where.
    pub(super) fn first<'a>(
        &self,
        to: impl Fn(&str, &[Tried]) -> Option<&'a Leg>,
    ) -> Option<(u64, Arc<str>, &'a Leg)> {
        // Where nobody could go, nobody who has been somewhere already can.
        let open = self
            .lines
            .iter()
            .filter(|(model, _)| to(model, &[]).is_some());
        let first = open.filter_map(|(model, line)| {
            let mut able = line.iter();
            able.find_map(|(number, waiter)| {
                Some((*number, model.clone(), to(model, &waiter.tried)?))
            })
        });
        first.min_by_key(|(number, ..)| *number)
    }

    /// Whoever can go nowhere any more is told why.
    pub(super) fn turn_away(&mut self, why: impl Fn(&str, &[Tried]) -> Option<Error>) {
        let told = self.lines.iter().flat_map(|(model, line)| {
            let told = |(number, waiter): (&u64, &Waiter)| {
                Some((model.clone(), *number, why(model, &waiter.tried)?))
            };
            line.iter().filter_map(told)
        });
        for (model, number, why) in told.collect::<Vec<_>>() {
            if let Some(waiter) = self.leave(&model, number) {
                waiter.tell(Err(why));
            }
        }
    }
}

impl Waiter {
    /// The receiver lives until its entry is out of the line, so it is there; a receiver dropped
    /// later gives a place back by dropping it.
    pub(super) fn tell(self, told: Result<Lease, Error>) {
        let _ = self.told.send(told);
    }
}

/// Leaves the line when dropped.
struct Standing<'a> {
    places: &'a Arc<Places>,
    model: &'a str,
    number: u64,
}

impl Standing<'_> {
    /// False: it has been called already.
    fn leave(&self) -> bool {
        let mut load = self.places.lock();
        load.lines.leave(self.model, self.number).is_some()
    }
}

impl Drop for Standing<'_> {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Stands in the model's line until a place is free.
pub(super) async fn stand(
    places: &Arc<Places>,
    (most, wait): (usize, Duration),
    model: &str,
    tried: &[Tried],
) -> Result<Lease, Error> {
    // Who comes back before those who wait have been served only waits again.
    let busy = |what, wait: Duration| Error::Busy {
        what,
        retry_after: wait.as_secs_f64().ceil().max(1.0) as u32,
    };
    let want = Want {
        model,
        // Whatever comes free first.
        affinity: None,
        tried,
    };
    let (told, mut called) = oneshot::channel();
    let number = {
        let mut load = places.lock();
        // A place may have come free since the caller looked.
        if let Some(lease) = places.take(&mut load, want)? {
            return Ok(lease);
        }
        if load.lines.len(model) >= most {
            return Err(busy(
                "every backend of this model is busy and its queue is full",
                load.lines.served_in(model),
            ));
        }
        let tried = tried.to_vec();
        load.lines.join(model, Waiter { tried, told })
    };
    // Declared after the channel, so dropped before it: out of the line first, then deaf.
    let standing = Standing {
        places,
        model,
        number,
    };
    let told = match tokio::time::timeout(wait, &mut called).await {
        Ok(told) => told.ok(),
        // Where nobody is there any more, that is what is to be told.
        Err(_) if standing.leave() => places.take(&mut places.lock(), want)?.map(Ok),
        // Called at the last moment.
        Err(_) => called.try_recv().ok(),
    };
    told.unwrap_or_else(|| {
        let wait = places.lock().lines.served_in(model);
        Err(busy("every backend of this model stayed busy", wait))
    })
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
