//! Health: what ops read agrees with what happened, by actor, by backend and in short.

use crate::support::{App, http::send, spawn_app};
use serde_json::{Value, json};

async fn read(app: &App, path: &str) -> Value {
    let answer = app.get(path).await;
    assert_eq!(answer.status(), 200, "{path}");
    answer.json().await.unwrap()
}

#[tokio::test]
async fn what_ops_read_is_what_happened() {
    let app = spawn_app(|c| c.server.workers = 2).await;
    for n in 0..10 {
        app.ask("ada", &format!("question {n}")).await.unwrap();
    }
    app.until(|| app.state.inflight() == 0).await;

    let actors = read(&app, "/api/v1/actors").await;
    let actors = actors["actors"].as_array().unwrap();
    let names: Vec<_> = actors.iter().map(|a| a["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["gateway", "recall", "prompt", "model", "memory"]);
    for actor in actors {
        assert_eq!(
            (&actor["handled"], &actor["turns"]),
            (&json!(10), &json!(0)),
            "{actor}"
        );
        assert_eq!(
            (&actor["restarts"], &actor["wedged"]),
            (&json!(0), &json!(0)),
            "{actor}"
        );
        let replicas = actor["replicas"].as_array().unwrap();
        assert_eq!(
            replicas.len(),
            if actor["name"] == "memory" { 1 } else { 2 }
        );
        let handled: u64 = replicas
            .iter()
            .map(|r| r["handled"].as_u64().unwrap())
            .sum();
        assert_eq!(handled, 10);
    }
    assert_eq!(read(&app, "/api/v1/actors/recall").await["name"], "recall");
    assert_eq!(app.get("/api/v1/actors/nobody").await.status(), 404);

    let backends = read(&app, "/api/v1/backends").await;
    let backend = &backends["backends"][0];
    assert_eq!(backend["served"], 10, "{backends}");
    let standing = (
        &backend["routable"],
        &backend["breaker"],
        &backend["why_not"],
    );
    assert_eq!(
        standing,
        (&json!(true), &json!("closed"), &Value::Null),
        "{backends}"
    );
    let graph = read(&app, "/api/v1/graph").await;
    let edges: Vec<_> = graph["edges"].as_array().unwrap().iter().collect();
    let from_start = edges.iter().find(|e| e["from"] == "START").unwrap();
    assert_eq!(from_start["to"], "gateway");
    assert_eq!(graph["nodes"][0]["up"], 2, "{graph}");

    let health = read(&app, "/health").await;
    assert_eq!(
        (&health["status"], &health["inflight"]),
        (&json!("ready"), &json!(0)),
        "{health}"
    );
    assert_eq!(health["backends"], json!({"up": 1, "of": 1}));
    assert_eq!(health["actors"]["model"], json!({"up": 2, "of": 2}));
    for path in [
        "/livez",
        "/readyz",
        "/health",
        "/v1/models",
        "/openapi.json",
    ] {
        let head = send(app.http.head(app.url(path))).await.unwrap();
        assert_eq!(head.status(), 200, "a balancer may ask by HEAD");
        let length = head.headers()["content-length"].to_str().unwrap();
        assert!(length.parse::<u64>().unwrap() > 10, "{path}: as by GET");
        assert_eq!(head.text().await.unwrap(), "");
    }
}

#[tokio::test]
async fn readiness_says_why_not() {
    let app = spawn_app(|c| c.server.drain_wait_ms = 2_000).await;
    assert_eq!(
        read(&app, "/readyz").await,
        json!({"status": "ready", "degraded": []})
    );
    app.stop();
    app.until(|| app.state.draining.load(std::sync::atomic::Ordering::SeqCst))
        .await;
    let unready = app.get("/readyz").await;
    assert_eq!(unready.status(), 503);
    assert_eq!(
        unready.json::<Value>().await.unwrap()["unready"],
        json!(["draining"])
    );
    assert_eq!(app.get("/livez").await.status(), 200, "it lives");
    app.ask("ada", "still taken while balancers look away")
        .await
        .unwrap();
}
