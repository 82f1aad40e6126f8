//! What all workers of one server share: as atomics, or behind one cheap lock each. Whatever must
//! outlive a crashed actor lives here or behind it.

use crate::{
    chat::Secret, config::Config, graph::Replicas, memory::Residents, pool::Pool, prompt::Prompts,
    store::Store, supervise::Roster, web::tasks::TaskTable,
};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::SeqCst},
};
use tokio::sync::Semaphore;

/// One server's shared state.
pub struct State {
    /// As loaded.
    pub config: Config,
    /// Backends and their load.
    pub pool: Arc<Pool>,
    /// Reads, and the queue of the only writer.
    pub store: Store,
    /// The users who are here now.
    pub residents: Arc<Residents>,
    /// The operator's templates, checked.
    pub prompts: Prompts,
    /// Keys the hashes that name turns and fence memory; the same on every replica and after a
    /// restart, for it lies in the store.
    pub secret: Secret,
    /// Places for turns: this, not the mailboxes, bounds the work.
    pub admission: Arc<Semaphore>,
    /// The vitals of every actor.
    pub roster: Roster,
    /// Every worker's replicas, for the fall-back.
    pub replicas: Replicas,
    /// Detached tasks and their logs.
    pub tasks: TaskTable,
    /// Readiness is 503.
    pub draining: AtomicBool,
    /// New requests are refused.
    pub closed: AtomicBool,
    /// Ends the server as SIGTERM does.
    pub stop: tokio::sync::Notify,
}

impl State {
    /// Whether new work is taken.
    pub fn admits(&self) -> bool {
        !self.closed.load(SeqCst)
    }

    /// Turns in flight: permits that are out.
    pub fn inflight(&self) -> usize {
        self.config.limits.max_inflight - self.admission.available_permits()
    }
}
