//! The steps of a tool loop are one turn: each carries the block of the first, though the turn
//! itself and others have been kept since, and whoever answers.

use super::*;
use std::sync::Arc;
use tempfile::TempDir;

const QUESTION: &str = "When does the bakery open, and which tram goes there from the harbour?";

/// The messages of the loop after so many steps.
fn messages(steps: usize) -> Vec<Value> {
    let mut messages = vec![
        json!({"role": "system", "content": SYSTEM}),
        json!({"role": "user", "content": "Good morning."}),
        json!({"role": "assistant", "content": "Hello"}),
        json!({"role": "user", "content": QUESTION}),
    ];
    for step in 0..steps {
        let call = json!({"id": format!("c{step}"), "type": "function",
            "function": {"name": "look", "arguments": "{}"}});
        messages.push(json!({"role": "assistant", "content": "One moment.", "tool_calls": [call]}));
        messages.push(json!({"role": "tool", "tool_call_id": format!("c{step}"), "content": "7"}));
    }
    messages
}

/// A step; what the backend saw up to the question.
async fn step(app: &App, upstream: &Upstream, steps: usize, memory: &str) -> Vec<Value> {
    post(app, "loop", &messages(steps), memory).await;
    let body: Value = serde_json::from_slice(&last(upstream)).unwrap();
    let mut seen = body["messages"].as_array().unwrap().clone();
    seen.truncate(4);
    assert!(
        seen[3]["content"]
            .as_str()
            .unwrap()
            .contains("bakery on the corner")
    );
    seen
}

/// Something of another conversation, kept meanwhile.
async fn meanwhile(app: &App, number: usize) {
    let text = format!("The bakery at the harbour opens at {number}, by tram.");
    let message = json!({"role": "user", "content": text});
    post(app, &format!("meanwhile {number}"), &[message], "on").await;
}

#[tokio::test]
async fn each_step_carries_the_block_of_the_first_over_restarts() {
    let upstream = Upstream::start();
    let dir = Arc::new(TempDir::new().unwrap());
    let mut app = spawn_app_in(dir.clone(), at(&upstream, "")).await;
    prepare(&app).await;
    let first = step(&app, &upstream, 0, "on").await;
    for steps in 1..5 {
        meanwhile(&app, steps).await;
        assert_eq!(step(&app, &upstream, steps, "read").await, first, "{steps}");
        drop(app);
        app = spawn_app_in(dir.clone(), at(&upstream, "")).await;
        assert_eq!(step(&app, &upstream, steps, "on").await, first, "{steps}");
    }
}

#[tokio::test]
async fn each_step_carries_the_block_of_the_first_from_another_replica() {
    let (upstream, url) = (Upstream::start(), postgres::database());
    let one = spawn_app(at(&upstream, &url)).await;
    let two = spawn_app(at(&upstream, &url)).await;
    prepare(&one).await;
    let first = step(&one, &upstream, 0, "on").await;
    for steps in 1..5 {
        let app = if steps % 2 == 1 { &two } else { &one };
        meanwhile(if steps < 3 { &one } else { &two }, steps).await;
        assert_eq!(step(app, &upstream, steps, "on").await, first, "{steps}");
    }
}
