//! A remote memory of somebody else's make: any server that reads and writes profiles will do,
//! with sessions or without, whatever it calls its tools; and however it fails, no answer does.

use crate::support::{App, Client, http::PATIENCE, python, spawn_app};
use serde_json::{Value, json};
use std::process::Stdio;
use sundynix::config::{Config, UserAs};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Child,
    time::timeout,
};

/// A running one; dropping it kills it.
pub struct Foreign {
    pub client: Client,
    _child: Child,
}

impl Foreign {
    pub async fn start(mode: &str) -> Foreign {
        let mut command = python::script("mcp_memory.py");
        let mut child = command.arg(mode).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = timeout(PATIENCE, lines.next_line()).await;
        let port: u16 = port.unwrap().unwrap().unwrap().parse().unwrap();
        let client = Client::new(([127, 0, 0, 1], port).into());
        Foreign {
            client,
            _child: child,
        }
    }

    /// What a tool was asked.
    pub async fn asked(&self, tool: &str) -> Vec<Value> {
        let calls: Vec<Value> = self.client.get("/calls").await.json().await.unwrap();
        calls
            .into_iter()
            .filter(|call| call["tool"] == tool)
            .collect()
    }

    /// What it was asked to keep.
    async fn saved(&self) -> Vec<Value> {
        self.asked("save").await
    }

    /// A server that keeps its profiles here.
    pub async fn serves(&self, user: UserAs, tweak: impl FnOnce(&mut Config)) -> App {
        let url = self.client.url("/mcp");
        let app = spawn_app(|config| {
            let mcp = &mut config.memory.mcp;
            mcp.url = url;
            mcp.get_tool = "read_profile".into();
            mcp.upsert_tool = "save_profile".into();
            mcp.api_key = "k3y".into();
            mcp.user = user;
            tweak(config);
        })
        .await;
        let up = || {
            app.state
                .remote
                .as_ref()
                .is_some_and(|remote| remote.is_up())
        };
        app.until(up).await;
        app
    }
}

/// Waits until all that was said has been delivered.
pub async fn is_told(app: &App) {
    let told = || {
        app.state
            .remote
            .as_ref()
            .is_some_and(|remote| remote.waiting() == 0)
    };
    app.until(told).await;
}

#[tokio::test]
async fn any_server_will_do() {
    for (mode, user) in [
        ("legacy", UserAs::Argument),
        ("legacy", UserAs::Header),
        ("current", UserAs::Argument),
        ("current", UserAs::Header),
    ] {
        let foreign = Foreign::start(mode).await;
        let app = foreign.serves(user, |_| {}).await;
        let done = app.ask("阿达", "我叫阿达。").await.unwrap();
        is_told(&app).await;
        let saved = foreign.saved().await;
        let want = json!([{
            "tool": "save", "user": "阿达", "authorization": "Bearer k3y",
            "preferences": {"identity": {"name": "阿达"}}, "turn": done["turn_id"],
        }]);
        assert_eq!(json!(saved), want, "{mode} {user:?}");
        let next = app.ask("阿达", "我叫什么？").await.unwrap();
        assert_eq!(next["recalled"]["memory"], "hit", "{next}");
        assert_eq!(next["recalled"]["profile_version"], 1, "{next}");
        assert!(next["text"].as_str().unwrap().contains("阿达"), "{next}");
        app.ask("阿达", "忘掉我的名字。").await.unwrap();
        is_told(&app).await;
        let last = foreign.saved().await.pop().unwrap();
        assert_eq!(last["preferences"], json!({"identity": {"name": null}}));
    }
}

#[tokio::test]
async fn an_erase_leaves_nothing_there_however_much_it_was() {
    let foreign = Foreign::start("current").await;
    let app = foreign.serves(UserAs::Argument, |_| {}).await;
    for part in 0..6 {
        let keys = (0..200).map(|n| (format!("{part}-{n}"), json!("x")));
        let body = json!({"preferences": {"many": serde_json::Map::from_iter(keys)}});
        let put = app.call("PUT", "/api/v1/memory", "ada", Some(body)).await;
        assert_eq!(put.status(), 200);
    }
    let erased = app.call("DELETE", "/api/v1/memory", "ada", None).await;
    let erased: Value = erased.json().await.unwrap();
    assert_eq!(erased["profile"], 1_200, "{erased}");
    let saved = foreign.saved().await;
    let nulls = |call: &Value| {
        let keys = call["preferences"]["many"].as_object().unwrap();
        assert!(keys.len() <= 200, "a sundynix would refuse that");
        keys.values().filter(|value| value.is_null()).count()
    };
    assert_eq!(saved.iter().map(nulls).sum::<usize>(), 1_200);
}

#[tokio::test]
async fn what_it_refuses_is_told_again_and_holds_up_nobody_else() {
    let foreign = Foreign::start("current").await;
    let app = foreign.serves(UserAs::Argument, |_| {}).await;
    for _ in 0..2 {
        foreign.client.get("/refuse").await;
    }
    app.ask("ada", "My name is Ada.").await.unwrap();
    app.ask("bob", "My name is Bob.").await.unwrap();
    // Not taken yet, and known here all the same.
    assert_eq!(
        app.profile("ada").await["preferences"]["identity"]["name"],
        "Ada"
    );
    is_told(&app).await;
    let saved = foreign.saved().await;
    assert_eq!(saved.len(), 4, "two were refused: {saved:?}");
    for (user, name) in [("ada", "Ada"), ("bob", "Bob")] {
        let known = app.profile(user).await;
        assert_eq!(known["preferences"]["identity"]["name"], name);
    }
}

#[tokio::test]
async fn a_slow_one_delays_no_answer_beyond_the_deadline() {
    let foreign = Foreign::start("current").await;
    let brief = |config: &mut Config| {
        config.memory.recall_timeout_ms = 150;
        config.memory.mcp.timeout_ms = 500;
    };
    let app = foreign.serves(UserAs::Argument, brief).await;
    foreign.client.get("/hang").await;
    for _ in 0..3 {
        let done = app.ask("ada", "My name is Ada.").await.unwrap();
        assert_eq!(done["recalled"]["memory"], "timeout", "{done}");
        assert_eq!(done["memory"], "recorded", "{done}");
    }
    let profile = app.call("GET", "/api/v1/memory", "ada", None).await;
    assert_eq!(profile.status(), 504);
    // Writes do not hang, and so are told.
    is_told(&app).await;
}

#[tokio::test]
async fn one_without_the_tools_is_not_used_and_that_is_said() {
    let foreign = Foreign::start("current").await;
    let url = foreign.client.url("/mcp");
    let app = spawn_app(|config| config.memory.mcp.url = url).await;
    let done = app.ask("ada", "My name is Ada.").await.unwrap();
    assert_eq!(done["recalled"]["memory"], "degraded", "{done}");
    assert_eq!(done["memory"], "recorded", "{done}");
    let profile = app.call("GET", "/api/v1/memory", "ada", None).await;
    assert_eq!(profile.status(), 503);
    let told = profile.text().await.unwrap();
    assert!(told.contains("memory.mcp"), "{told}");
}
