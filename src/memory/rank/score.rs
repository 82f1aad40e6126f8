//! How well each document's own words fit: BM25 over the terms, where a theme is one term that many
//! words spell, by document and by conversation.

use super::{
    Index,
    sought::{Sought, Weight},
    themes::THEMES,
    token::Term,
    weights::Weights,
};

/// The scores.
pub(super) struct Scores {
    /// By document: the question's words.
    pub(super) question: Vec<f32>,
    /// By document: the words of the chat before it.
    pub(super) chat: Vec<f32>,
    /// By session: the question's words.
    pub(super) session: Vec<f32>,
}

/// Counts of one term, by document or by session; empty between terms.
struct Counts {
    counts: Vec<f32>,
    met: Vec<usize>,
}

impl Counts {
    fn new(n: usize) -> Self {
        Counts {
            counts: vec![0.0; n],
            met: Vec::new(),
        }
    }

    fn add(&mut self, number: usize, count: f32) {
        let sum = &mut self.counts[number];
        if *sum == 0.0 {
            self.met.push(number);
        }
        *sum += count;
    }

    /// Hands out what was counted, and forgets it.
    fn drain(&mut self, mut take: impl FnMut(usize, f32)) {
        for number in self.met.drain(..) {
            take(number, std::mem::take(&mut self.counts[number]));
        }
    }
}

impl Index {
    pub(super) fn scores(&self, sought: &[(Sought, Weight)], weights: &Weights) -> Scores {
        let (n, sessions) = (self.numbers(), self.sessions.len());
        let mut scores = Scores {
            question: vec![0.0; n],
            chat: vec![0.0; n],
            session: vec![0.0; sessions],
        };
        let doc_norms = norms(
            self.lengths.iter().copied(),
            self.total_length,
            self.len(),
            weights,
        );
        let lengths = self.sessions.iter().map(|session| session.length);
        let live_sessions = self.sessions.iter().filter(|s| !s.docs.is_empty()).count();
        let session_norms = norms(lengths, self.total_length, live_sessions, weights);
        let mut covered = vec![0.0_f32; n];
        let (mut all, mut counts, mut by_session) = (0.0, Counts::new(n), Counts::new(sessions));
        let gain = weights.k1 + 1.0;
        for &(what, weight) in sought {
            self.count(what, weights, &mut counts);
            let rarity = idf(self.len(), counts.met.len());
            all += weight.question * rarity;
            counts.drain(|doc, count| {
                let score = rarity * count * gain / (count + doc_norms[doc]);
                scores.question[doc] += weight.question * score;
                scores.chat[doc] += weight.chat * score;
                covered[doc] += weight.question * rarity;
                if weight.question > 0.0 {
                    by_session.add(self.session_of[doc] as usize, count);
                }
            });
            let rarity = weight.question * idf(live_sessions, by_session.met.len());
            by_session.drain(|session, count| {
                let norm = session_norms[session];
                scores.session[session] += rarity * count * gain / (count + norm);
            });
        }
        if all > 0.0 {
            for (score, covered) in scores.question.iter_mut().zip(covered) {
                *score *= 1.0 + weights.coverage * covered / all;
            }
        }
        scores
    }

    fn count(&self, what: Sought, weights: &Weights, counts: &mut Counts) {
        let mut add = |term: &Term, by: f32| {
            for posting in self.postings(*term) {
                counts.add(posting.doc(), by * posting.count());
            }
        };
        match what {
            Sought::Term(term) => add(&term, 1.0),
            Sought::Theme(theme) => {
                for member in THEMES.members(theme) {
                    add(
                        &member.term,
                        if member.short {
                            weights.theme_char
                        } else {
                            1.0
                        },
                    );
                }
            }
        }
    }
}

/// BM25's part of the denominator that depends on the length only.
fn norms(lengths: impl Iterator<Item = f32>, total: f64, n: usize, weights: &Weights) -> Vec<f32> {
    let mean = (total / n.max(1) as f64).max(1.0) as f32;
    let norm = |length| weights.k1 * (1.0 - weights.b + weights.b * length / mean);
    lengths.map(norm).collect()
}

/// How much it says that a term is there, which is in `df` of `n`.
fn idf(n: usize, df: usize) -> f32 {
    let (n, df) = (n as f32, df as f32);
    (1.0 + (n - df + 0.5).max(0.0) / (df + 0.5)).ln()
}
