//! All that a user said and was told, ready to be searched: an index that grows in place beside
//! the turns it was made of. It is shared by whoever holds the user, so that a commit adds to it
//! and copies nothing; a search sees what was committed before it began, or a little more.

use super::{
    KeptTurn, Sight, TurnId,
    history::{Told, history_tokens, told},
    rank::{Doc, Explain, Index, Query, Semantic},
    vector::{Meant, Vector, Vectors},
};
use crate::prompt::RecalledTurn;
use std::{
    collections::{HashMap, HashSet, VecDeque},
    fmt,
    sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard},
};

/// The newest turns of a user that are searched.
pub const INDEXED_TURNS: usize = 20_000;
/// From so many documents on a search is work for the blocking pool.
const MANY: usize = 1_000;
/// A replaced document leaves its number empty, until so many are, and a quarter of all.
const EMPTY: usize = 64;

/// Tool loops that may be going on at the same time.
const PICKS: usize = 16;

/// See the file's head.
#[derive(Default)]
pub struct Memories {
    kept: RwLock<Kept>,
    /// What the first steps of tool loops recalled. Later ones would choose the same again, but
    /// for what was under way while the first one chose: a turn, or what a text means.
    picks: Mutex<VecDeque<(TurnId, Vec<RecalledTurn>)>>,
}

#[derive(Default)]
struct Kept {
    index: Index,
    /// The turn of each document, by its number.
    turns: Vec<Arc<KeptTurn>>,
    /// And what it takes as history.
    tokens: Vec<u32>,
    /// Each turn's documents.
    places: HashMap<TurnId, Vec<usize>>,
    /// What documents mean; empty where nobody says.
    vectors: Vectors,
    /// What the index took when it was made, and a guess at what was added since.
    bytes: usize,
}

/// A turn that matters to what is asked.
#[derive(Clone, Debug)]
pub struct Ranked {
    /// The turn.
    pub turn: Arc<KeptTurn>,
    /// How much it matters, within this search.
    pub score: f64,
    /// Why: of the side of it that matters more.
    pub why: Explain,
    /// Its sides that were found, the better one first.
    pub texts: Vec<Arc<str>>,
}

impl Memories {
    /// Makes the index of these turns, in the order of time.
    pub fn of<'a>(turns: impl IntoIterator<Item = &'a Arc<KeptTurn>>) -> Self {
        let mut kept = Kept::default();
        turns.into_iter().for_each(|turn| kept.add(turn));
        kept.bytes = kept.index.bytes();
        Memories {
            kept: RwLock::new(kept),
            picks: Mutex::default(),
        }
    }

    /// Adds a turn, or replaces the one of the same id.
    pub fn remember(&self, turn: &Arc<KeptTurn>) {
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        kept.add(turn);
        let empty = kept.turns.len() - kept.index.len();
        if empty > EMPTY.max(kept.turns.len() / 4) || kept.places.len() > most() {
            kept.rebuild();
        }
    }

    /// How many documents there are.
    pub fn len(&self) -> usize {
        self.read().index.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether a search is work for the blocking pool.
    pub fn are_many(&self) -> bool {
        self.len() > MANY
    }

    /// About what they take in memory.
    pub fn bytes(&self) -> usize {
        let kept = self.read();
        kept.bytes + kept.vectors.bytes()
    }

    /// Says what a text of a turn means, if it is there.
    pub fn embed(&self, turn: &TurnId, text: &str, vector: &Vector) {
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        kept.embed(turn, text, vector);
    }

    /// The same of a side of a turn: of its answer, or of what the user said.
    pub fn embed_side(&self, turn: &TurnId, answer: bool, vector: &Vector) {
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        let place = kept.places.get(turn).and_then(|places| places.first());
        if let Some(found) = place.map(|&place| kept.turns[place].clone()) {
            let text = if answer { &found.answer } else { &found.query };
            kept.embed(turn, text, vector);
        }
    }

    /// Whether of any document it is known what it means.
    pub fn have_vectors(&self) -> bool {
        !self.read().vectors.is_empty()
    }

    /// The `k` turns that matter most, best first; with `meant`, by what they mean as well.
    pub fn rank(
        &self,
        query: &Query<'_>,
        meant: Option<&Meant>,
        k: usize,
        sight: &Sight,
    ) -> Vec<Ranked> {
        let kept = self.read();
        let hidden = kept.hidden(sight);
        let likeness = meant.map(|meant| kept.vectors.likeness(&meant.vector, &hidden));
        let semantic = likeness
            .as_ref()
            .zip(meant)
            .map(|(likeness, meant)| Semantic {
                likeness,
                weight: meant.weight,
            });
        let query = &Query {
            hidden: &hidden,
            semantic,
            ..*query
        };
        let mut found: Vec<Ranked> = Vec::new();
        // Both sides of a turn may be among them.
        for hit in kept.index.search(query, 2 * k) {
            let (Some(turn), Some(doc)) = (kept.turns.get(hit.doc), kept.index.doc(hit.doc)) else {
                continue;
            };
            match found.iter().position(|ranked| ranked.turn.id == turn.id) {
                Some(at) => found[at].texts.push(doc.text.clone()),
                None if found.len() < k => found.push(Ranked {
                    turn: turn.clone(),
                    score: hit.score,
                    why: hit.why,
                    texts: vec![doc.text.clone()],
                }),
                None => {}
            }
        }
        found
    }

    /// The conversation's last turns that fit into a budget, oldest first, without some.
    pub fn told(
        &self,
        conversation: &str,
        budget: usize,
        without: impl Fn(&KeptTurn) -> bool,
    ) -> Vec<Told> {
        let kept = self.read();
        let docs = kept.index.session_docs(conversation).iter();
        let docs = docs.map(|&doc| doc as usize);
        let mut turns: Vec<_> = docs
            .map(|doc| (&kept.turns[doc], kept.tokens[doc] as usize))
            .collect();
        turns.sort_by_key(|(turn, _)| (turn.at_ms, &turn.id));
        turns.dedup_by_key(|(turn, _)| &turn.id);
        turns.retain(|(turn, _)| !without(turn));
        told(turns.into_iter(), budget)
    }

    /// When the turn that asks began, where it is kept.
    pub fn began(&self, sight: &Sight) -> Option<i64> {
        let kept = self.read();
        let own = kept.own(sight).map(|doc| kept.turns[doc].at_ms);
        own.max()
    }

    /// What a turn's first step recalled, if it was here and not too long ago.
    pub fn picked(&self, turn: &TurnId) -> Option<Vec<RecalledTurn>> {
        let picks = self.picks.lock().unwrap_or_else(PoisonError::into_inner);
        let found = picks.iter().find(|(id, _)| id == turn);
        found.map(|(_, picked)| picked.clone())
    }

    /// Notes what a turn's first step recalled.
    pub fn note_picked(&self, turn: &TurnId, picked: Vec<RecalledTurn>) {
        let mut picks = self.picks.lock().unwrap_or_else(PoisonError::into_inner);
        picks.retain(|(id, _)| id != turn);
        picks.push_back((turn.clone(), picked));
        if picks.len() > PICKS {
            picks.pop_front();
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, Kept> {
        self.kept.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Beyond the cap a little grows, so that not every turn makes the index anew.
const fn most() -> usize {
    INDEXED_TURNS + INDEXED_TURNS / 10
}

impl Kept {
    /// The documents of the turn that asks.
    fn own(&self, sight: &Sight) -> impl Iterator<Item = usize> {
        let docs = self.index.session_docs(&sight.conversation).iter();
        let docs = docs.map(|&doc| doc as usize);
        docs.filter(|&doc| sight.is(&self.turns[doc]))
    }

    /// The documents that it does not see.
    fn hidden(&self, sight: &Sight) -> Vec<usize> {
        match sight.began_ms {
            None => self.own(sight).collect(),
            Some(_) => {
                let all = 0..self.turns.len();
                all.filter(|&doc| !sight.sees(&self.turns[doc])).collect()
            }
        }
    }

    fn add(&mut self, turn: &Arc<KeptTurn>) {
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

    fn embed(&mut self, turn: &TurnId, text: &str, vector: &Vector) {
        for &place in self.places.get(turn).into_iter().flatten() {
            if self.index.doc(place).is_some_and(|doc| *doc.text == *text) {
                self.vectors.set(place, vector);
            }
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

    fn live(&self) -> HashSet<(&str, &str)> {
        let doc = |place| self.index.doc(place).map(|doc| (&*doc.id, &*doc.text));
        (0..self.turns.len()).filter_map(doc).collect()
    }
}

impl PartialEq for Memories {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other) || self.read().live() == other.read().live()
    }
}

impl Eq for Memories {}

impl fmt::Debug for Memories {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} documents", self.len())
    }
}

#[cfg(test)]
#[path = "memories_tests.rs"]
mod tests;
