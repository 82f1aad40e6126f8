//! The ranking itself.

use super::{
    Explain, Hit, Index, Query,
    token::{self, Kind, Term},
};
use std::collections::HashMap;

const K1: f32 = 1.2;
const B: f32 = 0.75;
/// A term that says little on its own.
const CHAR_WEIGHT: f32 = 0.5;

impl Index {
    /// The `k` memories that matter most, best first. Equal ones: the newer, then the lower id.
    pub fn search(&self, query: &Query<'_>, k: usize) -> Vec<Hit> {
        let lexical = self.lexical(&weights(query.text));
        let mut chat = vec![0.0; self.len()];
        let mut decay = 0.8;
        for (_, text) in query.context.iter().rev().take(4) {
            for (sum, score) in chat.iter_mut().zip(self.lexical(&weights(text))) {
                *sum += decay * score;
            }
            decay *= 0.8;
        }
        let mut hits = Vec::new();
        for (doc, (&own, &chat)) in lexical.iter().zip(&chat).enumerate() {
            let semantic = query.semantic.map_or(0.0, |semantic| {
                semantic.weight * semantic.similarities.get(doc).copied().unwrap_or_default()
            });
            let why = Explain {
                lexical: f64::from(own),
                neighbours: f64::from(self.neighbours(doc, &lexical)),
                chat: f64::from(chat),
                semantic: f64::from(semantic),
                ..Explain::default()
            };
            let score = why.total();
            if score > 0.0 {
                hits.push(Hit { doc, score, why });
            }
        }
        hits.sort_by(|a, b| {
            let (x, y) = (&self.entries[a.doc].doc, &self.entries[b.doc].doc);
            let newer = y.at_ms.cmp(&x.at_ms);
            b.score
                .total_cmp(&a.score)
                .then(newer)
                .then_with(|| x.id.cmp(&y.id))
        });
        hits.truncate(k);
        hits
    }

    fn lexical(&self, weights: &HashMap<Term, f32>) -> Vec<f32> {
        let mut scores = vec![0.0; self.len()];
        let mean = (self.total_length / self.len().max(1) as f64).max(1.0) as f32;
        let mut terms: Vec<_> = weights.iter().collect();
        terms.sort_unstable_by_key(|(term, _)| **term);
        for (term, weight) in terms {
            let Some(postings) = self.postings.get(term) else {
                continue;
            };
            let (n, df) = (self.len() as f32, postings.len() as f32);
            let idf = (1.0 + (n - df + 0.5) / (df + 0.5)).ln();
            for posting in postings {
                let length = self.entries[posting.doc()].length;
                let tf = posting.count();
                let saturated = tf * (K1 + 1.0) / (tf + K1 * (1.0 - B + B * length / mean));
                scores[posting.doc()] += weight * idf * saturated;
            }
        }
        scores
    }

    fn neighbours(&self, doc: usize, lexical: &[f32]) -> f32 {
        let members = &self.sessions[self.entries[doc].session as usize];
        let Some(place) = members.iter().position(|&d| d as usize == doc) else {
            return 0.0;
        };
        let at = |place: Option<usize>| {
            let neighbour = place.and_then(|place| members.get(place));
            neighbour.map_or(0.0, |&d| lexical[d as usize])
        };
        0.4 * at(place.checked_sub(1)) + 0.5 * at(place.checked_sub(2)) + 0.2 * at(Some(place + 1))
    }
}

fn weights(text: &str) -> HashMap<Term, f32> {
    let mut weights = HashMap::new();
    for term in token::terms(text) {
        let weight = match token::kind(term) {
            Kind::Char(c) if token::is_function(c) => 0.05,
            Kind::Char(_) => CHAR_WEIGHT,
            _ => 1.0,
        };
        weights.insert(term, weight);
    }
    weights
}
