//! What to look for: the terms of the question, the themes they belong to, and the same of the
//! chat before it.

use super::{
    Query, asking,
    themes::THEMES,
    token::{self, Term, TermMap},
    weights::{CHAT_MESSAGES, Weights},
};

/// How much a term is sought.
#[derive(Clone, Copy, Default)]
pub(super) struct Weight {
    /// By the question.
    pub(super) question: f32,
    /// By the chat before it.
    pub(super) chat: f32,
}

/// What a query looks for, in a fixed order, so that sums always come out the same. The speakers'
/// `names` are not sought in what is said: who speaks is another signal.
pub(super) fn sought(query: &Query<'_>, names: &[Term], weights: &Weights) -> Vec<(Term, Weight)> {
    let mut sought = TermMap::<Weight>::default();
    for (what, weight) in of_text(query.text, names, weights, !asking::asks(query.text)) {
        sought.entry(what).or_default().question = weight;
    }
    if asks_when(query.text) {
        let time = &mut sought.entry(THEMES.time).or_default().question;
        *time = time.max(weights.when);
    }
    let mut decay = 1.0;
    for (_, text) in query.context.iter().rev().take(CHAT_MESSAGES) {
        decay *= weights.decay;
        for (what, weight) in of_text(text, names, weights, true) {
            sought.entry(what).or_default().chat += decay * weight;
        }
    }
    let mut sought: Vec<_> = sought.into_iter().collect();
    sought.sort_unstable_by_key(|(what, _)| *what);
    sought
}

/// So much of a text is read: a pasted document is no question.
const CHARS: usize = 2_000;

fn of_text(text: &str, names: &[Term], weights: &Weights, tells: bool) -> TermMap<f32> {
    let end = text
        .char_indices()
        .nth(CHARS)
        .map_or(text.len(), |(end, _)| end);
    let mut found = TermMap::default();
    let mut themes = TermMap::<(f32, f32)>::default();
    for term in token::terms(&text[..end]) {
        if names.contains(&term) || found.insert(term, weights.of(term)).is_some() {
            continue;
        }
        let weight = weights.of_theme(term, tells);
        for &theme in THEMES.of(term) {
            let (most, all) = themes.entry(theme).or_default();
            *most = most.max(weight);
            *all += weight;
        }
    }
    for (theme, (most, all)) in themes {
        found.insert(theme, most + weights.more_of_theme * (all - most));
    }
    found
}

/// Whether a text asks for a time.
fn asks_when(text: &str) -> bool {
    let mut words = text.split(|c: char| !c.is_alphanumeric());
    words.any(|word| word.eq_ignore_ascii_case("when"))
        || [
            "什么时候",
            "什麼時候",
            "何时",
            "何時",
            "哪天",
            "哪年",
            "几号",
            "いつ",
            "언제",
        ]
        .iter()
        .any(|asked| text.contains(asked))
}
