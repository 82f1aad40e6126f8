//! How well each document's own words fit: BM25, by document and by conversation.

use super::{Index, sought::Weight, token::Term, view::View, weights::Weights};

/// What the words of one document say for it.
#[derive(Clone, Copy, Default)]
pub(super) struct Score {
    /// Words of the question.
    pub(super) question: f32,
    /// Words of the chat before it.
    pub(super) chat: f32,
    /// How much of the question is covered, in what its words say.
    covered: f32,
    /// The part of BM25's denominator that depends on the length only.
    norm: f32,
}

/// The scores.
pub(super) struct Scores {
    /// By document.
    pub(super) docs: Vec<Score>,
    /// By session: words of the question.
    pub(super) sessions: Vec<f32>,
}

/// How often one term is said in each session; empty between terms.
struct Counts {
    counts: Vec<f32>,
    met: Vec<u32>,
}

impl Index {
    pub(super) fn scores(
        &self,
        view: &View<'_>,
        sought: &[(Term, Weight)],
        weights: &Weights,
    ) -> Scores {
        let live_sessions = view.live_sessions();
        let norm = Norm::new(view.total_length, view.docs, weights);
        let session_norm = Norm::new(view.total_length, live_sessions, weights);
        let docs = self.lengths.iter().map(|&length| Score {
            norm: norm.of(length),
            ..Score::default()
        });
        let mut docs: Vec<Score> = docs.collect();
        let mut sessions = vec![0.0; self.sessions.len()];
        let mut counts = Counts {
            counts: vec![0.0; sessions.len()],
            met: Vec::new(),
        };
        let gain = weights.k1 + 1.0;
        let mut all = 0.0;
        for &(term, weight) in sought {
            let postings = view.shown(self.postings(term));
            let rarity = idf(view.docs, postings.len());
            let asked = weight.question * rarity;
            all += asked;
            for posting in &*postings {
                let (score, count) = (&mut docs[posting.doc()], posting.count());
                let fit = count * gain / (count + score.norm);
                score.question += asked * fit;
                score.chat += weight.chat * rarity * fit;
                score.covered += asked;
            }
            if asked == 0.0 {
                continue;
            }
            for posting in &*postings {
                let session = self.session_of[posting.doc()];
                let sum = &mut counts.counts[session as usize];
                if *sum == 0.0 {
                    counts.met.push(session);
                }
                *sum += posting.count();
            }
            let asked = weight.question * idf(live_sessions, counts.met.len());
            for session in counts.met.drain(..) {
                let session = session as usize;
                let count = std::mem::take(&mut counts.counts[session]);
                let norm = session_norm.of(view.session_length(session));
                sessions[session] += asked * count * gain / (count + norm);
            }
        }
        if all > 0.0 {
            for score in &mut docs {
                score.question *= 1.0 + weights.coverage * score.covered / all;
            }
        }
        Scores { docs, sessions }
    }
}

/// BM25's length normalisation.
struct Norm {
    base: f32,
    by_length: f32,
}

impl Norm {
    fn new(total_length: f64, n: usize, weights: &Weights) -> Self {
        let mean = (total_length / n.max(1) as f64).max(1.0) as f32;
        Norm {
            base: weights.k1 * (1.0 - weights.b),
            by_length: weights.k1 * weights.b / mean,
        }
    }

    fn of(&self, length: f32) -> f32 {
        self.base + self.by_length * length
    }
}

/// How much it says that a term is there, which is in `df` of `n`.
fn idf(n: usize, df: usize) -> f32 {
    let (n, df) = (n as f32, df as f32);
    (1.0 + (n - df + 0.5).max(0.0) / (df + 0.5)).ln()
}
