//! The backends as ops read them.

use super::{Backend, Condition, Origin, Pool};
use crate::config::DialectName;
use std::{collections::BTreeSet, sync::Arc};
use tokio::time::Instant;

/// One backend, as ops read it.
#[derive(Clone, Debug, serde::Serialize, utoipa::ToSchema)]
pub struct BackendStatus {
    /// Its name.
    pub name: String,
    /// How it is spoken to.
    pub dialect: DialectName,
    /// Where it is; never with credentials.
    pub url: String,
    /// Who said last what it is.
    pub origin: Origin,
    /// It has left the pool: what is under way goes on, and nothing new comes.
    pub draining: bool,
    /// What it serves, aliases too.
    pub models: Vec<String>,
    /// The smallest context of its models, in tokens, where known.
    pub context: Option<usize>,
    /// Leases that are out.
    pub in_flight: usize,
    /// Turns that wait for a model it serves.
    pub waiting: usize,
    /// Requests at once; `null`: no limit.
    pub max_concurrent: Option<usize>,
    /// How much it can do beside others; `null`: it is found out.
    pub weight: Option<u32>,
    /// Whether what is known of users may go there.
    pub takes_memory: bool,
    /// Requests it answered with a good head.
    pub served: u64,
    /// Exchanges that failed, before the answer or in the middle of it.
    pub failed: u64,
    /// When it last answered anything, in Unix milliseconds.
    pub last_seen_ms: Option<i64>,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// When that was, in Unix milliseconds.
    pub last_error_ms: Option<i64>,
    /// Whether it can be routed to.
    #[serde(flatten)]
    pub condition: Condition,
}

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
