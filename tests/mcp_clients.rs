//! The official MCP client for Python and the MCP Inspector list and call every tool.

use crate::support::{
    mcp_clients::{inspector, python},
    spawn_app,
};
use serde_json::{Value, json};

/// Every tool, in the order they are listed, with arguments that it takes.
fn calls() -> Vec<(&'static str, Value)> {
    vec![
        ("memory_get", json!({})),
        (
            "memory_upsert",
            json!({"preferences": {"style": {"tone": "dry"}, "language": "中文"}, "turn_id": "t1"}),
        ),
        ("memory_search", json!({"query": "What is my name?"})),
        ("memory_history", json!({"topic": "identity", "limit": 1})),
        ("memory_delete", json!({"topic": "style"})),
    ]
}

#[tokio::test]
async fn the_python_client_lists_and_calls_every_tool_in_both_lifecycles() {
    let app = spawn_app(|_| {}).await;
    for (mode, version) in [("auto", "2026-07-28"), ("legacy", "2025-11-25")] {
        app.ask(mode, "My name is Bea.").await.unwrap();
        app.ask(mode, "My name is Ada.").await.unwrap();
        let mut calls = calls();
        let tools: Vec<_> = calls.iter().map(|(tool, _)| *tool).collect();
        calls.push(("memory_get", json!({"user_id": "somebody else"})));
        let seen = python(&app.base, mode, mode, &json!(calls)).await;
        assert_eq!(seen["version"], version);
        assert_eq!(seen["tools"], json!(tools));
        let gave = &seen["gave"];
        let name = json!({"name": "Ada"});
        assert_eq!(gave[0]["profile"], json!({"identity": name}), "{seen}");
        assert_eq!(
            gave[1]["profile"]["style"],
            json!({"tone": "dry"}),
            "{seen}"
        );
        let left = json!({"identity": name, "general": {"language": "中文"}});
        let mut hits = gave[2]["hits"].as_array().unwrap().iter();
        let said = |hit: &Value| hit["text"].as_str().unwrap().contains("My name is Ada.");
        assert!(hits.any(said), "{seen}");
        assert_eq!(gave[3]["history"][0]["value"], "Bea", "{seen}");
        assert_eq!(gave[4]["profile"], left, "{seen}");
        let last = gave[calls.len() - 1]["error"].as_str().unwrap();
        assert!(last.starts_with("user_id: "), "{seen}");
    }
}

#[tokio::test]
async fn the_inspector_lists_and_calls_every_tool_and_finds_nothing_to_complain_of() {
    let app = spawn_app(|_| {}).await;
    app.ask("ada", "My name is Ada.").await.unwrap();
    let list = ["--method", "tools/list", "--strict"];
    let (listed, said) = inspector(&app.base, "ada", &list).await;
    assert!(
        !said.contains("Warning") && !said.contains("Error"),
        "{said}"
    );
    let listed = listed["tools"].as_array().unwrap().iter();
    let listed: Vec<_> = listed
        .map(|tool| tool["name"].as_str().unwrap().to_owned())
        .collect();
    let tools: Vec<_> = calls().iter().map(|(tool, _)| *tool).collect();
    assert_eq!(listed, tools);
    for (tool, arguments) in calls() {
        let mut args = vec!["--method", "tools/call", "--tool-name", tool];
        let arguments = arguments.as_object().unwrap().iter();
        let arguments: Vec<_> = arguments
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        if !arguments.is_empty() {
            args.push("--tool-arg");
            args.extend(arguments.iter().map(String::as_str));
        }
        let (gave, said) = inspector(&app.base, "ada", &args).await;
        assert_eq!(gave["isError"], false, "{tool}: {gave} {said}");
        assert!(gave["structuredContent"].is_object(), "{tool}: {gave}");
    }
}
