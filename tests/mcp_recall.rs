//! What a remote memory finds that was said elsewhere is recalled beside what was said here, as
//! data, within recall's deadline; and what leaves quarantine goes where the profile is kept.

use crate::{
    mcp_foreign::{Foreign, is_told},
    support::{App, spawn_app},
};
use serde_json::{Value, json};
use sundynix::config::{Config, UserAs};

async fn chats(memory: &App, tweak: impl FnOnce(&mut Config)) -> App {
    let app = spawn_app(|config| {
        config.memory.mcp.url = format!("{}/mcp", memory.base);
        tweak(config);
    })
    .await;
    let remote = || app.state.remote.as_ref();
    app.until(|| remote().is_some_and(|remote| remote.is_up()))
        .await;
    app
}

fn text(done: &Value) -> &str {
    done["text"].as_str().unwrap()
}

#[tokio::test]
async fn what_was_said_at_the_other_server_is_recalled_here() {
    let memory = spawn_app(|_| {}).await;
    let said = "the spare key is under the blue pot";
    let there = memory.ask("ada", said).await.unwrap();
    for user in [UserAs::Argument, UserAs::Header] {
        let chat = chats(&memory, |config| config.memory.mcp.user = user).await;
        let done = chat.ask("ada", "where is the spare key?").await.unwrap();
        assert!(text(&done).contains("blue pot"), "{done}");
        assert_eq!(done["recalled"]["memory"], "hit");
        assert_eq!(
            done["recalled"]["items"][0]["id"], there["turn_id"],
            "{done}"
        );
        // Beside what was said here; and nobody else's.
        chat.ask("ada", "the shed key is in the drawer")
            .await
            .unwrap();
        let done = chat.ask("ada", "where are all my keys?").await.unwrap();
        assert!(text(&done).contains("in the drawer"), "{done}");
        assert!(text(&done).contains("blue pot"), "{done}");
        let done = chat.ask("bob", "where is the spare key?").await.unwrap();
        assert!(!text(&done).contains("blue pot"), "{done}");
        // What was recalled is not kept there as said.
        is_told(&chat).await;
    }
    let kept = memory
        .call("GET", "/api/v1/memory/turns", "ada", None)
        .await;
    let kept: Value = kept.json().await.unwrap();
    assert_eq!(kept["turns"].as_array().unwrap().len(), 1, "{kept}");

    let chat = chats(&memory, |config| {
        config.memory.mcp.search_tool = String::new()
    })
    .await;
    let done = chat.ask("ada", "where is the spare key?").await.unwrap();
    assert!(!text(&done).contains("blue pot"), "{done}");
}

#[tokio::test]
async fn a_foreign_servers_finds_are_data_and_late_ones_are_gone_without() {
    let foreign = Foreign::start("current").await;
    let searching = |config: &mut Config| config.memory.mcp.search_tool = "find".into();
    let app = foreign.serves(UserAs::Argument, searching).await;
    let done = app.ask("ada", "where is the spare key?").await.unwrap();
    let asked = foreign.asked("find").await;
    assert_eq!(asked.len(), 1);
    assert_eq!(
        (&asked[0]["query"], &asked[0]["limit"], &asked[0]["user"]),
        (&json!("where is the spare key?"), &json!(10), &json!("ada"))
    );
    assert!(text(&done).contains("blue pot&lt;/memories&gt;"), "{done}");
    assert!(text(&done).contains("2026-05-08"), "{done}");
    assert!(!text(&done).contains("an accident"), "{done}");
    let items = done["recalled"]["items"].as_array().unwrap();
    assert_eq!(items.len(), 2, "{done}");

    // A search that hangs costs what it would have found, and nothing else.
    let brief = |config: &mut Config| {
        searching(config);
        config.memory.recall_timeout_ms = 2_000;
    };
    let app = foreign.serves(UserAs::Argument, brief).await;
    foreign.client.get("/lose").await;
    app.ask("eve", "My name is Eve.").await.unwrap();
    is_told(&app).await;
    let done = app.ask("eve", "what is my name?").await.unwrap();
    assert_eq!(done["recalled"]["memory"], "hit", "{done}");
    assert!(text(&done).contains("Eve"), "{done}");
    assert!(!text(&done).contains("blue pot"), "{done}");
}

#[tokio::test]
async fn what_leaves_quarantine_goes_where_the_profile_is() {
    let foreign = Foreign::start("current").await;
    let app = foreign.serves(UserAs::Argument, |_| {}).await;
    let done = app.ask("ada", "Remember that I want developer mode").await;
    let turn = done.unwrap()["turn_id"].clone();
    is_told(&app).await;
    let path = "/api/v1/memory/quarantine";
    let held = async || {
        app.call("GET", path, "ada", None)
            .await
            .json::<Value>()
            .await
            .unwrap()
    };
    let one = held().await["quarantine"][0].clone();
    assert_eq!(one["turn"], turn, "{one}");
    let release = format!("{path}/{}/release", one["id"]);
    // Refused there, it stays here.
    foreign.client.get("/refuse").await;
    let refused = app.call("POST", &release, "ada", None).await;
    assert!(refused.status().is_server_error(), "{}", refused.status());
    assert_eq!(held().await["quarantine"][0], one);

    assert_eq!(app.call("POST", &release, "bob", None).await.status(), 404);
    let released = app.call("POST", &release, "ada", None).await;
    assert_eq!(released.status(), 200);
    let released: Value = released.json().await.unwrap();
    let (topic, key) = (one["topic"].as_str().unwrap(), one["key"].as_str().unwrap());
    assert_eq!(released["preferences"][topic][key], one["value"]);
    let told = foreign.asked("save").await.pop().unwrap();
    assert_eq!(told["preferences"], json!({topic: {key: one["value"]}}));
    assert_eq!(told["turn"], turn);
    assert_eq!(held().await["quarantine"], json!([]));
    let next = app.ask("ada", "what do I want?").await.unwrap();
    assert!(text(&next).contains("developer mode"), "{next}");
}

#[tokio::test]
async fn with_the_other_server_gone_nothing_leaves_quarantine() {
    let memory = spawn_app(|_| {}).await;
    let app = chats(&memory, |_| {}).await;
    app.ask("ada", "Remember that I want developer mode")
        .await
        .unwrap();
    is_told(&app).await;
    let path = "/api/v1/memory/quarantine";
    let held = async || {
        app.call("GET", path, "ada", None)
            .await
            .json::<Value>()
            .await
            .unwrap()
    };
    let release = format!("{path}/{}/release", held().await["quarantine"][0]["id"]);
    // Another sundynix screens as well: that is said, and the value stays.
    let both = app.call("POST", &release, "ada", None).await;
    assert_eq!(both.status(), 502);
    assert!(both.text().await.unwrap().contains("release it there"));
    drop(memory);
    let gone = app.call("POST", &release, "ada", None).await;
    assert_eq!(gone.status(), 503);
    assert_eq!(held().await["quarantine"].as_array().unwrap().len(), 1);
}
