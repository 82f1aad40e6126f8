//! What happens to a profile beside statements and `PUT`s: facts that the extraction model read,
//! values whose time is over, and the oldest ones where there are too many.

use super::{Change, Profile, Slot, Source, TurnId};

/// One fact that a model read in a turn, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// The turn it was said in …
    pub turn: TurnId,
    /// … and when, Unix milliseconds.
    pub at_ms: i64,
    /// Topic of the slot.
    pub topic: String,
    /// Key of the slot.
    pub key: String,
    /// Its value; `None`: it holds no longer.
    pub value: Option<String>,
    /// The user's words, as they stand in the turn.
    pub quote: String,
}

impl Profile {
    /// What was read, in its order. Raises the version by one if any value changed.
    pub fn learn(&mut self, facts: &[Fact]) -> Vec<Change> {
        let (mut changes, mut real) = (Vec::new(), false);
        for fact in facts {
            let at = (fact.topic.clone(), fact.key.clone());
            let same = self.holds(&at, fact.value.as_deref());
            if same || !self.yields_to(&at, fact) {
                continue;
            }
            real = true;
            let slot = Slot {
                value: fact.value.clone(),
                source: Source::Said {
                    turn: fact.turn.clone(),
                    quote: fact.quote.clone(),
                },
                valid_from_ms: fact.at_ms,
            };
            changes.push(self.set(at, slot));
        }
        self.version += u64::from(real);
        changes
    }

    /// What the user `PUT` stands until they say otherwise outright, and so does what they said
    /// outright in the same turn. Else the later word counts, as everywhere.
    fn yields_to(&self, at: &(String, String), fact: &Fact) -> bool {
        let Some(slot) = self.slots.get(at) else {
            return true;
        };
        match &slot.source {
            Source::Put => slot.value.is_none() && fact.at_ms > slot.valid_from_ms,
            Source::Said { turn, .. } => fact.at_ms >= slot.valid_from_ms && (*turn != fact.turn),
        }
    }

    /// The same value was said again, later: it holds from then. That changes no prompt, and so no
    /// version.
    pub fn restate(&mut self, at: &(String, String), value: &str, at_ms: i64) -> Option<Change> {
        let slot = self.slots.get(at)?;
        let said = slot.source != Source::Put && slot.value.as_deref() == Some(value);
        let slot = (said && at_ms > slot.valid_from_ms).then(|| Slot {
            valid_from_ms: at_ms,
            ..slot.clone()
        })?;
        Some(self.set(at.clone(), slot))
    }

    /// Takes out what was said longer ago than its topic holds (`ttl_ms`). What the user `PUT` has
    /// no such end. Raises the version by one if anything went.
    pub fn expire(&mut self, now_ms: i64, ttl_ms: impl Fn(&str) -> Option<i64>) -> Vec<Change> {
        let over = |(at, slot): (&(String, String), &Slot)| {
            let until = slot.valid_from_ms.saturating_add(ttl_ms(&at.0)?);
            let said = slot.value.is_some() && slot.source != Source::Put;
            (said && until <= now_ms).then(|| (at.clone(), until))
        };
        let over: Vec<_> = self.slots.iter().filter_map(over).collect();
        self.version += u64::from(!over.is_empty());
        let ended = over
            .into_iter()
            .filter_map(|(at, until)| self.end(at, until));
        ended.collect()
    }

    /// Takes out the oldest that are not pinned, until no more than `most` values are left. The
    /// version is raised by what made them too many.
    pub fn evict(&mut self, most: usize, at_ms: i64) -> Vec<Change> {
        let live = self.slots.iter().filter(|(_, slot)| slot.value.is_some());
        let over = live.clone().count().saturating_sub(most);
        if over == 0 {
            return Vec::new();
        }
        let mut said: Vec<_> = live
            .filter(|(_, slot)| slot.source != Source::Put)
            .map(|(at, slot)| (slot.valid_from_ms, at.clone()))
            .collect();
        said.sort();
        let oldest = said.into_iter().take(over);
        oldest
            .filter_map(|(from, at)| self.end(at, at_ms.max(from)))
            .collect()
    }

    /// How many values the user pinned.
    pub fn pinned(&self) -> usize {
        let pinned = |slot: &&Slot| slot.source == Source::Put && slot.value.is_some();
        self.slots.values().filter(pinned).count()
    }

    /// A value ends; what was said before that never brings it back.
    fn end(&mut self, at: (String, String), at_ms: i64) -> Option<Change> {
        let slot = self.slots.get(&at)?;
        let slot = Slot {
            value: None,
            source: slot.source.clone(),
            valid_from_ms: at_ms,
        };
        Some(self.set(at, slot))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{Op, Statement};
    use std::collections::BTreeMap;

    fn fact(turn: &str, at_ms: i64, key: &str, value: Option<&str>) -> Fact {
        Fact {
            turn: turn.into(),
            at_ms,
            topic: "identity".into(),
            key: key.into(),
            value: value.map(Into::into),
            quote: "…".into(),
        }
    }

    fn at(key: &str) -> (String, String) {
        ("identity".into(), key.into())
    }

    fn value<'a>(profile: &'a Profile, key: &str) -> Option<&'a str> {
        profile.slots.get(&at(key))?.value.as_deref()
    }

    #[test]
    fn the_later_word_counts_and_the_older_goes_to_history() {
        let mut p = Profile::default();
        let facts = [
            fact("t1", 10, "city", Some("Berlin")),
            fact("t2", 20, "city", Some("Paris")),
        ];
        let changes = p.learn(&facts);
        assert_eq!((value(&p, "city"), p.version), (Some("Paris"), 1));
        assert_eq!(changes[1].superseded().map(|s| s.1), Some("Berlin"));
        assert!(p.learn(&facts).is_empty(), "nothing is applied twice");
        assert!(p.learn(&[fact("t3", 20, "city", Some("Rome"))]).len() == 1);
        assert_eq!(p.learn(&[fact("t4", 30, "city", None)]).len(), 1);
        assert!(p.learn(&[fact("t0", 5, "city", Some("Bonn"))]).is_empty());
        assert_eq!((value(&p, "city"), p.version), (None, 3));
    }

    #[test]
    fn what_the_user_put_or_said_outright_in_that_turn_stands() {
        let mut p = Profile::default();
        p.put(&BTreeMap::from([(at("name"), Some("Ada".into()))]), 10);
        assert!(p.learn(&[fact("t", 99, "name", Some("Eve"))]).is_empty());
        assert!(p.learn(&[fact("t", 99, "name", None)]).is_empty());
        p.put(&BTreeMap::from([(at("name"), None)]), 20);
        assert!(p.learn(&[fact("t", 20, "name", Some("Eve"))]).is_empty());
        assert_eq!(p.learn(&[fact("t", 21, "name", Some("Eve"))]).len(), 1);
        let said = Statement {
            op: Op::Set {
                topic: "identity".into(),
                key: "age".into(),
                value: "34".into(),
            },
            quote: "I am 34".into(),
        };
        p.apply(&"t5".into(), 50, &[said]);
        assert!(
            p.learn(&[fact("t5", 50, "age", Some("about 34"))])
                .is_empty()
        );
        assert_eq!(value(&p, "age"), Some("34"));
    }

    #[test]
    fn time_and_number_end_what_was_said_not_what_was_put() {
        let mut p = Profile::default();
        p.put(&BTreeMap::from([(at("a"), Some("1".into()))]), 1);
        p.learn(&[fact("t", 2, "b", Some("2")), fact("t", 3, "c", Some("3"))]);
        let version = p.version;
        assert!(p.restate(&at("b"), "2", 9).is_some());
        assert!(p.expire(12, |_| Some(10)).is_empty());
        let changes = p.expire(13, |_| Some(10));
        assert_eq!((changes.len(), changes[0].after.valid_from_ms), (1, 13));
        assert_eq!((p.version, value(&p, "b")), (version + 1, Some("2")));
        p.learn(&[fact("u", 20, "d", Some("4"))]);
        assert_eq!(p.evict(2, 20).len(), 1);
        assert_eq!((value(&p, "a"), value(&p, "b")), (Some("1"), None));
        assert_eq!((p.evict(0, 30).len(), p.pinned()), (1, 1));
        assert!(p.learn(&[fact("t", 15, "b", Some("2"))]).is_empty());
    }
}
