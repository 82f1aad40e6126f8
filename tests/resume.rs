//! Resume: a detached task runs by itself; whoever views it, from wherever and at whichever
//! worker, sees each event once.

use crate::support::{
    App, Event, Events,
    answers::{chat_events, chunk, end, head, http},
    http::send,
    spawn_app,
    upstream::{Gate, Script, Step, Upstream},
};
use futures_util::future::join_all;
use reqwest::Response;
use serde_json::{Value, json};
use std::time::Duration;
use sundynix::config::{BackendConfig, Config};

const TASKS: &str = "/api/v1/tasks";
/// Tokens of the scripted answer; with `recalled` and `done` it has two events more.
const TOKENS: usize = 20;
const EVENTS: usize = TOKENS + 2;

fn behind(upstream: &Upstream) -> impl FnOnce(&mut Config) + use<> {
    let backend = BackendConfig {
        url: upstream.openai(),
        models: vec!["m".into()],
        ..BackendConfig::default()
    };
    move |config| {
        config.server.workers = 4;
        config.backend = vec![backend];
    }
}

fn tokens() -> Vec<String> {
    (0..TOKENS).map(|n| format!("t{n} ")).collect()
}

/// An answer that waits for the gate before each token and before its end.
fn gated(gate: &Gate) -> Script {
    let tokens = tokens();
    let tokens: Vec<_> = tokens.iter().map(String::as_str).collect();
    let mut script = vec![head("text/event-stream")];
    for event in chat_events("m", &tokens) {
        script.push(Step::Write(chunk(format!("data: {event}\n\n"))));
        script.push(Step::Pause(gate.clone()));
    }
    script.push(Step::Write(chunk("data: [DONE]\n\n")));
    script.push(end());
    script
}

async fn create(app: &App, user: &str) -> Value {
    let answer = app
        .call("POST", TASKS, user, Some(json!({"query": "count"})))
        .await;
    assert_eq!(answer.status(), 202);
    let location = answer.headers()["location"].to_str().unwrap().to_owned();
    let task: Value = answer.json().await.unwrap();
    assert_eq!(
        location,
        format!("{TASKS}/{}", task["task_id"].as_str().unwrap())
    );
    task
}

/// Views as an `EventSource` does: by the URL alone, and the last id.
async fn view(app: &App, task: &Value, last: usize) -> Response {
    let request = app.http.get(app.url(task["events"].as_str().unwrap()));
    let request = match last {
        0 => request,
        last => request.header("last-event-id", last.to_string()),
    };
    send(request).await.unwrap()
}

async fn state(app: &App, user: &str, task: &Value) -> Value {
    let path = format!("{TASKS}/{}", task["task_id"].as_str().unwrap());
    app.call("GET", &path, user, None)
        .await
        .json()
        .await
        .unwrap()
}

/// Reads on until the answer ends, or `most` events have come.
async fn read(events: &mut Events, most: usize, seen: &mut Vec<Event>) {
    for _ in 0..most {
        match events.next().await {
            Some(event) => seen.push(event),
            None => return,
        }
    }
}

fn check(seen: &[Event]) {
    let ids: Vec<_> = seen.iter().map(|e| e.id.clone().unwrap()).collect();
    let want: Vec<_> = (1..=EVENTS).map(|n| n.to_string()).collect();
    assert_eq!(ids, want);
    assert_eq!(
        (&*seen[0].name, &*seen[EVENTS - 1].name),
        ("recalled", "done")
    );
    let text: Vec<_> = seen[1..=TOKENS]
        .iter()
        .map(|e| e.json()["text"].clone())
        .collect();
    assert_eq!(text, tokens());
}

#[tokio::test]
async fn cut_at_any_event_a_viewer_misses_none_and_sees_none_twice() {
    let (upstream, gate) = (Upstream::start(), Gate::new());
    upstream.script(gated(&gate));
    let app = spawn_app(behind(&upstream)).await;
    let task = create(&app, "ada").await;
    // One viewer for each place to be cut at, while it runs; each reconnection is a new connection,
    // dealt to the next worker.
    let viewers = (1..EVENTS).map(|cut| {
        let (app, task) = (&app, &task);
        async move {
            let mut seen = Vec::new();
            let mut first = Events::of(view(app, task, 0).await);
            read(&mut first, cut, &mut seen).await;
            drop(first);
            let mut second = Events::of(view(app, task, cut).await);
            read(&mut second, usize::MAX, &mut seen).await;
            check(&seen);
        }
    });
    let opening = async {
        for _ in 0..=EVENTS {
            gate.open(1);
            tokio::task::yield_now().await;
        }
    };
    tokio::join!(join_all(viewers), opening);
    // And once it is over: from any event on, and then nothing more.
    for last in 0..EVENTS {
        let mut seen = Vec::new();
        read(
            &mut Events::of(view(&app, &task, last).await),
            usize::MAX,
            &mut seen,
        )
        .await;
        assert_eq!(seen.len(), EVENTS - last);
        assert_eq!(seen[0].id, Some((last + 1).to_string()));
    }
    assert_eq!(
        view(&app, &task, EVENTS).await.status(),
        204,
        "an EventSource stops here"
    );
    assert_eq!(upstream.log().chats().len(), 1);
}

#[tokio::test]
async fn cut_again_and_again_many_viewers_see_the_same() {
    let (upstream, gate) = (Upstream::start(), Gate::new());
    upstream.script(gated(&gate));
    let app = spawn_app(behind(&upstream)).await;
    let task = create(&app, "ada").await;
    gate.open(TOKENS / 2);
    let viewers = (0..24).map(|viewer| {
        let (app, task, gate) = (&app, &task, &gate);
        async move {
            let mut seen = Vec::new();
            for round in 0.. {
                let answer = view(app, task, seen.len()).await;
                if answer.status() == 204 {
                    break;
                }
                let mut events = Events::of(answer);
                read(&mut events, 1 + (viewer + round) % 3, &mut seen).await;
                gate.open(1);
            }
            check(&seen);
        }
    });
    join_all(viewers).await;
}

#[tokio::test]
async fn it_runs_on_when_its_viewers_leave_and_a_drain_waits_for_it() {
    let (upstream, gate) = (Upstream::start(), Gate::new());
    upstream.script(gated(&gate));
    let app = spawn_app(behind(&upstream)).await;
    let task = create(&app, "ada").await;
    gate.open(3);
    let mut seen = Vec::new();
    read(&mut Events::of(view(&app, &task, 0).await), 2, &mut seen).await;
    assert_eq!(state(&app, "ada", &task).await["status"], "running");
    assert_eq!(app.state.inflight(), 1);
    app.stop();
    app.until(|| !app.state.admits()).await;
    assert_eq!(
        app.ended(Duration::from_millis(200)).await,
        None,
        "it waits"
    );
    gate.open(TOKENS);
    assert_eq!(app.ended(Duration::from_secs(30)).await, Some(true));
    let dir = app.dir.clone();
    drop(app);
    // The turn is there after a restart.
    let upstream = Upstream::start();
    let app = crate::support::spawn_app_in(dir, behind(&upstream)).await;
    app.ask("ada", "and now?").await.unwrap();
    let asked = upstream.log().chats()[0].body.clone();
    assert!(
        String::from_utf8_lossy(&asked).contains("t19"),
        "the turn is recalled, whole"
    );
}

#[tokio::test]
async fn cancelling_closes_the_upstream_and_ends_the_events() {
    let (upstream, gate) = (Upstream::start(), Gate::new());
    upstream.script(gated(&gate));
    let app = spawn_app(behind(&upstream)).await;
    let task = create(&app, "ada").await;
    gate.open(2);
    let mut viewer = Events::of(view(&app, &task, 0).await);
    let mut seen = Vec::new();
    read(&mut viewer, 2, &mut seen).await;
    let path = format!("{TASKS}/{}", task["task_id"].as_str().unwrap());
    let stranger = app.call("DELETE", &path, "bob", None).await;
    assert_eq!(stranger.status(), 404);
    let cancelled = app.call("DELETE", &path, "ada", None).await;
    assert_eq!(cancelled.status(), 200);
    assert_eq!(
        cancelled.json::<Value>().await.unwrap()["status"],
        "cancelled"
    );
    upstream.until(|log| log.closed.len() == 1).await;
    read(&mut viewer, usize::MAX, &mut seen).await;
    let last = seen.last().unwrap();
    assert_eq!(
        (&*last.name, &last.json()["code"]),
        ("error", &json!("cancelled"))
    );
    app.until(|| app.state.inflight() == 0).await;
    let again = app.call("DELETE", &path, "ada", None).await;
    assert_eq!(again.json::<Value>().await.unwrap()["status"], "cancelled");
}

#[tokio::test]
async fn a_task_is_its_own_users_or_whoevers_holds_its_url() {
    let upstream = Upstream::start();
    let app = spawn_app(behind(&upstream)).await;
    let task = create(&app, "ada").await;
    let path = format!("{TASKS}/{}", task["task_id"].as_str().unwrap());
    app.until(|| app.state.inflight() == 0).await;
    for path in [path.clone(), format!("{path}/events")] {
        assert_eq!(app.call("GET", &path, "ada", None).await.status(), 200);
        assert_eq!(app.call("GET", &path, "bob", None).await.status(), 404);
        assert_eq!(app.get(&path).await.status(), 404);
    }
    let url = task["events"].as_str().unwrap();
    assert_eq!(app.get(url).await.status(), 200);
    assert_eq!(app.get(&format!("{url}0")).await.status(), 403);
    for (last, status) in [("x", 400), ("-1", 400), ("1000", 400), ("1", 200)] {
        let request = app.http.get(app.url(url)).header("last-event-id", last);
        assert_eq!(send(request).await.unwrap().status(), status, "{last}");
    }
    let stream = app.get(url).await;
    for (header, value) in [
        ("content-type", "text/event-stream"),
        ("cache-control", "no-cache"),
        ("content-encoding", "identity"),
        ("x-accel-buffering", "no"),
    ] {
        assert_eq!(stream.headers()[header], value);
    }
    let by_query = app.get(&format!("{url}&last_event_id=2")).await;
    assert_eq!(
        Events::of(by_query).next().await.unwrap().id.as_deref(),
        Some("3")
    );
}

#[tokio::test]
async fn what_is_over_and_too_much_is_gone() {
    let upstream = Upstream::start();
    let settings = behind(&upstream);
    let app = spawn_app(|config| {
        settings(config);
        config.limits.task_log_bytes = 1;
    })
    .await;
    let task = create(&app, "ada").await;
    let path = format!("{TASKS}/{}", task["task_id"].as_str().unwrap());
    app.until(|| app.state.tasks.running() == 0).await;
    assert_eq!(app.call("GET", &path, "ada", None).await.status(), 410);
    assert_eq!(app.call("GET", &path, "bob", None).await.status(), 404);
    assert_eq!(view(&app, &task, 1).await.status(), 410);
}

#[tokio::test]
async fn one_key_is_one_task() {
    let upstream = Upstream::start();
    let app = spawn_app(behind(&upstream)).await;
    let ask = |user: &'static str, query: &'static str, wait: bool| {
        let request = app.http.post(app.url(TASKS)).json(&json!({"query": query}));
        let request = request
            .header("x-user-id", user)
            .header("idempotency-key", "k");
        send(if wait {
            request.header("prefer", "wait=30")
        } else {
            request
        })
    };
    let answers = join_all((0..32).map(|n| ask("ada", "one", n % 2 == 0))).await;
    let mut ids = Vec::new();
    for answer in answers {
        let answer = answer.unwrap();
        let whole = answer.status() == 200;
        let answer: Value = answer.json().await.unwrap();
        if whole {
            assert_eq!(answer["text"], "Hello");
        }
        ids.push(answer["task_id"].to_string());
    }
    ids.dedup();
    assert_eq!(ids.len(), 1, "{ids:?}");
    assert_eq!(upstream.log().chats().len(), 1);
    assert_eq!(ask("ada", "two", false).await.unwrap().status(), 422);
    assert_eq!(ask("bob", "two", false).await.unwrap().status(), 202);
}

#[tokio::test]
async fn waiting_brings_the_whole_answer_or_what_went_wrong() {
    let (upstream, gate) = (Upstream::start(), Gate::new());
    let app = spawn_app(behind(&upstream)).await;
    let ask = |wait: &'static str| {
        let request = app.http.post(app.url(TASKS)).json(&json!({"query": "q"}));
        send(request.header("x-user-id", "ada").header("prefer", wait))
    };
    let whole = ask("wait=30").await.unwrap();
    assert_eq!(whole.status(), 200);
    assert_eq!(whole.headers()["preference-applied"], "wait=30");
    let whole: Value = whole.json().await.unwrap();
    assert_eq!(
        (&whole["status"], &whole["text"]),
        (&json!("done"), &json!("Hello"))
    );
    assert_eq!(
        (&whole["finish_reason"], &whole["memory"]),
        (&json!("stop"), &json!("recorded"))
    );

    upstream.script(gated(&gate));
    assert_eq!(
        ask("wait=0").await.unwrap().status(),
        202,
        "no time left: it runs on"
    );
    gate.open(EVENTS);
    app.until(|| app.state.inflight() == 0).await;

    let refusal = r#"{"error":{"message":"no such parameter","type":"invalid_request_error","param":"x","code":null}}"#;
    let refusal = vec![Step::Write(http(422, "application/json", refusal))];
    upstream.script(refusal.clone()).script(refusal);
    let failed = ask("wait=30").await.unwrap();
    assert_eq!(failed.status(), 422);
    let failed: Value = failed.json().await.unwrap();
    assert!(
        failed["detail"]
            .as_str()
            .unwrap()
            .contains("no such parameter"),
        "{failed}"
    );
}
