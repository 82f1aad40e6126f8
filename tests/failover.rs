//! Failover: no request fails that any backend could have answered. Whatever a backend does before
//! its first content, another one answers, and the client sees nothing of it.

use crate::support::{
    App, Client,
    answers::{http, ordinary},
    faults::{EARLY, Early, SILENT},
    http::send,
    spawn_app, until,
    upstream::{Gate, Script, Seen, Step, Upstream},
};
use reqwest::Response;
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use sundynix::config::{BackendConfig, Config};

/// What a fleet does with a request, by what it asks and by how often it has been seen.
type Plan = dyn Fn(&str, usize) -> Option<Script> + Send + Sync;

/// Backends that share a plan: which of them is asked first makes no difference to a test.
fn fleet(
    size: usize,
    plan: impl Fn(&str, usize) -> Option<Script> + Send + Sync + 'static,
) -> Vec<Upstream> {
    let seen = Arc::new(Mutex::new(HashMap::new()));
    let plan: Arc<Plan> = Arc::new(plan);
    let start = |_| {
        let (seen, plan) = (seen.clone(), plan.clone());
        let upstream = Upstream::start();
        upstream.answers(move |request: &Seen| {
            let body = request.json();
            let asked = body["messages"].as_array().unwrap().last().unwrap()["content"].clone();
            let asked = asked.as_str().unwrap().to_owned();
            let mut seen = seen.lock().unwrap();
            let times: &mut usize = seen.entry(asked.clone()).or_default();
            *times += 1;
            plan(&asked, *times).unwrap_or_else(|| ordinary(request))
        });
        upstream
    };
    (0..size).map(start).collect()
}

async fn app(fleet: &[Upstream], tweak: impl FnOnce(&mut Config)) -> App {
    let backend = |(id, upstream): (usize, &Upstream)| BackendConfig {
        name: format!("b{id}"),
        url: upstream.openai(),
        models: vec!["m".into()],
        ..BackendConfig::default()
    };
    let backends = fleet.iter().enumerate().map(backend).collect();
    spawn_app(|c| {
        c.backend = backends;
        // What is tested is the retry, not who is left out of the next one.
        (c.pool.breaker_ms, c.pool.breaker_most_ms) = (1, 1);
        // A connection from stock that is closed is tried anew before it counts as a failure.
        c.pool.keep_idle_ms = 1;
        tweak(c);
    })
    .await
}

async fn chat(client: &Client, asked: &str, stream: bool) -> Response {
    let body =
        json!({"model": "m", "stream": stream, "messages": [{"role": "user", "content": asked}]});
    let request = client.http.post(client.url("/v1/chat/completions"));
    send(request.json(&body)).await.unwrap()
}

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok()
}

fn asked_of(fleet: &[Upstream]) -> usize {
    fleet
        .iter()
        .map(|upstream| upstream.log().chats().len())
        .sum()
}

async fn gauges_are_zero(app: &App) {
    until(|| app.state.inflight() == 0).await;
    until(|| {
        let pool = app.state.pool.status();
        pool.iter().all(|b| b.in_flight == 0 && b.waiting == 0)
    })
    .await;
}

/// The text of an SSE answer, and whether its end was told.
fn text(sse: &str) -> (String, bool) {
    let data = sse.lines().filter_map(|line| line.strip_prefix("data: "));
    let (mut text, mut done) = (String::new(), false);
    for data in data {
        match serde_json::from_str::<Value>(data) {
            Ok(chunk) => {
                text += chunk["choices"][0]["delta"]["content"]
                    .as_str()
                    .unwrap_or("")
            }
            Err(_) => done |= data == "[DONE]",
        }
    }
    (text, done)
}

async fn another_answers(early: &'static [Early], tweak: impl FnOnce(&mut Config)) {
    let plan = |asked: &str, times: usize| {
        let at: usize = asked.parse().unwrap();
        (times == 1).then(|| early[at].script())
    };
    let fleet = fleet(2, plan);
    let app = app(&fleet, tweak).await;
    for (at, fault) in early.iter().enumerate() {
        let response = chat(&app, &at.to_string(), true).await;
        assert_eq!(response.status(), 200, "{fault:?}");
        assert_eq!(
            header(&response, "x-sundynix-attempts"),
            Some("2"),
            "{fault:?}"
        );
        let backend = header(&response, "x-sundynix-backend").unwrap().to_owned();
        let answer = response.text().await.unwrap();
        assert_eq!(text(&answer), ("Hello".into(), true), "{fault:?}: {answer}");
        assert!(!answer.contains("error"), "{fault:?}: {answer}");
        assert_eq!(asked_of(&fleet), 2 * (at + 1), "{fault:?}");
        assert!(["b0", "b1"].contains(&&*backend));
    }
    gauges_are_zero(&app).await;
}

#[tokio::test]
async fn whatever_it_does_before_it_has_begun_another_answers() {
    another_answers(&EARLY, |_| {}).await;
}

#[tokio::test]
async fn silence_before_the_first_content_is_no_answer_either() {
    another_answers(&SILENT, |c| c.pool.first_token_timeout_s = 1).await;
}

#[tokio::test]
async fn so_it_is_with_whole_answers() {
    let whole = [
        Early::Close,
        Early::Reset,
        Early::ErrorUnder200,
        Early::Page,
        Early::Status(502),
        Early::Status(503),
    ];
    let unfinished = r#"{"choices":[{"index":0,"message":{"content":""}}]}"#;
    let unfinished = vec![Step::Write(http(200, "application/json", unfinished))];
    let scripts = [whole.map(Early::script).to_vec(), vec![unfinished]].concat();
    let count = scripts.len();
    let plan = move |asked: &str, times: usize| {
        let at: usize = asked.parse().unwrap();
        (times == 1).then(|| scripts[at].clone())
    };
    let fleet = fleet(2, plan);
    let app = app(&fleet, |_| {}).await;
    for at in 0..count {
        let response = chat(&app, &at.to_string(), false).await;
        assert_eq!(response.status(), 200, "{at}");
        assert_eq!(header(&response, "x-sundynix-attempts"), Some("2"), "{at}");
        let answer: Value = response.json().await.unwrap();
        assert_eq!(answer["choices"][0]["message"]["content"], "Hello");
    }
    gauges_are_zero(&app).await;
}

#[tokio::test]
async fn three_are_asked_at_most_and_none_twice() {
    let fleet = fleet(4, |_, _| Some(Early::Status(503).script()));
    let app = app(&fleet, |_| {}).await;
    for (stream, surface) in [(true, "/v1"), (false, "/v1"), (true, "/api/v1")] {
        let before: Vec<usize> = fleet.iter().map(|u| u.log().chats().len()).collect();
        let response = match surface {
            "/v1" => chat(&app, "x", stream).await,
            _ => {
                let request = app.http.post(app.url("/api/v1/tasks"));
                let request = request.header("accept", "text/event-stream");
                send(request.json(&json!({"query": "x"}))).await.unwrap()
            }
        };
        assert_eq!(response.status(), 502);
        assert_eq!(header(&response, "x-sundynix-attempts"), Some("3"));
        assert!(
            header(&response, "x-sundynix-backend")
                .unwrap()
                .starts_with('b')
        );
        let after = fleet.iter().map(|u| u.log().chats().len());
        let mut asked: Vec<usize> = after
            .zip(before)
            .map(|(after, before)| after - before)
            .collect();
        asked.sort_unstable();
        assert_eq!(asked, [0, 1, 1, 1]);
        // A breaker may have opened for its millisecond.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    gauges_are_zero(&app).await;
}

fn later(status: u16, seconds: u32) -> Script {
    let body = r#"{"error":{"message":"too many"}}"#;
    let message = format!(
        "HTTP/1.1 {status} Later\r\nContent-Type: application/json\r\nRetry-After: {seconds}\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    vec![Step::Write(message.into())]
}

#[tokio::test]
async fn who_asks_for_a_moment_gets_it() {
    let fleet = fleet(1, |_, times| (times == 1).then(|| later(429, 1)));
    let app = app(&fleet, |_| {}).await;
    let began = Instant::now();
    let response = chat(&app, "x", true).await;
    assert_eq!(response.status(), 200);
    assert_eq!(header(&response, "x-sundynix-attempts"), Some("2"));
    assert!(began.elapsed() >= Duration::from_secs(1));
    assert_eq!(
        text(&response.text().await.unwrap()),
        ("Hello".into(), true)
    );
    gauges_are_zero(&app).await;
}

#[tokio::test]
async fn who_asks_for_long_is_left_alone_and_the_caller_is_told() {
    let fleet = fleet(2, |_, times| (times == 1).then(|| later(503, 30)));
    let app = app(&fleet, |_| {}).await;
    for asked in ["a", "b"] {
        let response = chat(&app, asked, true).await;
        // The first goes on to the other one; the second finds that one alone, and it rests too.
        assert_eq!(
            response.status().as_u16(),
            if asked == "a" { 200 } else { 502 }
        );
        if asked == "b" {
            let seconds: u32 = header(&response, "retry-after").unwrap().parse().unwrap();
            assert!((25..=38).contains(&seconds), "{seconds}");
        }
    }
    assert_eq!(asked_of(&fleet), 3, "each has asked for its rest");
    let response = chat(&app, "c", true).await;
    assert_eq!(response.status(), 503);
    let seconds: u32 = header(&response, "retry-after").unwrap().parse().unwrap();
    assert!((20..=38).contains(&seconds), "{seconds}");
    assert_eq!(asked_of(&fleet), 3);
    gauges_are_zero(&app).await;
}

/// The head waits five seconds for the first content; then it leaves, and retrying goes on.
#[tokio::test]
async fn the_head_leaves_before_the_answer_where_that_takes_long() {
    let gate = Gate::new();
    let waits = gate.clone();
    let plan = move |asked: &str, times: usize| {
        let then = match (asked, times) {
            ("well" | "natively", 2..) => return None,
            ("well" | "natively" | "badly", _) => Early::RoleThenReset.script(),
            _ => unreachable!(),
        };
        Some([vec![Step::Pause(waits.clone())], then].concat())
    };
    let fleet = fleet(2, plan);
    let app = app(&fleet, |_| {}).await;
    let native = {
        let request = app.http.post(app.url("/api/v1/tasks"));
        let request = request.header("accept", "text/event-stream");
        request.json(&json!({"query": "natively"}))
    };
    let (badly, well, native) = tokio::join!(
        chat(&app, "badly", true),
        chat(&app, "well", true),
        send(native)
    );
    let native = native.unwrap();
    for response in [&badly, &well, &native] {
        assert_eq!(response.status(), 200);
        assert_eq!(
            header(response, "x-sundynix-backend"),
            None,
            "nobody has answered"
        );
    }
    gate.open(10);
    let (badly, well, native) = tokio::join!(badly.text(), well.text(), native.text());
    let (badly, well, native) = (badly.unwrap(), well.unwrap(), native.unwrap());
    assert_eq!(text(&well), ("Hello".into(), true));
    assert!(
        well.contains(": x-sundynix-attempts: 2\n: x-sundynix-memory: "),
        "{well}"
    );
    assert!(badly.starts_with(": ping\n\n"), "{badly}");
    assert!(badly.contains(": x-sundynix-attempts: 2\n"), "{badly}");
    assert!(
        badly.contains("data: {\"error\":{") && !badly.contains("[DONE]"),
        "{badly}"
    );
    let done = native.split("event: done\ndata: ").nth(1).expect(&native);
    let done: Value = serde_json::from_str(done.trim()).unwrap();
    assert_eq!(done["attempts"], 2);
    assert!(done["backend"].as_str().unwrap().starts_with('b'));
    gauges_are_zero(&app).await;
}

/// One of three backends dies under 200 streams: who has seen nothing yet is answered by another,
/// the rest are told.
#[tokio::test]
async fn one_of_three_is_killed_under_200_streams() {
    let gate = Gate::new();
    let waits = gate.clone();
    let plan = move |asked: &str, times: usize| {
        let begun: u32 = asked.parse().unwrap();
        if times > 1 {
            return None;
        }
        // Half of them have begun when it dies, half have not.
        let whole = crate::support::answers::sse(&crate::support::answers::chat_events(
            "m",
            &["Hel", "lo"],
        ));
        let at = if begun.is_multiple_of(2) { 3 } else { 2 };
        let (start, rest) = whole.split_at(at);
        Some([start, &[Step::Pause(waits.clone())], rest].concat())
    };
    let mut fleet = fleet(3, plan);
    let app = app(&fleet, |c| c.pool.connect_timeout_ms = 30_000).await;
    let asking: Vec<_> = (0..200)
        .map(|n| {
            let client = app.client();
            tokio::spawn(async move {
                let response = chat(&client, &n.to_string(), true).await;
                let status = response.status();
                (n, status, response.text().await.unwrap())
            })
        })
        .collect();
    until(|| fleet.iter().map(|u| u.log().paused).sum::<usize>() == 200).await;
    let victim = fleet.remove(0);
    let on_it = victim.log().chats().len();
    drop(victim);
    gate.open(1_000);
    let (mut whole, mut told) = (0, 0);
    for one in asking {
        let (n, status, answer) = one.await.unwrap();
        assert_eq!(status, 200, "{n}: {answer}");
        match text(&answer) {
            (text, true) => {
                assert_eq!(text, "Hello", "{n}");
                whole += 1;
            }
            (text, false) => {
                assert_eq!(
                    (n % 2, &*text),
                    (0, "Hel"),
                    "only who had a byte out may fail: {answer}"
                );
                assert!(answer.contains("data: {\"error\":{"), "{answer}");
                told += 1;
            }
        }
    }
    println!("{on_it} were on the one that died: {told} told of it, {whole} answered wholly");
    assert!(on_it > 0 && told > 0 && told <= on_it && whole == 200 - told);
    gauges_are_zero(&app).await;
}
