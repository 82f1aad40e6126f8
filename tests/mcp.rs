//! Memory as an MCP server: every tool, in both lifecycles of the protocol; whose memory it is;
//! what is refused, and how it is told.

use crate::support::{App, http::send, spawn_app};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};

const NOW: &str = "2026-07-28";
const BEFORE: &str = "2025-11-25";

/// A message of a client that speaks `revision`.
async fn post(
    app: &App,
    revision: &str,
    headers: &[(&str, &str)],
    method: &str,
    mut params: Value,
) -> Response {
    let mut request = app
        .http
        .post(app.url("/mcp"))
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", revision);
    if revision == NOW {
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": NOW,
            "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        request = request.header("mcp-method", method);
        if let Some(name) = params["name"].as_str() {
            request = request.header("mcp-name", name);
        }
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    send(request.json(&body)).await.unwrap()
}

/// The whole answer to a call.
async fn answer(app: &App, revision: &str, user: &str, tool: &str, arguments: Value) -> Value {
    let params = json!({"name": tool, "arguments": arguments});
    let user = [("x-user-id", user)];
    let headers = if user[0].1.is_empty() { &[] } else { &user[..] };
    let response = post(app, revision, headers, "tools/call", params).await;
    response.json().await.unwrap()
}

/// What a call that works answers.
async fn call(app: &App, user: &str, tool: &str, arguments: Value) -> Value {
    let answer = answer(app, BEFORE, user, tool, arguments).await;
    let result = &answer["result"];
    assert_eq!(result["isError"], false, "{answer}");
    // Clients from before structured results read the text.
    let text: Value = serde_json::from_str(result["content"][0]["text"].as_str().unwrap()).unwrap();
    assert_eq!(text, result["structuredContent"]);
    text
}

/// What a call that its caller can mend is told.
async fn refused(app: &App, user: &str, tool: &str, arguments: Value) -> String {
    let answer = answer(app, NOW, user, tool, arguments).await;
    assert_eq!(answer["result"]["isError"], true, "{answer}");
    answer["result"]["content"][0]["text"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[tokio::test]
async fn both_lifecycles_list_and_call_the_tools() {
    let app = spawn_app(|_| {}).await;
    let hello = json!({"protocolVersion": BEFORE, "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"}});
    let response = post(&app, BEFORE, &[], "initialize", hello).await;
    assert!(
        !response.headers().contains_key("mcp-session-id"),
        "no sessions"
    );
    let hello: Value = response.json().await.unwrap();
    assert_eq!(hello["result"]["protocolVersion"], BEFORE);
    assert_eq!(hello["result"]["serverInfo"]["name"], "sundynix");
    let discovered = post(&app, NOW, &[], "server/discover", json!({})).await;
    let discovered: Value = discovered.json().await.unwrap();
    let versions = discovered["result"]["supportedVersions"].as_array();
    assert!(versions.unwrap().contains(&NOW.into()), "{discovered}");

    for revision in [BEFORE, NOW] {
        let listed = post(&app, revision, &[], "tools/list", json!({})).await;
        assert_eq!(listed.headers()["content-type"], "application/json");
        let listed: Value = listed.json().await.unwrap();
        let tools = listed["result"]["tools"].as_array().unwrap().iter();
        let names: Vec<_> = tools.map(|tool| tool["name"].as_str().unwrap()).collect();
        assert_eq!(
            names,
            [
                "memory_get",
                "memory_upsert",
                "memory_search",
                "memory_history",
                "memory_delete"
            ]
        );
        for tool in listed["result"]["tools"].as_array().unwrap() {
            let hints = &tool["annotations"];
            let reads = ["memory_get", "memory_search", "memory_history"];
            let reads = reads.contains(&tool["name"].as_str().unwrap());
            assert_eq!(hints["readOnlyHint"], reads, "{tool}");
            assert_eq!(hints["openWorldHint"], false, "{tool}");
        }
        let arguments = json!({"preferences": {"style": {"speech": revision}}});
        let put = answer(&app, revision, "ada", "memory_upsert", arguments).await;
        let got = answer(&app, revision, "ada", "memory_get", json!({})).await;
        let profile = &got["result"]["structuredContent"]["profile"];
        assert_eq!(profile["style"]["speech"], revision);
        assert_eq!(
            put["result"]["structuredContent"],
            got["result"]["structuredContent"]
        );
    }
    let notified = post(&app, BEFORE, &[], "notifications/initialized", json!({})).await;
    assert!(notified.status().is_success());
}

#[tokio::test]
async fn it_is_the_memory_of_the_other_surfaces() {
    let app = spawn_app(|_| {}).await;
    app.ask("ada", "My name is Ada.").await.unwrap();
    let got = call(&app, "ada", "memory_get", json!({})).await;
    assert_eq!(
        got,
        json!({"profile": {"identity": {"name": "Ada"}}, "version": 1})
    );

    let preferences = json!({"identity": {"name": null, "city": "上海"}, "language": "中文"});
    let put = call(
        &app,
        "ada",
        "memory_upsert",
        json!({"preferences": preferences}),
    )
    .await;
    let want = json!({"general": {"language": "中文"}, "identity": {"city": "上海"}});
    assert_eq!(put, json!({"profile": want, "version": 2}));
    assert_eq!(app.profile("ada").await["preferences"], want);

    let gone = call(
        &app,
        "ada",
        "memory_delete",
        json!({"topic": "identity", "key": "city"}),
    )
    .await;
    let want = json!({"general": {"language": "中文"}});
    assert_eq!(gone, json!({"profile": want, "version": 3, "removed": 1}));
    call(
        &app,
        "ada",
        "memory_upsert",
        json!({"preferences": {"tone": "dry"}}),
    )
    .await;
    let gone = call(&app, "ada", "memory_delete", json!({"topic": "general"})).await;
    assert_eq!(gone, json!({"profile": {}, "version": 5, "removed": 2}));

    call(
        &app,
        "ada",
        "memory_upsert",
        json!({"preferences": {"tone": "dry"}}),
    )
    .await;
    let erased = call(&app, "ada", "memory_delete", json!({"everything": true})).await;
    assert_eq!(
        (&erased["profile"], &erased["removed"]),
        (&json!({}), &json!(1))
    );
}

#[tokio::test]
async fn the_history_is_that_of_the_other_surfaces_and_is_paged() {
    let app = spawn_app(|_| {}).await;
    let none = call(&app, "ada", "memory_history", json!({})).await;
    assert_eq!(none, json!({"history": [], "next": null}));
    for name in ["Ada", "Bea", "Cy"] {
        app.ask("ada", &format!("My name is {name}."))
            .await
            .unwrap();
        let preferences = json!({"style": {"tone": format!("as {name}")}});
        let put = json!({ "preferences": preferences });
        call(&app, "ada", "memory_upsert", put).await;
    }
    let all = call(&app, "ada", "memory_history", json!({})).await;
    assert_eq!(all["history"].as_array().unwrap().len(), 4, "{all}");
    let there = app.call("GET", "/api/v1/memory/history", "ada", None).await;
    assert_eq!(all, there.json::<Value>().await.unwrap());

    let mut asked = json!({"topic": "identity", "key": "name", "limit": 1});
    for name in ["Bea", "Ada"] {
        let page = call(&app, "ada", "memory_history", asked.clone()).await;
        assert_eq!(page["history"].as_array().unwrap().len(), 1, "{page}");
        assert_eq!(page["history"][0]["value"], name, "{page}");
        asked["cursor"] = page["next"].clone();
    }
    let end = call(&app, "ada", "memory_history", asked).await;
    assert_eq!(end, none);
    assert_eq!(call(&app, "bob", "memory_history", json!({})).await, none);
}

#[tokio::test]
async fn a_turn_teaches_once_and_in_its_time() {
    let app = spawn_app(|_| {}).await;
    let said = |turn: &str, at: Option<&str>, name: &str| {
        let mut said = json!({"preferences": {"identity": {"name": name}}, "turn_id": turn});
        if let Some(at) = at {
            said["said_at"] = at.into();
        }
        said
    };
    let (t1, t2) = ("2026-01-01T10:00:00Z", "2026-01-01T11:00:00+00:00");
    let put = call(&app, "ada", "memory_upsert", said("t1", None, "Ada")).await;
    assert_eq!(
        call(&app, "ada", "memory_upsert", said("t1", None, "Ada")).await,
        put
    );
    // Not pinned, and its origin is known.
    let detail = app
        .call("GET", "/api/v1/memory?detail=true", "ada", None)
        .await;
    let detail: Value = detail.json().await.unwrap();
    let name = &detail["preferences"]["identity"]["name"];
    assert_eq!(
        (&name["pinned"], &name["turn"]),
        (&json!(false), &json!("t1")),
        "{detail}"
    );

    call(
        &app,
        "ada",
        "memory_upsert",
        json!({"preferences": {"identity": {"name": "Bob"}}}),
    )
    .await;
    let late = call(&app, "ada", "memory_upsert", said("t1", None, "Ada")).await;
    assert_eq!(late["profile"]["identity"]["name"], "Bob", "heard already");
    let late = call(&app, "ada", "memory_upsert", said("t0", Some(t1), "Eve")).await;
    assert_eq!(late["profile"]["identity"]["name"], "Bob", "said before");

    call(&app, "eve", "memory_upsert", said("t2", Some(t2), "Eva")).await;
    let earlier = call(&app, "eve", "memory_upsert", said("t1", Some(t1), "Eve")).await;
    assert_eq!(earlier["profile"]["identity"]["name"], "Eva");
    call(&app, "eve", "memory_delete", json!({"everything": true})).await;
    let erased = call(&app, "eve", "memory_upsert", said("t2", Some(t2), "Eva")).await;
    assert_eq!(
        erased["profile"],
        json!({}),
        "what was said before an erase stays away"
    );
}

#[tokio::test]
async fn the_user_is_the_header_else_the_argument() {
    let app = spawn_app(|_| {}).await;
    let put = |user: &str| json!({"user_id": user, "preferences": {"of": user}});
    call(&app, "", "memory_upsert", put("ada")).await;
    call(&app, "bob", "memory_upsert", put("bob")).await;
    let got = call(&app, "ada", "memory_get", json!({})).await;
    assert_eq!(got["profile"], json!({"general": {"of": "ada"}}));
    let got = call(&app, "", "memory_get", json!({"user_id": "bob"})).await;
    assert_eq!(got["profile"], json!({"general": {"of": "bob"}}));

    let both = refused(&app, "ada", "memory_get", json!({"user_id": "bob"})).await;
    assert!(both.starts_with("user_id: names another user"), "{both}");
    let nobody = refused(&app, "", "memory_get", json!({})).await;
    assert!(nobody.starts_with("user_id: say whose memory"), "{nobody}");
    let odd = refused(&app, "", "memory_get", json!({"user_id": " x"})).await;
    assert!(odd.starts_with("user_id: "), "{odd}");
}

#[tokio::test]
async fn what_a_caller_can_mend_is_told_by_name_and_repeats_nothing() {
    let app = spawn_app(|_| {}).await;
    for (tool, arguments, said) in [
        (
            "memory_upsert",
            json!({}),
            "preferences: `preferences` is missing",
        ),
        (
            "memory_upsert",
            json!({"preferences": "secret"}),
            "preferences: expected an object",
        ),
        (
            "memory_upsert",
            json!({"preferences": {"a": {"b": ["secret"]}}}),
            "preferences.a.b: takes",
        ),
        (
            "memory_upsert",
            json!({"preferences": {}, "turn_id": ""}),
            "turn_id: takes 1 to 128",
        ),
        (
            "memory_upsert",
            json!({"preferences": {}, "said_at": "secret"}),
            "said_at: takes a time",
        ),
        (
            "memory_upsert",
            json!({"preferences": {}, "turns": "secret"}),
            "turns: this field is not known",
        ),
        ("memory_delete", json!({}), "topic: say what to remove"),
        (
            "memory_delete",
            json!({"topic": "a", "everything": true}),
            "topic: say what to remove",
        ),
        (
            "memory_delete",
            json!({"key": "a"}),
            "topic: say what to remove",
        ),
        (
            "memory_history",
            json!({"cursor": "secret"}),
            "cursor: takes the `next`",
        ),
        (
            "memory_history",
            json!({"limit": 201}),
            "limit: takes 1 to 200",
        ),
        (
            "memory_get",
            json!({"user_id": 5}),
            "user_id: expected a string",
        ),
    ] {
        let told = refused(&app, "ada", tool, arguments.clone()).await;
        assert!(told.starts_with(said), "{arguments}: {told}");
        assert!(!told.contains("secret"), "{told}");
    }
    let unknown = answer(&app, BEFORE, "ada", "memory_drop", json!({})).await;
    assert_eq!(unknown["error"]["code"], -32602, "{unknown}");
    let unknown = post(&app, BEFORE, &[], "no/such", json!({})).await;
    let unknown: Value = unknown.json().await.unwrap();
    assert_eq!(unknown["error"]["code"], -32601, "{unknown}");
}

#[tokio::test]
async fn web_pages_and_odd_bodies_are_refused() {
    let app = spawn_app(|config| config.limits.body_bytes = 10_000).await;
    let get = || json!({"name": "memory_get", "arguments": {"user_id": "ada"}});
    for (header, status) in [
        (("origin", "http://evil.example"), StatusCode::FORBIDDEN),
        (("origin", "null"), StatusCode::FORBIDDEN),
        (("host", "evil.example"), StatusCode::FORBIDDEN),
        (
            ("content-type", "text/plain"),
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ),
        (("x-user-id", ""), StatusCode::BAD_REQUEST),
        (("origin", "http://localhost:3000"), StatusCode::OK),
    ] {
        let answer = post(&app, BEFORE, &[header], "tools/call", get()).await;
        assert_eq!(answer.status(), status, "{header:?}");
    }
    let long = json!({"name": "memory_get", "arguments": {"user_id": "x".repeat(20_000)}});
    let answer = post(&app, BEFORE, &[], "tools/call", long).await;
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
    for method in ["GET", "DELETE", "PUT"] {
        let answer = app.call(method, "/mcp", "ada", None).await;
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED, "{method}");
        assert_eq!(answer.headers()["allow"], "POST");
    }
    for body in ["", "{", "[]", "{}", "5", r#"{"jsonrpc": "2.0", "id": 1}"#] {
        let request = app.http.post(app.url("/mcp")).body(body);
        let request = request.header("accept", "application/json, text/event-stream");
        let answer = send(request.header("content-type", "application/json"))
            .await
            .unwrap();
        assert!(
            answer.status().is_client_error(),
            "{body}: {}",
            answer.status()
        );
    }
}
