//! The operator's templates.
use super::{Recall, RecallReport, RecallState};
use crate::{
    chat::{Ask, Secret},
    config::{MemoryConfig, PromptConfig},
    error::Error,
    memory::{Resident, UserKey},
    pool::Request,
};
use std::{collections::BTreeMap, sync::Arc};

/// The templates, checked at start.
pub struct Prompts {}

impl Prompts {
    /// Compiles and checks; the error names the template's key.
    pub fn new(_config: &PromptConfig) -> Result<Prompts, String> {
        todo!()
    }
}

/// All that a rendering needs beside the turn's own.
pub struct Rendering<'a> {
    /// Compiled templates.
    pub prompts: &'a Prompts,
    /// Budgets.
    pub memory: &'a MemoryConfig,
    /// Keys the fence's tag.
    pub secret: &'a Secret,
    /// Whose memory.
    pub user: Option<&'a UserKey>,
    /// What templates can read of the request.
    pub meta: &'a BTreeMap<String, String>,
    /// The model as the backends know it.
    pub model: &'a Arc<str>,
    /// The backend's context in tokens, where known.
    pub context: Option<usize>,
}

impl Rendering<'_> {
    /// Writes what was recalled into the request.
    pub fn write(&self, _ask: Ask, _recall: Recall) -> Result<(Request, RecallReport), Error> {
        todo!()
    }
}

impl Recall {
    /// Nothing, and why.
    pub fn none(state: RecallState) -> Self {
        Recall {
            state,
            resident: None,
            memories: Vec::new(),
            history: Vec::new(),
        }
    }
    /// What was picked of a resident.
    pub fn of(resident: Arc<Resident>, picked: crate::memory::Selection) -> Self {
        let empty = resident.profile.slots.values().all(|s| s.value.is_none())
            && picked.memories.is_empty()
            && picked.history.is_empty();
        let state = if empty {
            RecallState::Empty
        } else {
            RecallState::Hit
        };
        Recall {
            state,
            resident: Some(resident),
            memories: picked.memories,
            history: picked.history,
        }
    }
}
