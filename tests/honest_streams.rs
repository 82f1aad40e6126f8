//! Honest streams: an answer that broke off is never taken for a whole one, and whatever a
//! backend's events look like, all of their text arrives.

use crate::support::{
    App,
    answers::{chat_whole, chunk, head},
    faults::{LATE, Late, ODD, Odd},
    http::send,
    spawn_app, until,
    upstream::{Step, Upstream},
};
use serde_json::{Value, json};
use std::sync::Arc;
use sundynix::{
    config::{BackendConfig, Config},
    memory::{KeptTurn, TurnStatus, UserKey},
};

const TOKENS: [&str; 3] = ["Hel", "lo, 你", "好 \u{1F600}"];

async fn app(upstream: &Upstream, tweak: impl FnOnce(&mut Config)) -> App {
    let backend = BackendConfig {
        url: upstream.openai(),
        models: vec!["m".into()],
        ..BackendConfig::default()
    };
    spawn_app(|c| {
        c.backend = vec![backend];
        (c.pool.breaker_ms, c.pool.breaker_most_ms) = (1, 1);
        c.pool.keep_idle_ms = 1;
        tweak(c);
    })
    .await
}

/// The whole body of a streamed chat, with line ends as everybody writes them.
async fn chat(app: &App, user: &str) -> String {
    let body =
        json!({"model": "m", "stream": true, "messages": [{"role": "user", "content": "hi"}]});
    let request = app.http.post(app.url("/v1/chat/completions"));
    let response = send(request.header("x-user-id", user).json(&body)).await;
    let response = response.unwrap();
    assert_eq!(response.status(), 200);
    let body = response.text().await.unwrap();
    body.replace("\r\n", "\n").replace('\r', "\n")
}

/// The events' data, as any reader of SSE sees them.
fn events(sse: &str) -> Vec<String> {
    let data = |event: &str| {
        let lines = event.lines().filter_map(|line| line.strip_prefix("data:"));
        let lines: Vec<&str> = lines.map(|l| l.strip_prefix(' ').unwrap_or(l)).collect();
        lines.join("\n")
    };
    let all = sse.split("\n\n").map(data);
    all.filter(|data| !data.is_empty()).collect()
}

fn text(events: &[String]) -> String {
    let chunks = events
        .iter()
        .filter_map(|e| serde_json::from_str::<Value>(e).ok());
    chunks
        .filter_map(|c| Some(c["choices"][0]["delta"]["content"].as_str()?.to_owned()))
        .collect()
}

async fn turns(app: &App, user: &str) -> Vec<Arc<KeptTurn>> {
    // Nobody waits for the ack of a part: an upsert behind it in the queue does.
    let put = json!({"preferences": {"a": "b"}});
    app.call("PUT", "/api/v1/memory", user, Some(put)).await;
    let resident = app.state.store.resident(&UserKey::local(user)).await;
    resident.unwrap().turns.iter().cloned().collect()
}

async fn all_given_back(app: &App) {
    until(|| app.state.inflight() == 0).await;
    until(|| app.state.pool.status().iter().all(|b| b.in_flight == 0)).await;
}

async fn broken_off(late: &[Late], tweak: impl FnOnce(&mut Config)) {
    let upstream = Upstream::start();
    let app = app(&upstream, tweak).await;
    for fault in late {
        let user = format!("{fault:?}");
        upstream.script(fault.script(&TOKENS));
        let failed = app.state.pool.status()[0].failed;
        let answer = chat(&app, &user).await;
        let events = events(&answer);
        assert_eq!(text(&events), TOKENS.concat(), "{fault:?}: {answer}");
        let last: Value = serde_json::from_str(events.last().unwrap()).unwrap();
        assert!(last["error"]["message"].is_string(), "{fault:?}: {answer}");
        assert!(last["error"]["code"].is_string(), "{fault:?}: {answer}");
        assert!(
            !answer.contains("[DONE]") && !answer.contains("abort"),
            "{fault:?}: {answer}"
        );
        let turns = turns(&app, &user).await;
        let [turn] = &turns[..] else {
            panic!("{fault:?}: {turns:?}")
        };
        assert_eq!(turn.status, TurnStatus::Partial, "{fault:?}");
        assert_eq!(*turn.answer, *TOKENS.concat(), "{fault:?}");
        assert_eq!(app.state.pool.status()[0].failed, failed + 1, "{fault:?}");
        // The native surface says the same.
        upstream.script(fault.script(&TOKENS));
        let said = app.ask(&format!("{user} natively"), "hi").await;
        let problem: Value = serde_json::from_str(&said.unwrap_err()).unwrap();
        let status = if *fault == Late::Stall { 504 } else { 502 };
        assert_eq!(problem["status"], status, "{fault:?}: {problem}");
    }
    all_given_back(&app).await;
}

#[tokio::test]
async fn an_answer_that_broke_off_says_so_and_its_part_is_kept() {
    broken_off(&LATE, |_| {}).await;
}

#[tokio::test]
async fn a_backend_that_falls_silent_in_mid_stream_has_broken_off() {
    broken_off(&[Late::Stall], |c| c.pool.idle_timeout_s = 1).await;
}

#[tokio::test]
async fn odd_events_are_a_whole_answer() {
    let upstream = Upstream::start();
    let app = app(&upstream, |_| {}).await;
    for odd in ODD {
        let user = format!("{odd:?}");
        upstream.script(odd.script(&TOKENS));
        let answer = chat(&app, &user).await;
        let events = events(&answer);
        assert_eq!(text(&events), TOKENS.concat(), "{odd:?}: {answer}");
        assert_eq!(
            events.iter().filter(|e| *e == "[DONE]").count(),
            1,
            "{odd:?}: {answer}"
        );
        assert_eq!(events.last().unwrap(), "[DONE]", "{odd:?}: {answer}");
        assert!(
            answer.contains(": memory recorded\n\ndata: [DONE]"),
            "{odd:?}: {answer}"
        );
        let turns = turns(&app, &user).await;
        assert_eq!(*turns[0].answer, *TOKENS.concat(), "{odd:?}");
        assert_eq!(turns[0].status, TurnStatus::Complete, "{odd:?}");
        upstream.script(odd.script(&TOKENS));
        let done = app.ask(&format!("{user} natively"), "hi").await.unwrap();
        assert_eq!(done["text"], TOKENS.concat(), "{odd:?}");
        if matches!(odd, Odd::UsageAlone | Odd::UsageEverywhere) {
            assert_eq!(done["usage"]["total_tokens"], 7, "{odd:?}");
        }
    }
    assert_eq!(app.state.pool.status()[0].failed, 0);
    all_given_back(&app).await;
}

#[tokio::test]
async fn a_whole_answer_that_was_cut_is_a_502() {
    let upstream = Upstream::start();
    let app = app(&upstream, |_| {}).await;
    let whole = chat_whole("m", "a long answer").to_string();
    let half = &whole[..whole.len() / 2];
    for cut in [Step::Close, Step::Reset] {
        upstream.script(vec![
            head("application/json"),
            Step::Write(chunk(half)),
            cut,
        ]);
        let body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
        let response = app
            .call("POST", "/v1/chat/completions", "u", Some(body))
            .await;
        assert_eq!(response.status(), 502);
        assert_eq!(
            response.headers()["x-sundynix-backend"],
            *app.state.pool.status()[0].name
        );
        let error: Value = response.json().await.unwrap();
        assert_eq!(error["error"]["code"], "upstream_failed");
    }
    assert!(turns(&app, "u").await.is_empty());
    all_given_back(&app).await;
}
