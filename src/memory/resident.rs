//! What is in memory of the users who are here now: profile and latest turns, shared by all
//! workers, bounded in bytes.

use super::{KeptTurn, Profile, UserKey};
use std::{collections::VecDeque, sync::Arc};

/// How many of a user's latest turns are held ready.
pub const RECENT_TURNS: usize = 32;

/// One user, as recall needs them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resident {
    /// What is known of them.
    pub profile: Profile,
    /// The latest turns, oldest first.
    pub turns: VecDeque<Arc<KeptTurn>>,
    /// When they were erased last, Unix milliseconds (0: never): older write-backs are dropped.
    pub epoch_ms: i64,
}

/// The users who are here now.
pub struct Residents {}

impl Residents {
    /// At most so many bytes.
    pub fn new(_bytes: u64) -> Self {
        Residents {}
    }

    /// The user, if here.
    pub fn get(&self, _user: &UserKey) -> Option<Arc<Resident>> {
        None
    }
}
