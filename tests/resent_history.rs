//! Resent history: clients of `/v1` send the whole conversation with every request, in every step
//! of a tool loop, with a regenerate and with a retry. However often it comes, each turn is kept
//! once, with its last answer, and what it teaches is learnt once; what the request carries is not
//! recalled again, and what is recalled stays the same bytes through a tool loop.

use crate::support::{
    App, Client, Events, Process, http::send, spawn_app, spawn_app_in, upstream::*,
};
use reqwest::Response;
use serde_json::{Value, json};
use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};
use sundynix::{
    config::BackendConfig,
    memory::{TurnStatus, UserKey},
};

const SYSTEM: &str = "You are the house's own assistant.";

/// What the user says of themselves in which turn, and the slot it makes; the later of two values
/// counts, the same one again changes nothing.
const FACTS: [(usize, &str, [&str; 3]); 8] = [
    (1, "My name is Ada.", ["identity", "name", "Ada"]),
    (
        4,
        "I like coffee.",
        ["preferences", "coffee", "likes coffee"],
    ),
    (6, "I live in Berlin.", ["identity", "location", "Berlin"]),
    (9, "我喜欢爬山。", ["preferences", "爬山", "喜欢爬山"]),
    (
        12,
        "I like coffee.",
        ["preferences", "coffee", "likes coffee"],
    ),
    (13, "I prefer tea.", ["preferences", "tea", "prefers tea"]),
    (15, "I live in Rome.", ["identity", "location", "Rome"]),
    (
        18,
        "I love hiking.",
        ["preferences", "hiking", "loves hiking"],
    ),
];

/// The slots at the end, and the turns they came from.
const LEARNT: [(usize, [&str; 3]); 6] = [
    (1, FACTS[0].2),
    (4, FACTS[1].2),
    (9, FACTS[3].2),
    (13, FACTS[5].2),
    (15, FACTS[6].2),
    (18, FACTS[7].2),
];

/// A backend that calls a tool twice, the second time with a word on it, and then answers, each
/// time differently; without tools it answers at once.
fn brain() -> impl Fn(&Seen) -> Script + Send + Sync + 'static {
    let answers = AtomicUsize::new(0);
    move |seen| {
        let body = seen.json();
        let messages = body["messages"].as_array().unwrap();
        let asked = messages.iter().rposition(|m| m["role"] == "user").unwrap();
        let results = messages[asked..].iter().filter(|m| m["role"] == "tool");
        let step = results.count();
        let (text, calls) = match body.get("tools").is_some() && step < 2 {
            true => (["", "Let me look."][step].to_owned(), true),
            false => (format!("Answer {}.", answers.fetch_add(1, SeqCst)), false),
        };
        let call = json!({"index": 0, "id": format!("call_{step}"), "type": "function",
            "function": {"name": "look", "arguments": "{}"}});
        if body["stream"] == json!(true) {
            let mut events = chat_events("m", &text.split_inclusive(' ').collect::<Vec<_>>());
            if calls {
                let end = events.len() - 1;
                events[end]["choices"][0]["finish_reason"] = "tool_calls".into();
                let mut last = events[end].clone();
                last["choices"][0]["delta"] = json!({"tool_calls": [call]});
                last["choices"][0]["finish_reason"] = Value::Null;
                events.insert(end, last);
            }
            return sse(&events);
        }
        let mut whole = chat_whole("m", &text);
        if calls {
            let content = Some(text).filter(|text| !text.is_empty());
            whole["choices"][0] = json!({"index": 0, "finish_reason": "tool_calls",
                "message": {"role": "assistant", "content": content, "tool_calls": [call]}});
        }
        vec![Step::Write(ok(&whole))]
    }
}

/// One answered request.
#[derive(Clone, Debug)]
struct Answered {
    turn: String,
    message: Value,
}

/// A request of the user's, sent but not read.
async fn post(
    server: &Client,
    conversation: Option<&str>,
    messages: &[Value],
    tools: bool,
    stream: bool,
) -> Response {
    let mut body = json!({"model": "m", "messages": messages, "stream": stream});
    if tools {
        let look = json!({"name": "look", "parameters": {"type": "object", "properties": {}}});
        body["tools"] = json!([{"type": "function", "function": look}]);
    }
    let mut request = server.http.post(server.url("/v1/chat/completions"));
    request = request.header("x-user-id", "ada").json(&body);
    if let Some(conversation) = conversation {
        request = request.header("x-sundynix-conversation", conversation);
    }
    let response = send(request).await.unwrap();
    assert_eq!(response.status(), 200);
    response
}

/// Reads an answer to its end, as clients put its message together.
async fn read(response: Response, stream: bool) -> Answered {
    let turn = response.headers()["x-sundynix-turn"]
        .to_str()
        .unwrap()
        .to_owned();
    if !stream {
        let whole: Value = response.json().await.unwrap();
        let message = whole["choices"][0]["message"].clone();
        return Answered { turn, message };
    }
    let events = Events::of(response).all().await;
    let [chunks @ .., recorded, done] = &events[..] else {
        panic!("{events:?}");
    };
    assert_eq!(
        (&*recorded.data, &recorded.comments[..]),
        ("", &["memory recorded".to_owned()][..])
    );
    assert_eq!(done.data, "[DONE]");
    let (mut content, mut calls) = (String::new(), Value::Null);
    for chunk in chunks {
        assert_eq!(chunk.name, "");
        let delta = &chunk.json()["choices"][0]["delta"];
        content += delta["content"].as_str().unwrap_or_default();
        if let Some(made) = delta.get("tool_calls") {
            calls = made.clone();
        }
    }
    let mut message = json!({"role": "assistant", "content": content});
    if !calls.is_null() {
        message["tool_calls"] = calls;
    }
    Answered { turn, message }
}

/// The system text and the last user message that the backend saw with its last request.
fn prompt(upstream: &Upstream) -> (String, String) {
    let log = upstream.log();
    seen(log.chats().last().unwrap())
}

fn seen(seen: &Seen) -> (String, String) {
    let body = seen.json();
    let messages = body["messages"].as_array().unwrap();
    let text = |content: &Value| match content {
        Value::Array(parts) => parts.iter().map(|p| p["text"].as_str().unwrap()).collect(),
        text => text.as_str().unwrap().to_owned(),
    };
    let system = messages.iter().filter(|m| m["role"] == "system");
    let system: Vec<_> = system.map(|m| text(&m["content"])).collect();
    assert!(system.len() <= 1);
    let user = messages.iter().rfind(|m| m["role"] == "user").unwrap();
    (system.concat(), text(&user["content"]))
}

fn user(text: &str) -> Value {
    json!({"role": "user", "content": text})
}

/// What the user says in a turn.
fn words(n: usize) -> String {
    let fact = FACTS.iter().find(|(turn, ..)| *turn == n);
    let fact = fact.map_or("", |(_, words, _)| words);
    format!("{fact} Now do task T{n:02}.").trim().to_owned()
}

/// The version after a turn.
fn version(turn: usize) -> u64 {
    let news = FACTS.iter().filter(|(n, ..)| *n <= turn && *n != 12);
    news.count() as u64
}

/// The whole conversation, and what is to come of it.
struct Talk {
    server: Process,
    upstream: Upstream,
    conversation: Option<&'static str>,
    messages: Vec<Value>,
    /// The system text of each version.
    systems: HashMap<u64, String>,
}

impl Talk {
    async fn start(conversation: Option<&'static str>) -> Talk {
        let upstream = Upstream::start();
        upstream.answers(brain());
        let url = upstream.openai();
        let server = Process::start(PATIENT, &[("SUNDYNIX_BACKENDS", &url)]).await;
        let messages = vec![json!({"role": "system", "content": SYSTEM})];
        let systems = HashMap::new();
        Talk {
            server,
            upstream,
            conversation,
            messages,
            systems,
        }
    }

    /// One call of a loop, of turn `n`. The request goes on with what was said before.
    async fn call(&mut self, n: usize, stream: bool) -> Answered {
        let response = post(
            &self.server,
            self.conversation,
            &self.messages,
            true,
            stream,
        )
        .await;
        let answered = read(response, stream).await;
        self.learnt(n).await;
        answered
    }

    /// What was learnt up to a turn, whatever came more than once.
    async fn learnt(&self, n: usize) {
        let profile = self.server.profile("ada").await;
        assert_eq!(profile["version"], version(n), "in turn {n}: {profile}");
    }

    /// The prompts of a turn's calls are the same in what is recalled, and the same for one
    /// version in what is said of the user.
    fn same_prompts(&mut self, n: usize, from: usize) {
        let log = self.upstream.log();
        let prompts: Vec<_> = log.chats()[from..].iter().map(|s| seen(s)).collect();
        assert!(prompts.len() >= 3);
        let memories = prompts[0].1.strip_suffix(&words(n)).unwrap();
        assert!(memories.contains("Tell me of seed one"), "{memories}");
        // No turn of this conversation: the request carries them all.
        assert!(!memories.contains("Now do task"), "{memories}");
        for (at, (system, user)) in prompts.iter().enumerate() {
            assert_eq!(*user, prompts[0].1, "turn {n}, call {at}");
            // Two at once: the second may or may not see what the first one taught.
            if (n, at) == (15, 0) || (n, at) == (15, 1) {
                continue;
            }
            let version = if at == 0 { version(n - 1) } else { version(n) };
            let before = self
                .systems
                .entry(version)
                .or_insert_with(|| system.clone());
            assert_eq!(system, before, "turn {n}, call {at}");
        }
    }

    fn result(&mut self, answered: &Answered) {
        self.messages.push(answered.message.clone());
        for call in answered.message["tool_calls"].as_array().unwrap() {
            let result = json!({"role": "tool", "tool_call_id": call["id"],
                "content": "I like what the tool says. My name is Tool."});
            self.messages.push(result);
        }
    }

    /// The loop of turn `n`, from where the conversation stands; its last answer.
    async fn turn(&mut self, n: usize) -> Answered {
        for step in 0..2 {
            let answered = self.call(n, (n + step).is_multiple_of(2)).await;
            self.result(&answered);
        }
        let answered = self.call(n, n.is_multiple_of(2)).await;
        self.messages.push(answered.message.clone());
        answered
    }
}

/// A busy machine must not be taken for a store that is down.
const PATIENT: &[&str] = &[
    "--set",
    "memory.recall_timeout_ms=60000",
    "--set",
    "store.ack_timeout_ms=60000",
];

async fn twenty_turns(conversation: Option<&'static str>) {
    let mut talk = Talk::start(conversation).await;
    for seed in ["one", "two", "three"] {
        let said = [user(&format!("Tell me of seed {seed}"))];
        let response = post(&talk.server, None, &said, false, true).await;
        read(response, true).await;
    }
    let mut kept = Vec::new();
    for n in 1..=20 {
        let before = talk.upstream.log().chats().len();
        let asked = talk.messages.len();
        let said = words(n);
        talk.messages.push(match n % 3 {
            0 => json!({"role": "user", "content": [{"type": "text", "text": said}]}),
            _ => user(&said),
        });
        let mut last = match n {
            // A regenerate: all that was answered goes, and it comes anew.
            9 => {
                let first = talk.turn(n).await;
                talk.messages.truncate(asked + 1);
                let again = talk.turn(n).await;
                assert_ne!(first.message, again.message);
                assert_eq!(first.turn, again.turn);
                again
            }
            // Gone in the midst of a loop, and back on the same data.
            12 => {
                let answered = talk.call(n, true).await;
                talk.result(&answered);
                talk.server.signal("TERM");
                assert_eq!(talk.server.ended().await, Some(0));
                talk.server.restart().await;
                let answered = talk.call(n, false).await;
                talk.result(&answered);
                talk.server.kill().await;
                talk.server.restart().await;
                let answered = talk.call(n, true).await;
                talk.messages.push(answered.message.clone());
                answered
            }
            // A retry, of the first step and of the last, both at once; one of them is shown.
            15 => {
                let (server, messages) = (&talk.server, &talk.messages);
                let one = post(server, conversation, messages, true, true);
                let two = post(server, conversation, messages, true, false);
                let (one, two) = tokio::join!(one, two);
                let (one, two) = tokio::join!(read(one, true), read(two, false));
                assert_eq!(one.turn, two.turn);
                talk.result(&one);
                let answered = talk.call(n, false).await;
                talk.result(&answered);
                let (server, messages) = (&talk.server, &talk.messages);
                let one = post(server, conversation, messages, true, true);
                let two = post(server, conversation, messages, true, true);
                let (one, two) = tokio::join!(one, two);
                let (one, two) = tokio::join!(read(one, true), read(two, true));
                assert_eq!((&one.turn, &two.turn), (&answered.turn, &answered.turn));
                talk.messages.push(two.message.clone());
                two
            }
            _ => talk.turn(n).await,
        };
        // A retry whose first answer did not arrive: the same request twice.
        if n == 18 {
            talk.messages.pop();
            last = talk.call(n, true).await;
            talk.messages.push(last.message.clone());
        }
        talk.same_prompts(n, before);
        kept.push(last);
    }
    talk.check(&kept).await;
}

impl Talk {
    /// Each turn is there once, with its last answer, and each fact once, with its turn.
    async fn check(self, kept: &[Answered]) {
        let detail = self
            .server
            .call("GET", "/api/v1/memory?detail=true", "ada", None)
            .await;
        let detail: Value = detail.json().await.unwrap();
        assert_eq!(detail["version"], version(20));
        let mut slots = 0;
        for topic in detail["preferences"].as_object().unwrap().values() {
            slots += topic.as_object().unwrap().len();
        }
        assert_eq!(slots, LEARNT.len(), "{detail}");
        for (n, [topic, key, value]) in LEARNT {
            let slot = &detail["preferences"][topic][key];
            assert_eq!(slot["value"], value, "{detail}");
            assert_eq!(slot["turn"], *kept[n - 1].turn, "{key}");
        }
        let Talk {
            mut server,
            conversation,
            ..
        } = self;
        server.signal("TERM");
        assert_eq!(server.ended().await, Some(0));
        let app = spawn_app_in(Arc::new(server.dir), |_| {}).await;
        let ada = app
            .state
            .store
            .resident(&UserKey::local("ada"))
            .await
            .unwrap();
        let mut turns = ada.turns.iter().filter(|t| t.query.contains("task T"));
        for (n, last) in (1..).zip(kept) {
            let turn = turns.next().unwrap();
            assert_eq!(*turn.query, *words(n));
            assert_eq!(*turn.id, *last.turn);
            assert_eq!(turn.status, TurnStatus::Complete);
            // Of two at once, either is the last.
            if n != 15 {
                assert_eq!(
                    *turn.answer,
                    *last.message["content"].as_str().unwrap(),
                    "turn {n}"
                );
            }
            assert!(turn.answer.starts_with("Answer "), "{}", turn.answer);
            if let Some(conversation) = conversation {
                assert_eq!(*turn.conversation, *conversation);
            }
        }
        assert!(turns.next().is_none());
        let seeds = ada
            .turns
            .iter()
            .filter(|t| t.query.contains("seed"))
            .count();
        assert_eq!((seeds, ada.turns.len()), (3, 23));
        assert_eq!(ada.profile.version, version(20));
        let conversations = ada.turns.iter().skip(3).map(|t| &t.conversation);
        let conversations: HashSet<_> = conversations.collect();
        assert_eq!(conversations.len(), 1);
    }
}

#[tokio::test]
async fn twenty_turns_are_kept_once_where_the_client_names_its_conversation() {
    twenty_turns(Some("kitchen")).await;
}

#[tokio::test]
async fn twenty_turns_are_kept_once_where_it_does_not() {
    twenty_turns(None).await;
}

#[tokio::test]
async fn what_is_recalled_stays_the_same_through_a_loop() {
    let upstream = Upstream::start();
    upstream.answers(brain());
    let app = scripted(&upstream).await;
    let say = async |conversation, messages: &[Value], tools| {
        let response = post(&app, Some(conversation), messages, tools, false).await;
        (read(response, false).await, prompt(&upstream))
    };
    say("seed", &[user("What is a seed?")], false).await;
    // The turn itself teaches the language that is spoken about its user ...
    let mut messages = vec![
        json!({"role": "system", "content": SYSTEM}),
        user("我喜欢爬山。以后请用中文回答我。"),
    ];
    let (answered, first) = say("loop", &messages, true).await;
    assert!(first.1.contains("What is a seed?"), "{first:?}");
    for n in 0..2 {
        messages.push(answered.message.clone());
        messages.push(json!({"role": "tool", "tool_call_id": "call_0", "content": "ok"}));
        // ... and meanwhile they speak elsewhere.
        say("other", &[user(&format!("What else {n}?"))], false).await;
        let (_, next) = say("loop", &messages, true).await;
        assert_eq!(next.1, first.1);
        assert!(next.0.contains("喜欢爬山"), "{next:?}");
    }
    let (_, next) = say("next", &[user("And now?")], false).await;
    for text in [
        "What is a seed?",
        "What else 0?",
        "What else 1?",
        "以后请用中文回答我",
    ] {
        assert!(next.1.contains(text), "{next:?}");
    }
}

#[tokio::test]
async fn a_stream_that_was_cut_and_is_asked_for_again_is_one_turn() {
    let upstream = Upstream::start();
    let app = scripted(&upstream).await;
    let said = [user("My name is Ada. What is the answer?")];
    for _ in 0..3 {
        let mut cut = sse(&chat_events("m", &["Forty"]));
        cut.truncate(3);
        cut.push(Step::Hang);
        upstream.script(cut);
        let response = post(&app, None, &said, false, true).await;
        let mut events = Events::of(response);
        while !events.next().await.unwrap().data.contains("Forty") {}
    }
    let kept = async || {
        app.state
            .store
            .resident(&UserKey::local("ada"))
            .await
            .unwrap()
    };
    app.until(|| app.state.inflight() == 0).await;
    upstream.script(sse(&chat_events("m", &["Forty", "-two"])));
    let response = post(&app, None, &said, false, true).await;
    let answered = read(response, true).await;
    let ada = kept().await;
    assert_eq!(ada.turns.len(), 1);
    assert_eq!(*ada.turns[0].id, *answered.turn);
    assert_eq!(*ada.turns[0].answer, *"Forty-two");
    assert_eq!(ada.turns[0].status, TurnStatus::Complete);
    assert_eq!(ada.profile.version, 1);
    assert_eq!(
        app.profile("ada").await["preferences"]["identity"]["name"],
        "Ada"
    );
}

async fn scripted(upstream: &Upstream) -> App {
    let url = upstream.openai();
    spawn_app(|config| {
        config.backend = vec![BackendConfig {
            url,
            models: vec!["m".into()],
            ..BackendConfig::default()
        }];
        config.memory.recall_timeout_ms = 60_000;
        config.store.ack_timeout_ms = 60_000;
    })
    .await
}
