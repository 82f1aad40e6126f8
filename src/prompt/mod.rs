//! Rendering: profile into the first system message, memories to the head of the last user
//! message, through the operator's templates, as fenced data.

mod blocks;
mod built_in;
mod echo;
mod inert;
mod native;
mod rendering;
mod template;
mod tongue;

pub use echo::without_recalled;
pub use inert::{inert, shown};
pub use rendering::Rendering;
pub use template::Prompts;

use crate::memory::{At, KeptTurn, Resident, Selection, Told};
use std::sync::Arc;

/// How recall went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum RecallState {
    /// Something was found.
    Hit,
    /// Nothing is known yet.
    Empty,
    /// It took too long; the turn went on with who the user is, or without.
    Timeout,
    /// The store is down; the turn went on without.
    Degraded,
    /// Memory is off for this request, or it names no user.
    Off,
    /// The backend refused the edited request and got the plain one.
    Rejected,
}

impl RecallState {
    /// As in the `x-sundynix-memory` header.
    pub fn name(self) -> &'static str {
        match self {
            RecallState::Hit => "hit",
            RecallState::Empty => "empty",
            RecallState::Timeout => "timeout",
            RecallState::Degraded => "degraded",
            RecallState::Off => "off",
            RecallState::Rejected => "rejected",
        }
    }
}

/// What recall brought, on its way to the prompt.
#[derive(Clone)]
pub struct Recall {
    /// How it went.
    pub state: RecallState,
    /// Who the user is; shared with the cache, never copied.
    pub resident: Option<Arc<Resident>>,
    /// The turns that matter now, most relevant first.
    pub memories: Vec<RecalledTurn>,
    /// Values of the profile that answer what is asked, most relevant first; where it is too large.
    pub facts: Vec<At>,
    /// Native surface: the conversation's last turns, oldest first.
    pub history: Vec<Told>,
}

/// One recalled turn.
#[derive(Clone)]
pub struct RecalledTurn {
    /// The turn.
    pub turn: Arc<KeptTurn>,
    /// How much it matters (1 = most).
    pub score: f64,
    /// What it costs in the prompt.
    pub tokens: usize,
}

/// What the caller is told of the recall.
#[derive(Clone, Debug)]
pub struct RecallReport {
    /// How it went.
    pub state: RecallState,
    /// The version of the profile that was used.
    pub profile_version: u64,
    /// What went into the prompt: (turn id, score, tokens).
    pub items: Vec<(Arc<str>, f64, usize)>,
    /// What profile and memories take of it, in tokens.
    pub tokens: usize,
}

impl Recall {
    /// Nothing, and why.
    pub fn none(state: RecallState) -> Self {
        Recall {
            state,
            resident: None,
            memories: Vec::new(),
            facts: Vec::new(),
            history: Vec::new(),
        }
    }

    /// What answers was not found in time.
    pub fn late(self) -> Self {
        Recall {
            state: RecallState::Timeout,
            ..self
        }
    }

    /// What was picked of a resident.
    pub fn of(resident: Arc<Resident>, facts: Vec<At>, picked: Selection) -> Self {
        let empty = resident.profile.slots.values().all(|s| s.value.is_none())
            && picked.memories.is_empty()
            && picked.history.is_empty();
        Recall {
            state: if empty {
                RecallState::Empty
            } else {
                RecallState::Hit
            },
            resident: Some(resident),
            memories: picked.memories,
            facts,
            history: picked.history,
        }
    }
}
