//! The protocol by its letter, beside what official clients see of it: revisions, what a transport
//! must refuse, notifications, and answers that fit the schemas they are listed with.

use crate::support::{App, http::send, spawn_app};
use reqwest::{Response, StatusCode};
use serde_json::{Map, Value, json};

const JSON: (&str, &str) = ("content-type", "application/json");
const BOTH: (&str, &str) = ("accept", "application/json, text/event-stream");

/// What is odd, headers, body, and how it is answered.
type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str, StatusCode);

async fn post(app: &App, headers: &[(&str, &str)], body: &str) -> Response {
    let mut request = app.http.post(app.url("/mcp")).header("x-user-id", "ada");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(request.body(body.to_owned())).await.unwrap()
}

fn message(method: &str, params: Value) -> String {
    json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params}).to_string()
}

async fn call(app: &App, tool: &str, arguments: Value) -> Value {
    let body = message("tools/call", json!({"name": tool, "arguments": arguments}));
    let version = ("mcp-protocol-version", "2025-11-25");
    let answer = post(app, &[JSON, BOTH, version], &body).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let answer: Value = answer.json().await.unwrap();
    assert_eq!(
        (&answer["jsonrpc"], &answer["id"]),
        (&json!("2.0"), &json!(7))
    );
    answer
}

#[tokio::test]
async fn every_revision_is_spoken_and_another_gets_the_latest_with_a_handshake() {
    let app = spawn_app(|_| {}).await;
    let hello = |version: &str| {
        let client = json!({"name": "test", "version": "1"});
        message(
            "initialize",
            json!({"protocolVersion": version, "capabilities": {}, "clientInfo": client}),
        )
    };
    for version in ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"] {
        let answer = post(&app, &[JSON, BOTH], &hello(version)).await;
        assert!(!answer.headers().contains_key("mcp-session-id"));
        let answer: Value = answer.json().await.unwrap();
        let result = &answer["result"];
        assert_eq!(result["protocolVersion"], version, "{answer}");
        assert!(result["capabilities"]["tools"].is_object(), "{answer}");
        assert!(result["serverInfo"]["version"].is_string(), "{answer}");
        let header = ("mcp-protocol-version", version);
        let listed = post(
            &app,
            &[JSON, BOTH, header],
            &message("tools/list", json!({})),
        )
        .await;
        assert_eq!(listed.status(), StatusCode::OK, "{version}");
        let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"}).to_string();
        let taken = post(&app, &[JSON, BOTH, header], &ready).await;
        assert_eq!(taken.status(), StatusCode::ACCEPTED, "{version}");
        assert_eq!(taken.text().await.unwrap(), "");
    }
    let answer = post(&app, &[JSON, BOTH], &hello("1999-01-01")).await;
    let answer: Value = answer.json().await.unwrap();
    assert_eq!(
        answer["result"]["protocolVersion"], "2025-11-25",
        "{answer}"
    );
    // Clients from before the header send none.
    let listed = post(&app, &[JSON, BOTH], &message("tools/list", json!({}))).await;
    assert_eq!(listed.status(), StatusCode::OK);
    let ping = post(&app, &[JSON, BOTH], &message("ping", json!({}))).await;
    assert_eq!(ping.json::<Value>().await.unwrap()["result"], json!({}));
}

#[tokio::test]
async fn what_the_transport_must_refuse_is_refused() {
    let app = spawn_app(|_| {}).await;
    let list = message("tools/list", json!({}));
    let odd = ("mcp-protocol-version", "1999-01-01");
    let cases: [Case; 9] = [
        (
            "revision",
            &[JSON, BOTH, odd],
            &list,
            StatusCode::BAD_REQUEST,
        ),
        (
            "anything",
            &[JSON, ("accept", "*/*")],
            &list,
            StatusCode::OK,
        ),
        (
            "what we answer with alone",
            &[JSON, ("accept", "text/html, Application/JSON;q=0.9")],
            &list,
            StatusCode::OK,
        ),
        (
            "half accept",
            &[JSON, ("accept", "text/html")],
            &list,
            StatusCode::NOT_ACCEPTABLE,
        ),
        (
            "no type",
            &[BOTH, ("content-type", "text/plain")],
            &list,
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ),
        ("batch", &[JSON, BOTH], "[]", StatusCode::BAD_REQUEST),
        (
            "origin",
            &[JSON, BOTH, ("origin", "https://evil.example")],
            &list,
            StatusCode::FORBIDDEN,
        ),
        (
            "host",
            &[JSON, BOTH, ("host", "evil.example")],
            &list,
            StatusCode::FORBIDDEN,
        ),
        ("not JSON", &[JSON, BOTH], "{", StatusCode::BAD_REQUEST),
    ];
    for (what, headers, body, status) in cases {
        let answer = post(&app, headers, body).await;
        assert_eq!(answer.status(), status, "{what}");
    }
    let batch = format!("[{list},{list}]");
    for (body, code) in [
        (&*batch, -32600),
        ("[]", -32600),
        ("5", -32600),
        ("{", -32700),
        ("", -32700),
        ("{}", -32600),
        (r#"{"jsonrpc": "1.0", "method": "ping"}"#, -32600),
        (
            r#"{"jsonrpc": "2.0", "id": null, "method": "ping"}"#,
            -32600,
        ),
        (r#"{"jsonrpc": "2.0", "id": 1.5, "method": "ping"}"#, -32600),
        (r#"{"jsonrpc": "2.0", "method": 5}"#, -32600),
    ] {
        let answer = post(&app, &[JSON, BOTH], body).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{body}");
        let answer: Value = answer.json().await.unwrap();
        assert_eq!(answer["error"]["code"], code, "{answer}");
        assert_eq!(
            (&answer["jsonrpc"], &answer["id"]),
            (&json!("2.0"), &json!(null))
        );
    }
    for method in ["GET", "DELETE"] {
        let answer = app.call(method, "/mcp", "ada", None).await;
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
    }
}

#[tokio::test]
async fn errors_have_their_place() {
    let app = spawn_app(|_| {}).await;
    // What the caller's program got wrong is an error of the protocol …
    let unknown = call(&app, "memory_drop", json!({})).await;
    assert_eq!(unknown["error"]["code"], -32602, "{unknown}");
    for (params, field) in [
        (json!({"arguments": {}}), "params.name"),
        (json!(null), "params.name"),
        (json!([1]), "params"),
        (
            json!({"name": "memory_get", "arguments": ["ada"]}),
            "params.arguments",
        ),
        (
            json!({"name": "memory_get", "arguments": "ada"}),
            "params.arguments",
        ),
    ] {
        let body = message("tools/call", params);
        let answer = post(&app, &[JSON, BOTH], &body).await;
        assert_eq!(answer.status(), StatusCode::OK);
        let wrong: Value = answer.json().await.unwrap();
        assert_eq!(
            (&wrong["error"]["code"], &wrong["id"]),
            (&json!(-32602), &json!(7))
        );
        let text = wrong["error"]["message"].as_str().unwrap();
        assert!(text.starts_with(&format!("{field}:")), "{text}");
    }
    // … and what its model did, a failed call that names the field and says how to mend it.
    let bad = call(&app, "memory_search", json!({"query": "x", "k": 0})).await;
    assert_eq!(bad["result"]["isError"], true, "{bad}");
    let text = bad["result"]["content"][0]["text"].as_str().unwrap();
    assert!(text.starts_with("k: takes 1 to"), "{text}");
    assert!(bad["result"].get("structuredContent").is_none(), "{bad}");
    let bad = call(&app, "memory_search", json!({"query": "x", "k": "3"})).await;
    let text = &bad["result"]["content"][0]["text"];
    assert_eq!(text, "k: expected a whole number of 0 or more");
}

#[tokio::test]
async fn every_answer_fits_the_schema_it_is_listed_with() {
    let app = spawn_app(|_| {}).await;
    for name in ["Ada", "Bea"] {
        app.ask("ada", &format!("My name is {name}."))
            .await
            .unwrap();
    }
    let listed = post(&app, &[JSON, BOTH], &message("tools/list", json!({}))).await;
    let listed: Value = listed.json().await.unwrap();
    let calls = [
        ("memory_get", json!({})),
        (
            "memory_upsert",
            json!({"preferences": {"style": {"tone": "dry"}}}),
        ),
        ("memory_search", json!({"query": "name", "k": 2})),
        (
            "memory_search",
            json!({"query": "name", "k": 2, "max_tokens": 0}),
        ),
        ("memory_history", json!({"limit": 1})),
        ("memory_history", json!({"topic": "none"})),
        ("memory_delete", json!({"topic": "style"})),
        ("memory_delete", json!({"everything": true})),
        ("memory_get", json!({})),
        ("memory_search", json!({"query": "name"})),
    ];
    for (tool, arguments) in calls {
        let all = listed["result"]["tools"].as_array().unwrap();
        let tool = all.iter().find(|one| one["name"] == tool).unwrap();
        fits(
            &tool["inputSchema"],
            &tool["inputSchema"],
            &arguments,
            "arguments",
        );
        let answer = call(&app, tool["name"].as_str().unwrap(), arguments).await;
        let gave = &answer["result"]["structuredContent"];
        fits(&tool["outputSchema"], &tool["outputSchema"], gave, "answer");
    }
    for tool in listed["result"]["tools"].as_array().unwrap() {
        let hints = &tool["annotations"];
        let destroys = ["memory_upsert", "memory_delete"].contains(&tool["name"].as_str().unwrap());
        assert_eq!(hints["readOnlyHint"], !destroys, "{tool}");
        // It says something of tools that write only.
        assert_eq!(
            hints["destructiveHint"].as_bool().unwrap_or(false),
            destroys,
            "{tool}"
        );
        assert_eq!(hints["idempotentHint"], true, "{tool}");
        assert!(tool["title"].is_string(), "{tool}");
        for (name, argument) in tool["inputSchema"]["properties"].as_object().unwrap() {
            assert!(argument["description"].is_string(), "{name}: {tool}");
        }
    }
}

/// As much of JSON Schema as the tools use; a keyword it does not know fails the test.
fn fits(root: &Value, schema: &Value, value: &Value, at: &str) {
    let empty = Map::new();
    for (keyword, says) in schema.as_object().unwrap_or(&empty) {
        match keyword.as_str() {
            "$ref" => {
                let path = says.as_str().unwrap().trim_start_matches('#');
                fits(root, root.pointer(path).unwrap(), value, at);
            }
            "type" => {
                let is = match says.as_str().unwrap() {
                    "object" => value.is_object(),
                    "array" => value.is_array(),
                    "string" => value.is_string(),
                    "integer" => value.is_i64() || value.is_u64(),
                    "number" => value.is_number(),
                    "boolean" => value.is_boolean(),
                    "null" => value.is_null(),
                    other => panic!("{at}: type {other}"),
                };
                assert!(is, "{at} is no {says}: {value}");
            }
            "anyOf" => {
                let any = says.as_array().unwrap().iter();
                let any = any.filter(|one| {
                    let (root, one, value) = (root.clone(), (*one).clone(), value.clone());
                    std::panic::catch_unwind(move || fits(&root, &one, &value, "")).is_ok()
                });
                assert!(any.count() > 0, "{at}: {value}");
            }
            "required" => {
                for name in says.as_array().unwrap() {
                    let name = name.as_str().unwrap();
                    assert!(value.get(name).is_some(), "{at}: {name} is missing");
                }
            }
            "properties" => {
                for (name, schema) in says.as_object().unwrap() {
                    if let Some(value) = value.get(name) {
                        fits(root, schema, value, &format!("{at}.{name}"));
                    }
                }
            }
            "additionalProperties" => {
                let known = schema["properties"].as_object().unwrap_or(&empty);
                let others = value.as_object().unwrap().iter();
                for (name, value) in others.filter(|(name, _)| !known.contains_key(*name)) {
                    assert_ne!(*says, json!(false), "{at}.{name} is not in the schema");
                    fits(root, says, value, &format!("{at}.{name}"));
                }
            }
            "items" => {
                for value in value.as_array().unwrap() {
                    fits(root, says, value, &format!("{at}[]"));
                }
            }
            "minimum" => assert!(value.as_f64() >= says.as_f64(), "{at}: {value}"),
            "maximum" => assert!(value.as_f64() <= says.as_f64(), "{at}: {value}"),
            "enum" => assert!(says.as_array().unwrap().contains(value), "{at}: {value}"),
            "description" | "title" | "$schema" | "$defs" | "default" => {}
            other => panic!("{at}: this test does not know `{other}`"),
        }
    }
}
