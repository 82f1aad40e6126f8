//! Extraction: what a model is asked about a user's turns, how its answer is read, and what of it
//! is believed. Who calls the model, and when, is told in `src/extraction.rs`; what is written, in
//! `src/store/extraction/`.

mod about;
mod answer;
mod ask;
mod check;
mod clock;
mod gather;

pub use answer::{Bad, Item, Op, Reading, Spent, read};
pub use ask::{ask, plain_ask, repair};
pub use check::check;
pub use clock::Clock;
pub use gather::{Gathered, Gathering};

use super::TurnId;
use std::sync::Arc;

/// One turn of a flush.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlushTurn {
    /// Its row among those that wait.
    pub seq: i64,
    /// Its id.
    pub id: TurnId,
    /// Its conversation.
    pub conversation: Arc<str>,
    /// When it began, Unix milliseconds.
    pub at_ms: i64,
    /// What the user said: the only source of facts.
    pub query: Arc<str>,
    /// What was answered: context, never a source.
    pub answer: Arc<str>,
    /// How often it failed before.
    pub attempts: i64,
}
