//! How turns are indexed, replaced and found.

use super::*;
use crate::memory::TurnStatus;
use std::collections::HashSet;

fn turn(id: &str, at_ms: i64, query: &str, answer: &str) -> Arc<KeptTurn> {
    Arc::new(KeptTurn {
        id: id.into(),
        conversation: "c".into(),
        at_ms,
        query: query.into(),
        answer: answer.into(),
        role: "".into(),
        status: TurnStatus::Complete,
    })
}

fn found(memories: &Memories, text: &str) -> Vec<String> {
    let query = Query {
        text,
        ..Query::default()
    };
    let ranked = memories.rank(&query, None, 10, &Sight::default());
    ranked.iter().map(|r| r.turn.id.to_string()).collect()
}

#[test]
fn a_turn_is_found_once_by_either_side() {
    let turns = [
        turn("a", 1, "Where do lemurs live?", "On Madagascar."),
        turn("b", 2, "Thanks", "You are welcome."),
    ];
    let turns = turns.map(|turn| {
        let conversation = turn.id.clone();
        Arc::new(KeptTurn {
            conversation,
            ..(*turn).clone()
        })
    });
    let memories = Memories::of(&turns);
    assert_eq!(found(&memories, "Madagascar")[0], "a");
    assert_eq!(found(&memories, "lemurs of Madagascar")[0], "a");
    let once: HashSet<_> = found(&memories, "lemurs on Madagascar")
        .into_iter()
        .collect();
    assert_eq!(once.len(), found(&memories, "lemurs on Madagascar").len());
}

#[test]
fn a_replaced_answer_is_not_found_any_more_and_the_same_again_adds_nothing() {
    let memories = Memories::of(&[turn("a", 1, "A pet?", "Take a hamster.")]);
    memories.remember(&turn("a", 1, "A pet?", "Take a parrot."));
    let query = Query {
        text: "hamster",
        ..Query::default()
    };
    let texts = memories
        .rank(&query, None, 9, &Sight::default())
        .into_iter()
        .flat_map(|r| r.texts);
    assert!(texts.into_iter().all(|text| !text.contains("hamster")));
    assert_eq!(found(&memories, "parrot"), ["a"]);
    let before = memories.len();
    memories.remember(&turn("a", 1, "A pet?", "Take a parrot."));
    assert_eq!(memories.len(), before);
    for n in 0..200 {
        memories.remember(&turn("a", 1, "A pet?", &format!("Take number{n}.")));
    }
    assert_eq!(memories.len(), 2);
    assert!(memories.read().turns.len() < 100);
    assert_eq!(
        memories,
        Memories::of(&[turn("a", 1, "A pet?", "Take number199.")])
    );
}
