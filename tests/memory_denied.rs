//! `memory = "deny"` at a backend: what is known of users never goes there, on no surface, not on
//! the first attempt and not after another backend has failed; it answers the request as it came.

use crate::support::{App, http::send, spawn_app, upstream::*};
use serde_json::{Value, json};
use sundynix::config::{BackendConfig, MemoryAt, Policy};

const CANARY: &str = "canary-4711";
const QUERY: &str = "What do you know of me?";

fn backend(upstream: &Upstream, memory: MemoryAt) -> BackendConfig {
    BackendConfig {
        url: upstream.openai(),
        memory,
        ..BackendConfig::default()
    }
}

/// A user with a profile and a turn, both of which hold the canary.
async fn prepare(app: &App) {
    let preferences = json!({"preferences": {"pet": {"cat": CANARY}}});
    let set = app
        .call("PUT", "/api/v1/memory", "ada", Some(preferences))
        .await;
    assert_eq!(set.status(), 200);
    let said = format!("The word of the day is {CANARY}.");
    let body = json!({"query": said, "conversation": "c"});
    let events = app.task("ada", body).await.unwrap().all().await;
    assert_eq!(events.last().unwrap().json()["memory"], "recorded");
}

/// Asks over both surfaces; how memory was said to be.
async fn ask(app: &App) -> [Value; 2] {
    let messages = json!([{"role": "user", "content": QUERY}]);
    let post = app.http.post(app.url("/v1/chat/completions"));
    let post = post.header("x-user-id", "ada");
    let answer = send(post.json(&json!({"messages": messages})))
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    let chat = answer.headers()["x-sundynix-memory"]
        .to_str()
        .unwrap()
        .into();
    let body = json!({"query": QUERY, "conversation": "c"});
    let events = app.task("ada", body).await.unwrap().all().await;
    assert_eq!(events.last().unwrap().name, "done");
    let recalled = events.iter().find(|event| event.name == "recalled");
    [chat, recalled.unwrap().json()["memory"].clone()]
}

/// How many chats it saw that ask our question, and how many of these hold the canary.
fn saw(upstream: &Upstream) -> (usize, usize) {
    let log = upstream.log();
    let text = |seen: &&Seen| String::from_utf8_lossy(&seen.body).into_owned();
    let asked: Vec<_> = log.chats().iter().map(text).collect();
    let asked = asked.iter().filter(|body| body.contains(QUERY));
    let with = asked.clone().filter(|body| body.contains(CANARY));
    (asked.count(), with.count())
}

#[tokio::test]
async fn a_backend_that_may_not_see_memory_gets_the_request_as_it_came() {
    let (home, away) = (Upstream::start(), Upstream::start());
    for (upstream, memory, state, with) in [
        (&home, MemoryAt::Allow, "hit", 2),
        (&away, MemoryAt::Deny, "off", 0),
    ] {
        let one = backend(upstream, memory);
        let app = spawn_app(|config| config.backend = vec![one]).await;
        prepare(&app).await;
        assert_eq!(ask(&app).await, [state, state]);
        assert_eq!(saw(upstream), (2, with));
    }
}

#[tokio::test]
async fn nor_does_it_after_another_one_failed() {
    let (home, away) = (Upstream::start(), Upstream::start());
    let both = vec![
        backend(&home, MemoryAt::Allow),
        backend(&away, MemoryAt::Deny),
    ];
    let app = spawn_app(|config| {
        config.backend = both;
        // Each is asked first at times; a conversation would stay where it was answered.
        config.pool.policy = Policy::RoundRobin;
    })
    .await;
    prepare(&app).await;
    home.always(vec![Step::Write(http(
        500,
        "application/json",
        r#"{"error":{"message":"no"}}"#,
    ))]);
    for _ in 0..10 {
        assert_eq!(ask(&app).await, ["off", "off"]);
    }
    let (asked, with) = saw(&home);
    assert!(
        asked > 0 && with > 0,
        "it was not asked first: {asked} {with}"
    );
    assert_eq!(saw(&away), (20, 0));
}
