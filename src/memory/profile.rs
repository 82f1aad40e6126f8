//! The resident profile: topic → key → value, with a version that only a real change raises.
//! `apply` is the one place that decides what a statement does to it and `put` what a `PUT` does,
//! so that what is recalled before a turn is settled and what is settled afterwards cannot differ.
//!
//! One rule orders them all: a change counts only if it was said after what stands there. So a
//! pinned value yields to a later statement alone, and a tombstone keeps older turns out.

use super::{Op, Statement, TurnId, forget_matches};
use std::collections::BTreeMap;

/// The longest topic or key: longer ones are no slots, and would not fit an index.
pub const SLOT_NAME_BYTES: usize = 256;

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The user's own `PUT`: pinned.
    Put,
    /// Said outright, in this turn, in these words.
    Said {
        /// The turn it was said in.
        turn: TurnId,
        /// The words themselves.
        quote: String,
    },
}

/// One value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// The value; `None` is a tombstone: deleted, and no older turn may teach it again.
    pub value: Option<String>,
    /// Where it came from.
    pub source: Source,
    /// Since when it holds, Unix milliseconds.
    pub valid_from_ms: i64,
}

/// All that is known of one user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// The ETag: raised by one with each real change.
    pub version: u64,
    /// (topic, key) → value, tombstones included.
    pub slots: BTreeMap<(String, String), Slot>,
}

/// One slot that changed, for whoever keeps the rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Topic and key.
    pub at: (String, String),
    /// What stood there before.
    pub before: Option<Slot>,
    /// What stands there now.
    pub after: Slot,
}

impl Change {
    /// The value that was superseded or deleted, for the history.
    pub fn superseded(&self) -> Option<(&Slot, &str)> {
        let before = self.before.as_ref()?;
        let value = before.value.as_deref()?;
        (self.after.value.as_deref() != Some(value)).then_some((before, value))
    }
}

impl Profile {
    /// What a turn says outright, in its order. Raises the version by one if anything changed.
    pub fn apply(&mut self, turn: &TurnId, at_ms: i64, said: &[Statement]) -> Vec<Change> {
        let mut changes = Vec::new();
        for statement in said {
            let slot = |value| Slot {
                value,
                source: Source::Said {
                    turn: turn.clone(),
                    quote: statement.quote.clone(),
                },
                valid_from_ms: at_ms,
            };
            match &statement.op {
                Op::Set { topic, key, value } => {
                    let at = (topic.clone(), key.clone());
                    if fits(&at) && self.yields(&at, at_ms) && !self.holds(&at, Some(value)) {
                        changes.push(self.set(at, slot(Some(value.clone()))));
                    }
                }
                Op::Forget { what } => {
                    let named = self.slots.iter().filter(|(at, slot)| {
                        let value = slot.value.as_deref();
                        value.is_some_and(|value| forget_matches(what, &at.0, &at.1, value))
                    });
                    let named: Vec<_> = named.map(|(at, _)| at.clone()).collect();
                    for at in named.into_iter().filter(fits) {
                        if self.yields(&at, at_ms) {
                            changes.push(self.set(at, slot(None)));
                        }
                    }
                }
            }
        }
        self.version += u64::from(!changes.is_empty());
        changes
    }

    /// The user's own upsert; `None` deletes. Raises the version by one if any value changed.
    pub fn put(
        &mut self,
        slots: &BTreeMap<(String, String), Option<String>>,
        at_ms: i64,
    ) -> Vec<Change> {
        let mut changes = Vec::new();
        let mut real = false;
        for (at, value) in slots {
            let same = self.holds(at, value.as_deref());
            let pinned = self.slots.get(at).is_some_and(|s| s.source == Source::Put);
            // Nothing is there to delete, or it is there already; the same value said before is
            // pinned from now on, which is no change of the profile.
            if same && (pinned || value.is_none()) {
                continue;
            }
            real |= !same;
            let slot = Slot {
                value: value.clone(),
                source: Source::Put,
                valid_from_ms: at_ms,
            };
            changes.push(self.set(at.clone(), slot));
        }
        self.version += u64::from(real);
        changes
    }

    /// What a turn taught that somebody else kept and read; `None` deletes. It counts once, and
    /// only against what was said before it. Raises the version by one if anything changed.
    pub fn told(
        &mut self,
        slots: &BTreeMap<(String, String), Option<String>>,
        turn: &TurnId,
        at_ms: i64,
    ) -> Vec<Change> {
        let mut changes = Vec::new();
        for (at, value) in slots {
            let heard = self.slots.get(at).is_some_and(
                |slot| matches!(&slot.source, Source::Said { turn: known, .. } if known == turn),
            );
            if heard || self.holds(at, value.as_deref()) || !self.yields(at, at_ms) {
                continue;
            }
            let source = Source::Said {
                turn: turn.clone(),
                quote: String::new(),
            };
            let slot = Slot {
                value: value.clone(),
                source,
                valid_from_ms: at_ms,
            };
            changes.push(self.set(at.clone(), slot));
        }
        self.version += u64::from(!changes.is_empty());
        changes
    }

    pub(super) fn set(&mut self, at: (String, String), after: Slot) -> Change {
        let before = self.slots.insert(at.clone(), after.clone());
        Change { at, before, after }
    }

    pub(super) fn holds(&self, at: &(String, String), value: Option<&str>) -> bool {
        self.slots.get(at).and_then(|slot| slot.value.as_deref()) == value
    }

    /// Whether something said at `at_ms` may change this slot. Within one turn the later word
    /// counts; a `PUT` of the same moment counts more.
    fn yields(&self, at: &(String, String), at_ms: i64) -> bool {
        self.slots.get(at).is_none_or(|slot| match slot.source {
            Source::Put => at_ms > slot.valid_from_ms,
            Source::Said { .. } => at_ms >= slot.valid_from_ms,
        })
    }
}

fn fits(at: &(String, String)) -> bool {
    at.0.len() <= SLOT_NAME_BYTES && at.1.len() <= SLOT_NAME_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(key: &str, value: &str) -> Statement {
        Statement {
            op: Op::Set {
                topic: "identity".into(),
                key: key.into(),
                value: value.into(),
            },
            quote: format!("my {key} is {value}"),
        }
    }

    fn forget(what: &str) -> Statement {
        Statement {
            op: Op::Forget { what: what.into() },
            quote: format!("forget {what}"),
        }
    }

    fn slot(key: &str, value: Option<&str>) -> BTreeMap<(String, String), Option<String>> {
        BTreeMap::from([(
            ("identity".to_owned(), key.to_owned()),
            value.map(str::to_owned),
        )])
    }

    fn value<'a>(profile: &'a Profile, key: &str) -> Option<&'a str> {
        let at = ("identity".to_owned(), key.to_owned());
        profile.slots.get(&at).and_then(|s| s.value.as_deref())
    }

    #[test]
    fn only_a_real_change_raises_the_version_and_by_one() {
        let mut p = Profile::default();
        let changes = p.apply(&"t1".into(), 10, &[set("name", "Ada"), set("city", "上海")]);
        assert_eq!((p.version, changes.len()), (1, 2));
        assert!(p.apply(&"t2".into(), 20, &[set("name", "Ada")]).is_empty());
        assert_eq!(p.version, 1);
        let changes = p.apply(&"t3".into(), 30, &[set("name", "Bob")]);
        assert_eq!(p.version, 2);
        assert_eq!(changes[0].superseded().map(|s| s.1), Some("Ada"));
    }

    #[test]
    fn within_a_turn_the_later_word_counts() {
        let mut p = Profile::default();
        p.apply(&"t".into(), 10, &[set("name", "Ada"), set("name", "Bob")]);
        assert_eq!((value(&p, "name"), p.version), (Some("Bob"), 1));
    }

    #[test]
    fn an_older_turn_changes_nothing_newer() {
        let mut p = Profile::default();
        p.apply(&"t2".into(), 20, &[set("name", "Bob")]);
        assert!(p.apply(&"t1".into(), 10, &[set("name", "Ada")]).is_empty());
        assert!(p.apply(&"t1".into(), 10, &[forget("my name")]).is_empty());
        assert_eq!((value(&p, "name"), p.version), (Some("Bob"), 1));
    }

    #[test]
    fn a_put_is_pinned_and_yields_to_a_later_statement_only() {
        let mut p = Profile::default();
        p.put(&slot("name", Some("Ada")), 20);
        assert!(p.apply(&"t1".into(), 20, &[set("name", "Bob")]).is_empty());
        assert_eq!(p.apply(&"t2".into(), 21, &[set("name", "Bob")]).len(), 1);
        assert_eq!(p.version, 2);
    }

    #[test]
    fn a_put_of_what_was_said_pins_it_without_a_new_version() {
        let mut p = Profile::default();
        p.apply(&"t1".into(), 10, &[set("name", "Ada")]);
        let changes = p.put(&slot("name", Some("Ada")), 20);
        assert_eq!((p.version, changes.len()), (1, 1));
        assert!(changes[0].superseded().is_none());
        assert!(p.put(&slot("name", Some("Ada")), 30).is_empty());
    }

    #[test]
    fn what_a_turn_kept_elsewhere_taught_counts_once_and_in_its_time() {
        let mut p = Profile::default();
        assert_eq!(
            p.told(&slot("name", Some("Ada")), &"t1".into(), 10).len(),
            1
        );
        assert!(
            p.told(&slot("name", Some("Ada")), &"t1".into(), 30)
                .is_empty()
        );
        assert!(
            p.told(&slot("name", Some("Eve")), &"t0".into(), 5)
                .is_empty()
        );
        p.put(&slot("name", Some("Bob")), 20);
        assert!(
            p.told(&slot("name", Some("Ada")), &"t2".into(), 20)
                .is_empty()
        );
        p.told(&slot("name", None), &"t3".into(), 21);
        assert_eq!((value(&p, "name"), p.version), (None, 3));
    }

    #[test]
    fn a_tombstone_keeps_older_turns_out_and_newer_ones_not() {
        let mut p = Profile::default();
        assert!(p.put(&slot("name", None), 5).is_empty());
        p.put(&slot("name", Some("Ada")), 10);
        p.put(&slot("name", None), 20);
        assert_eq!((value(&p, "name"), p.version), (None, 2));
        assert!(p.apply(&"old".into(), 15, &[set("name", "Eve")]).is_empty());
        p.apply(&"new".into(), 25, &[set("name", "Bob")]);
        assert_eq!((value(&p, "name"), p.version), (Some("Bob"), 3));
    }

    #[test]
    fn forget_deletes_by_key_and_by_value_pinned_or_not() {
        let mut p = Profile::default();
        p.put(&slot("name", Some("Ada")), 10);
        p.apply(&"t1".into(), 11, &[set("drink", "我喜欢喝咖啡")]);
        assert_eq!(p.apply(&"t2".into(), 12, &[forget("咖啡")]).len(), 1);
        assert_eq!(p.apply(&"t3".into(), 13, &[forget("my name")]).len(), 1);
        assert_eq!((value(&p, "name"), value(&p, "drink")), (None, None));
        let again = [forget("my name"), set("name", "Bob")];
        p.apply(&"t4".into(), 14, &again);
        assert_eq!(value(&p, "name"), Some("Bob"));
    }
}
