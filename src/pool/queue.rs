//! Lines: where all backends of a model are full, its turns stand in one line, first come first
//! served, whichever worker they came in at. Dropping the future leaves the line; a place that
//! was being handed over just then goes to the next.

use super::{
    BackendId,
    lease::{Lease, Places},
};
use crate::error::Error;
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};
use tokio::sync::oneshot;

/// One that waits.
pub(super) struct Waiter {
    tried: Vec<BackendId>,
    place: oneshot::Sender<Lease>,
}

/// One line a model, in order of arrival.
#[derive(Default)]
pub(super) struct Lines {
    lines: HashMap<Arc<str>, BTreeMap<u64, Waiter>>,
    arrivals: u64,
}

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
        line.insert(self.arrivals, waiter);
        self.arrivals
    }

    fn leave(&mut self, model: &str, number: u64) -> Option<Waiter> {
        let line = self.lines.get_mut(model)?;
        let waiter = line.remove(&number);
        if line.is_empty() {
            self.lines.remove(model);
        }
        waiter
    }

    /// Takes out the longest waiting that this backend can serve.
    pub(super) fn first(
        &mut self,
        backend: BackendId,
        serves: impl Fn(&str) -> bool,
    ) -> Option<Waiter> {
        let served = self.lines.iter().filter(|(model, _)| serves(model));
        let first = served.filter_map(|(model, line)| {
            let mut able = line.iter().filter(|(_, w)| !w.tried.contains(&backend));
            able.next().map(|(number, _)| (*number, model.clone()))
        });
        let (number, model) = first.min()?;
        self.leave(&model, number)
    }
}

impl Waiter {
    /// Hands the place over. The receiver lives until its entry is out of the line, so it is
    /// there; a receiver dropped later gives the place back by dropping it.
    pub(super) fn hand(self, lease: Lease) {
        let _ = self.place.send(lease);
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
    tried: &[BackendId],
) -> Result<Lease, Error> {
    let busy = |what| Error::Busy {
        what,
        retry_after: 1,
    };
    let (place, mut called) = oneshot::channel();
    let number = {
        let mut load = places.lock();
        // A place may have come free since the caller looked.
        if let Some(lease) = places.take(&mut load, model, tried)? {
            return Ok(lease);
        }
        if load.lines.len(model) >= most {
            return Err(busy(
                "every backend of this model is busy and its queue is full",
            ));
        }
        let tried = tried.to_vec();
        load.lines.join(model, Waiter { tried, place })
    };
    // Declared after the channel, so dropped before it: out of the line first, then deaf.
    let standing = Standing {
        places,
        model,
        number,
    };
    let lease = match tokio::time::timeout(wait, &mut called).await {
        Ok(lease) => lease.ok(),
        Err(_) if standing.leave() => None,
        // Called at the last moment.
        Err(_) => called.try_recv().ok(),
    };
    lease.ok_or_else(|| busy("every backend of this model stayed busy"))
}
