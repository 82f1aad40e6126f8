//! Memories compared by what they mean: what shares no word with the question is found, here and at
//! another replica; whatever becomes of the embedding model, nobody waits for it and nothing is
//! lost; and what is erased takes its vectors along.

#[path = "embeddings/kept.rs"]
mod kept;
#[path = "embeddings/others_first.rs"]
mod others_first;
#[path = "embeddings/trouble.rs"]
mod trouble;

use crate::support::{
    App, postgres, spawn_app, spawn_app_in,
    upstream::{Script, Seen, Step, Upstream, ok, ordinary},
};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use sundynix::config::{BackendConfig, Config, MemoryAt};
use tempfile::TempDir;

/// Words that mean the same, made up: no list of ours knows them.
const ALIKE: [[&str; 2]; 3] = [["flurb", "zonk"], ["quibber", "mellox"], ["绯朙", "黟霁"]];

/// What the model makes of a text: its concepts, on a ground that all texts have in common.
fn meaning(text: &str, scale: f32) -> Vec<f32> {
    let has = |words: [&str; 2]| words.iter().any(|word| text.contains(word));
    let concepts = ALIKE.map(|words| if has(words) { scale } else { 0.0 });
    let mut all = vec![scale / 2.0, scale / 3.0];
    all.extend(concepts);
    all
}

fn texts(seen: &Seen) -> Vec<String> {
    serde_json::from_value(seen.json()["input"].clone()).unwrap()
}

/// What a good model answers.
fn vectors(seen: &Seen) -> Script {
    // Models differ in length and in the order of their answers.
    let each = texts(seen).into_iter().enumerate().rev();
    let data: Vec<_> = each
        .map(|(at, text)| json!({"index": at, "embedding": meaning(&text, 0.7)}))
        .collect();
    vec![Step::Write(ok(&json!({"object": "list", "data": data})))]
}

/// A backend with the embedding model `e`.
fn embedder() -> Upstream {
    let upstream = Upstream::start();
    upstream.models(&["e"]);
    upstream.answers(|seen| match &*seen.path {
        "/v1/embeddings" => vectors(seen),
        _ => ordinary(seen),
    });
    upstream
}

/// Chats are answered by the simulator, vectors come from `embedder`.
fn with(embedder: &Upstream) -> impl FnOnce(&mut Config) + use<> {
    let url = embedder.openai();
    move |config| {
        config.backend.push(BackendConfig {
            name: "embedder".into(),
            url,
            models: vec!["e".into(), "e2".into()],
            ..BackendConfig::default()
        });
        config.pool.default_model = "simulator".into();
        config.memory.embeddings.model = "e".into();
        // On a busy machine an answer may take its time.
        config.memory.embeddings.query_timeout_ms = 20_000;
    }
}

async fn health(app: &App) -> Value {
    let health: Value = app.get("/health").await.json().await.unwrap();
    health["embeddings"].clone()
}

/// Waits until something is said of embedding.
async fn until(app: &App, holds: impl Fn(&Value) -> bool) -> Value {
    for _ in 0..3_000 {
        let now = health(app).await;
        if holds(&now) {
            return now;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never came to hold: {}", health(app).await);
}

/// Waits until so many texts have vectors.
async fn embedded(app: &App, texts: u64) {
    until(app, |now| {
        now["texts"].as_u64() >= Some(texts) && now["users"] == 0
    })
    .await;
}

async fn import(app: &App, user: &str, texts: &[&str]) {
    let line = |(at, text): (usize, &&str)| {
        let ts = format!("2026-03-01T10:{at:02}:00");
        let session = format!("s{at}");
        let id = format!("i{at}");
        json!({"id": id, "ts": ts, "session": session, "role": "user", "text": text}).to_string()
    };
    let lines: Vec<_> = texts.iter().enumerate().map(line).collect();
    let post = app.http.post(app.url("/api/v1/memory/turns"));
    let post = post
        .header("x-user-id", user)
        .header("content-type", "application/x-ndjson");
    let answer = post.body(lines.join("\n")).send().await.unwrap();
    assert_eq!(answer.status(), 200);
}

async fn search(app: &App, user: &str, query: &str) -> Vec<Value> {
    let body = json!({"query": query, "explain": true});
    let answer = app
        .call("POST", "/api/v1/memory/search", user, Some(body))
        .await;
    assert_eq!(answer.status(), 200);
    let found: Value = answer.json().await.unwrap();
    found["hits"].as_array().unwrap().clone()
}

/// What a user said, and a question without a word of it.
const SAID: [&str; 4] = [
    "We bought a flurb yesterday",
    "The quibber was mended",
    "我昨天买了绯朙",
    "It rained all morning",
];

async fn is_found_by_meaning(app: &App) {
    for (question, text) in [
        ("Where might that zonk be", SAID[0]),
        ("mellox", SAID[1]),
        ("黟霁在哪里", SAID[2]),
    ] {
        let hits = search(app, "ada", question).await;
        assert_eq!(hits[0]["text"], text, "{question}: {hits:?}");
        let why = &hits[0]["why"];
        assert_eq!(why["lexical"], 0.0, "{why}");
        assert!(why["semantic"].as_f64().unwrap() > 0.1, "{why}");
    }
    assert!(search(app, "bob", "zonk").await.is_empty());
}

#[tokio::test]
async fn what_is_meant_is_found_without_a_common_word() {
    let upstream = embedder();
    let app = spawn_app(with(&upstream)).await;
    import(&app, "ada", &SAID).await;
    embedded(&app, 4).await;
    is_found_by_meaning(&app).await;
    // Words still count: what is named stands above what is only alike.
    let hits = search(&app, "ada", "the quibber and a zonk").await;
    assert_eq!(hits[0]["text"], SAID[1]);
    assert_eq!(hits[1]["text"], SAID[0]);

    // Recall goes the same way: what is alike comes before what is merely late.
    for n in 0..9 {
        app.ask("ada", &format!("number {n}")).await.unwrap();
    }
    embedded(&app, 4 + 18).await;
    let done = app.ask("ada", "Will a zonk do").await.unwrap();
    let items = done["recalled"]["items"].as_array().unwrap();
    assert_eq!(items[1]["id"], "i0", "{items:?}");
    // The tool of MCP's clients asks the same search.
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params":
        {"name": "memory_search", "arguments": {"query": "zonk", "user_id": "ada"}}});
    let post = app.http.post(app.url("/mcp")).json(&call);
    let post = post.header("accept", "application/json, text/event-stream");
    let post = post.header("mcp-protocol-version", "2025-11-25");
    let found = post.send().await.unwrap().text().await.unwrap();
    assert!(found.contains(SAID[0]), "{found}");
    // Every text went in batches, none twice, and the questions one by one.
    let log = upstream.log();
    let asked: Vec<String> = log.chats().into_iter().flat_map(texts).collect();
    assert_eq!(asked.iter().filter(|text| **text == SAID[0]).count(), 1);
    assert_eq!(texts(log.chats()[0]).len(), 4);
}

#[tokio::test]
async fn another_replica_finds_it_too() {
    let (upstream, url) = (embedder(), postgres::database());
    let spawn = || {
        let (with, url) = (with(&upstream), url.clone());
        spawn_app(move |config| {
            with(config);
            config.store.url = url;
        })
    };
    let (one, two) = (spawn().await, spawn().await);
    // Both know the user before there is anything to know.
    assert!(search(&two, "ada", "zonk").await.is_empty());
    import(&one, "ada", &SAID).await;
    // And perhaps what was said, before it is known what it means.
    search(&two, "ada", "zonk").await;
    // Whichever comes first asks about a text.
    for _ in 0..3_000 {
        let (one, two) = (health(&one).await, health(&two).await);
        let sum = |key: &str| one[key].as_u64().unwrap() + two[key].as_u64().unwrap();
        if sum("texts") >= 4 && sum("users") == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    is_found_by_meaning(&one).await;
    is_found_by_meaning(&two).await;
    // What was embedded is in the ledger at once, a question a little later.
    for _ in 0..1_500 {
        let ledger = one.call("GET", "/api/v1/memory/ledger", "ada", None).await;
        let day = ledger.json::<Value>().await.unwrap()["days"][0].clone();
        assert!(day["embedded_tokens"].as_u64().unwrap() > 0, "{day}");
        if day["embeddings"].as_u64().unwrap() >= 3 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let erased = two.call("DELETE", "/api/v1/memory", "ada", None).await;
    let erased: Value = erased.json().await.unwrap();
    assert_eq!(erased["embeddings"], 4, "{erased}");
    assert!(search(&one, "ada", "zonk").await.is_empty());
}

#[tokio::test]
async fn a_restart_finds_what_is_lacking_and_another_model_starts_anew() {
    let (upstream, dir) = (embedder(), Arc::new(TempDir::new().unwrap()));
    // Not a text is embedded before the end: nobody is there to ask.
    let gone = format!("http://{}/v1", Upstream::refusing());
    let app = spawn_app_in(dir.clone(), |config| {
        with(&upstream)(config);
        config.backend[1].url = gone;
    })
    .await;
    import(&app, "ada", &SAID).await;
    app.ask("eve", "A mellox, please").await.unwrap();
    until(&app, |now| now["status"] == "waiting").await;
    assert!(search(&app, "ada", "zonk").await.is_empty());
    drop(app);

    let app = spawn_app_in(dir.clone(), with(&upstream)).await;
    embedded(&app, 6).await;
    is_found_by_meaning(&app).await;
    drop(app);

    // All there already: not one more text is asked about.
    let before = upstream.log().chats().len();
    let app = spawn_app_in(dir.clone(), with(&upstream)).await;
    is_found_by_meaning(&app).await;
    assert_eq!(upstream.log().chats().len(), before + 3, "the questions");
    drop(app);

    upstream.models(&["e2"]);
    let app = spawn_app_in(dir, |config| {
        with(&upstream)(config);
        config.memory.embeddings.model = "e2".into();
    })
    .await;
    embedded(&app, 6).await;
    is_found_by_meaning(&app).await;
    let log = upstream.log();
    let anew = log.chats().split_off(before + 3);
    assert!(anew.iter().any(|seen| seen.json()["model"] == "e2"));
}

#[tokio::test]
async fn what_is_erased_deleted_or_said_anew_takes_its_vectors_along() {
    let upstream = embedder();
    let app = spawn_app(with(&upstream)).await;
    // Two directions that no other text has, as their bytes.
    let bytes = |text: &str| {
        let raw = meaning(text, 0.7);
        sundynix::memory::Vector::of(&raw).unwrap().bytes()
    };
    let both = bytes("flurb and quibber, both");
    import(
        &app,
        "ada",
        &["A flurb and a quibber met", "A flurb alone", "it rained"],
    )
    .await;
    import(&app, "bob", &["it snowed"]).await;
    embedded(&app, 4).await;
    let data = app.dir.path().join("data");
    assert!(!crate::erase::found_bytes(&data, &both).is_empty());
    let path = "/api/v1/memory/turns/i0";
    assert_eq!(app.call("DELETE", path, "ada", None).await.status(), 200);
    assert!(crate::erase::found_bytes(&data, &both).is_empty());
    let alone = bytes("flurb");
    assert!(!crate::erase::found_bytes(&data, &alone).is_empty());
    let erased = app.call("DELETE", "/api/v1/memory", "ada", None).await;
    let erased: Value = erased.json().await.unwrap();
    assert_eq!(
        (&erased["embeddings"], &erased["remains"]),
        (&json!(2), &json!("gone"))
    );
    assert!(crate::erase::found_bytes(&data, &alone).is_empty());
    assert!(search(&app, "ada", "zonk").await.is_empty());
    // What comes later for them is as for anybody new.
    import(&app, "ada", &["A flurb again"]).await;
    embedded(&app, 5).await;
    assert_eq!(
        search(&app, "ada", "zonk").await[0]["text"],
        "A flurb again"
    );
}

#[tokio::test]
async fn without_a_model_nobody_is_asked() {
    let upstream = embedder();
    let app = spawn_app(|config| {
        with(&upstream)(config);
        config.memory.embeddings.model = String::new();
    })
    .await;
    import(&app, "ada", &SAID).await;
    assert!(search(&app, "ada", "zonk").await.is_empty());
    app.ask("ada", "zonk").await.unwrap();
    assert_eq!(health(&app).await["status"], "off");
    assert!(upstream.log().chats().is_empty());
}

#[tokio::test]
async fn a_backend_that_memory_may_not_go_to_sees_no_text() {
    let (home, away) = (embedder(), embedder());
    let url = away.openai();
    let denied = move |config: &mut Config| {
        config.backend.push(BackendConfig {
            name: "away".into(),
            url,
            models: vec!["e".into()],
            memory: MemoryAt::Deny,
            ..BackendConfig::default()
        });
    };
    let only_away = denied.clone();
    let app = spawn_app(|config| {
        with(&home)(config);
        config.backend.pop();
        only_away(config);
    })
    .await;
    import(&app, "ada", &SAID).await;
    let waits = "a backend that memory may go to";
    until(&app, |now| now["waits_for"] == waits).await;
    drop(app);
    let app = spawn_app(|config| {
        with(&home)(config);
        denied(config);
    })
    .await;
    import(&app, "ada", &SAID).await;
    embedded(&app, 4).await;
    for _ in 0..5 {
        is_found_by_meaning(&app).await;
    }
    assert!(away.log().chats().is_empty());
    // Nor does any backend see the question of somebody who wants nothing of memory.
    let asked = home.log().chats().len();
    let off = json!({"mode": "off"});
    app.call("PUT", "/api/v1/memory/settings", "ada", Some(off))
        .await;
    app.ask("ada", "A zonk of mine").await.unwrap();
    assert_eq!(home.log().chats().len(), asked);
}
