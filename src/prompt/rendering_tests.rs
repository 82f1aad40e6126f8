//! What the tests of a rendering share.

#[path = "rendering_tests/attacks.rs"]
mod attacks;
#[path = "rendering_tests/budgets.rs"]
mod budgets;
#[path = "rendering_tests/native.rs"]
mod native;
#[path = "rendering_tests/placement.rs"]
mod placement;

use super::*;
use crate::{
    chat::NativeAsk,
    config::PromptConfig,
    memory::{
        At, KeptTurn, Memories, Profile, Resident, Selection, Sight, Slot, Source, TurnStatus,
        est_tokens, select,
    },
};
use serde_json::{Value, json};
use std::collections::{HashSet, VecDeque};

/// A rendering's surroundings; tests change what they are about.
struct Scene {
    prompts: Prompts,
    memory: MemoryConfig,
    secret: Secret,
    user: UserKey,
    meta: BTreeMap<String, String>,
    model: Arc<str>,
    context: Option<usize>,
}

impl Scene {
    fn new() -> Self {
        Scene {
            prompts: Prompts::new(&PromptConfig::default()).unwrap(),
            memory: MemoryConfig::default(),
            secret: Secret([1; 32]),
            user: UserKey::local("ada"),
            meta: BTreeMap::new(),
            model: "m".into(),
            context: None,
        }
    }

    fn write(&self, ask: Ask, recall: Recall) -> (Request, RecallReport) {
        let rendering = Rendering {
            prompts: &self.prompts,
            memory: &self.memory,
            secret: &self.secret,
            user: Some(&self.user),
            meta: &self.meta,
            model: &self.model,
            context: self.context,
        };
        rendering.write(ask, recall).unwrap()
    }
}

fn resident(slots: &[(&str, &str, &str)], turns: &[(&str, &str, &str)]) -> Arc<Resident> {
    let slot = |(i, (topic, key, value)): (usize, &(&str, &str, &str))| {
        let slot = Slot {
            value: Some(value.to_string()),
            source: Source::Put,
            valid_from_ms: i as i64,
        };
        ((topic.to_string(), key.to_string()), slot)
    };
    let turn = |(id, query, answer): &(&str, &str, &str)| {
        Arc::new(KeptTurn {
            id: (*id).into(),
            conversation: "c".into(),
            at_ms: 1_790_000_000_000,
            query: (*query).into(),
            answer: (*answer).into(),
            role: "".into(),
            status: TurnStatus::Complete,
        })
    };
    let turns: VecDeque<_> = turns.iter().map(turn).collect();
    Arc::new(Resident {
        profile: Profile {
            version: 7,
            slots: slots.iter().enumerate().map(slot).collect(),
        },
        memories: Arc::new(Memories::of(&turns)),
        turns,
        ..Resident::default()
    })
}

fn recall(resident: &Arc<Resident>, conversation: Option<&str>) -> Recall {
    let config = MemoryConfig::default();
    let picked = select(
        &config,
        resident,
        &[],
        &Sight::default(),
        &HashSet::new(),
        conversation.map(|name| (name, config.history_tokens)),
    );
    Recall::of(resident.clone(), Vec::new(), picked)
}

fn chat(messages: Value) -> Ask {
    let body = json!({"messages": messages, "model": "m", "stream": true}).to_string();
    Ask::Chat(ChatBody::parse(body.into()).unwrap())
}

fn native(query: &str, system: Option<&str>, params: Value) -> Ask {
    Ask::Native(NativeAsk {
        query: query.into(),
        system: system.map(str::to_owned),
        params: serde_json::from_value(params).unwrap(),
        conversation: None,
    })
}

fn messages(request: &Request) -> Vec<Value> {
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    body["messages"].as_array().unwrap().clone()
}

fn content(message: &Value) -> &str {
    message["content"].as_str().unwrap()
}

const ADA: &[(&str, &str, &str)] = &[
    ("preferences", "tone", "concise"),
    ("general", "name", "Ada"),
];
