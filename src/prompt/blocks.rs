//! Choosing what goes into a prompt: whole slots and whole turns, within the budgets of each and of
//! all together.

use super::{
    Recall, RecalledTurn, Rendering,
    inert::{inert, shown},
    template::{MemoriesView, ProfileView, SlotView, TurnView},
    tongue::{Headings, named, written},
};
use crate::memory::{
    ANSWER_CHARS, At, KeptTurn, Profile, QUERY_CHARS, Slot, Source, Told, est_tokens, window,
    within,
};
use std::{cmp::Reverse, collections::HashSet, fmt::Write, sync::Arc};
use time::OffsetDateTime;

/// Characters of a fence's tag: 48 bits that nobody guesses.
pub(super) const TAG: usize = 12;

/// Values that had no place in the profile's block may take such a part of what memories have.
const FACTS: usize = 4;

/// What goes in: all of it within the budgets.
#[derive(Default)]
pub(super) struct Blocks {
    pub(super) profile: Option<String>,
    /// What of the profile answers what is asked, and had no place there.
    pub(super) facts: Option<String>,
    pub(super) history: Vec<Told>,
    pub(super) memories: Option<String>,
    pub(super) items: Vec<(Arc<str>, f64, usize)>,
}

impl Rendering<'_> {
    /// The profile has the first claim on the budget, then the conversation, then memories.
    pub(super) fn blocks(&self, recall: &Recall) -> Blocks {
        let (Some(user), Some(resident)) = (self.user, &recall.resident) else {
            return Blocks::default();
        };
        let mut tag = self
            .secret
            .hash("fence", [user.tenant.as_bytes(), user.user.as_bytes()]);
        tag.truncate(TAG);
        let mut left = self.memory.share(self.context);
        let (profile, headings) = (&resident.profile, profile_headings(&resident.profile));
        let budget = self.memory.profile_share(self.context);
        let (block, stands) = self.slots(ranked(profile), headings, &tag, budget);
        left -= block.as_ref().map_or(0, |block| est_tokens(block));
        let history = within(self.memory.history_share(self.context), left);
        let history = window(&recall.history, history).to_vec();
        left -= history.iter().map(|told| told.tokens).sum::<usize>();
        let headings = memories_headings(&resident.profile, &recall.memories);
        let mut budget = left.min(self.memory.recall_tokens);
        let facts = recall.facts.iter().filter(|at| !stands.contains(at));
        let facts = facts.filter_map(|at| Some((at, profile.slots.get(at)?.value.as_ref()?)));
        let (facts, _) = self.slots(
            facts.collect(),
            profile_headings(profile),
            &tag,
            budget / FACTS,
        );
        budget -= facts.as_ref().map_or(0, |block| est_tokens(block));
        let (memories, recalled) = self.memories(&recall.memories, headings, &tag, budget);
        let recalled = recalled.iter().map(|m| (&m.turn, m.score, m.tokens));
        let told = history.iter().rev().map(|t| (&t.turn, 1.0, t.tokens));
        let items = recalled.chain(told);
        let items = items.map(|(turn, score, tokens)| (turn.id.clone(), score, tokens));
        let items = items.collect();
        Blocks {
            profile: block,
            facts,
            history,
            memories,
            items,
        }
    }

    /// Whole slots only, as many of the first as fit, in the order of their names; and which.
    fn slots<'s>(
        &self,
        ranked: Vec<(&'s At, &'s String)>,
        headings: Headings,
        tag: &str,
        budget: usize,
    ) -> (Option<String>, HashSet<&'s At>) {
        let mut room = budget;
        let mut slots: Vec<(SlotView<'_>, &At)> = Vec::new();
        let mut line = String::new();
        for (at, value) in ranked {
            let slot = SlotView {
                topic: inert(&at.0),
                key: inert(&at.1),
                value: inert(value),
            };
            line.clear();
            let _ = writeln!(line, "- {} / {}: {}", slot.topic, slot.key, slot.value);
            let tokens = est_tokens(&line);
            if tokens <= room {
                room -= tokens;
                slots.push((slot, at));
            }
        }
        while !slots.is_empty() {
            let mut profile: Vec<_> = slots.iter().map(|(slot, _)| slot.clone()).collect();
            profile.sort();
            let view = ProfileView {
                profile: &profile,
                headings,
                tag,
            };
            let Some(block) = self.prompts.profile(&view) else {
                break;
            };
            if est_tokens(&block) <= budget {
                return (Some(block), slots.into_iter().map(|(_, at)| at).collect());
            }
            slots.pop();
        }
        (None, HashSet::new())
    }

    /// The most relevant that fit, the latest first: of two that contradict each other the later one
    /// holds, and within a day only their order tells which that is.
    fn memories<'r>(
        &self,
        recalled: &'r [RecalledTurn],
        headings: Headings,
        tag: &str,
        budget: usize,
    ) -> (Option<String>, &'r [RecalledTurn]) {
        let mut ranks: Vec<usize> = (0..recalled.len()).collect();
        ranks.sort_by_key(|&rank| Reverse(recalled[rank].turn.at_ms));
        let turns = ranks.iter().map(|&rank| turn_view(&recalled[rank].turn));
        let mut turns: Vec<TurnView<'_>> = turns.collect();
        for n in (1..=turns.len()).rev() {
            if let Some(last) = ranks.iter().position(|&rank| rank == n) {
                ranks.remove(last);
                turns.remove(last);
            }
            let view = MemoriesView {
                memories: &turns,
                headings,
                tag,
            };
            match self.prompts.memories(&view) {
                None => break,
                Some(block) if est_tokens(&block) <= budget => {
                    return (Some(block), &recalled[..n]);
                }
                Some(_) => {}
            }
        }
        (None, &[])
    }
}

impl Blocks {
    pub(super) fn is_empty(&self) -> bool {
        let blocks = [&self.profile, &self.facts, &self.memories];
        blocks.iter().all(|block| block.is_none()) && self.history.is_empty()
    }

    /// What profile and memories take.
    pub(super) fn tokens(&self) -> usize {
        let blocks = [&self.profile, &self.facts, &self.memories]
            .into_iter()
            .flatten();
        blocks.map(|block| est_tokens(block)).sum()
    }

    /// What goes before the user's words.
    pub(super) fn recalled(&self) -> Option<String> {
        let blocks = [&self.facts, &self.memories];
        let blocks: Vec<&str> = blocks.into_iter().flatten().map(String::as_str).collect();
        (!blocks.is_empty()).then(|| blocks.join("\n\n"))
    }
}

/// What of a profile goes first: what the user put, then the newest. It does not depend on what is
/// asked, so that the block stays the same as long as the profile does.
fn ranked(profile: &Profile) -> Vec<(&At, &String)> {
    let live = profile.slots.iter();
    let live = live.filter_map(|(at, slot)| Some((at, slot, slot.value.as_ref()?)));
    let mut ranked: Vec<_> = live.collect();
    ranked.sort_by_key(|(_, slot, _)| (slot.source != Source::Put, Reverse(slot.valid_from_ms)));
    ranked
        .into_iter()
        .map(|(at, _, value)| (at, value))
        .collect()
}

/// In the language the user asked for, else the one their profile is written in.
fn profile_headings(profile: &Profile) -> Headings {
    let live = profile.slots.values().filter_map(|s| s.value.as_deref());
    asked_for(profile, |_| true).unwrap_or_else(|| written(live))
}

/// In the language the user set, else the one they spoke: what a turn teaches must not change the
/// block in the later steps of its own tool loop.
fn memories_headings(profile: &Profile, memories: &[RecalledTurn]) -> Headings {
    let spoken = memories.iter().map(|m| &*m.turn.query);
    asked_for(profile, |slot| slot.source == Source::Put).unwrap_or_else(|| written(spoken))
}

/// The language that a slot names.
fn asked_for(profile: &Profile, counts: impl Fn(&Slot) -> bool) -> Option<Headings> {
    let mut slots = profile.slots.iter().filter(|(_, slot)| counts(slot));
    slots.find_map(|((_, key), slot)| {
        let language =
            key.eq_ignore_ascii_case("language") || ["语言", "言語", "언어"].contains(&&**key);
        named(slot.value.as_deref().filter(|_| language)?)
    })
}

fn turn_view(turn: &KeptTurn) -> TurnView<'_> {
    // A remote memory may not know when something was said.
    let known = (turn.at_ms != 0).then_some(turn.at_ms / 1000);
    let when = known.and_then(|at| OffsetDateTime::from_unix_timestamp(at).ok());
    let speaker = if turn.role.is_empty() {
        "user"
    } else {
        &turn.role
    };
    TurnView {
        speaker: inert(speaker),
        query: shown(&turn.query, QUERY_CHARS),
        answer: shown(&turn.answer, ANSWER_CHARS),
        when: when.map(|when| when.date().to_string()).unwrap_or_default(),
    }
}
