//! Memory over HTTP: what is put is there at once, for its own user and nobody else; versions
//! guard against lost updates; what is removed or erased is gone.

use crate::support::{App, http::send, spawn_app};
use futures_util::future::join_all;
use reqwest::Response;
use serde_json::{Value, json};

const PATH: &str = "/api/v1/memory";

async fn put(app: &App, user: &str, preferences: Value) -> Response {
    let body = json!({ "preferences": preferences });
    app.call("PUT", PATH, user, Some(body)).await
}

fn tag(response: &Response) -> String {
    response.headers()["etag"].to_str().unwrap().to_owned()
}

async fn with(app: &App, method: &str, header: (&str, &str), body: Option<Value>) -> Response {
    let request = app.http.request(method.parse().unwrap(), app.url(PATH));
    let request = request
        .header("x-user-id", "ada")
        .header(header.0, header.1);
    send(match body {
        Some(body) => request.json(&body),
        None => request,
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn what_is_put_is_there_for_its_user_alone() {
    let app = spawn_app(|_| {}).await;
    let unknown = app.call("GET", PATH, "ada", None).await;
    assert_eq!((unknown.status().as_u16(), &*tag(&unknown)), (200, "\"0\""));
    assert_eq!(
        unknown.json::<Value>().await.unwrap()["preferences"],
        json!({})
    );

    let preferences = json!({"language": "中文", "style": {"tone": "concise", "emoji": false}});
    let answer = put(&app, "ada", preferences).await;
    assert_eq!((answer.status().as_u16(), &*tag(&answer)), (200, "\"1\""));
    let want = json!({"user_id": "ada", "version": 1, "preferences": {
        "general": {"language": "中文"}, "style": {"tone": "concise", "emoji": "false"}}});
    assert_eq!(answer.json::<Value>().await.unwrap(), want);
    assert_eq!(app.profile("ada").await, want);
    assert_eq!(app.profile("bob").await["preferences"], json!({}));

    // An upsert: what is not named stays, and nothing new is no new version.
    let again = put(&app, "ada", json!({"language": "中文"})).await;
    assert_eq!(tag(&again), "\"1\"");
    let body = json!({"preferences": {"style": {"tone": null, "length": 3}}});
    let patched = app.call("PATCH", PATH, "ada", Some(body)).await;
    assert_eq!(tag(&patched), "\"2\"");
    let style = &patched.json::<Value>().await.unwrap()["preferences"]["style"];
    assert_eq!(*style, json!({"emoji": "false", "length": "3"}));

    let detail = app
        .call("GET", "/api/v1/memory?detail=true", "ada", None)
        .await;
    let detail: Value = detail.json().await.unwrap();
    let language = &detail["preferences"]["general"]["language"];
    assert_eq!(
        (&language["source"], &language["pinned"]),
        (&json!("put"), &json!(true))
    );
    assert!(language["valid_from"].as_str().unwrap().ends_with('Z'));
}

#[tokio::test]
async fn what_is_said_is_there_with_its_turn_and_its_words() {
    let app = spawn_app(|_| {}).await;
    let done = app.ask("ada", "my name is Ada").await.unwrap();
    let detail = app
        .call("GET", "/api/v1/memory?detail=true", "ada", None)
        .await;
    let detail: Value = detail.json().await.unwrap();
    let topics = detail["preferences"].as_object().unwrap().values();
    let slots: Vec<_> = topics
        .flat_map(|keys| keys.as_object().unwrap().values())
        .collect();
    let name = slots.iter().find(|slot| slot["value"] == "Ada").unwrap();
    assert_eq!(
        (&name["source"], &name["pinned"]),
        (&json!("said"), &json!(false))
    );
    assert_eq!(name["turn"], done["turn_id"]);
    assert!(name["quote"].as_str().unwrap().contains("my name is Ada"));
}

#[tokio::test]
async fn a_version_guards_against_lost_updates() {
    let app = spawn_app(|_| {}).await;
    put(&app, "ada", json!({"n": 0})).await;
    // Sixteen read version 1 and write on it: one wins, the others are told.
    let writes = (0..16).map(|n| {
        let body = json!({"preferences": {"n": n + 1}});
        with(&app, "PUT", ("if-match", "\"1\""), Some(body))
    });
    let statuses: Vec<_> = join_all(writes)
        .await
        .iter()
        .map(|r| r.status().as_u16())
        .collect();
    assert_eq!(
        statuses.iter().filter(|s| **s == 200).count(),
        1,
        "{statuses:?}"
    );
    assert_eq!(
        statuses.iter().filter(|s| **s == 412).count(),
        15,
        "{statuses:?}"
    );
    let body = json!({"preferences": {"n": 99}});
    let stale = with(&app, "PUT", ("if-match", "\"1\""), Some(body)).await;
    let stale: Value = stale.json().await.unwrap();
    assert_eq!(
        (&stale["code"], &stale["field"]),
        (&json!("stale_version"), &json!("If-Match"))
    );
    assert!(
        stale["detail"].as_str().unwrap().contains("version 2"),
        "{stale}"
    );

    let unchanged = with(&app, "GET", ("if-none-match", "\"2\""), None).await;
    assert_eq!(
        (unchanged.status().as_u16(), &*tag(&unchanged)),
        (304, "\"2\"")
    );
    assert_eq!(
        with(&app, "GET", ("if-none-match", "\"1\""), None)
            .await
            .status(),
        200
    );
}

#[tokio::test]
async fn what_is_removed_or_erased_is_gone() {
    let app = spawn_app(|_| {}).await;
    app.ask("ada", "my name is Ada").await.unwrap();
    put(
        &app,
        "ada",
        json!({"style": {"tone": "concise"}, "a/b": {"c d": "枚"}}),
    )
    .await;
    put(&app, "bob", json!({"style": {"tone": "warm"}})).await;

    let removed = app
        .call("DELETE", "/api/v1/memory/style/tone", "ada", None)
        .await;
    assert_eq!(removed.status(), 200);
    assert!(
        removed.json::<Value>().await.unwrap()["preferences"]
            .get("style")
            .is_none()
    );
    let again = app
        .call("DELETE", "/api/v1/memory/style/tone", "ada", None)
        .await;
    assert_eq!(again.status(), 200, "removing is idempotent");
    let odd = app
        .call("DELETE", "/api/v1/memory/a%2Fb/c%20d", "ada", None)
        .await;
    assert!(
        odd.json::<Value>().await.unwrap()["preferences"]
            .get("a/b")
            .is_none()
    );

    let receipt = app.call("DELETE", PATH, "ada", None).await;
    assert_eq!(receipt.status(), 200);
    let receipt: Value = receipt.json().await.unwrap();
    assert!(receipt["profile"].as_u64() >= Some(1), "{receipt}");
    assert_eq!(receipt["turns"], 1, "{receipt}");
    assert_eq!(app.profile("ada").await["preferences"], json!({}));
    assert_eq!(
        app.profile("bob").await["preferences"]["style"]["tone"],
        "warm"
    );
    let done = app.ask("ada", "who am I?").await.unwrap();
    assert!(!done["text"].as_str().unwrap().contains("Ada"), "{done}");
}
