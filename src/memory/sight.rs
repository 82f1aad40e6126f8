//! What a turn sees of what was kept. Never itself: a retry and a regenerate ask what was asked
//! before. And in the later steps of its tool loop nothing that came after it began, so that they
//! recall what the first step recalled, after a restart and at another replica too.

use super::{KeptTurn, Memories, TurnId};

/// See the file's head.
#[derive(Clone, Debug, Default)]
pub struct Sight {
    /// The turn that asks.
    pub(super) turn: TurnId,
    /// Its conversation, where it is kept if it is.
    pub(super) conversation: TurnId,
    /// It asks in a step of its tool loop after the first.
    pub(super) goes_on: bool,
    /// When it began, in such a step, where it is kept.
    pub(super) began_ms: Option<i64>,
}

impl Sight {
    /// That of a turn; `goes_on`: it is a step of a tool loop, after its first.
    pub fn of(memories: &Memories, turn: &TurnId, conversation: &str, goes_on: bool) -> Self {
        let mut sight = Sight {
            turn: turn.clone(),
            conversation: conversation.into(),
            goes_on,
            began_ms: None,
        };
        sight.began_ms = goes_on.then(|| memories.began(&sight)).flatten();
        sight
    }

    /// Whether the turn is there for it.
    pub fn sees(&self, turn: &KeptTurn) -> bool {
        self.began_ms.is_none_or(|began| turn.at_ms < began) && !self.is(turn)
    }

    /// Whether it is the turn that asks, perhaps under an id of its own, for the plain one was
    /// taken long before.
    pub(super) fn is(&self, turn: &KeptTurn) -> bool {
        let rest = turn.id.strip_prefix(&*self.turn);
        !self.turn.is_empty() && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{Asking, Resident, TurnStatus};
    use std::sync::Arc;

    fn turn(id: &str, at_ms: i64, query: &str) -> Arc<KeptTurn> {
        Arc::new(KeptTurn {
            id: id.into(),
            conversation: if id.starts_with("me") { "mine" } else { id }.into(),
            at_ms,
            query: query.into(),
            answer: "Noted, as ever".into(),
            role: "".into(),
            status: TurnStatus::Complete,
        })
    }

    fn ranking(memories: &Arc<Memories>, goes_on: bool) -> Vec<(String, String)> {
        let resident = Resident {
            memories: memories.clone(),
            ..Resident::default()
        };
        let asking = Asking {
            text: "which instrument does my sister play?".into(),
            sight: Sight::of(memories, &"me".into(), "mine", goes_on),
            ..Asking::default()
        };
        let ranked = asking.answers(&resident).turns.into_iter();
        let ranked = ranked.map(|r| (r.turn.id.to_string(), r.score.to_string()));
        ranked.collect()
    }

    #[test]
    fn a_later_step_and_a_retry_find_what_the_first_found_with_the_same_scores() {
        let texts = [
            "My sister plays the cello",
            "My brother plays chess",
            "An instrument of torture",
            "We play cards",
        ];
        let before = texts.iter().zip(1..);
        let before = before.map(|(text, at)| turn(&format!("t{at}"), at, text));
        let before: Vec<_> = before.collect();
        let memories = Arc::new(Memories::of(&before));
        let first = ranking(&memories, false);
        assert_eq!(first[0].0, "t1");
        memories.remember(&turn("me", 10, "which instrument does my sister play?"));
        assert_eq!(ranking(&memories, false), first, "a retry");
        memories.remember(&turn("me", 10, "which instrument? I must look"));
        memories.remember(&turn("later", 11, "My sister sold her instrument"));
        assert_eq!(ranking(&memories, true), first, "a step");
        let anew = ranking(&memories, false);
        assert!(anew.iter().any(|(id, _)| id == "later"), "{anew:?}");
        // Not one that only begins alike, and one whose plain id was taken.
        memories.remember(&turn("mean", 9, "My sister plays an instrument"));
        assert_eq!(ranking(&memories, true)[0].0, "mean");
    }
}
