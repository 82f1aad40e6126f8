//! Kept texts stand behind everybody who chats; and a real llama.cpp serves both.

use super::*;
use crate::support::{Llama, llama::MODEL, upstream::Gate};

/// One backend for all, which does one thing at a time.
fn narrow(upstream: &Upstream) -> impl FnOnce(&mut Config) + use<> {
    let url = upstream.openai();
    move |config| {
        config.backend = vec![BackendConfig {
            url,
            max_concurrent: 1,
            ..BackendConfig::default()
        }];
        config.pool.default_model = "m".into();
        config.memory.embeddings.model = "e".into();
    }
}

fn embeddings(upstream: &Upstream) -> usize {
    let log = upstream.log();
    let asked = log.chats().into_iter();
    asked.filter(|seen| seen.path == "/v1/embeddings").count()
}

#[tokio::test]
async fn nobody_waits_for_texts_and_texts_wait_for_everybody() {
    let upstream = Upstream::start();
    upstream.models(&["m", "e"]);
    // The first call about texts never ends by itself.
    upstream.script(vec![Step::Hang]);
    upstream.answers(|seen| match &*seen.path {
        "/v1/embeddings" => vectors(seen),
        _ => ordinary(seen),
    });
    let app = spawn_app(narrow(&upstream)).await;
    import(&app, "ada", &SAID).await;
    upstream.until(|log| log.paused == 1).await;
    // The place is given to whoever chats, and the texts come later.
    app.ask("bob", "hello").await.unwrap();
    embedded(&app, 6).await;
    assert_eq!(health(&app).await["failures"], 0);

    // While somebody waits nothing is asked. (Nothing is known of these two: no question is.)
    let gate = Gate::new();
    let before = embeddings(&upstream);
    let slow = |seen: Script| [vec![Step::Pause(gate.clone())], seen].concat();
    let whole = crate::support::upstream::sse(&crate::support::upstream::chat_events("m", &["a"]));
    upstream.script(slow(whole.clone())).script(slow(whole));
    let (one, two) = (app.client(), app.client());
    let first = tokio::spawn(async move { one.ask("lee", "one").await });
    upstream.until(|log| log.paused == 2).await;
    let second = tokio::spawn(async move { two.ask("mia", "two").await });
    app.until(|| app.state.pool.is_crowded(None)).await;
    import(&app, "kim", &SAID).await;
    until(&app, |now| now["waits_for"] == "users to be served").await;
    assert_eq!(embeddings(&upstream), before);
    gate.open(2);
    first.await.unwrap().unwrap();
    second.await.unwrap().unwrap();
    embedded(&app, 6 + 4 + 4).await;
}

#[tokio::test]
async fn a_real_server_says_what_texts_mean_and_refuses_what_is_too_long() {
    let llama = Llama::with_embeddings().await;
    let app = spawn_app(|config| {
        config.backend.push(BackendConfig {
            url: llama.url.clone(),
            models: vec![MODEL.into()],
            ..BackendConfig::default()
        });
        config.pool.default_model = "simulator".into();
        config.memory.embeddings.model = MODEL.into();
        config.memory.embeddings.query_timeout_ms = 20_000;
    })
    .await;
    // Its model takes 512 tokens, and every byte is one.
    let long = "a flurb ".repeat(150);
    import(&app, "ada", &["We bought a flurb", "下雨了", &long]).await;
    let clock = &app.state.store.rules().clock;
    let now = until(&app, |now| {
        clock.advance(Duration::from_secs(10));
        now["refused"] == 1 && now["texts"] == 2 && now["users"] == 0
    })
    .await;
    assert_eq!(now["crashes"], 0, "{now}");
    let hits = search(&app, "ada", "We bought a flurb").await;
    assert_eq!(hits[0]["text"], "We bought a flurb");
    assert!(hits[0]["why"]["semantic"].as_f64().unwrap() > 0.0);
    let now = health(&app).await;
    assert_eq!(
        (&now["questions"], &now["unanswered"]),
        (&json!(1), &json!(0))
    );
}
