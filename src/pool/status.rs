//! The backends as ops read them.

use super::{Backend, BackendStatus, Pool};
use std::{collections::BTreeSet, sync::Arc};
use tokio::time::Instant;

impl Pool {
    /// Every backend, those that leave too.
    pub fn status(&self) -> Vec<BackendStatus> {
        let (here, leaving) = {
            let mut members = self.members();
            members.leaving.retain(|b| b.gauge.in_flight() > 0);
            (members.backends.clone(), members.leaving.clone())
        };
        let here = here.iter().map(|backend| self.status_of(backend, false));
        let leaving = leaving.iter().map(|backend| self.status_of(backend, true));
        here.chain(leaving).collect()
    }

    pub(super) fn status_of(&self, backend: &Arc<Backend>, draining: bool) -> BackendStatus {
        let catalog = self.places.catalog();
        let (in_flight, waiting) = self.places.gauges(backend);
        let served = catalog.iter();
        let served = served.filter(|(_, e)| e.legs().any(|leg| leg.backend.id == backend.id));
        let legs = catalog.iter().flat_map(|(_, entry)| entry.legs());
        let legs = legs.filter(|leg| leg.backend.id == backend.id);
        let own: BTreeSet<&Arc<str>> = legs.map(|leg| &leg.name).collect();
        let (models, contexts): (Vec<_>, Vec<_>) = served
            .map(|(name, e)| (name.to_string(), e.context))
            .unzip();
        let mut status = BackendStatus {
            name: backend.name.to_string(),
            dialect: backend.dialect,
            url: backend.url.clone(),
            origin: backend.said.origin,
            draining,
            models,
            context: contexts.into_iter().flatten().min(),
            in_flight,
            waiting,
            max_concurrent: backend.max_concurrent,
            weight: backend.weight,
            takes_memory: backend.takes_memory(),
            served: 0,
            failed: 0,
            last_seen_ms: None,
            last_error: None,
            last_error_ms: None,
            condition: backend.health.condition(own.into_iter(), Instant::now()),
        };
        backend.seen.report(&mut status);
        status
    }
}
