//! The whole way, with the real binary: what a user set or said is in the next answer, streamed,
//! on both surfaces; another user's is not; what the caller and the backend say to each other
//! beyond what is known here passes byte for byte.

mod memory;
mod verbatim;

use crate::support::{
    Client, Event, Events, Process,
    http::{Raw, send},
    upstream::*,
};
use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};

/// A busy machine must not be taken for a store that is down.
const PATIENT: &[&str] = &[
    "--set",
    "memory.recall_timeout_ms=60000",
    "--set",
    "store.ack_timeout_ms=60000",
];

async fn simulated() -> Process {
    Process::start(PATIENT, &[]).await
}

async fn scripted(upstream: &Upstream) -> Process {
    let url = upstream.openai();
    Process::start(PATIENT, &[("SUNDYNIX_BACKENDS", &url)]).await
}

async fn put(server: &Client, user: &str, preferences: Value) -> Response {
    let body = json!({ "preferences": preferences });
    let response = server.call("PUT", "/api/v1/memory", user, Some(body)).await;
    assert_eq!(response.status(), 200);
    response
}

/// A native task, in whatever way its headers ask for.
fn task(server: &Client, headers: &[(&str, &str)], body: Value) -> RequestBuilder {
    let request = server.http.post(server.url("/api/v1/tasks"));
    let with =
        |request: RequestBuilder, (name, value): &(&str, &str)| request.header(*name, *value);
    headers.iter().fold(request, with).json(&body)
}

/// A chat over `/v1`.
async fn chat(server: &Client, headers: &[(&str, &str)], body: Value) -> Response {
    let request = server.http.post(server.url("/v1/chat/completions"));
    let with =
        |request: RequestBuilder, (name, value): &(&str, &str)| request.header(*name, *value);
    let request = headers.iter().fold(request, with).json(&body);
    let response = send(request).await.unwrap();
    assert_eq!(response.status(), 200);
    response
}

fn says(query: &str, stream: bool) -> Value {
    json!({"messages": [{"role": "user", "content": query}], "stream": stream})
}

/// The texts of a native answer, which has all it should have, in order.
fn texts(events: &[Event]) -> Vec<String> {
    let ids: Vec<_> = events.iter().map(|e| e.id.clone().unwrap()).collect();
    let counted: Vec<_> = (1..=events.len()).map(|n| n.to_string()).collect();
    assert_eq!(ids, counted);
    let [recalled, tokens @ .., done] = events else {
        panic!("{events:?}");
    };
    assert_eq!((&*recalled.name, &*done.name), ("recalled", "done"));
    assert_eq!(done.json()["finish_reason"], "stop");
    let text = |event: &Event| {
        assert_eq!(event.name, "token");
        event.json()["text"].as_str().unwrap().to_owned()
    };
    tokens.iter().map(text).collect()
}

/// The texts of an answer over `/v1`, which has nothing in it that its clients do not know.
fn contents(events: &[Event], memory: &str) -> Vec<String> {
    let [chunks @ .., ended, done] = events else {
        panic!("{events:?}");
    };
    let comment = Event {
        comments: vec![format!("memory {memory}")],
        ..Event::default()
    };
    assert_eq!(*ended, comment);
    assert_eq!(
        *done,
        Event {
            data: "[DONE]".into(),
            ..Event::default()
        }
    );
    let mut contents = Vec::new();
    for event in chunks {
        let data = event.data.clone();
        assert_eq!(
            *event,
            Event {
                data,
                ..Event::default()
            }
        );
        let chunk = event.json();
        assert_eq!(chunk["object"], "chat.completion.chunk");
        let content = chunk["choices"][0]["delta"]["content"].as_str();
        contents.extend(content.filter(|c| !c.is_empty()).map(str::to_owned));
    }
    contents
}

#[tokio::test]
async fn a_preference_that_was_put_is_in_the_streamed_answer() {
    let server = simulated().await;
    let set = put(
        &server,
        "ada",
        json!({"style": {"tone": "concise"}, "drink": "tea"}),
    )
    .await;
    assert_eq!(set.headers()["etag"], "\"1\"");
    let set: Value = set.json().await.unwrap();
    assert_eq!(
        set["preferences"],
        json!({"style": {"tone": "concise"}, "general": {"drink": "tea"}})
    );
    let events = server
        .task("ada", json!({"query": "How do I boil an egg?"}))
        .await
        .unwrap();
    assert_eq!(events.headers["content-type"], "text/event-stream");
    assert!(events.headers.contains_key("x-request-id"));
    let turn = events.headers["x-sundynix-turn"]
        .to_str()
        .unwrap()
        .to_owned();
    let events = events.all().await;
    let recalled = json!({"memory": "hit", "profile_version": 1, "items": []});
    assert_eq!(events[0].json(), recalled);
    let answer = "I know about you: general / drink: tea; style / tone: concise. \
        You asked: How do I boil an egg?";
    assert_eq!(texts(&events).concat(), answer);
    let done = events.last().unwrap().json();
    assert_eq!(
        (&done["memory"], &done["turn_id"]),
        (&json!("recorded"), &json!(turn))
    );
    // Nobody else's.
    let bob = server.ask("bob", "How do I boil an egg?").await.unwrap();
    let nothing = "I know nothing about you yet. You asked: How do I boil an egg?";
    assert_eq!(
        (&bob["text"], &bob["recalled"]["memory"]),
        (&json!(nothing), &json!("empty"))
    );
    // And no longer once it is taken back.
    put(&server, "ada", json!({"style": {"tone": null}})).await;
    let after = server.ask("ada", "And now?").await.unwrap();
    assert!(
        !after["text"]
            .as_str()
            .unwrap()
            .starts_with("I know about you: style")
    );
    assert_eq!(after["recalled"]["profile_version"], 2);
    assert_eq!(after["recalled"]["items"][0]["id"], *turn);
}

#[tokio::test]
async fn what_a_turn_says_of_its_user_is_in_the_next_ones_prompt() {
    let upstream = Upstream::start();
    let server = scripted(&upstream).await;
    let known = async |name: &str| {
        let log = upstream.log();
        let body = log.chats().last().unwrap().json();
        let system = body["messages"][0]["content"].as_str().unwrap().to_owned();
        system.contains(&format!("- identity / name: {name}\n"))
    };
    server.ask("ada", "Hello, my name is Ada.").await.unwrap();
    assert!(!known("Ada").await);
    server.ask("ada", "Who am I?").await.unwrap();
    assert!(known("Ada").await);
    for stream in [true, false] {
        let response = chat(&server, &[("x-user-id", "ada")], says("Who am I?", stream)).await;
        response.bytes().await.unwrap();
        assert!(known("Ada").await);
    }
    server.ask("bob", "Who am I?").await.unwrap();
    assert!(!known("Ada").await);
    chat(&server, &[], says("Who am I?", false)).await;
    assert!(!known("Ada").await);
    // Said over `/v1`, known on both.
    for (user, stream) in [("carol", true), ("dave", false)] {
        let said = says("My name is Zoe.", stream);
        chat(&server, &[("x-user-id", user)], said)
            .await
            .bytes()
            .await
            .unwrap();
        server.ask(user, "Who am I?").await.unwrap();
        assert!(known("Zoe").await);
        let profile = server.profile(user).await;
        assert_eq!(profile["preferences"], json!({"identity": {"name": "Zoe"}}));
    }
    server.ask("ada", "Forget my name.").await.unwrap();
    server.ask("ada", "Who am I?").await.unwrap();
    assert!(!known("Ada").await);
}

#[tokio::test]
async fn chinese_is_understood_and_streamed_character_by_character() {
    let server = simulated().await;
    let events = server
        .task("小明", json!({"query": "你好，我叫小明。"}))
        .await
        .unwrap();
    let first = texts(&events.all().await);
    assert_eq!(first.concat(), "我还不了解你。你问的是：你好，我叫小明。");
    let events = server
        .task("小明", json!({"query": "我是谁？"}))
        .await
        .unwrap();
    let native = texts(&events.all().await);
    let knows = "关于你，我知道：identity / name: 小明。";
    assert!(native.concat().starts_with(knows), "{native:?}");
    assert!(
        native.concat().ends_with("你问的是：我是谁？"),
        "{native:?}"
    );
    let headers = [("x-user-id", "小明")];
    let events = Events::of(chat(&server, &headers, says("我是谁？", true)).await);
    let chunks = contents(&events.all().await, "recorded");
    assert!(chunks.concat().starts_with(knows), "{chunks:?}");
    for text in first.iter().chain(&native).chain(&chunks) {
        assert_eq!(text.chars().count(), 1, "{text:?}");
    }
    let profile = server.profile("小明").await;
    assert_eq!(
        profile["preferences"],
        json!({"identity": {"name": "小明"}})
    );
}

#[tokio::test]
async fn a_task_may_run_by_itself() {
    let server = simulated().await;
    put(&server, "ada", json!({"tone": "concise"})).await;
    let answer = "I know about you: general / tone: concise. You asked: Hello.";
    let ada = ("x-user-id", "ada");
    let accepted = send(task(&server, &[ada], json!({"query": "Hello."})))
        .await
        .unwrap();
    assert_eq!(accepted.status(), 202);
    let place = accepted.headers()["location"].to_str().unwrap().to_owned();
    let task_id: Value = accepted.json().await.unwrap();
    assert_eq!(
        place,
        format!("/api/v1/tasks/{}", task_id["task_id"].as_str().unwrap())
    );
    // As an `EventSource`, which sends no headers.
    let events = server.get(task_id["events"].as_str().unwrap()).await;
    assert_eq!(events.status(), 200);
    let events = Events::of(events).all().await;
    assert_eq!(texts(&events).concat(), answer);
    let state: Value = server
        .call("GET", &place, "ada", None)
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(
        (&state["status"], &state["text"]),
        (&json!("done"), &json!(answer))
    );
    assert_eq!(server.call("GET", &place, "bob", None).await.status(), 404);
    // Or whole, once it is there.
    let headers = [ada, ("prefer", "wait=60")];
    let whole = send(task(&server, &headers, json!({"query": "Hello again."})))
        .await
        .unwrap();
    assert_eq!(whole.status(), 200);
    assert_eq!(whole.headers()["preference-applied"], "wait=60");
    let whole: Value = whole.json().await.unwrap();
    assert_eq!(
        (&whole["status"], &whole["memory"]),
        (&json!("done"), &json!("recorded"))
    );
    let text = whole["text"].as_str().unwrap();
    assert!(
        text.starts_with("I know about you: general / tone: concise."),
        "{text}"
    );
    assert!(text.ends_with("You asked: Hello again."), "{text}");
}
