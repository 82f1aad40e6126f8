//! The store: the only place that knows SQL exists. Reads go through a small pool; writes stand in
//! a queue that one committer empties in groups. Pools and committer live on a runtime of their
//! own, so that a blocked commit blocks no worker.

mod attempt;
pub mod audit;
mod changes;
mod command;
mod committer;
mod database;
mod delete_turn;
mod delivered;
mod directory;
pub mod embedding;
mod entity;
mod erase;
pub mod extraction;
mod import;
mod keep;
mod ledger;
mod outage;
pub mod pages;
mod past;
mod privacy;
mod probe;
mod queue;
mod read;
mod retention;
mod rows;
mod scrub;
mod settle;
mod shared;
mod spool;
#[cfg(test)]
mod tests;
mod turnstile;
mod upsert;
mod wish;

use crate::{
    config::Config,
    error::Error,
    memory::{
        Resident, Residents, Rules, SLOT_NAME_BYTES, Undelivered, Unembedded, UserKey,
        extract::Gathering,
    },
    runtime::Own,
};
pub use command::{
    Command, Delivered, Erased, HeldBack, Remains, SaidIn, TurnDeleted, Upsert, Upserted,
};
pub use import::{Import, Imported};
pub use ledger::Spending;
pub use privacy::{Ask, Deed, Done, Erasure, Reply};
use shared::Shared;
use std::{
    future::Future,
    sync::{Arc, atomic::Ordering::SeqCst, mpsc},
    time::Duration,
};

/// One for the committer, one for reads beside it.
const THREADS: usize = 2;
/// A start waits so long for the replay of what an earlier run left; then it goes on degraded.
const REPLAY_WAIT: Duration = Duration::from_secs(10);
/// A close waits so long for the queue to empty.
const CLOSE_WAIT: Duration = Duration::from_secs(30);

/// Why a store did not open or answer. Its text never holds a password.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct StoreError(pub String);

/// A handle; clones share. It must be closed: dropping the last clone is a crash, survived like
/// any other.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
    runtime: Arc<Own>,
}

/// The store's runtime.
fn own() -> Result<Own, StoreError> {
    Own::new("store", THREADS).map_err(|e| StoreError(format!("cannot start a thread: {e}")))
}

/// Runs on the store's threads, and blocks this one.
fn wait<T: Send + 'static>(
    runtime: &Own,
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T, StoreError> {
    let (reply, answer) = mpsc::sync_channel(1);
    runtime.spawn(async move { reply.send(work.await) });
    answer
        .recv()
        .map_err(|_| StoreError("the store crashed at its start".into()))
}

/// Applies the migrations that are missing, and nothing else.
pub fn migrate(config: &Config) -> Result<(), StoreError> {
    let runtime = own()?;
    let opening = Shared::open(config, Arc::new(Residents::new(0)))?;
    wait(&runtime, async move { opening.open().await.map(drop) })?
}

/// Whether the database can be reached, in words; changes nothing.
pub fn probe(config: &Config) -> Result<String, StoreError> {
    let file = config.server.data.join(database::FILE);
    let place = database::Place::of(&config.store, file)?;
    wait(&own()?, async move { place.probe().await })?
}

impl Store {
    /// Opens (and migrates) the database, locks the data directory, replays the spool, starts the
    /// committer. Blocks until all that is done, or gives the replay up for now.
    pub fn open(config: &Config, residents: Arc<Residents>) -> Result<Store, StoreError> {
        let runtime = own()?;
        let opening = Shared::open(config, residents)?;
        let shared = Arc::new(wait(&runtime, opening.open())??);
        let starting = shared.clone();
        runtime.spawn(async move {
            committer::run(starting.clone()).await;
            starting.ended.open();
        });
        shared.ready.wait(REPLAY_WAIT);
        let runtime = Arc::new(runtime);
        Ok(Store { shared, runtime })
    }

    /// What the remote memory has not taken yet; `None`: there is none, profiles are kept here.
    pub fn undelivered(&self) -> Option<Arc<Undelivered>> {
        self.shared.undelivered.clone()
    }

    /// Puts a command into the committer's queue. Never blocks.
    pub fn enqueue(&self, command: Command) {
        if let Command::Upsert(upsert, _) = &command
            && let Err(error) = check(upsert, &self.shared.rules)
        {
            if let Command::Upsert(_, reply) = command {
                let _ = reply.send(Err(error));
            }
            return;
        }
        self.shared.queue.push(command);
    }

    /// The store does not answer; write-backs go to the spool.
    pub fn is_down(&self) -> bool {
        self.shared.down.load(SeqCst)
    }

    /// The spool is full as well: memory is off.
    pub fn spool_full(&self) -> bool {
        self.shared.full.load(SeqCst)
    }

    /// Whether this process is the only writer (SQLite), so that its cache is the truth.
    pub fn owns_cache(&self) -> bool {
        self.shared.place.is_ours()
    }

    /// Reads a user: profile, latest turns, unsettled ones included; fills the cache. May be
    /// awaited on any runtime.
    pub async fn resident(&self, user: &UserKey) -> Result<Arc<Resident>, StoreError> {
        if let Some(resident) = self.shared.residents.get(user)
            && self.owns_cache()
            && !self.is_down()
        {
            return Ok(resident);
        }
        let gone = || StoreError("the store is closed".into());
        let (shared, user) = (self.shared.clone(), user.clone());
        let reading = self.runtime.spawn(async move { shared.read(&user).await });
        reading.ok_or_else(gone)?.await.map_err(|_| gone())?
    }

    /// Reads who a user is, without what they said: quick, however much that is.
    pub async fn profile(&self, user: &UserKey) -> Result<Arc<Resident>, StoreError> {
        let gone = || StoreError("the store is closed".into());
        let (shared, user) = (self.shared.clone(), user.clone());
        let reading = self
            .runtime
            .spawn(async move { shared.profile(&user).await });
        reading.ok_or_else(gone)?.await.map_err(|_| gone())?
    }

    /// How many turns all reads of users have brought from the database.
    pub fn turns_read(&self) -> u64 {
        self.shared.turns_read.load(SeqCst)
    }

    /// Whose turns wait to be read by the extraction model.
    pub fn gathering(&self) -> &Gathering {
        &self.shared.gathering
    }

    /// Whose memories may lack vectors; `None`: no embedding model is configured.
    pub fn unembedded(&self) -> Option<&Unembedded> {
        self.shared.unembedded.as_ref()
    }

    /// What a profile may hold.
    pub fn rules(&self) -> &Rules {
        &self.shared.rules
    }

    /// Reads something on the store's own runtime, in time or not at all.
    pub async fn reading<T, F>(
        &self,
        read: impl FnOnce(Arc<database::Database>) -> F + Send + 'static,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, sea_orm::DbErr>> + Send + 'static,
    {
        let gone = || StoreError("the store is closed".into());
        let shared = self.shared.clone();
        // Somebody may have been erased whose rows are still there.
        if self.is_down() {
            return Err(StoreError("the store is down".into()));
        }
        let reading = self.runtime.spawn(async move {
            let read = read(shared.database());
            match tokio::time::timeout(shared.ack_timeout, read).await {
                Ok(done) => done.map_err(|error| shared.place.error(&error)),
                Err(_) => Err(StoreError("the store does not answer".into())),
            }
        });
        reading.ok_or_else(gone)?.await.map_err(|_| gone())?
    }

    /// The secret that keys hashes, made once and kept in the store.
    pub fn secret(&self) -> [u8; 32] {
        self.shared.secret
    }

    /// Empties the queue and closes the connections. Blocks meanwhile.
    pub fn close(&self) {
        self.shared.queue.close();
        self.shared.ended.wait(CLOSE_WAIT);
        self.shared.leave();
    }
}

/// Whether the slots can be kept at all.
fn check(upsert: &Upsert, rules: &Rules) -> Result<(), Error> {
    for ((topic, key), value) in &upsert.slots {
        if value.is_some() && !rules.has(topic, key) {
            let detail = "there is no such topic or key, and `memory.strict` takes no others";
            return Err(Error::invalid(format!("{topic:.40}.{key:.40}"), detail));
        }
        if let (Some(value), Some(most)) = (value, rules.most_chars(topic))
            && value.chars().count() > most
        {
            let detail = format!("a value of this topic has at most {most} characters");
            return Err(Error::invalid(format!("{topic:.40}.{key:.40}"), detail));
        }
        for name in [topic, key] {
            if name.is_empty() || name.len() > SLOT_NAME_BYTES || name.contains(char::is_control) {
                let detail = format!(
                    "topics and keys have 1 to {SLOT_NAME_BYTES} bytes and no control characters"
                );
                return Err(Error::invalid(format!("{topic:.40}.{key:.40}"), detail));
            }
        }
    }
    Ok(())
}

/// The time, in Unix milliseconds.
pub fn now_ms() -> i64 {
    (time::OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000) as i64
}
