//! What is asked, and which of a user's turns and values answer it.

use super::{At, Meant, Memories, Ranked, Resident, Sight, overflows, rank::Query};

/// Turns looked at that answer what is asked.
const RANKED: usize = 24;
/// Of these, whatever scores less than this share of the best is taken for an accident.
const ACCIDENT: f64 = 0.15;

/// What is asked, and what was said just before.
#[derive(Clone, Debug, Default)]
pub struct Asking {
    /// What the user says.
    pub text: String,
    /// The messages before it, (role, text), oldest first.
    pub context: Vec<(&'static str, String)>,
    /// What the user means, where an embedding model has said it in time.
    pub meant: Option<Meant>,
    /// Unix milliseconds.
    pub now_ms: i64,
    /// What the prompt has for the profile.
    pub profile_tokens: usize,
    /// What the turn that asks can see.
    pub sight: Sight,
}

/// What answers.
#[derive(Default)]
pub struct Answers {
    /// Turns, best first.
    pub turns: Vec<Ranked>,
    /// Values of a profile that is too large for its part of the prompt, best first.
    pub facts: Vec<At>,
}

impl Asking {
    /// Whether it gets what the first step of its tool loop recalled: then nothing is to be found
    /// out.
    pub fn is_settled(&self, memories: &Memories) -> bool {
        self.sight.goes_on && memories.picks.of(&self.sight.turn).is_some()
    }

    /// Whether that is work for the blocking pool.
    pub fn is_work(&self, resident: &Resident) -> bool {
        let Resident { profile, facts, .. } = resident;
        let overflows = || overflows(profile, self.profile_tokens);
        resident.memories.are_many() || facts.are_work(profile) && overflows()
    }

    /// What of a user answers it.
    pub fn answers(&self, resident: &Resident) -> Answers {
        if self.text.is_empty() {
            return Answers::default();
        }
        let context: Vec<_> = self
            .context
            .iter()
            .map(|(role, text)| (*role, &**text))
            .collect();
        let query = Query {
            text: &self.text,
            context: &context,
            // Every step of a tool loop reckons from its first.
            now_ms: self.sight.began_ms.unwrap_or(self.now_ms),
            ..Query::default()
        };
        let (memories, profile) = (&resident.memories, &resident.profile);
        let mut turns = memories.rank(&query, self.meant.as_ref(), RANKED, &self.sight);
        let least = turns.first().map_or(0.0, |best| best.score * ACCIDENT);
        turns.retain(|ranked| ranked.score >= least);
        let mut facts = match overflows(profile, self.profile_tokens) {
            true => resident.facts.rank(profile, &query, profile.slots.len()),
            false => Vec::new(),
        };
        let least = facts.first().map_or(0.0, |(_, best)| best * ACCIDENT);
        facts.retain(|(_, score)| *score >= least);
        let facts = facts.into_iter().map(|(at, _)| at).collect();
        Answers { turns, facts }
    }
}

/// What was found here and elsewhere, best first. Scores of two rankings do not compare: the best
/// of each counts the same.
pub fn merged(mut here: Vec<Ranked>, mut elsewhere: Vec<Ranked>, sight: &Sight) -> Vec<Ranked> {
    let best = |ranked: &[Ranked]| ranked.first().map_or(1.0, |best| best.score);
    let (ours, theirs) = (best(&here), best(&elsewhere));
    let said = |ranked: &Ranked| {
        let same = |other: &Ranked| {
            let texts = [&other.turn.query, &other.turn.answer];
            texts.contains(&&ranked.turn.query) || other.turn.id == ranked.turn.id
        };
        here.iter().any(same)
    };
    elsewhere.retain(|r| r.score >= theirs * ACCIDENT && sight.sees(&r.turn) && !said(r));
    for ranked in &mut elsewhere {
        ranked.score *= ours / theirs;
    }
    here.extend(elsewhere);
    here.sort_by(|a, b| b.score.total_cmp(&a.score));
    here
}
