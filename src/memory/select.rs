//! Which turns matter now: the last one, those that answer what is asked, then the latest, within
//! their budget, without those the request carries already. Every call of a tool loop gets what its
//! first got.

use super::{
    KeptTurn, RECENT_TURNS, Ranked, Resident, Sight, Told, TurnId, est_tokens, history::AROUND,
};
use crate::{config::MemoryConfig, prompt::RecalledTurn};
use std::{
    borrow::Cow,
    collections::HashSet,
    hash::{DefaultHasher, Hasher},
};

/// How much of a recalled query is shown, in characters.
pub const QUERY_CHARS: usize = 400;
/// How much of a recalled answer is shown, in characters.
pub const ANSWER_CHARS: usize = 600;
/// So many turns, kept elsewhere while a tool loop goes on, push nothing out of what it recalls.
const ELSEWHERE: usize = 8;
/// What the turns before the last are worth beside the best answer, which is worth 1: a quarter of
/// this, an eighth, and so on.
const LATEST: f64 = 0.5;

/// What was picked.
#[derive(Default)]
pub struct Selection {
    /// Turns that matter now, most relevant first.
    pub memories: Vec<RecalledTurn>,
    /// The asked conversation's last turns, oldest first.
    pub history: Vec<Told>,
}

/// Picks. `ranked` answers what is asked; `sight` is that of the turn that asks; `present` the
/// hashes of the user messages it carries; `conversation` is the one whose last turns come back,
/// and their tokens.
pub fn select(
    config: &MemoryConfig,
    resident: &Resident,
    ranked: &[Ranked],
    sight: &Sight,
    present: &HashSet<u64>,
    conversation: Option<(&str, usize)>,
) -> Selection {
    if sight.goes_on
        && let Some(memories) = resident.memories.picks.of(&sight.turn)
    {
        return Selection {
            memories,
            history: Vec::new(),
        };
    }
    // As many in every step of a tool loop, though the oldest may have fallen out meanwhile.
    let others = || {
        let others = resident.turns.iter().rev();
        let others = others.filter(|turn| sight.sees(turn));
        others.take(RECENT_TURNS - 1 - ELSEWHERE)
    };
    let history = conversation.map_or_else(Vec::new, |(name, tokens)| {
        let memories = &resident.memories;
        memories.told(name, tokens, |turn| !sight.sees(turn))
    });
    let best = ranked.first().map_or(1.0, |best| best.score);
    let answers = ranked.iter().map(|r| (&r.turn, r.score / best));
    let mut worth = LATEST;
    let latest = others().map(|turn| {
        worth /= 2.0;
        (turn, worth)
    });
    // What was said last is always there: whoever goes on from it need not name it.
    let last_said = others().next().map(|turn| (turn, 1.0));
    let (mut memories, mut left) = (Vec::<RecalledTurn>::new(), config.recall_tokens);
    for (turn, score) in last_said.into_iter().chain(answers).chain(latest) {
        let tokens = tokens(turn);
        let nothing = turn.query.is_empty() && turn.answer.is_empty();
        let there = |id: &TurnId| {
            history.iter().any(|told| told.turn.id == *id)
                || memories.iter().any(|recalled| {
                    // The same again, said elsewhere, says no more.
                    let kept = &recalled.turn;
                    let again = (&kept.query, &kept.answer) == (&turn.query, &turn.answer);
                    kept.id == *id || again && kept.role == turn.role
                })
        };
        if nothing || tokens > left || there(&turn.id) {
            continue;
        }
        if !turn.query.is_empty() && present.contains(&query_hash(&turn.query)) {
            continue;
        }
        left -= tokens;
        memories.push(RecalledTurn {
            turn: turn.clone(),
            score,
            tokens,
        });
    }
    if conversation.is_none() {
        let memories = memories.clone();
        resident.memories.picks.note(&sight.turn, memories);
    }
    Selection { memories, history }
}

/// What it costs as a memory.
fn tokens(turn: &KeptTurn) -> usize {
    let query = est_tokens(&excerpt(&turn.query, QUERY_CHARS));
    query + est_tokens(&excerpt(&turn.answer, ANSWER_CHARS)) + AROUND
}

/// The beginning of a text.
pub fn excerpt(text: &str, chars: usize) -> Cow<'_, str> {
    if text.len() <= chars {
        return text.into();
    }
    match text.char_indices().nth(chars) {
        None => text.into(),
        Some((end, _)) => format!("{}…", text[..end].trim_end()).into(),
    }
}

/// Tells kept queries apart, within one process.
pub fn query_hash(query: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(query.as_bytes());
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{Asking, Memories, TurnStatus};
    use std::{collections::VecDeque, sync::Arc};

    fn turn(id: &str, conversation: &str, query: &str, answer: &str) -> Arc<KeptTurn> {
        Arc::new(KeptTurn {
            id: id.into(),
            conversation: conversation.into(),
            at_ms: 0,
            query: query.into(),
            answer: answer.into(),
            role: "".into(),
            status: TurnStatus::Partial,
        })
    }

    fn resident(turns: impl IntoIterator<Item = Arc<KeptTurn>>) -> Resident {
        let turns: VecDeque<_> = turns.into_iter().collect();
        Resident {
            memories: Arc::new(Memories::of(&turns)),
            turns,
            ..Resident::default()
        }
    }

    fn picked(
        user: &Resident,
        this: &str,
        present: &[&str],
        c: Option<&str>,
    ) -> (Vec<String>, Vec<String>) {
        let present = present.iter().map(|text| query_hash(text)).collect();
        let found = select(
            &MemoryConfig::default(),
            user,
            &[],
            &Sight::of(&user.memories, &this.into(), "c", false),
            &present,
            c.map(|name| (name, MemoryConfig::default().history_tokens)),
        );
        let memories = found.memories.iter().map(|m| m.turn.id.to_string());
        let history = found.history.iter().map(|told| told.turn.id.to_string());
        (memories.collect(), history.collect())
    }

    #[test]
    fn the_latest_come_first_without_what_is_there_already() {
        let user = resident([
            turn("a", "c", "one", "1"),
            turn("b", "d", "two", ""),
            turn("empty", "d", "", ""),
            turn("c", "c", "three", "3"),
        ]);
        assert_eq!(picked(&user, "x", &[], None).0, ["c", "b", "a"]);
        assert_eq!(picked(&user, "c", &[], None).0, ["b", "a"]);
        assert_eq!(picked(&user, "c", &["one"], None).0, ["b"]);
        let (memories, history) = picked(&user, "x", &[], Some("c"));
        assert_eq!(
            (memories, history),
            (vec!["b".into()], vec!["a".into(), "c".into()])
        );
        // A turn without an answer is no history, but a memory.
        assert_eq!(picked(&user, "x", &[], Some("d")).0, ["c", "b", "a"]);
    }

    #[test]
    fn budgets_hold_and_history_is_whole() {
        let long = "word ".repeat(2_000);
        let user = resident([
            turn("a-old", "c", "q", "a"),
            turn("b-long", "c", &long, &long),
            turn("c-mid", "c", "q", &"字".repeat(1_900)),
            turn("d-new", "c", "q", "a"),
        ]);
        let (memories, history) = picked(&user, "x", &[], Some("c"));
        assert_eq!(
            history,
            ["c-mid", "d-new"],
            "stops at the first that does not fit"
        );
        assert_eq!(
            memories,
            ["b-long", "a-old"],
            "an excerpt of it may still be recalled"
        );
        let found = select(
            &MemoryConfig::default(),
            &user,
            &[],
            &Sight::default(),
            &HashSet::new(),
            None,
        );
        let tokens: usize = found.memories.iter().map(|m| m.tokens).sum();
        assert!(tokens <= MemoryConfig::default().recall_tokens, "{tokens}");
        assert_eq!(found.memories[0].score, 1.0);
        assert_eq!(found.memories[1].score, 0.125);
    }

    #[test]
    fn a_tool_loop_sees_the_same_once_its_own_turn_is_kept() {
        let at = |id: &str, at_ms| {
            let turn = turn(id, "c", &format!("q {id}"), "a");
            Arc::new(KeptTurn {
                at_ms,
                ..(*turn).clone()
            })
        };
        let step = |goes_on, turns: &[&str]| {
            let before = (0..RECENT_TURNS).map(|i| at(&format!("t{i}"), i as i64));
            let after = turns.iter().zip(100..).map(|(id, ms)| at(id, ms));
            let mut user = resident(before.chain(after));
            user.turns.drain(..turns.len());
            let config = MemoryConfig {
                recall_tokens: 10_000,
                ..MemoryConfig::default()
            };
            let sight = Sight::of(&user.memories, &"me".into(), "c", goes_on);
            let found = select(&config, &user, &[], &sight, &HashSet::new(), None);
            let ids = found.memories.iter().map(|m| m.turn.id.to_string());
            ids.collect::<Vec<_>>()
        };
        let first = step(false, &[]);
        assert_eq!(first[0], "t31");
        for later in [&["me"][..], &["me", "else"], &["me-17", "else"]] {
            assert_eq!(step(true, later), first);
        }
        // The same words once more begin it anew, and see what was kept since.
        assert_eq!(step(false, &["me", "else"])[0], "else");
        assert_eq!(step(true, &["mean", "else"])[..2], ["else", "mean"]);
    }

    #[test]
    fn what_answers_comes_after_the_last_word_and_before_what_is_older() {
        let turns = (0..20).map(|n| turn(&format!("t{n}"), "c", &format!("note {n}"), "fine"));
        let old = turn("old", "c", "My sister plays the cello", "How nice");
        let user = resident([old].into_iter().chain(turns));
        let asking = Asking {
            text: "which instrument does my sister play?".into(),
            ..Asking::default()
        };
        let config = MemoryConfig::default();
        let (sight, none) = (Sight::default(), HashSet::new());
        let answers = asking.answers(&user);
        let found = select(&config, &user, &answers.turns, &sight, &none, None);
        let ids = found.memories.iter().map(|m| m.turn.id.to_string());
        let ids: Vec<_> = ids.collect();
        assert_eq!(ids[..2], ["t19", "old"]);
        assert!(ids.contains(&"t18".to_owned()), "{ids:?}");
    }

    #[test]
    fn an_excerpt_cuts_between_characters() {
        assert_eq!(excerpt("你好世界", 2), "你好…");
        assert_eq!(excerpt("你好", 2), "你好");
    }
}
