//! How much goes in, and what goes first.

use super::*;
use crate::prompt::RecalledTurn;

#[test]
fn budgets_hold_together_and_whole_slots_stay_the_same() {
    let long = "word ".repeat(300);
    let slots = [
        ("a", "big", long.as_str()),
        ("b", "old", "1"),
        ("c", "new", "2"),
    ];
    let turns: Vec<_> = (0..20)
        .map(|i| (["t", "u"][i % 2], "what was said", "what was answered"))
        .collect();
    let user = resident(&slots, &turns);
    let hi = || chat(json!([{"role": "user", "content": "hi"}]));
    for context in [0, 100, 500, 1_000, 2_000, 4_096, 32_768] {
        let scene = Scene {
            context: Some(context),
            ..Scene::new()
        };
        let (request, report) = scene.write(hi(), recall(&user, None));
        let tokens: usize = messages(&request)
            .iter()
            .map(|m| est_tokens(content(m)))
            .sum();
        assert!(
            tokens <= context * 15 / 100 + est_tokens("\n\nhi"),
            "{tokens} of {context}"
        );
        if context < 500 {
            assert_eq!((report.state, request.unedited), (RecallState::Empty, None));
        }
    }
    let scene = Scene {
        memory: MemoryConfig {
            profile_tokens: 90,
            ..MemoryConfig::default()
        },
        ..Scene::new()
    };
    let (request, _) = scene.write(hi(), recall(&user, None));
    let system = content(&messages(&request)[0]).to_owned();
    assert!(
        system.contains("- b / old: 1\n- c / new: 2\n") && !system.contains("big"),
        "{system}"
    );
    // Memories go before the profile does.
    let scene = Scene {
        context: Some(600),
        ..Scene::new()
    };
    let (request, report) = scene.write(hi(), recall(&user, None));
    assert!(
        messages(&request).len() == 2
            && report.items.is_empty()
            && report.state == RecallState::Hit
    );
}

#[test]
fn what_answers_and_found_no_place_in_the_profile_comes_before_memories() {
    let names: Vec<String> = (0..80).map(|n| format!("neighbour_{n:02}")).collect();
    let slots = names
        .iter()
        .map(|name| ("people", name.as_str(), "keeps bees, like all of them"));
    let slots: Vec<_> = slots.collect();
    let user = resident(&slots, &[("t1", "hello", "Hi.")]);
    let hi = || chat(json!([{"role": "user", "content": "hi"}]));
    let at = |key: &str| ("people".to_owned(), key.to_owned());
    let scene = Scene::new();
    let with = |facts: &[At]| {
        let facts = facts.to_vec();
        let (request, _) = scene.write(
            hi(),
            Recall {
                facts,
                ..recall(&user, None)
            },
        );
        let said = messages(&request);
        (content(&said[0]).to_owned(), content(&said[1]).to_owned())
    };
    let (system, asked) = with(&[]);
    assert!(system.contains("neighbour_79") && !system.contains("neighbour_00"));
    assert!(!asked.contains("<user_profile "));
    // The oldest is not in the system message, the newest is.
    let (same, asked) = with(&[at("neighbour_00"), at("neighbour_79"), at("unknown")]);
    assert_eq!(same, system);
    assert_eq!(asked.matches("neighbour_").count(), 1, "{asked}");
    let (facts, memories) = (asked.find("neighbour_00"), asked.find("user: hello"));
    assert!(
        facts.is_some() && facts < memories && asked.ends_with("\n\nhi"),
        "{asked}"
    );
    // Never more than a part of what memories have.
    let all: Vec<_> = names.iter().map(|name| at(name)).collect();
    let (_, asked) = with(&all);
    let end = asked.find("</user_profile").unwrap();
    assert!(est_tokens(&asked[..end]) <= scene.memory.recall_tokens / 4);
    assert!(asked.contains("neighbour_00") && asked.contains("user: hello"));
}

#[test]
fn the_most_relevant_go_in_and_the_latest_stands_first() {
    let turns = [
        ("t1", "We live in Oslo", "Noted"),
        ("t2", "We live in Lima", "Noted"),
        ("t3", "Nice weather", "Yes"),
    ];
    let user = resident(&[], &turns);
    let kept = |n: usize, at_ms: i64| {
        let turn = KeptTurn {
            at_ms,
            ..(*user.turns[n]).clone()
        };
        RecalledTurn {
            turn: Arc::new(turn),
            score: 1.0,
            tokens: 20,
        }
    };
    // As they were ranked.
    let memories = vec![kept(0, 1_000), kept(1, 3_000), kept(2, 2_000)];
    let order = |recall_tokens: usize| {
        let scene = Scene {
            memory: MemoryConfig {
                recall_tokens,
                ..MemoryConfig::default()
            },
            ..Scene::new()
        };
        let recall = Recall {
            memories: memories.clone(),
            ..recall(&user, None)
        };
        let asked = chat(json!([{"role": "user", "content": "hi"}]));
        let (request, _) = scene.write(asked, recall);
        let asked = content(&messages(&request)[0]).to_owned();
        let mut places: Vec<_> = ["Lima", "weather", "Oslo"]
            .into_iter()
            .filter_map(|word| Some((asked.find(word)?, word)))
            .collect();
        places.sort_unstable();
        places.into_iter().map(|(_, word)| word).collect::<Vec<_>>()
    };
    assert_eq!(order(1_024), ["Lima", "weather", "Oslo"]);
    let fewer: Vec<_> = (0..120).rev().map(order).collect();
    assert!(fewer.contains(&vec!["Lima", "Oslo"]) && fewer.contains(&vec!["Oslo"]));
    assert!(!fewer.iter().any(|words| *words == ["Lima", "weather"]));
}
