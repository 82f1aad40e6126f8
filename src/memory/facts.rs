//! The values of a profile that is too large for its part of the prompt, ready to be searched: those
//! that found no place there may still be what is asked for. Made when they are first needed, and
//! anew when the profile has changed.

use super::{
    Profile,
    rank::{Doc, Index, Query},
};
use std::{
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, Mutex, PoisonError},
};

/// Topic and key.
pub type At = (String, String);

/// So many values are ranked by whoever asks, and more of them elsewhere.
const FEW: usize = 50;

/// See the file's head.
#[derive(Default)]
pub struct Facts(Mutex<Option<Ready>>);

/// An index of one state of the profile.
#[derive(Clone)]
struct Ready {
    /// Of that state.
    hash: u64,
    index: Arc<Index>,
    /// Which value each document is.
    at: Arc<Vec<At>>,
}

/// Whether a profile may take more than so many tokens. Rather too often: what is found for one
/// that fits after all is not used.
pub fn overflows(profile: &Profile, tokens: usize) -> bool {
    const AROUND: usize = 8;
    let live = profile.slots.iter();
    let live = live.filter_map(|(at, slot)| Some((at, slot.value.as_ref()?)));
    let bytes = live.map(|((topic, key), value)| topic.len() + key.len() + value.len() + AROUND);
    // A heading and the fence take some hundred tokens, and a token has three bytes or four.
    bytes.sum::<usize>() / 2 > tokens.saturating_sub(100)
}

impl Facts {
    /// Whether a search is work for the blocking pool.
    pub fn are_work(&self, profile: &Profile) -> bool {
        profile.slots.len() > FEW && self.ready(hash(profile)).is_none()
    }

    /// The `k` values that matter most, best first, with how much each does.
    pub fn rank(&self, profile: &Profile, query: &Query<'_>, k: usize) -> Vec<(At, f64)> {
        let hash = hash(profile);
        let ready = self.ready(hash).unwrap_or_else(|| {
            let ready = Ready::of(profile, hash);
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(ready.clone());
            ready
        });
        let hits = ready.index.search(query, k).into_iter();
        let found = hits.map(|hit| (ready.at[hit.doc].clone(), hit.score));
        found.collect()
    }

    /// About what they take in memory.
    pub fn bytes(&self) -> usize {
        let ready = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ready.as_ref().map_or(0, |ready| ready.index.bytes())
    }

    fn ready(&self, hash: u64) -> Option<Ready> {
        let ready = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ready.clone().filter(|ready| ready.hash == hash)
    }
}

impl Ready {
    fn of(profile: &Profile, hash: u64) -> Self {
        let (mut index, mut at) = (Index::new(), Vec::new());
        for ((topic, key), slot) in &profile.slots {
            let Some(value) = &slot.value else {
                continue;
            };
            let id: Arc<str> = format!("{topic}/{key}").into();
            index.push(Doc {
                // Each by itself: no value is said before or after another.
                session: id.clone(),
                id,
                at_ms: slot.valid_from_ms,
                role: "user".into(),
                text: format!("{topic} {key}: {value}").replace('_', " ").into(),
            });
            at.push((topic.clone(), key.clone()));
        }
        Ready {
            hash,
            index: index.into(),
            at: at.into(),
        }
    }
}

fn hash(profile: &Profile) -> u64 {
    let mut hasher = DefaultHasher::new();
    for (at, slot) in &profile.slots {
        (at, &slot.value, slot.valid_from_ms).hash(&mut hasher);
    }
    hasher.finish()
}

/// They follow from the profile.
impl PartialEq for Facts {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Facts {}

impl fmt::Debug for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Facts")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{Slot, Source};

    fn profile(values: &[(&str, &str, &str)]) -> Profile {
        let slot = |value: &str| Slot {
            value: (!value.is_empty()).then(|| value.to_owned()),
            source: Source::Put,
            valid_from_ms: 0,
        };
        let slots = values
            .iter()
            .map(|(topic, key, value)| ((topic.to_string(), key.to_string()), slot(value)));
        Profile {
            version: 1,
            slots: slots.collect(),
        }
    }

    #[test]
    fn what_is_asked_for_is_found_as_the_profile_is_now() {
        let facts = Facts::default();
        let found = |profile: &Profile, text: &str| {
            let query = Query {
                text,
                ..Query::default()
            };
            let found = facts.rank(profile, &query, 9).into_iter();
            found.map(|((_, key), _)| key).collect::<Vec<_>>()
        };
        let now = profile(&[
            ("health", "allergy", "花生"),
            ("home", "favourite_colour", "green"),
            ("work", "cat", ""),
        ]);
        assert_eq!(found(&now, "What am I allergic to?")[0], "allergy");
        assert_eq!(found(&now, "我对什么过敏？")[0], "allergy");
        assert_eq!(found(&now, "my colour"), ["favourite_colour"]);
        assert!(found(&now, "a cat?").is_empty());
        let later = profile(&[("work", "cat", "Tom")]);
        assert_eq!(found(&later, "a cat?"), ["cat"]);
        assert!(found(&later, "my colour").is_empty());
    }

    #[test]
    fn what_may_be_too_large_is_seen() {
        let large = "word ".repeat(400);
        assert!(overflows(&profile(&[("a", "b", &large)]), 512));
        assert!(!overflows(&profile(&[("a", "b", "c")]), 512));
    }
}
