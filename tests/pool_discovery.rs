//! What backends serve is asked of them, and what they said last holds while they are silent.

use crate::support::upstream::{Upstream, http, ok};
use serde_json::json;
use std::sync::Arc;
use sundynix::{
    config::{BackendConfig, Config},
    error::Error,
    pool::{Client, Pool, watch},
};

fn pool(urls: &[String]) -> (Arc<Pool>, Config) {
    let backend = |(at, url): (usize, &String)| BackendConfig {
        name: format!("b{at}"),
        url: url.clone(),
        dialect: (!url.ends_with("/v1")).then_some(sundynix::config::DialectName::Ollama),
        ..BackendConfig::default()
    };
    let config = Config {
        backend: urls.iter().enumerate().map(backend).collect(),
        ..Config::default()
    };
    (Pool::new(&config).unwrap(), config)
}

#[actix_web::test]
async fn lists_and_contexts_of_both_dialects() {
    let (vllm, ollama) = (Upstream::start(), Upstream::start());
    let listed = json!({"object": "list", "data": [
        {"id": "big", "max_model_len": 32768}, {"id": "shared:1b", "max_model_len": 8192}]});
    vllm.route("/v1/models", ok(&listed));
    ollama.models(&["shared:1b", "small:latest"]).route(
        "/api/ps",
        ok(&json!({"models": [{"name": "small:latest", "context_length": 16384}]})),
    );
    let (pool, _) = pool(&[vllm.openai(), ollama.ollama()]);
    let client = Client::new();
    assert!(matches!(pool.resolve(None), Err(Error::NoBackend(_))));
    pool.refresh(&client).await;
    let models: Vec<_> = pool
        .models()
        .into_iter()
        .map(|m| (m.id, m.owned_by, m.context))
        .collect();
    let owned = |all: &[&str]| all.iter().map(|b| b.to_string()).collect::<Vec<_>>();
    assert_eq!(
        models,
        [
            ("big".into(), owned(&["b0"]), Some(32768)),
            ("shared:1b".into(), owned(&["b0", "b1"]), Some(4096)),
            ("small:latest".into(), owned(&["b1"]), Some(16384)),
        ]
    );
    assert_eq!(&*pool.resolve(Some("small")).unwrap(), "small:latest");
    assert!(matches!(
        pool.resolve(Some("none")),
        Err(Error::UnknownModel { .. })
    ));
    // What was said last holds.
    vllm.route("/v1/models", http(500, "text/plain", ""));
    let gone = ollama.addr;
    drop(ollama);
    pool.refresh(&client).await;
    assert_eq!(pool.models().len(), 3);
    let troubles = pool
        .status()
        .iter()
        .filter(|s| s.last_error.is_some())
        .count();
    assert_eq!(troubles, 2);
    // And the next answer counts.
    let again = Upstream::at(gone);
    again.models(&["other"]);
    pool.refresh(&client).await;
    assert!(pool.resolve(Some("small")).is_err());
    assert_eq!(&*pool.resolve(Some("other")).unwrap(), "other");
    let status = &pool.status()[1];
    assert!(status.last_seen_ms >= status.last_error_ms, "{status:?}");
}

#[actix_web::test]
async fn one_that_comes_up_later_is_found_by_itself() {
    let addr = Upstream::refusing();
    let (pool, _) = pool(&[format!("http://{addr}/v1")]);
    let watching = actix_web::rt::spawn(watch(pool.clone()));
    while pool.status()[0].last_error.is_none() {
        tokio::task::yield_now().await;
    }
    let upstream = Upstream::at(addr);
    upstream.until(|log| !log.requests.is_empty()).await;
    while pool.resolve(Some("m")).is_err() {
        tokio::task::yield_now().await;
    }
    watching.abort();
}
