//! The backends change while requests run: by API and by the settings file, at once and whole; what
//! cannot be used changes nothing, and nothing that has begun is cut.

use crate::support::{
    http::Raw,
    process::Process,
    server::spawn_app,
    upstream::{Gate, Step, Upstream, chat_events, chunk, end, head},
};
use serde_json::{Value, json};
use sundynix::{config::BackendConfig, pool::Pool};
use tempfile::TempDir;

fn chat() -> Value {
    json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]})
}

fn names(pool: &Pool) -> Vec<String> {
    pool.status().into_iter().map(|s| s.name).collect()
}

/// A stream that stops after its first word until the gate opens.
fn held(gate: &Gate) -> Vec<Step> {
    let mut events = chat_events("m", &["Hel", "lo"])
        .into_iter()
        .map(|e| format!("data: {e}\n\n"));
    let mut script = vec![head("text/event-stream")];
    script.extend(events.by_ref().take(2).map(|e| Step::Write(chunk(e))));
    script.push(Step::Pause(gate.clone()));
    script.extend(events.map(|e| Step::Write(chunk(e))));
    script.extend([Step::Write(chunk("data: [DONE]\n\n")), end()]);
    script
}

#[tokio::test]
async fn a_backend_comes_changes_and_drains() {
    let (old, new) = (Upstream::start(), Upstream::start());
    let app = spawn_app(|c| {
        c.backend = vec![BackendConfig {
            name: "old".into(),
            url: old.openai(),
            ..BackendConfig::default()
        }];
    })
    .await;
    app.until(|| app.state.pool.resolve(Some("m")).is_ok())
        .await;
    let gate = Gate::new();
    old.script(held(&gate));
    let mut running = app.chat("ada", chat()).await.unwrap();
    while !running.next().await.unwrap().data.contains("Hel") {}

    let put = json!({"url": new.openai(), "api_key": "sk-secret", "weight": 2});
    let added = app
        .call("PUT", "/api/v1/backends/new", "", Some(put.clone()))
        .await;
    assert_eq!(added.status(), 201);
    let added = added.text().await.unwrap();
    assert!(!added.contains("sk-secret"));
    let added: Value = serde_json::from_str(&added).unwrap();
    assert_eq!(
        (&added["models"], &added["origin"]),
        (&json!(["m"]), &json!("api"))
    );
    let same = app.call("PUT", "/api/v1/backends/new", "", Some(put)).await;
    assert_eq!(same.status(), 200);

    let removed = app.call("DELETE", "/api/v1/backends/old", "", None).await;
    assert_eq!(removed.status(), 200);
    let removed: Value = removed.json().await.unwrap();
    assert_eq!(
        (&removed["draining"], &removed["in_flight"]),
        (&json!(true), &json!(1))
    );
    app.chat("ada", chat()).await.unwrap().all().await;
    let log = new.log();
    assert_eq!(log.chats().len(), 1);
    assert_eq!(
        log.chats()[0].header("authorization"),
        Some("Bearer sk-secret")
    );
    assert_eq!(names(&app.state.pool), ["new", "old"]);
    gate.open(1);
    let rest = running.all().await;
    assert!(rest.iter().any(|e| e.data == "[DONE]"), "{rest:?}");
    app.until(|| names(&app.state.pool) == ["new"]).await;
    let all = app.get("/api/v1/backends").await.text().await.unwrap();
    assert!(!all.contains("sk-secret"));
    for gone in ["old", "never-was"] {
        let again = app
            .call("DELETE", &format!("/api/v1/backends/{gone}"), "", None)
            .await;
        assert_eq!(again.status(), 404);
    }
}

#[tokio::test]
async fn another_limit_keeps_what_is_known_and_who_waits() {
    let upstream = Upstream::start();
    let app = spawn_app(|c| {
        c.backend = vec![BackendConfig {
            name: "b".into(),
            url: upstream.openai(),
            max_concurrent: 1,
            ..BackendConfig::default()
        }];
        c.pool.queue_wait_ms = 60_000;
    })
    .await;
    app.until(|| app.state.pool.resolve(Some("m")).is_ok())
        .await;
    let gate = Gate::new();
    upstream.script(held(&gate));
    let running = app.chat("ada", chat()).await.unwrap();
    let client = app.client();
    let waits = tokio::spawn(async move { client.chat("ada", chat()).await.unwrap().all().await });
    app.until(|| app.state.pool.status()[0].waiting == 1).await;
    let put = json!({"url": upstream.openai(), "max_concurrent": 2});
    let put = app.call("PUT", "/api/v1/backends/b", "", Some(put)).await;
    let status: Value = put.json().await.unwrap();
    assert_eq!(status["max_concurrent"], 2);
    waits.await.unwrap();
    let status = &app.state.pool.status()[0];
    assert_eq!((status.in_flight, status.draining), (1, false));
    gate.open(1);
    running.all().await;
    app.until(|| app.state.pool.status()[0].in_flight == 0)
        .await;
}

#[tokio::test]
async fn what_cannot_be_a_backend_is_refused_by_field() {
    let app = spawn_app(|_| {}).await;
    for (body, field) in [
        (json!({"url": "http://169.254.169.254/v1"}), "url"),
        (json!({"url": "http://[::ffff:169.254.1.1]/v1"}), "url"),
        (json!({"url": "http://0xA9FEA9FE/v1"}), "url"),
        (json!({"url": "http://metadata.google.internal/v1"}), "url"),
        (json!({"url": "http://[fe80::1]:8000/v1"}), "url"),
        (json!({"url": "ftp://x/"}), "url"),
        (json!({"url": "http://user:secret@h/v1"}), "url"),
        (json!({}), "url"),
        (json!({"url": "http://h/v1", "weight": "two"}), "weight"),
        (json!({"url": "http://h/v1", "wieght": 2}), "wieght"),
        (
            json!({"url": "http://h/v1", "api_key": "a\nsecret"}),
            "api_key",
        ),
        (json!({"url": "http://h/v1", "name": "other"}), "name"),
    ] {
        let refused = app
            .call("PUT", "/api/v1/backends/x", "", Some(body.clone()))
            .await;
        assert_eq!(refused.status(), 400, "{body}");
        let problem = refused.text().await.unwrap();
        assert!(!problem.contains("secret"), "{problem}");
        let problem: Value = serde_json::from_str(&problem).unwrap();
        assert_eq!(problem["field"], field, "{body}: {problem}");
    }
    assert_eq!(names(&app.state.pool), ["simulator"]);
    // Only JSON, and only from this machine.
    for (host, kind, status) in [
        ("evil.example", "application/json", "403"),
        ("127.0.0.1", "text/plain", "415"),
    ] {
        let mut raw = Raw::connect(app.addr).await;
        raw.send(format!(
            "PUT /api/v1/backends/x HTTP/1.1\r\nHost: {host}\r\nContent-Type: {kind}\r\nContent-Length: 2\r\n\r\n{{}}"
        ))
        .await;
        let answer = raw.until("\r\n").await.unwrap();
        assert!(answer.contains(status), "{answer}");
    }
}

/// What the API said of a backend outlives every reload that is about others, and gives way to one
/// that is about it.
#[tokio::test]
async fn a_reload_takes_back_nothing_that_it_is_not_about() {
    let (a, b, c) = (Upstream::start(), Upstream::start(), Upstream::start());
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("own.toml");
    let one = |name: &str, u: &Upstream, weight: u32| {
        format!(
            "[[backend]]\nname = \"{name}\"\nurl = \"{}\"\nweight = {weight}\n",
            u.openai()
        )
    };
    std::fs::write(&file, one("a", &a, 1) + &one("b", &b, 1)).unwrap();
    let args = ["--config", file.to_str().unwrap()];
    let process = Process::start(&args, &[("SUNDYNIX_BACKENDS", "")]).await;
    let removed = process.call("DELETE", "/api/v1/backends/a", "", None).await;
    assert_eq!(removed.status(), 200);
    let url = c.openai();
    for (name, body) in [
        ("c", json!({"url": url})),
        ("b", json!({"url": b.openai(), "weight": 9})),
    ] {
        let path = format!("/api/v1/backends/{name}");
        let put = process.call("PUT", &path, "", Some(body)).await;
        assert!(put.status().is_success());
        let put: Value = put.json().await.unwrap();
        assert_eq!(put["origin"], "api");
    }
    let known = |all: &Value| {
        let all = all["backends"].as_array().unwrap().iter();
        let one = |b: &Value| format!("{} {}", b["name"].as_str().unwrap(), b["weight"]);
        all.map(one).collect::<Vec<_>>()
    };
    assert_eq!(known(&backends(&process).await), ["b 9", "c null"]);
    // About somebody else: `a` stays out, `b` as it was put, `c` in.
    let other = "[[alias]]\nname = \"either\"\nany = [\"m\"]\n";
    std::fs::write(&file, one("a", &a, 1) + &one("b", &b, 1) + other).unwrap();
    process.says("settings reloaded").await;
    assert_eq!(known(&backends(&process).await), ["b 9", "c null"]);
    // About these two: the file has the later word.
    std::fs::write(&file, one("a", &a, 2) + &one("b", &b, 3)).unwrap();
    process.says("as the settings say again").await;
    let all = backends(&process).await;
    assert_eq!(known(&all), ["a 2", "b 3", "c null"]);
    assert_eq!(all["backends"][0]["origin"], "settings");
}

fn listed(all: &Value) -> Vec<&str> {
    let all = all["backends"].as_array().unwrap();
    all.iter().map(|b| b["name"].as_str().unwrap()).collect()
}

async fn backends(process: &Process) -> Value {
    process.get("/api/v1/backends").await.json().await.unwrap()
}

#[tokio::test]
async fn the_file_is_followed() {
    let (a, b, c) = (Upstream::start(), Upstream::start(), Upstream::start());
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("own.toml");
    let one = |name: &str, u: &Upstream| {
        format!("[[backend]]\nname = \"{name}\"\nurl = \"{}\"\n", u.openai())
    };
    std::fs::write(&file, one("a", &a)).unwrap();
    let args = ["--config", file.to_str().unwrap()];
    let process = Process::start(&args, &[("SUNDYNIX_BACKENDS", "")]).await;
    let put = json!({"url": c.openai()});
    let put = process
        .call("PUT", "/api/v1/backends/c", "", Some(put))
        .await;
    assert_eq!(put.status(), 201);

    // One more, an alias, and one that the API has said nothing of goes.
    let more = "[[alias]]\nname = \"either\"\nany = [\"m\"]\n[limits]\ndeadline_s = 7\n";
    std::fs::write(&file, one("b", &b) + more).unwrap();
    process.says("settings reloaded").await;
    process.says("hold from the next start").await;
    let all = backends(&process).await;
    assert_eq!(listed(&all), ["b", "c"]);
    assert_eq!(all["backends"][0]["models"], json!(["either", "m"]));
    assert!(all["reload"]["error"].is_null() && all["reload"]["loaded_ms"].is_number());
    let models: Value = process.get("/v1/models").await.json().await.unwrap();
    assert_eq!(models["data"][0]["id"], "either");

    // What cannot be used changes nothing and says why.
    for (text, says) in [
        (
            "[[backend]]\nurl = \"ftp://x\"\n".to_owned(),
            "backend[0].url",
        ),
        ("[[backend]]\nurl = \n".to_owned(), "own.toml:2"),
        ("[pool]\npolicy = \"best\"\n".to_owned(), "pool.policy"),
        (
            "[[alias]]\nname = \"x\"\n".to_owned() + &one("b", &b),
            "alias[0].any",
        ),
        (String::new(), "no backend is named"),
    ] {
        std::fs::write(&file, text).unwrap();
        process.says(says).await;
        let all = backends(&process).await;
        assert_eq!(listed(&all), ["b", "c"]);
        assert!(
            all["reload"]["error"].as_str().unwrap().contains(says),
            "{all}"
        );
    }
    std::fs::remove_file(&file).unwrap();
    process.says("cannot be read").await;
    assert_eq!(listed(&backends(&process).await), ["b", "c"]);

    // Back again, and requests are answered by those that are left.
    std::fs::write(&file, one("b", &b)).unwrap();
    let process = &process;
    let healed = async {
        while !backends(process).await["reload"]["error"].is_null() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(crate::support::http::PATIENCE, healed)
        .await
        .unwrap();
    process.chat("ada", chat()).await.unwrap().all().await;
    assert!(a.log().chats().is_empty());
}
