//! The ranking itself.

use super::{
    Explain, Hit, Index, Query,
    related::RELATED,
    token::{self, Kind, Term},
};
use std::collections::HashMap;

/// How much each signal counts. Few, and each with a meaning.
#[derive(Clone, Copy)]
pub(crate) struct Tuning {
    pub(crate) k1: f32,
    pub(crate) b: f32,
    pub(crate) char: f32,
    pub(crate) function: f32,
    pub(crate) function_pair: f32,
    pub(crate) name: f32,
    pub(crate) group: f32,
    pub(crate) group_char: f32,
    pub(crate) prev1: f32,
    pub(crate) prev2: f32,
    pub(crate) next1: f32,
    pub(crate) session: f32,
    pub(crate) date: f32,
    pub(crate) role: f32,
    pub(crate) chat: f32,
    pub(crate) decay: f32,
    pub(crate) chat_group: f32,
    pub(crate) idf_pow: f32,
    pub(crate) chat_assistant: f32,
}

impl Default for Tuning {
    fn default() -> Self {
        Tuning {
            k1: 1.2,
            b: 0.75,
            char: 0.5,
            function: 0.05,
            function_pair: 0.3,
            name: 0.2,
            group: 0.3,
            group_char: 0.5,
            prev1: 0.4,
            prev2: 0.5,
            next1: 0.2,
            session: 0.2,
            date: 1.0,
            role: 0.3,
            chat: 1.0,
            decay: 0.8,
            chat_group: 0.3,
            idf_pow: 1.0,
            chat_assistant: 1.0,
        }
    }
}

/// Something to look for: a term, or any term of a group.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Sought {
    Term(Term),
    Group(u16),
}

/// How much it is sought by the question, and by the chat before it.
#[derive(Clone, Copy, Default)]
struct Weight {
    question: f32,
    chat: f32,
}

/// By document.
struct Scores {
    question: Vec<f32>,
    chat: Vec<f32>,
    session: Vec<f32>,
}

impl Index {
    /// The `k` memories that matter most, best first. Equal ones: the newer, then the lower id.
    pub fn search(&self, query: &Query<'_>, k: usize) -> Vec<Hit> {
        self.ranked(query, k, &Tuning::default())
    }

    pub(crate) fn ranked(&self, query: &Query<'_>, k: usize, tuning: &Tuning) -> Vec<Hit> {
        let sought = self.sought(query, tuning);
        let scores = self.scores(&sought, tuning);
        let roles = super::role::wanted(query.text, self.roles());
        let days = super::date::days(query.text, query.now_ms, query.utc_offset_min);
        let best = scores.question.iter().copied().fold(0.0, f32::max);
        let unit = if best > 0.0 { best } else { 1.0 };
        let mut hits = Vec::new();
        for (session, members) in self.sessions.iter().enumerate() {
            let at = |place: Option<usize>, list: &[f32]| {
                let neighbour = place.and_then(|place| members.get(place));
                neighbour.map_or(0.0, |&d| list[d as usize])
            };
            let around = |place: usize, list: &[f32]| {
                tuning.prev1 * at(place.checked_sub(1), list)
                    + tuning.prev2 * at(place.checked_sub(2), list)
                    + tuning.next1 * at(Some(place + 1), list)
            };
            for (place, &doc) in members.iter().enumerate() {
                let doc = doc as usize;
                let entry = &self.entries[doc];
                let date = tuning.date * unit * days.nearness(entry.doc.at_ms);
                let lexical = scores.question[doc];
                let neighbours = around(place, &scores.question);
                let chat = scores.chat[doc] + around(place, &scores.chat);
                let session = tuning.session * scores.session[session];
                let semantic = query.semantic.map_or(0.0, |semantic| {
                    let alike = semantic.similarities.get(doc).copied().unwrap_or_default();
                    unit * semantic.weight * alike
                });
                let role = if roles.get(entry.role as usize) == Some(&true)
                    && (lexical + neighbours + chat + session + date) > 0.0
                {
                    tuning.role * unit
                } else {
                    0.0
                };
                let why = Explain {
                    lexical: f64::from(lexical),
                    neighbours: f64::from(neighbours),
                    session: f64::from(session),
                    date: f64::from(date),
                    role: f64::from(role),
                    chat: f64::from(chat),
                    semantic: f64::from(semantic),
                };
                let score = why.total();
                if score > 0.0 {
                    hits.push(Hit { doc, score, why });
                }
            }
        }
        let better = |a: &Hit, b: &Hit| {
            let (x, y) = (&self.entries[a.doc].doc, &self.entries[b.doc].doc);
            let newer = y.at_ms.cmp(&x.at_ms);
            let order = b.score.total_cmp(&a.score).then(newer);
            order.then_with(|| x.id.cmp(&y.id)).then(a.doc.cmp(&b.doc))
        };
        if k < hits.len() {
            hits.select_nth_unstable_by(k, better);
            hits.truncate(k);
        }
        hits.sort_unstable_by(better);
        hits
    }

    /// What to look for, in a fixed order, so that sums come out the same.
    fn sought(&self, query: &Query<'_>, tuning: &Tuning) -> Vec<(Sought, Weight)> {
        let mut sought = HashMap::<Sought, Weight>::new();
        for (what, weight) in self.weights(query.text, tuning, tuning.group) {
            sought.entry(what).or_default().question = weight;
        }
        let mut decay = tuning.chat;
        for (role, text) in query.context.iter().rev().take(4) {
            decay *= tuning.decay;
            let by = if *role == "assistant" {
                tuning.chat_assistant
            } else {
                1.0
            };
            for (what, weight) in self.weights(text, tuning, tuning.chat_group) {
                sought.entry(what).or_default().chat += decay * weight * by;
            }
        }
        let mut sought: Vec<_> = sought.into_iter().collect();
        sought.sort_unstable_by_key(|(what, _)| *what);
        sought
    }

    fn weights(&self, text: &str, tuning: &Tuning, group: f32) -> HashMap<Sought, f32> {
        let mut weights = HashMap::new();
        for term in token::terms(text) {
            let weight = match token::kind(term) {
                Kind::Char(c) if token::is_function(c) => tuning.function,
                Kind::Char(_) => tuning.char,
                Kind::Pair(a, b) if token::is_function(a) && token::is_function(b) => {
                    tuning.function_pair
                }
                Kind::Word if self.names.contains(&term) => tuning.name,
                _ => 1.0,
            };
            weights.insert(Sought::Term(term), weight);
            let by = match token::kind(term) {
                Kind::Char(_) => tuning.group_char,
                _ => 1.0,
            };
            for &number in RELATED.of(term) {
                let weight = weights.entry(Sought::Group(number)).or_insert(0.0);
                *weight = f32::max(*weight, group * by);
            }
        }
        weights
    }

    fn scores(&self, sought: &[(Sought, Weight)], tuning: &Tuning) -> Scores {
        let n = self.len();
        let mut scores = Scores {
            question: vec![0.0; n],
            chat: vec![0.0; n],
            session: vec![0.0; self.sessions.len()],
        };
        let mean = (self.total_length / n.max(1) as f64).max(1.0) as f32;
        let norms: Vec<f32> = (self.entries.iter())
            .map(|e| tuning.k1 * (1.0 - tuning.b + tuning.b * e.length / mean))
            .collect();
        let session_mean = (self.total_length / self.sessions.len().max(1) as f64).max(1.0) as f32;
        let mut counts = vec![0.0_f32; n];
        let mut session_counts = vec![0.0_f32; self.sessions.len()];
        let (mut touched, mut met) = (Vec::new(), Vec::new());
        for &(what, weight) in sought {
            let terms = match &what {
                Sought::Term(term) => std::slice::from_ref(term),
                Sought::Group(number) => RELATED.groups[*number as usize].as_slice(),
            };
            for postings in terms.iter().filter_map(|term| self.postings.get(term)) {
                for posting in postings {
                    let count = &mut counts[posting.doc()];
                    if *count == 0.0 {
                        touched.push(posting.doc());
                    }
                    *count += posting.count();
                }
            }
            let idf = idf(n, touched.len()).powf(tuning.idf_pow);
            for doc in touched.drain(..) {
                let tf = std::mem::take(&mut counts[doc]);
                let saturated = idf * tf * (tuning.k1 + 1.0) / (tf + norms[doc]);
                scores.question[doc] += weight.question * saturated;
                scores.chat[doc] += weight.chat * saturated;
                let session = self.entries[doc].session as usize;
                if session_counts[session] == 0.0 {
                    met.push(session);
                }
                session_counts[session] += tf;
            }
            let idf = self::idf(self.sessions.len(), met.len()).powf(tuning.idf_pow);
            for session in met.drain(..) {
                let tf = std::mem::take(&mut session_counts[session]);
                let length = self.session_lengths[session] / session_mean;
                let norm = tuning.k1 * (1.0 - tuning.b + tuning.b * length);
                scores.session[session] +=
                    weight.question * idf * tf * (tuning.k1 + 1.0) / (tf + norm);
            }
        }
        scores
    }
}

fn idf(n: usize, df: usize) -> f32 {
    let (n, df) = (n as f32, df as f32);
    (1.0 + (n - df + 0.5) / (df + 0.5)).ln()
}
