//! What a real backend refuses, and where its answer breaks off, as the official OpenAI SDK raises
//! it: in the backend's own words.

use super::{OLLAMA_MODEL, RealLlama, app, chat_text, ollama, real_llama, scripted_ollama, turns};
use crate::support::{
    App, Events, llama, openai_sdk as sdk,
    upstream::{Step, chunk, end, head, http, ndjson, ok, ollama_lines},
};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use sundynix::memory::{KeptTurn, TurnStatus};

#[tokio::test]
async fn what_llama_cpp_refuses_reaches_the_sdk_in_its_words() {
    let RealLlama { app, .. } = &real_llama().await;
    let steps = [
        "unknown_model",
        "too_long",
        "too_long_stream",
        "bad_parameter",
    ];
    let said = sdk::run(&app.base, "ada", llama::MODEL, &steps).await;
    let unknown = &said["unknown_model"];
    assert_eq!(unknown["raised"], "NotFoundError", "{said}");
    assert_eq!(
        (&unknown["code"], &unknown["param"]),
        (&json!("model_not_found"), &json!("model"))
    );
    for step in ["too_long", "too_long_stream"] {
        let long = &said[step];
        assert_eq!(
            (&long["raised"], &long["status"]),
            (&json!("BadRequestError"), &json!(400))
        );
        // Its own `code` is a number, which SDKs choke on.
        assert_eq!(long["code"], "exceed_context_size_error");
        let words = long["message"].as_str().unwrap();
        assert!(
            words.contains("exceeds the available context size"),
            "{words}"
        );
    }
    let bad = &said["bad_parameter"];
    assert_eq!(
        (&bad["raised"], &bad["code"]),
        (&json!("BadRequestError"), &json!("invalid_request_error"))
    );
    assert!(
        bad["message"].as_str().unwrap().contains("'temperature'"),
        "{bad}"
    );
    // Nothing was answered: nothing is kept.
    assert_eq!(turns(app, "ada").await, []);

    // The native surface says the same in its own shape.
    let long = json!({"query": "long ".repeat(2000)});
    let refused = app
        .call("POST", "/api/v1/tasks", "ada", Some(long.clone()))
        .await;
    let accepted: Value = refused.json().await.unwrap();
    let events = Events::of(app.get(accepted["events"].as_str().unwrap()).await);
    let error = events.all().await.pop().unwrap();
    assert_eq!(
        (&*error.name, &error.json()["status"]),
        ("error", &json!(400))
    );
    let error = app.task("ada", long).await.err().unwrap();
    assert!(
        error.starts_with("400: ") && error.contains("available context size"),
        "{error}"
    );
    // What only memory made too long is asked once more without.
    let turns = format!("{}!", "x".repeat(3900));
    let chat = |text: &str| {
        json!({"model": llama::MODEL, "max_tokens": 4, "ignore_eos": true,
        "messages": [{"role": "user", "content": text}]})
    };
    let put = json!({"preferences": {"style": {"tone": "as terse as Tacitus ".repeat(20)}}});
    app.call("PUT", "/api/v1/memory", "eve", Some(put)).await;
    let events = app.chat("eve", chat(&turns)).await.unwrap();
    assert_eq!(events.headers["x-sundynix-memory"], "rejected");
    chat_text(events).await;
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_raised_by_the_sdk() {
    let RealLlama { app, tap, _llama } = real_llama().await;
    // Somewhere behind the first content: what breaks off before it is a plain 502.
    tap.cut_after("\"delta\":{\"content\":\"");
    tap.cut_after("\"delta\":{\"content\":\"");
    broken(&app, llama::MODEL, "without a finish reason").await;
}

/// An answer that breaks off, by both clients: what came before is told, and kept as a part.
async fn broken(app: &App, model: &str, words: &str) -> Vec<Arc<KeptTurn>> {
    let steps = ["broken_sync", "broken_async"];
    let said = sdk::run(&app.base, "eve", model, &steps).await;
    for step in steps {
        let broken = &said[step];
        assert_eq!(broken["raised"], "APIError", "{said}");
        assert_eq!(broken["code"], "upstream_failed");
        assert!(
            broken["message"].as_str().unwrap().contains(words),
            "{said}"
        );
        assert!(broken["chunks"].as_u64().unwrap() > 0, "{said}");
    }
    // Nobody waits for these to be durable.
    let kept = loop {
        let kept = turns(app, "eve").await;
        if kept.len() == steps.len() {
            break kept;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    };
    assert!(kept.iter().all(|turn| turn.status == TurnStatus::Partial));
    kept
}

#[tokio::test]
async fn what_ollama_says_reaches_the_sdk() {
    let upstream = scripted_ollama();
    let app = app(vec![ollama(&upstream)], &[OLLAMA_MODEL]).await;
    // Control characters come through as they are.
    let odd = "a\u{0}b\u{1b}[31m\u{7f}\u{85}\u{2028}\"\\\r\n\t中🦀";
    upstream.script(vec![Step::Write(ok(
        &json!({"model": OLLAMA_MODEL, "done": true,
        "message": {"role": "assistant", "content": odd}, "eval_count": 1}),
    ))]);
    upstream.script(ndjson(&ollama_lines(OLLAMA_MODEL, &[odd, odd])));
    let said = sdk::run(
        &app.base,
        "ada",
        OLLAMA_MODEL,
        &["sync_whole", "sync_stream"],
    )
    .await;
    assert_eq!(said["sync_whole"]["text"], odd);
    assert_eq!(said["sync_stream"]["text"], odd.repeat(2));
    let kept = turns(&app, "ada").await;
    // No database holds a NUL.
    let held = odd.replace('\0', "\u{FFFD}");
    assert_eq!(
        (&*kept[0].answer, &*kept[1].answer),
        (&*held, &*held.repeat(2))
    );
    upstream.script(ndjson(&ollama_lines(OLLAMA_MODEL, &[odd])));
    assert_eq!(app.ask("ada", "native").await.unwrap()["text"], odd);

    // An error in mid-stream, even in one read with the text before it.
    let lines = ollama_lines(OLLAMA_MODEL, &["Hel", "lo"]);
    let error = json!({"error": "an error was encountered while running the model: out of memory"});
    let text = format!("{}\n{}\n{error}\n", lines[0], lines[1]);
    for _ in 0..2 {
        upstream.script(vec![
            head("application/x-ndjson"),
            Step::Write(chunk(&text)),
            end(),
        ]);
    }
    let kept = broken(&app, OLLAMA_MODEL, "out of memory").await;
    assert!(kept.iter().all(|turn| &*turn.answer == "Hello"));

    // Refusals in its words, in OpenAI's shape.
    let missing = r#"{"error":"model 'qwen3:8b' not found"}"#;
    upstream.script(vec![Step::Write(http(404, "application/json", missing))]);
    let bad = r#"{"error":"invalid option provided: temperature"}"#;
    upstream.script(vec![Step::Write(http(400, "application/json", bad))]);
    let said = sdk::run(
        &app.base,
        "mia",
        OLLAMA_MODEL,
        &["whole", "bad_parameter", "unknown_model"],
    )
    .await;
    assert_eq!(said["whole"]["raised"], "NotFoundError", "{said}");
    assert!(
        said["whole"]["message"]
            .as_str()
            .unwrap()
            .contains("model 'qwen3:8b' not found")
    );
    assert_eq!(said["bad_parameter"]["raised"], "BadRequestError", "{said}");
    assert!(
        said["bad_parameter"]["message"]
            .as_str()
            .unwrap()
            .contains("invalid option")
    );
    assert_eq!(said["unknown_model"]["raised"], "NotFoundError");
}
