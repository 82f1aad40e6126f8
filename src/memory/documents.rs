//! A user's turns as documents: the index, and the turn that each of its numbers stands for.
//! Question and answer are a document each, and what was replaced is taken out in place.

use super::{
    KeptTurn, Sight, TurnId,
    history::history_tokens,
    rank::{Doc, Index},
    vector::{Vector, Vectors},
};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

/// The newest turns of a user that are searched.
pub const INDEXED_TURNS: usize = 20_000;
/// A replaced document leaves its number empty, until so many are, and a quarter of all.
const EMPTY: usize = 64;

/// See the file's head.
#[derive(Default)]
pub(super) struct Documents {
    pub(super) index: Index,
    /// The turn of each document, by its number.
    pub(super) turns: Vec<Arc<KeptTurn>>,
    /// And what it takes as history.
    pub(super) tokens: Vec<u32>,
    /// Each turn's documents.
    pub(super) places: HashMap<TurnId, Vec<usize>>,
    /// What documents mean; empty where nobody says.
    pub(super) vectors: Vectors,
    /// What the index took when it was made, and a guess at what was added since.
    pub(super) bytes: usize,
}

/// Beyond the cap a little grows, so that not every turn makes the index anew.
const fn most() -> usize {
    INDEXED_TURNS + INDEXED_TURNS / 10
}

impl Documents {
    /// The documents of the turn that asks.
    pub(super) fn own(&self, sight: &Sight) -> impl Iterator<Item = usize> {
        let docs = self.index.session_docs(&sight.conversation).iter();
        let docs = docs.map(|&doc| doc as usize);
        docs.filter(|&doc| sight.is(&self.turns[doc]))
    }

    /// The documents that it does not see.
    pub(super) fn hidden(&self, sight: &Sight) -> Vec<usize> {
        match sight.began_ms {
            None => self.own(sight).collect(),
            Some(_) => {
                let all = 0..self.turns.len();
                all.filter(|&doc| !sight.sees(&self.turns[doc])).collect()
            }
        }
    }

    /// Adds a turn, or replaces the one of the same id.
    pub(super) fn add(&mut self, turn: &Arc<KeptTurn>) {
        let user = if turn.role.is_empty() {
            "user"
        } else {
            &*turn.role
        };
        let mut sides = vec![(user, &turn.query), ("assistant", &turn.answer)];
        sides.retain(|(_, text)| !text.is_empty());
        let tokens = u32::try_from(history_tokens(turn)).unwrap_or(u32::MAX);
        let mut places = Vec::new();
        for place in self.places.remove(&turn.id).unwrap_or_default() {
            // A side that is there already stays.
            let doc = self.index.doc(place);
            let same = doc.is_some_and(|doc| {
                let same =
                    |(role, text): &(&str, &Arc<str>)| *role == &*doc.role && **text == doc.text;
                let at = sides.iter().position(same);
                at.map(|at| sides.remove(at)).is_some()
            });
            self.turns[place] = turn.clone();
            self.tokens[place] = tokens;
            if same {
                places.push(place);
            } else {
                self.index.remove(place);
                self.vectors.unset(place);
            }
        }
        for (role, text) in sides {
            places.push(self.turns.len());
            self.bytes += 6 * text.len() + 200;
            self.index.push(Doc {
                id: turn.id.clone(),
                session: turn.conversation.clone(),
                at_ms: turn.at_ms,
                role: role.into(),
                text: text.clone(),
            });
            self.turns.push(turn.clone());
            self.tokens.push(tokens);
        }
        self.places.insert(turn.id.clone(), places);
    }

    /// Says what a text of a turn means, if it is there.
    pub(super) fn embed(&mut self, turn: &TurnId, text: &str, vector: &Vector) {
        for &place in self.places.get(turn).into_iter().flatten() {
            if self.index.doc(place).is_some_and(|doc| *doc.text == *text) {
                self.vectors.set(place, vector);
            }
        }
    }

    /// Makes it anew, where that is due.
    pub(super) fn tidy(&mut self) {
        let empty = self.turns.len() - self.index.len();
        if empty > EMPTY.max(self.turns.len() / 4) || self.places.len() > most() {
            self.rebuild();
        }
    }

    /// Makes it anew of the newest turns.
    fn rebuild(&mut self) {
        let old = std::mem::take(self);
        let turns = old.places.values().filter_map(|places| places.first());
        let mut turns: Vec<_> = turns.map(|&place| old.turns[place].clone()).collect();
        turns.sort_by(|a, b| (a.at_ms, &a.id).cmp(&(b.at_ms, &b.id)));
        let newest = turns.len().saturating_sub(INDEXED_TURNS);
        for turn in &turns[newest..] {
            self.add(turn);
            for &place in &old.places[&turn.id] {
                if let (Some(doc), Some(vector)) = (old.index.doc(place), old.vectors.get(place)) {
                    self.embed(&turn.id, &doc.text, &vector);
                }
            }
        }
        self.bytes = self.index.bytes();
    }

    /// Which turns and texts there are.
    pub(super) fn live(&self) -> HashSet<(&str, &str)> {
        let doc = |place| self.index.doc(place).map(|doc| (&*doc.id, &*doc.text));
        (0..self.turns.len()).filter_map(doc).collect()
    }
}
