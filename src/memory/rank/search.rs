//! The ranking: every signal as a part of one sum, so that a result can be explained by it.

use super::{
    Explain, Hit, Index, Query,
    date::{self, Days},
    meaning::Meaning,
    role,
    score::{Score, Scores},
    sought::sought,
    view::View,
    weights::Weights,
};
use std::cmp::Ordering;

impl Index {
    /// The `k` memories that matter most, best first. Equal ones: the newer, then the lower id.
    pub fn search(&self, query: &Query<'_>, k: usize) -> Vec<Hit> {
        self.ranked(query, k, &Weights::default())
    }

    pub(crate) fn ranked(&self, query: &Query<'_>, k: usize, weights: &Weights) -> Vec<Hit> {
        let view = View::new(self, query.hidden);
        // Whoever says nothing is not there.
        let speakers = self.speakers.iter().enumerate();
        let present = |n| view.speaks(n);
        let names = speakers.clone().filter(|(n, _)| present(*n));
        let names: Vec<_> = names.flat_map(|(_, s)| s.name.iter().copied()).collect();
        let roles = speakers.map(|(n, s)| if present(n) { &*s.role } else { "" });
        let scores = self.scores(&view, &sought(query, &names, weights), weights);
        let best = scores
            .docs
            .iter()
            .map(|score| score.question)
            .fold(0.0, f32::max);
        let signals = Signals {
            meaning: query.semantic.map(Meaning::new),
            weights,
            days: date::days(query.text, query.now_ms, query.utc_offset_min),
            roles: role::wanted(query.text, roles),
            unit: if best > 0.0 { best } else { 1.0 },
            scores,
        };
        let mut hits: Vec<Hit> = Vec::new();
        for session in 0..self.sessions.len() {
            let docs = view.session_docs(session);
            let found =
                (0..docs.len()).filter_map(|place| self.hit(session, docs, place, &signals));
            hits.extend(found);
        }
        if k < hits.len() {
            hits.select_nth_unstable_by(k, |a, b| self.order(a, b));
            hits.truncate(k);
        }
        hits.sort_unstable_by(|a, b| self.order(a, b));
        hits
    }

    /// Best first.
    fn order(&self, a: &Hit, b: &Hit) -> Ordering {
        let key = |hit: &Hit| self.doc(hit.doc).map(|doc| (doc.at_ms, &doc.id));
        let tied = || match (key(a), key(b)) {
            (Some((a_ms, a_id)), Some((b_ms, b_id))) => b_ms.cmp(&a_ms).then(a_id.cmp(b_id)),
            _ => Ordering::Equal,
        };
        let scores = b.score.total_cmp(&a.score).then_with(tied);
        scores.then(a.doc.cmp(&b.doc))
    }

    /// What speaks for the document at a place of a session, if anything does.
    fn hit(
        &self,
        session: usize,
        docs: &[u32],
        place: usize,
        signals: &Signals<'_>,
    ) -> Option<Hit> {
        let (weights, doc) = (signals.weights, docs[place] as usize);
        let at = |place: Option<usize>| {
            let near = place
                .and_then(|place| docs.get(place))
                .map(|&near| near as usize);
            let near = near.filter(|&near| self.in_turn(near, doc));
            near.map_or_else(Score::default, |near| signals.scores.docs[near])
        };
        let before = at(place.checked_sub(1));
        let before_that = at(place.checked_sub(2));
        let after = at(place.checked_add(1));
        let around = |part: fn(&Score) -> f32| {
            weights.before * part(&before)
                + weights.before_that * part(&before_that)
                + weights.after * part(&after)
        };
        let own = signals.scores.docs[doc];
        let mut why = Explain {
            lexical: own.question.into(),
            neighbours: around(|score| score.question).into(),
            session: (weights.session * signals.scores.sessions[session]).into(),
            date: self.date(doc, signals).into(),
            role: 0.0,
            asking: 0.0,
            chat: (own.chat + around(|score| score.chat)).into(),
            semantic: signals.semantic(doc).into(),
        };
        if why.total() <= 0.0 {
            return None;
        }
        // Who said it alone is no reason.
        if signals.roles[self.speaker_of[doc] as usize] {
            why.role = (weights.role * signals.unit).into();
        }
        if self.asking[doc] {
            // Less, but never nothing.
            why.asking = -f64::from(weights.asking * signals.unit).min(why.total() / 2.0);
        }
        let score = why.total();
        Some(Hit { doc, score, why })
    }

    /// Whether one was said before the other, as far as is known: what came in with one time has
    /// no order, but for the two sides of a turn.
    fn in_turn(&self, a: usize, b: usize) -> bool {
        let (Some(a), Some(b)) = (self.doc(a), self.doc(b)) else {
            return false;
        };
        a.at_ms != b.at_ms || a.id == b.id
    }

    fn date(&self, doc: usize, signals: &Signals<'_>) -> f32 {
        let at_ms = self.doc(doc).map_or(i64::MIN, |doc| doc.at_ms);
        signals.weights.date * signals.unit * signals.days.nearness(at_ms)
    }
}

/// All that a search knows before it looks at each document.
struct Signals<'a> {
    /// What the memories mean, where that is known.
    meaning: Option<Meaning<'a>>,
    weights: &'a Weights,
    scores: Scores,
    /// The days that the question names.
    days: Days,
    /// By speaker: whether the question asks for their words.
    roles: Vec<bool>,
    /// The best lexical score, in which signals that have no words are measured.
    unit: f32,
}

impl Signals<'_> {
    fn semantic(&self, doc: usize) -> f32 {
        let meaning = self.meaning.as_ref();
        meaning.map_or(0.0, |meaning| self.unit * meaning.worth(doc))
    }
}
