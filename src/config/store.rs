//! Where memory is kept, and how durably.

use serde::{Deserialize, Serialize};

/// `[store]`
#[derive(Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreConfig {
    /// `postgres://…`; empty: a SQLite file in the data directory.
    pub url: String,
    /// SQLite's `synchronous`: `normal` survives the death of the process, `full` a power cut.
    pub sync: Sync,
    /// How long the end of an answer waits for its commit before it goes to the spool.
    pub ack_timeout_ms: u64,
    /// The most the spool may hold; full: memory is off until the store is back.
    pub spool_bytes: u64,
    /// Most write-backs in one transaction.
    pub group: usize,
    /// Connections for reading.
    pub readers: u32,
    /// SQLite: after an erase a file up to this size is written anew at once, a larger one at the next
    /// start.
    pub rewrite_bytes: u64,
}

impl Default for StoreConfig {
    fn default() -> Self {
        StoreConfig {
            url: String::new(),
            sync: Sync::Normal,
            ack_timeout_ms: 2_000,
            spool_bytes: 64 << 20,
            group: 64,
            readers: 2,
            rewrite_bytes: 128 << 20,
        }
    }
}

/// SQLite's `synchronous`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Sync {
    /// Survives `kill -9`, not a power cut.
    Normal,
    /// Survives both.
    Full,
}
