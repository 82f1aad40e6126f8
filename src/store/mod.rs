//! The store: the only place that knows SQL exists. Reads go through a small pool; writes stand in
//! a queue that one committer empties in groups, on a runtime of its own.

use crate::{
    config::Config,
    error::Error,
    memory::{Ack, Profile, Resident, Residents, TurnId, UserKey, Writeback},
};
use std::{collections::BTreeMap, sync::Arc};
use tokio::sync::oneshot;

/// One write for the committer, with the channel its outcome goes to.
pub enum Command {
    /// Keep a turn. Answered once it is durable, or is not going to be.
    Keep(Arc<Writeback>, oneshot::Sender<Ack>),
    /// The user's own upsert.
    Upsert(Upsert, oneshot::Sender<Result<Profile, Error>>),
    /// Erase all of a user; answers with counts.
    Erase(UserKey, oneshot::Sender<Result<Erased, Error>>),
}

/// `PUT /api/v1/memory`
#[derive(Clone, Debug)]
pub struct Upsert {
    /// Whose profile.
    pub user: UserKey,
    /// (topic, key) → value; `None` removes.
    pub slots: BTreeMap<(String, String), Option<String>>,
    /// `If-Match`: only on this version.
    pub on_version: Option<u64>,
}

/// What an erase removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct Erased {
    /// Values of the profile.
    pub profile: u64,
    /// Superseded values.
    pub history: u64,
    /// Turns.
    pub turns: u64,
    /// Turns not settled yet.
    pub outbox: u64,
    /// Write-backs in the spool.
    pub spool: u64,
}

/// A handle; clones share.
#[derive(Clone)]
pub struct Store {}

/// Why a store did not open or answer. Its text never holds a password.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct StoreError(pub String);

impl Store {
    /// Opens (and migrates) the database, locks the data directory, replays the spool, starts the
    /// committer.
    pub fn open(_config: &Config, _residents: Arc<Residents>) -> Result<Store, StoreError> {
        todo!()
    }
    /// Puts a command into the committer's queue. Never blocks.
    pub fn enqueue(&self, _command: Command) {
        todo!()
    }
    /// The store does not answer; write-backs go to the spool.
    pub fn is_down(&self) -> bool {
        todo!()
    }
    /// The spool is full as well: memory is off.
    pub fn spool_full(&self) -> bool {
        todo!()
    }
    /// Whether this process is the only writer (SQLite), so that its cache is the truth.
    pub fn owns_cache(&self) -> bool {
        todo!()
    }
    /// Reads a user: profile, latest turns, unsettled ones included; fills the cache.
    pub async fn resident(&self, _user: &UserKey) -> Result<Arc<Resident>, StoreError> {
        todo!()
    }
    /// The secret that keys hashes, made once and kept in the store.
    pub fn secret(&self) -> [u8; 32] {
        todo!()
    }
    /// Empties the queue and closes the connections.
    pub fn close(&self) {
        todo!()
    }
}

#[allow(unused)]
fn _t(_: TurnId) {}
