//! What the first steps of tool loops recalled, noted for their later ones. These would choose the
//! same again, but for what was under way while the first one chose: a turn, or what a text means.

use super::TurnId;
use crate::prompt::RecalledTurn;
use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Tool loops of one user that may be going on at the same time.
const MOST: usize = 16;

/// See the file's head.
#[derive(Default)]
pub struct Picks(Mutex<VecDeque<(TurnId, Vec<RecalledTurn>)>>);

impl Picks {
    /// What a turn's first step recalled, if it was here and not too long ago.
    pub fn of(&self, turn: &TurnId) -> Option<Vec<RecalledTurn>> {
        let picks = self.lock();
        let found = picks.iter().find(|(id, _)| id == turn);
        found.map(|(_, picked)| picked.clone())
    }

    /// Notes what a turn's first step recalled.
    pub fn note(&self, turn: &TurnId, picked: Vec<RecalledTurn>) {
        let mut picks = self.lock();
        picks.retain(|(id, _)| id != turn);
        picks.push_back((turn.clone(), picked));
        if picks.len() > MOST {
            picks.pop_front();
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(TurnId, Vec<RecalledTurn>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
