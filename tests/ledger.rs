//! The ledger tells, by user and day, what memory takes in tokens: calls of its own, and what it puts
//! into prompts. No request waits for that; a stop loses nothing of it, and an erase takes it all.

use crate::support::{App, postgres, spawn_app, spawn_app_in};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const LEDGER: &str = "/api/v1/memory/ledger";

async fn days(app: &App, user: &str) -> Value {
    let answer = app.call("GET", LEDGER, user, None).await;
    assert_eq!(answer.status(), 200);
    answer.json::<Value>().await.unwrap()["days"].clone()
}

/// The ledger of a user with one day, once so many prompts are in it.
async fn told(app: &App, user: &str, recalls: u64) -> Value {
    let start = Instant::now();
    loop {
        let days = days(app, user).await;
        if days[0]["recalls"] == recalls {
            assert_eq!(days.as_array().unwrap().len(), 1);
            return days[0].clone();
        }
        assert!(start.elapsed() < Duration::from_secs(30), "{days}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn what_is_recalled_into_prompts_is_told_by_user() {
    for url in [String::new(), postgres::database()] {
        let app = spawn_app(|config| config.store.url = url).await;
        // Nothing is known yet, so nothing is recalled.
        app.ask("ada", "My name is Ada.").await.unwrap();
        app.ask("bob", "Hello").await.unwrap();
        app.ask("ada", "What is my name?").await.unwrap();
        let one = told(&app, "ada", 1).await;
        assert!(one["recalled_tokens"].as_u64().unwrap() > 10, "{one}");
        assert_eq!(
            (&one["calls"], &one["prompt_tokens"]),
            (&json!(0), &json!(0))
        );
        // Who only reads their memory pays for it as well.
        let read = json!({"mode": "read"});
        app.call("PUT", "/api/v1/memory/settings", "ada", Some(read))
            .await;
        app.ask("ada", "And what is it now?").await.unwrap();
        let two = told(&app, "ada", 2).await;
        assert!(two["recalled_tokens"].as_u64() > one["recalled_tokens"].as_u64());
        let off = json!({"mode": "off"});
        app.call("PUT", "/api/v1/memory/settings", "ada", Some(off))
            .await;
        app.ask("ada", "And now?").await.unwrap();
        app.ask("bob", "Hello again").await.unwrap();
        told(&app, "bob", 1).await;
        assert_eq!(told(&app, "ada", 2).await, two);
        let export = app
            .call("GET", "/api/v1/memory/export", "ada", None)
            .await
            .text()
            .await
            .unwrap();
        let line = export.lines().find(|line| line.contains("\"ledger\""));
        let line: Value = serde_json::from_str(line.expect("a line")).unwrap();
        assert_eq!(line["recalled_tokens"], two["recalled_tokens"]);
    }
}

#[tokio::test]
async fn a_stop_loses_nothing_and_an_erase_takes_all() {
    let app = spawn_app(|_| {}).await;
    for user in ["ada", "bob"] {
        app.ask(user, "My name is Ada.").await.unwrap();
        app.ask(user, "What is my name?").await.unwrap();
    }
    // Whatever of it is not written yet.
    let erased = app.call("DELETE", "/api/v1/memory", "bob", None).await;
    assert_eq!(erased.status(), 200);
    let dir = app.dir.clone();
    drop(app);
    let app = spawn_app_in(dir, |_| {}).await;
    told(&app, "ada", 1).await;
    assert_eq!(days(&app, "bob").await, json!([]));
}
