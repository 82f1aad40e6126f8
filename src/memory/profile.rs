//! The resident profile: topic → key → value, with a version that only a real change raises.
//! `apply` is the one place that decides what a statement or a `PUT` does to it, so that what is
//! recalled before a turn is settled and what is settled afterwards cannot differ.

use super::{Op, Statement, TurnId};
use std::collections::BTreeMap;

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The user's own `PUT`: pinned.
    Put,
    /// Said outright, in this turn, in these words.
    Said {
        /// The turn it was said in.
        turn: TurnId,
        /// The words themselves.
        quote: String,
    },
}

/// One value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// The value; `None` is a tombstone: deleted, and no older turn may teach it again.
    pub value: Option<String>,
    /// Where it came from.
    pub source: Source,
    /// Since when it holds, Unix milliseconds.
    pub valid_from_ms: i64,
}

/// All that is known of one user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// The ETag: raised by one with each real change.
    pub version: u64,
    /// (topic, key) → value, tombstones included.
    pub slots: BTreeMap<(String, String), Slot>,
}

/// One slot that changed, for whoever keeps the rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Topic and key.
    pub at: (String, String),
    /// What stood there before.
    pub before: Option<Slot>,
    /// What stands there now.
    pub after: Slot,
}
