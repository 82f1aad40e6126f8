//! Against a real llama.cpp whose model says nothing sensible, held to the schema: what it answers
//! can be read, or the turn is dead; nothing is gone in silence, and nothing is made up.

use super::*;
use crate::support::{Llama, llama::MODEL};

#[tokio::test]
async fn what_a_real_server_answers_is_read_or_dead() {
    let llama = Llama::start().await;
    let app = spawn_app(|config| {
        config.backend.push(BackendConfig {
            url: llama.url.clone(),
            models: vec![MODEL.into()],
            ..BackendConfig::default()
        });
        config.pool.default_model = "simulator".into();
        config.memory.extract.model = MODEL.into();
        config.memory.extract.max_tokens = 64;
        config.memory.extract.max_attempts = 2;
        config.memory.extract.timeout_s = 600;
    })
    .await;
    for text in ["we settled down in Berlin", "上海的秋天真美"] {
        app.ask("ada", text).await.unwrap();
    }
    // Read at once, or after so many pauses dead.
    let clock = &app.state.store.rules().clock;
    for _ in 0..6_000 {
        clock.advance(Duration::from_secs(61));
        if app.state.store.gathering().is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    all_read(&app).await;
    let jobs = get(&app, "/api/v1/memory/jobs", "ada").await;
    let jobs = jobs["jobs"].as_array().unwrap();
    let health: Value = app.get("/health").await.json().await.unwrap();
    let read = health["extraction"]["turns"].as_u64().unwrap() as usize;
    assert_eq!(read + jobs.len(), 2, "{jobs:?} {health}");
    for job in jobs {
        assert_eq!(job["state"], "dead", "{job}");
        assert!(!job["error"].as_str().unwrap().is_empty());
    }
    assert_eq!(app.profile("ada").await["preferences"], json!({}));
}
