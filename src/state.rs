//! What all workers of one server share: as atomics, or behind one cheap lock each. Whatever must
//! outlive a crashed actor lives here or behind it.

use crate::{
    chat::Secret,
    config::Config,
    embedding::Embedding,
    extraction::Standing,
    graph::Replicas,
    memory::Residents,
    pool::{BadBackend, Pool},
    prompt::Prompts,
    remote::Remote,
    store::{Store, StoreError},
    supervise::Roster,
    web::tasks::TaskTable,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Instant,
};
use tokio::sync::{Notify, Semaphore};

/// Why a server could not be put together. Each says what to change.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A template that does not compile, or names something that is not there.
    #[error("{0}")]
    Prompt(String),
    /// A backend's settings.
    #[error(transparent)]
    Backend(#[from] BadBackend),
    /// The remote memory.
    #[error("{0}")]
    Remote(String),
    /// The database or the data directory.
    #[error("{0}")]
    Store(#[from] StoreError),
}

/// One server's shared state.
pub struct State {
    /// As loaded.
    pub config: Config,
    /// Backends and their load.
    pub pool: Arc<Pool>,
    /// Reads, and the queue of the only writer.
    pub store: Store,
    /// The server that remembers for this one, where there is one.
    pub remote: Option<Remote>,
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
    /// How extraction is.
    pub extraction: Standing,
    /// What asks an embedding model, where one is configured.
    pub embedding: Option<Embedding>,
    /// Detached tasks and their logs.
    pub tasks: TaskTable,
    /// Readiness is 503.
    pub draining: AtomicBool,
    /// New requests are refused.
    pub closed: AtomicBool,
    /// Ends the server as SIGTERM does.
    pub stop: Notify,
    /// When it was put together.
    pub started: Instant,
}

impl State {
    /// Puts a server's parts together; nothing runs yet but the store's committer. What can be
    /// judged without touching the disk comes first.
    pub fn assemble(config: Config) -> Result<Arc<State>, StartError> {
        let prompts = Prompts::new(&config.prompt).map_err(StartError::Prompt)?;
        let pool = Pool::new(&config)?;
        let residents = Arc::new(Residents::new(config.memory.cache_bytes));
        let store = Store::open(&config, residents.clone())?;
        let remote = Remote::open(&config, store.undelivered()).map_err(StartError::Remote)?;
        let secret = Secret(store.secret());
        Ok(Arc::new(State {
            secret,
            pool,
            store,
            remote,
            residents,
            prompts,
            admission: Arc::new(Semaphore::new(config.limits.max_inflight)),
            roster: Roster::default(),
            replicas: Replicas::default(),
            extraction: Standing::default(),
            embedding: Embedding::new(&config.memory.embeddings),
            tasks: TaskTable::default(),
            draining: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            stop: Notify::new(),
            started: Instant::now(),
            config,
        }))
    }

    /// Whether new work is taken.
    pub fn admits(&self) -> bool {
        !self.closed.load(SeqCst)
    }

    /// Turns in flight: permits that are out.
    pub fn inflight(&self) -> usize {
        self.config.limits.max_inflight - self.admission.available_permits()
    }
}
