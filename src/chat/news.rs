//! What of a request is new.
use super::ChatBody;
use crate::memory::{Said, TurnId, UserKey};
use std::collections::HashSet;

/// Keys every hash that leaves the server or names a turn.
#[derive(Clone)]
pub struct Secret(pub [u8; 32]);

/// What of a chat request is new.
#[derive(Default)]
pub struct News {
    /// The turn's id: the same for a retry, a regenerate and every step of a tool loop.
    pub turn: Option<TurnId>,
    /// What the user said.
    pub said: Option<Said>,
    /// Hashes of the user messages it carries.
    pub present: HashSet<u64>,
}

/// Reads it.
pub fn news(
    _secret: &Secret,
    _user: &UserKey,
    _conversation: Option<&str>,
    _body: &ChatBody,
) -> News {
    todo!()
}
