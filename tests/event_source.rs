//! Resume, in a real browser: an `EventSource` reads a task's `events` URL, comes back by itself
//! wherever its connection is cut, misses no event, repeats none, and stops once it has seen the
//! end.

use crate::support::{
    App, Browser, Events,
    browser::Passed,
    http::send,
    spawn_app,
    upstream::{Gate, Script, Step, Upstream, chat_events, chunk, end, head},
};
use serde_json::{Value, json};
use sundynix::config::BackendConfig;

const TOKENS: [&str; 7] = ["My ", "name", "\nis", " \"x\"", " 你好", " 🦀", "."];
/// `recalled` and `done` stand around them.
const EVENTS: usize = TOKENS.len() + 2;

/// Reads all `STREAMS` at once to their ends, and posts what came: [[id, name, data], …] of each.
const PAGE: &str = r#"<!doctype html><link rel="icon" href="data:,"><script>
const read = url => new Promise(done => {
  const seen = [], source = new EventSource(url);
  const note = event => seen.push([event.lastEventId, event.type, event.data]);
  for (const name of ["recalled", "token", "done", "message"]) source.addEventListener(name, note);
  source.onerror = event => {
    if (event.data !== undefined) note(event);
    else if (source.readyState === EventSource.CLOSED) done(seen);
  };
});
Promise.all(STREAMS.map(read)).then(seen => fetch("/result", {method: "POST", body: JSON.stringify(seen)}));
</script>"#;

async fn app(upstream: &Upstream) -> App {
    let backend = BackendConfig {
        url: upstream.openai(),
        models: vec!["m".into()],
        ..BackendConfig::default()
    };
    spawn_app(|c| {
        c.server.workers = 3;
        c.backend = vec![backend];
    })
    .await
}

/// An answer that waits for the gate before each token and before its end.
fn gated(gate: &Gate) -> Script {
    let mut script = vec![head("text/event-stream")];
    for event in chat_events("m", &TOKENS) {
        script.push(Step::Write(chunk(format!("data: {event}\n\n"))));
        script.push(Step::Pause(gate.clone()));
    }
    script.extend([Step::Write(chunk("data: [DONE]\n\n")), end()]);
    script
}

/// Starts a task that runs by itself.
async fn task(app: &App) -> Value {
    let ask = json!({"query": "who am I?"});
    let accepted = app.call("POST", "/api/v1/tasks", "ada", Some(ask)).await;
    assert_eq!(accepted.status(), 202);
    accepted.json().await.unwrap()
}

/// A browser that reads the task once by each plan.
async fn browser(app: &App, task: &Value, plans: &[String]) -> Browser {
    let events = task["events"].as_str().unwrap();
    let streams: Vec<_> = plans.iter().map(|p| format!("/cut/{p}{events}")).collect();
    let page = PAGE.replace("STREAMS", &json!(streams).to_string());
    Browser::open(app.addr, page).await
}

/// All the events of the task, each once and in order.
#[track_caller]
fn all_once(seen: &Value, plan: &str) {
    let seen = seen.as_array().unwrap();
    let ids: Vec<_> = seen.iter().map(|e| e[0].as_str().unwrap()).collect();
    let expected: Vec<_> = (1..=EVENTS).map(|id| id.to_string()).collect();
    assert_eq!(ids, expected, "{plan}");
    let names: Vec<_> = seen.iter().map(|e| e[1].as_str().unwrap()).collect();
    assert_eq!(
        (names[0], names[EVENTS - 1]),
        ("recalled", "done"),
        "{plan}"
    );
    let tokens = seen.iter().filter(|e| e[1] == "token");
    let tokens = tokens.map(|e| serde_json::from_str(e[2].as_str().unwrap()).unwrap());
    let texts: Vec<_> = tokens.map(|t: Value| t["text"].clone()).collect();
    assert_eq!(texts, TOKENS, "{plan}");
}

/// The `Last-Event-ID` of each of a plan's connections, and its answer's status.
fn connections<'a>(passed: &'a [Passed], plan: &str) -> Vec<(Option<&'a str>, u16)> {
    let of_plan = passed.iter().filter(|p| p.plan == plan);
    of_plan.map(|p| (p.last.as_deref(), p.status)).collect()
}

#[tokio::test]
async fn cut_at_any_event_it_comes_back_and_stops_at_the_end() {
    let upstream = Upstream::start();
    let gate = Gate::new();
    gate.open(100);
    upstream.script(gated(&gate));
    let app = app(&upstream).await;
    let task = task(&app).await;
    app.until(|| app.state.tasks.running() == 0).await;
    // Behind every event; within every event; before the answer.
    let behind = (0..=EVENTS).map(|events| events.to_string());
    let within = (0..EVENTS).map(|events| format!("{events}+{}", 1 + 3 * events));
    let plans: Vec<_> = behind.chain(within).chain(["x".to_owned()]).collect();
    let mut browser = browser(&app, &task, &plans).await;
    let seen = browser.result().await;
    let passed = browser.all_passed(plans.len()).await;
    for (at, plan) in plans.iter().enumerate() {
        all_once(&seen[at], plan);
        let first = (None, if plan == "x" { 0 } else { 200 });
        let last = EVENTS.to_string();
        let end = (Some(&*last), 204);
        let expected = match plan.split('+').next().unwrap() {
            "x" | "0" => vec![first, (None, 200), end],
            all if all == last => vec![first, end],
            events => vec![first, (Some(events), 200), end],
        };
        assert_eq!(connections(&passed, plan), expected, "{plan}");
    }
}

#[tokio::test]
async fn what_comes_while_it_is_away_is_there_when_it_is_back() {
    let upstream = Upstream::start();
    let gate = Gate::new();
    upstream.script(gated(&gate));
    let app = app(&upstream).await;
    let task = task(&app).await;
    // Three viewers of one task that runs; each is away several times.
    let plans = ["1-1-2-1", "0-3-x-2", "2+11-1"].map(str::to_owned);
    let mut browser = browser(&app, &task, &plans).await;
    for cut in 1..=TOKENS.len() + 2 {
        gate.open(1);
        // Then the next token comes while one of them is away.
        browser.cut(cut).await;
    }
    let seen = browser.result().await;
    let passed = browser.all_passed(plans.len()).await;
    for (at, plan) in plans.iter().enumerate() {
        all_once(&seen[at], plan);
        let connections = connections(&passed, plan);
        assert_eq!(connections.last().unwrap().1, 204);
        assert!(
            connections.len() > plan.split('-').count(),
            "{connections:?}"
        );
    }
    assert_eq!(upstream.log().chats().len(), 1);
}

#[tokio::test]
async fn the_error_of_a_task_is_its_last_event() {
    let upstream = Upstream::start();
    let lines = chat_events("m", &TOKENS[..1]);
    let broken = r#"data: {"error": {"message": "out of memory", "code": 500}}"#;
    let mut script = vec![head("text/event-stream")];
    script.extend(
        lines[..2]
            .iter()
            .map(|l| Step::Write(chunk(format!("data: {l}\n\n")))),
    );
    script.extend([Step::Write(chunk(format!("{broken}\n\n"))), end()]);
    upstream.script(script);
    let app = app(&upstream).await;
    let task = task(&app).await;
    let mut browser = browser(&app, &task, &["2".to_owned()]).await;
    let seen = browser.result().await;
    let seen = seen[0].as_array().unwrap();
    assert_eq!(seen.len(), 3, "{seen:?}");
    assert_eq!((&seen[2][0], &seen[2][1]), (&json!("3"), &json!("error")));
    assert!(seen[2][2].as_str().unwrap().contains("out of memory"));
    assert_eq!(
        connections(&browser.all_passed(1).await, "2"),
        [(None, 200), (Some("2"), 200), (Some("3"), 204)]
    );
}

#[tokio::test]
async fn each_stream_says_once_how_soon_to_come_back() {
    let upstream = Upstream::start();
    let app = app(&upstream).await;
    let task = task(&app).await;
    let url = app.url(task["events"].as_str().unwrap());
    app.until(|| app.state.tasks.running() == 0).await;
    for last in ["", "1", "2"] {
        let request = app.http.get(&url).header("last-event-id", last);
        let text = send(request).await.unwrap().text().await.unwrap();
        assert!(text.starts_with("retry: 1000\nid: "), "{text}");
        assert_eq!(text.matches("retry:").count(), 1, "{text}");
    }
}

#[tokio::test]
async fn a_capability_opens_the_events_of_its_own_task_only() {
    let upstream = Upstream::start();
    let app = app(&upstream).await;
    let (one, other) = (task(&app).await, task(&app).await);
    app.until(|| app.state.tasks.running() == 0).await;
    let id = |task: &Value| task["task_id"].as_str().unwrap().to_owned();
    let url = one["events"].as_str().unwrap();
    assert_eq!(app.get(url).await.status(), 200);
    let elsewhere = app.get(&url.replace(&id(&one), &id(&other))).await;
    assert_eq!(elsewhere.status(), 403);
    // It opens nothing but the events: neither the state nor the end.
    let query = url.split_once('?').unwrap().1;
    for method in ["GET", "DELETE"] {
        let path = format!("/api/v1/tasks/{}?{query}", id(&one));
        let refused = app.call(method, &path, "bob", None).await;
        assert!(refused.status().is_client_error(), "{method}");
    }
    let events = Events::of(app.get(url).await).all().await;
    assert_eq!(events.last().unwrap().name, "done");
}
