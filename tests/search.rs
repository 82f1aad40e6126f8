//! Search and import: what was said, here or elsewhere, is found by what is asked, in any script,
//! by its owner alone; and recall puts it into the prompt.

use crate::support::{
    Client, Process,
    http::send,
    postgres::database,
    spawn_app,
    upstream::{Upstream, chat_whole, ok},
};
use serde_json::{Value, json};

async fn import(server: &Client, user: &str, lines: &str, query: &str) -> (u16, Value) {
    let post = server
        .http
        .post(server.url(&format!("/api/v1/memory/turns{query}")));
    let post = post
        .header("x-user-id", user)
        .header("content-type", "application/x-ndjson");
    let response = send(post.body(lines.to_owned())).await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

async fn search(server: &Client, user: &str, body: Value) -> Vec<Value> {
    let response = server
        .call("POST", "/api/v1/memory/search", user, Some(body))
        .await;
    assert_eq!(response.status(), 200);
    let found: Value = response.json().await.unwrap();
    found["hits"].as_array().unwrap().clone()
}

fn line(id: &str, ts: &str, role: &str, text: &str) -> String {
    let item = json!({"id": id, "ts": ts, "session": "s", "role": role, "text": text});
    item.to_string() + "\n"
}

fn ids(hits: &[Value]) -> Vec<&str> {
    hits.iter()
        .map(|hit| hit["source_ids"][0].as_str().unwrap())
        .collect()
}

fn conversation() -> String {
    [
        line("1", "2026-03-01T10:00:00", "user", "页面路由怎么配置？"),
        line(
            "2",
            "2026-03-01T10:00:20",
            "assistant",
            "在配置文件里写路径。",
        ),
        line(
            "3",
            "2026-03-02T10:00:00Z",
            "user",
            "周末去喝了咖啡，在上海",
        ),
        line(
            "4",
            "2026-04-02 10:00:00",
            "Grace",
            "I adopted a greyhound called Comet",
        ),
        line("5", "2026-05-02T10:00:00", "user", "카페에서 공부했어요"),
        line("6", "2026-05-03T10:00:00", "user", "駅まで歩きました"),
    ]
    .concat()
}

async fn is_found(server: &Client) {
    let (status, counts) = import(server, "ada", &conversation(), "").await;
    assert_eq!((status, counts), (200, json!({"imported": 6, "known": 0})));
    for (query, id) in [
        ("路由", "1"),
        ("咖啡", "3"),
        ("上海", "3"),
        ("Which breed did Grace adopt?", "4"),
        ("Comet", "4"),
        ("카페", "5"),
        ("駅", "6"),
    ] {
        let hits = search(server, "ada", json!({"query": query, "k": 3})).await;
        assert_eq!(ids(&hits).first(), Some(&id), "{query}: {hits:?}");
    }
    let explained = json!({"query": "Comet", "explain": true, "now": "2026-06-01"});
    let hits = search(server, "ada", explained).await;
    assert_eq!(hits[0]["text"], "I adopted a greyhound called Comet");
    assert_eq!(hits[0]["ts"], "2026-04-02T10:00:00Z");
    let parts = hits[0]["why"].as_object().unwrap().values();
    let sum: f64 = parts.map(|part| part.as_f64().unwrap()).sum();
    assert!((sum - hits[0]["score"].as_f64().unwrap()).abs() < 1e-6);
    assert!(
        search(server, "bob", json!({"query": "Comet"}))
            .await
            .is_empty()
    );
    let few = search(
        server,
        "ada",
        json!({"query": "路由 Comet", "max_tokens": 20}),
    )
    .await;
    assert_eq!(ids(&few).len(), 1, "{few:?}");
}

#[tokio::test]
async fn what_was_said_elsewhere_is_found_in_any_script() {
    let server = Process::start(&[], &[]).await;
    is_found(&server).await;
    // The same again changes nothing; one more is one more.
    let again = conversation() + &line("7", "2026-05-04", "user", "I collect stamps");
    let (_, counts) = import(&server, "ada", &again, "").await;
    assert_eq!(counts, json!({"imported": 1, "known": 6}));
}

#[tokio::test]
async fn on_postgresql_and_at_another_server_too() {
    let url = format!("store.url={}", database());
    let args = ["--set", url.as_str()];
    let (one, two) = (
        Process::start(&args, &[]).await,
        Process::start(&args, &[]).await,
    );
    is_found(&one).await;
    let hits = search(&two, "ada", json!({"query": "路由"})).await;
    assert_eq!(ids(&hits)[0], "1");
    import(
        &two,
        "ada",
        &line("8", "2026-05-05", "user", "我养了一只鹦鹉"),
        "",
    )
    .await;
    let hits = search(&one, "ada", json!({"query": "鹦鹉"})).await;
    assert_eq!(ids(&hits)[0], "8");
}

#[tokio::test]
async fn a_wrong_line_is_named_and_nothing_of_the_import_is_kept() {
    let server = spawn_app(|_| {}).await;
    let good = line("1", "2026-03-01", "user", "fine");
    for (bad, field) in [
        ("{\"id\": \"2\"}\n".to_owned(), "line 2: "),
        ("nonsense\n".to_owned(), "line 2"),
        (line("2", "2026-03-01", "System", "x"), "line 2: role"),
        (line("2", "2026-03-01", "tool", "x"), "line 2: role"),
        (line("", "2026-03-01", "user", "x"), "line 2: id"),
        (line("2", "yesterday", "user", "x"), "line 2: ts"),
        (line("2", "2026-03-01", "a\nb", "x"), "line 2: role"),
    ] {
        let (status, problem) = import(&server, "ada", &(good.clone() + &bad), "").await;
        assert_eq!(status, 400, "{problem}");
        assert!(
            problem["field"].as_str().unwrap().starts_with(field),
            "{problem}"
        );
    }
    assert!(
        search(&server, "ada", json!({"query": "fine"}))
            .await
            .is_empty()
    );
    for (body, field) in [
        (json!({"query": ""}), "query"),
        (json!({"query": "x", "k": 0}), "k"),
        (json!({"query": "x", "k": 101}), "k"),
        (json!({"query": "x", "now": "soon"}), "now"),
        (json!({"k": 1}), "query"),
    ] {
        let response = server
            .call("POST", "/api/v1/memory/search", "ada", Some(body))
            .await;
        assert_eq!(response.status(), 400);
        let problem: Value = response.json().await.unwrap();
        assert_eq!(problem["field"], field, "{problem}");
    }
}

#[tokio::test]
async fn an_import_teaches_only_when_asked_to() {
    let server = spawn_app(|_| {}).await;
    let said = |id: &str, text: &str| line(id, "2026-03-01T10:00:00Z", "user", text);
    import(&server, "ada", &said("1", "My name is Ada."), "").await;
    assert_eq!(server.profile("ada").await["preferences"], json!({}));
    import(
        &server,
        "ada",
        &said("2", "My name is Ada."),
        "?extract=true",
    )
    .await;
    let profile = server.profile("ada").await;
    assert_eq!(
        profile["preferences"]["identity"]["name"], "Ada",
        "{profile}"
    );
    // Nobody else's words are the user's.
    let other = line("3", "2026-03-02T10:00:00Z", "assistant", "My name is Bot.");
    import(&server, "ada", &other, "?extract=true").await;
    assert_eq!(server.profile("ada").await, profile);
}

/// Long ago, among hundreds of later turns: it is in the prompt of the question it answers.
#[tokio::test]
async fn an_old_turn_that_answers_is_recalled_before_newer_ones() {
    let upstream = Upstream::start();
    upstream.answers(|seen| {
        let whole = chat_whole("m", &seen.json()["messages"].to_string());
        vec![crate::support::upstream::Step::Write(ok(&whole))]
    });
    let mut process = Process::start(
        &["--set", "memory.recall_timeout_ms=60000"],
        &[("SUNDYNIX_BACKENDS", &upstream.openai())],
    )
    .await;
    let mut lines = line(
        "old",
        "2025-01-01",
        "user",
        "My sister Mia plays the cello in an orchestra",
    );
    for n in 0..1_500 {
        lines += &line(
            &format!("n{n}"),
            "2026-01-01",
            "user",
            &format!("Note number {n} about errands"),
        );
    }
    let (status, _) = import(&process, "ada", &lines, "").await;
    assert_eq!(status, 200);
    for cold in [false, true] {
        if cold {
            process.kill().await;
            process.restart().await;
        }
        let body = json!({"messages": [{"role": "user", "content": "Which instrument does my sister play?"}]});
        let response = process
            .call("POST", "/v1/chat/completions", "ada", Some(body))
            .await;
        assert_eq!(response.headers()["x-sundynix-memory"], "hit");
        let text = response.text().await.unwrap();
        assert!(text.contains("cello"), "cold: {cold}: {text}");
    }
}
