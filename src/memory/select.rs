//! Which turns matter now: the latest, within their budget, without those the request carries.
use super::{KeptTurn, Resident, TurnId};
use crate::{config::MemoryConfig, prompt::RecalledTurn};
use std::{collections::HashSet, sync::Arc};

/// What was picked.
#[derive(Default)]
pub struct Selection {
    /// Turns that matter now, most relevant first.
    pub memories: Vec<RecalledTurn>,
    /// The asked conversation's last turns, oldest first.
    pub history: Vec<Arc<KeptTurn>>,
}

/// Picks.
pub fn select(
    _config: &MemoryConfig,
    _resident: &Resident,
    _this: &TurnId,
    _present: &HashSet<u64>,
    _conversation: Option<&str>,
) -> Selection {
    todo!()
}
