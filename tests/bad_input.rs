//! Bad input: a 4xx that names the field, in the shape of its surface; and the server is unharmed.

use crate::support::{App, Raw, http::send, process, spawn_app};
use reqwest::Response;
use serde_json::{Value, json};
use tempfile::TempDir;

const TASKS: &str = "/api/v1/tasks";
const CHAT: &str = "/v1/chat/completions";
const MEMORY: &str = "/api/v1/memory";

/// Sends a body as it is, with these headers beside the usual ones.
async fn post(
    app: &App,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<String>,
) -> Response {
    let method = if path == MEMORY { "PUT" } else { "POST" };
    let mut request = app
        .http
        .request(method.parse().unwrap(), app.url(path))
        .body(body.into());
    if !headers.iter().any(|(name, _)| *name == "content-type") {
        request = request.header("content-type", "application/json");
    }
    if !headers.iter().any(|(name, _)| *name == "x-user-id") {
        request = request.header("x-user-id", "ada");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(request).await.unwrap()
}

/// Checks an answer's status and the field it names, in the shape of the path's surface.
async fn refused(response: Response, path: &str, status: u16, field: Option<&str>) -> String {
    let got = response.status().as_u16();
    let kind = response.headers()["content-type"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(response.headers().contains_key("x-request-id"));
    let text = response.text().await.unwrap();
    assert_eq!(got, status, "{path}: {text}");
    let answer: Value = serde_json::from_str(&text).unwrap();
    let (named, words) = match path.starts_with("/v1/") {
        true => {
            assert_eq!(kind, "application/json");
            let error = &answer["error"];
            assert!(
                error["type"].is_string() && error["code"].is_string(),
                "{text}"
            );
            (error["param"].clone(), error["message"].clone())
        }
        false => {
            assert_eq!(kind, "application/problem+json");
            assert_eq!(answer["status"], status, "{text}");
            assert!(
                answer["type"].is_string() && answer["title"].is_string(),
                "{text}"
            );
            (answer["field"].clone(), answer["detail"].clone())
        }
    };
    assert_eq!(named.as_str(), field, "{path}: {text}");
    words.as_str().unwrap().to_owned()
}

async fn unharmed(app: &App) {
    app.until(|| app.state.inflight() == 0).await;
    app.ask("ada", "still there?").await.unwrap();
    let restarts: u64 = app
        .state
        .roster
        .read()
        .values()
        .flatten()
        .map(|h| h.restarts)
        .sum();
    assert_eq!(restarts, 0);
}

#[tokio::test]
async fn bodies_that_are_wrong() {
    let app = spawn_app(|_| {}).await;
    let deep = format!("{}1{}", r#"{"a":"#.repeat(500), "}".repeat(500));
    let deep_params = format!(r#"{{"query": "hi", "params": {deep}}}"#);
    let deep_preferences = format!(r#"{{"preferences": {deep}}}"#);
    for (path, field, body) in [
        (TASKS, "the body", "{\"query\": \"hi\""),
        (TASKS, "the body", ""),
        (TASKS, "the body", "[]"),
        (TASKS, "the body", "\"query\""),
        (TASKS, "the body", "{\"query\": \"\\ud800\"}"),
        (TASKS, "query", "{}"),
        (TASKS, "query", "{\"query\": 5}"),
        (TASKS, "query", "{\"query\": null}"),
        (TASKS, "query", "{\"query\": \"  \"}"),
        (TASKS, "querry", "{\"query\": \"hi\", \"querry\": 1}"),
        (TASKS, "meta.a", "{\"query\": \"hi\", \"meta\": {\"a\": 1}}"),
        (TASKS, "params", "{\"query\": \"hi\", \"params\": []}"),
        (TASKS, "system", "{\"query\": \"hi\", \"system\": {}}"),
        (
            TASKS,
            "conversation",
            "{\"query\": \"hi\", \"conversation\": \"\"}",
        ),
        (MEMORY, "preferences", "{}"),
        (MEMORY, "preferences", "{\"preferences\": \"x\"}"),
        (MEMORY, "prefs", "{\"preferences\": {}, \"prefs\": 1}"),
        (
            MEMORY,
            "preferences.tone.x",
            "{\"preferences\": {\"tone\": {\"x\": [1]}}}",
        ),
        (MEMORY, "the body", &*deep_preferences),
        (TASKS, "the body", &*deep_params),
        (CHAT, "messages", "{\"model\": \"simulator\"}"),
        (
            CHAT,
            "messages",
            "{\"model\": \"simulator\", \"messages\": \"hi\"}",
        ),
    ] {
        let response = post(&app, path, &[], body).await;
        refused(response, path, 400, Some(field)).await;
    }
    unharmed(&app).await;
}

#[tokio::test]
async fn bodies_cut_anywhere() {
    let app = spawn_app(|_| {}).await;
    for (path, whole) in [
        (
            TASKS,
            json!({"query": "你好", "meta": {"a": "b"}, "params": {"top_p": 1.0}}),
        ),
        (
            MEMORY,
            json!({"preferences": {"language": "中文", "a": {"b": null}}}),
        ),
        (
            CHAT,
            json!({"model": "simulator", "messages": [{"role": "user", "content": "hi"}]}),
        ),
    ] {
        let whole = whole.to_string().into_bytes();
        for cut in 0..whole.len() {
            let request = app.http.post(app.url(path)).header("x-user-id", "ada");
            let request = match path {
                MEMORY => app.http.put(app.url(path)).header("x-user-id", "ada"),
                _ => request,
            };
            let request = request.header("content-type", "application/json");
            let response = send(request.body(whole[..cut].to_vec())).await.unwrap();
            assert_eq!(response.status(), 400, "{path} cut at {cut}");
        }
    }
    unharmed(&app).await;
}

#[tokio::test]
async fn heads_that_are_wrong() {
    let app = spawn_app(|_| {}).await;
    let long = "x".repeat(129);
    let native = json!({"query": "hi"}).to_string();
    let chat = json!({"model": "simulator", "messages": [{"role": "user", "content": "hi"}]});
    let preferences = json!({"preferences": {"a": "b"}});
    for (path, body) in [
        (TASKS, native.clone()),
        (CHAT, chat.to_string()),
        (MEMORY, preferences.to_string()),
    ] {
        for bad in ["", &long, "a\tb"] {
            let response = post(&app, path, &[("x-user-id", bad)], &*body).await;
            refused(response, path, 400, Some("X-User-ID")).await;
        }
        let form = post(&app, path, &[("content-type", "text/plain")], &*body).await;
        refused(form, path, 415, Some("Content-Type")).await;
        let form = [("content-type", "application/x-www-form-urlencoded")];
        let form = post(&app, path, &form, &*body).await;
        refused(form, path, 415, Some("Content-Type")).await;
        let page = post(&app, path, &[("origin", "https://evil.example")], &*body).await;
        assert!(refused(page, path, 403, None).await.contains("Origin"));
        let rebound = post(&app, path, &[("host", "evil.example:8484")], &*body).await;
        assert!(refused(rebound, path, 403, None).await.contains("Host"));
    }
    for path in [TASKS, CHAT] {
        let body = if path == TASKS {
            native.clone()
        } else {
            chat.to_string()
        };
        let odd = post(&app, path, &[("x-sundynix-memory", "maybe")], body).await;
        refused(odd, path, 400, Some("X-Sundynix-Memory")).await;
    }
    for (header, field) in [
        (("prefer", "wait=soon"), "Prefer"),
        (("idempotency-key", ""), "Idempotency-Key"),
    ] {
        let response = post(&app, TASKS, &[header], &*native).await;
        refused(response, TASKS, 400, Some(field)).await;
    }
    let stale = post(&app, MEMORY, &[("if-match", "x")], preferences.to_string()).await;
    refused(stale, MEMORY, 400, Some("If-Match")).await;
    for path in [MEMORY, "/api/v1/memory/a/b"] {
        let nobody = send(app.http.delete(app.url(path))).await.unwrap();
        refused(nobody, path, 400, Some("X-User-ID")).await;
    }
    let odd = app
        .call("GET", "/api/v1/memory?as_of=2026", "ada", None)
        .await;
    refused(odd, MEMORY, 400, Some("as_of")).await;
    let odd = app
        .call("GET", "/api/v1/tasks/x/events?from=1", "ada", None)
        .await;
    refused(odd, TASKS, 400, Some("from")).await;
    assert_eq!(
        app.profile("ada").await["version"],
        0,
        "none of it was written"
    );
    unharmed(&app).await;
}

#[tokio::test]
async fn models_routes_and_methods_that_are_not_there() {
    let app = spawn_app(|_| {}).await;
    let native = json!({"query": "hi", "model": "gpt-9"}).to_string();
    let chat = json!({"model": "gpt-9", "messages": [{"role": "user", "content": "hi"}]});
    for accept in ["application/json", "text/event-stream"] {
        let response = post(&app, TASKS, &[("accept", accept)], &*native).await;
        let words = refused(response, TASKS, 404, Some("model")).await;
        assert!(
            words.contains("gpt-9") && words.contains("simulator"),
            "{words}"
        );
        let response = post(&app, CHAT, &[("accept", accept)], chat.to_string()).await;
        refused(response, CHAT, 404, Some("model")).await;
    }
    for path in [
        "/v1/nothing",
        "/api/v1/nothing",
        "/nothing",
        "/v1/models/gpt-9",
    ] {
        refused(app.get(path).await, path, 404, None).await;
    }
    for (path, allow) in [
        (CHAT, "POST"),
        ("/v1/models/x", "GET, HEAD"),
        (MEMORY, "GET, HEAD, PUT, PATCH, DELETE"),
        ("/livez", "GET, HEAD"),
    ] {
        let request = app.http.request("TRACE".parse().unwrap(), app.url(path));
        let response = send(request).await.unwrap();
        assert_eq!(response.headers()["allow"], allow);
        let words = refused(response, path, 405, None).await;
        assert!(words.contains(allow), "{words}");
    }
    unharmed(&app).await;
}

#[tokio::test]
async fn twenty_megabytes() {
    let app = spawn_app(|_| {}).await;
    for path in [TASKS, CHAT, MEMORY] {
        let body = format!(r#"{{"query": "{}"}}"#, "x".repeat(20 << 20));
        let response = post(&app, path, &[], body).await;
        let words = refused(response, path, 413, Some("the body")).await;
        assert!(words.contains("10485760 bytes"), "{words}");
    }
    unharmed(&app).await;
}

#[tokio::test]
async fn what_is_no_http() {
    let app = spawn_app(|_| {}).await;
    for garbage in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"POST /api/v1/tasks HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
        b"POST /api/v1/tasks HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /livez HTTP/1.1\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
        b"GET http://evil.example/livez HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ] {
        let mut raw = Raw::connect(app.addr).await;
        raw.send(garbage).await;
        let status = raw.until("\r\n").await.unwrap_or_default();
        let shown = String::from_utf8_lossy(garbage);
        assert!(status.starts_with("HTTP/1.1 4"), "{shown:?}: {status:?}");
    }
    unharmed(&app).await;
}

#[tokio::test]
async fn a_setting_that_is_not_known_stops_the_start() {
    let dir = TempDir::new().unwrap();
    std::fs::write(
        dir.path().join("sundynix.toml"),
        "[server]\nbindd = \"x\"\n",
    )
    .unwrap();
    let (fine, said) = process::run(&dir, &["check"], &[]).await;
    assert!(
        !fine && said.contains("bindd") && said.contains("sundynix.toml"),
        "{said}"
    );
}
