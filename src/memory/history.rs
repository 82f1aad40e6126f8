//! A conversation's own last turns, as a native prompt brings them back. Were they cut where the
//! budget ends, each turn would push out the oldest, and a backend's prefix cache would miss every
//! time. So the window's beginning stands still and then jumps half a budget at once, to a place
//! that depends on nothing but the conversation: its turns in their order, and how long each is.

use super::{KeptTurn, est_tokens};
use std::sync::Arc;

/// What stands around a turn in the prompt (a date, two roles), in tokens.
pub(super) const AROUND: usize = 10;

/// One turn of a conversation.
#[derive(Clone)]
pub struct Told {
    /// The turn.
    pub turn: Arc<KeptTurn>,
    /// Tokens of the conversation before it: where it stands.
    pub before: usize,
    /// What it takes in a prompt.
    pub tokens: usize,
}

/// The last turns that fit into a budget: all of them, or about half of it or more. What fits into
/// half a budget or less is the end of what fits into the whole.
pub fn window(told: &[Told], budget: usize) -> &[Told] {
    let end = told.last().map_or(0, |last| last.before + last.tokens);
    let step = (budget / 2).max(1);
    let cut = end.saturating_sub(budget).div_ceil(step) * step;
    let from = told.partition_point(|turn| turn.before < cut);
    // A long answer that is cut through stays while it fits: it may be the very last one.
    let long = |turn: &Told| {
        turn.tokens > step && turn.before + turn.tokens > cut && end - turn.before <= budget
    };
    let long = from.checked_sub(1).filter(|&at| long(&told[at]));
    &told[long.unwrap_or(from)..]
}

/// The budget to cut by where not all of `budget` is left.
pub fn within(budget: usize, left: usize) -> usize {
    match left < budget {
        true => left.min(budget / 2),
        false => budget,
    }
}

/// What a turn costs as history.
pub fn history_tokens(turn: &KeptTurn) -> usize {
    est_tokens(&turn.query) + est_tokens(&turn.answer) + AROUND
}

/// A conversation of these turns. One that lacks a side stays out: two messages of one role in a
/// row are an error with some chat templates.
pub(super) fn told<'a>(
    turns: impl Iterator<Item = (&'a Arc<KeptTurn>, usize)>,
    budget: usize,
) -> Vec<Told> {
    let whole = turns.filter(|(turn, _)| !turn.query.is_empty() && !turn.answer.is_empty());
    let mut end = 0;
    let placed = whole.map(|(turn, tokens)| {
        end += tokens;
        (turn, end - tokens, tokens)
    });
    let placed: Vec<_> = placed.collect();
    let fits = |(_, before, _): &&(_, usize, _)| end - before <= budget;
    let last = placed.iter().rev().take_while(fits).count();
    let last = &placed[placed.len() - last..];
    let told = last.iter().map(|&(turn, before, tokens)| Told {
        turn: turn.clone(),
        before,
        tokens,
    });
    window(&told.collect::<Vec<_>>(), budget).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::TurnStatus;
    use proptest::prelude::*;

    fn turn(n: usize) -> Arc<KeptTurn> {
        Arc::new(KeptTurn {
            id: n.to_string().into(),
            conversation: "c".into(),
            at_ms: n as i64,
            query: "q".into(),
            answer: "a".into(),
            role: "".into(),
            status: TurnStatus::Complete,
        })
    }

    /// Which turns are there after each one that is told.
    fn windows(sizes: &[usize], budget: usize) -> Vec<Vec<String>> {
        let turns: Vec<_> = sizes
            .iter()
            .enumerate()
            .map(|(n, &s)| (turn(n), s))
            .collect();
        let ids = |n: usize| {
            let told = told(turns[..n].iter().map(|(turn, size)| (turn, *size)), budget);
            let fits: usize = told.iter().map(|told| told.tokens).sum();
            assert!(fits <= budget);
            told.iter().map(|told| told.turn.id.to_string()).collect()
        };
        (0..=sizes.len()).map(ids).collect()
    }

    proptest! {
        #[test]
        fn it_goes_on_until_half_a_budget_is_told(
            sizes in prop::collection::vec(1..60_usize, 0..200), budget in 130..400_usize,
        ) {
            let windows = windows(&sizes, budget);
            let (mut since, mut first) = (budget, true);
            for (n, two) in windows.windows(2).enumerate() {
                let (old, new) = (&two[0], &two[1]);
                since += sizes[n];
                if !new.starts_with(old) {
                    let largest = 60;
                    prop_assert!(first || since + largest > budget / 2, "{since}");
                    prop_assert!(old.ends_with(&new[..new.len() - 1]));
                    (since, first) = (0, false);
                }
                let told: usize = sizes[..=n].iter().sum();
                let kept: usize = sizes[n + 1 - new.len()..=n].iter().sum();
                prop_assert!(kept == told || kept + 60 > budget / 2, "{kept} of {told}");
            }
        }

        #[test]
        fn whatever_their_lengths_it_moves_rarely_and_has_the_last(
            sizes in prop::collection::vec(prop_oneof![1..60_usize, 1..300_usize], 0..200),
        ) {
            let (budget, half) = (256, 128);
            let windows = windows(&sizes, budget);
            let moved = windows.windows(2).filter(|two| !two[1].starts_with(&two[0])).count();
            let told: usize = sizes.iter().sum();
            let long = sizes.iter().filter(|&&size| size > half).count();
            prop_assert!(moved <= told / half + long, "{moved}");
            for (n, &size) in sizes.iter().enumerate() {
                prop_assert_eq!(windows[n + 1].contains(&n.to_string()), size <= budget);
            }
        }

        #[test]
        fn less_room_is_the_end_of_more(
            sizes in prop::collection::vec(1..300_usize, 0..200), budget in 1..400_usize, left in 0..500_usize,
        ) {
            let turns: Vec<_> = sizes.iter().enumerate().map(|(n, &s)| (turn(n), s)).collect();
            let of = |budget| told(turns.iter().map(|(turn, size)| (turn, *size)), budget);
            let budget_then = within(budget, left);
            let (all, there) = (of(budget_then), of(budget));
            let then = window(&there, budget_then);
            prop_assert_eq!(then.len(), all.len());
            prop_assert!(then.iter().map(|told| told.tokens).sum::<usize>() <= left.max(budget_then));
        }
    }
}
