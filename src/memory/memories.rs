//! All that a user said and was told, ready to be searched: an index that grows in place beside
//! the turns it was made of. It is shared by whoever holds the user, so that a commit adds to it
//! and copies nothing; a search sees what was committed before it began, or a little more.

use super::{
    KeptTurn, Sight, TurnId,
    documents::Documents,
    history::{Told, told},
    picks::Picks,
    rank::{Explain, Query, Semantic},
    vector::{Meant, Vector},
};
use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard},
};

/// From so many documents on a search is work for the blocking pool.
const MANY: usize = 1_000;

/// See the file's head.
#[derive(Default)]
pub struct Memories {
    kept: RwLock<Documents>,
    /// What the first steps of tool loops recalled.
    pub picks: Picks,
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
        let mut kept = Documents::default();
        turns.into_iter().for_each(|turn| kept.add(turn));
        kept.bytes = kept.index.bytes();
        Memories {
            kept: RwLock::new(kept),
            picks: Picks::default(),
        }
    }

    /// Adds a turn, or replaces the one of the same id.
    pub fn remember(&self, turn: &Arc<KeptTurn>) {
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        kept.add(turn);
        kept.tidy();
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

    fn read(&self) -> RwLockReadGuard<'_, Documents> {
        self.kept.read().unwrap_or_else(PoisonError::into_inner)
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
