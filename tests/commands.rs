//! The commands: what a start says, what it refuses and how, and a check that changes nothing.

use crate::support::{
    Client, Process,
    process::{command, run},
    upstream::Upstream,
};
use std::{fs, net::TcpListener, os::unix::fs::PermissionsExt};
use tempfile::TempDir;

/// A file `sundynix.toml` in a directory of its own.
fn with_file(text: &str) -> TempDir {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("sundynix.toml"), text).unwrap();
    dir
}

/// A start that must fail, and say all of `words`.
#[track_caller]
fn refused(dir: TempDir, args: &[&str], env: &[(&str, &str)], words: &[&str]) -> impl Future {
    let place = std::panic::Location::caller();
    async move {
        let (started, said) = run(&dir, args, env).await;
        assert!(!started, "{place}: it started");
        for word in words {
            assert!(said.contains(word), "{place}: {word:?} is not in {said:?}");
        }
        let made = fs::read_dir(&dir).unwrap().flatten().map(|f| f.file_name());
        let made: Vec<_> = made.filter(|name| name != "sundynix.toml").collect();
        assert!(made.is_empty(), "{place}: it made {made:?} all the same");
    }
}

#[tokio::test]
async fn a_start_says_in_few_lines_where_everything_is() {
    let server = Process::start(&[], &[]).await;
    let said = server.said();
    assert!(said.lines().count() < 10, "{said}");
    let data = server.dir.path().join("data");
    let file = data.join("sundynix.db");
    for words in [
        format!("is listening on http://{}", server.addr),
        fs::canonicalize(&data).unwrap().display().to_string(),
        "simulator".into(),
        "curl -N -H 'Accept: text/event-stream'".into(),
    ] {
        assert!(said.contains(&words), "{words:?} is not in {said}");
    }
    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&data), mode(&file)), (0o700, 0o600));
    // The line to try is taken at its word.
    let (_, line) = said.split_once("try").unwrap();
    let body = line.split('\'').find(|part| part.starts_with('{')).unwrap();
    let url = line
        .split_whitespace()
        .find(|part| part.starts_with("http://"))
        .unwrap();
    assert_eq!(url, server.url("/api/v1/tasks"));
    let events = server
        .task("ada", serde_json::from_str(body).unwrap())
        .await
        .unwrap();
    assert_eq!(events.all().await.last().unwrap().name, "done");
}

#[tokio::test]
async fn an_ollama_nearby_is_found_by_itself() {
    let ollama = Upstream::start();
    let nobody = Upstream::refusing();
    for (host, found) in [
        (ollama.addr, &*ollama.addr.to_string()),
        (nobody, "simulator"),
    ] {
        let env = [
            ("SUNDYNIX_BACKENDS", ""),
            ("OLLAMA_HOST", &*host.to_string()),
        ];
        let server = Process::start(&[], &env).await;
        let said = server.said();
        assert!(said.contains(&format!("backend  {found}")), "{said}");
    }
}

#[tokio::test]
async fn settings_that_cannot_be_used_stop_the_start_by_name_and_place() {
    let none = || TempDir::new().unwrap();
    let text = "[server]\nbnid = \"127.0.0.1:0\"\n";
    let words = ["sundynix.toml:2", "server.bnid", "server.bind?"];
    refused(with_file(text), &[], &[], &words).await;
    let env = [("SUNDYNIX_STORE__GRUOP", "3")];
    let words = ["SUNDYNIX_STORE__GRUOP", "SUNDYNIX_STORE__GROUP?"];
    refused(none(), &["serve"], &env, &words).await;
    let args = ["--set", "store.group=many"];
    refused(
        none(),
        &args,
        &[],
        &["--set", "store.group", "whole number"],
    )
    .await;
    let args = ["--bind", "0.0.0.0:8484"];
    refused(none(), &args, &[], &["--bind", "loopback"]).await;
    let args = ["--bind", "127.0.0.1:0", "--backend", "ftp://models"];
    refused(none(), &args, &[], &["--backend", "backend[0].url"]).await;
    let text = "[prompt]\nsystem = \"{{ nothing_like_it }}\"\n";
    let args = ["--bind", "127.0.0.1:0"];
    refused(
        with_file(text),
        &args,
        &[],
        &["prompt.system", "nothing_like_it"],
    )
    .await;
}

#[tokio::test]
async fn a_port_in_use_says_which_flag_changes_it() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    let dir = TempDir::new().unwrap();
    refused(
        dir,
        &["--bind", &addr],
        &[],
        &[&addr, "in use", "--bind", "server.bind"],
    )
    .await;
}

#[tokio::test]
async fn a_data_directory_has_one_server() {
    let server = Process::start(&[], &[]).await;
    let args = ["--bind", "127.0.0.1:0", "--data", "data"];
    let (started, said) = run(&server.dir, &args, &[]).await;
    assert!(
        !started && said.contains("in use") && said.contains("--data"),
        "{said}"
    );
    // It did no harm to the one that runs.
    server.ask("ada", "still here?").await.unwrap();
}

#[tokio::test]
async fn a_check_shows_all_but_secrets_and_changes_nothing() {
    let upstream = Upstream::start();
    let text = format!(
        "[[backend]]\nname = \"gpu\"\nurl = \"http://{}/v1\"\napi_key = \"sk-secret\"\n",
        upstream.addr
    );
    let dir = with_file(&text);
    let env = [("SUNDYNIX_STORE__GROUP", "32")];
    let (good, said) = run(&dir, &["check", "--set", "memory.mode=read"], &env).await;
    assert!(good, "{said}");
    let line = |start: &str| {
        let found = said.lines().find(|line| line.starts_with(start));
        found.unwrap_or_else(|| panic!("no {start} in {said}"))
    };
    assert!(line("group = 32").ends_with("# SUNDYNIX_STORE__GROUP"));
    assert!(line("mode = \"read\"").ends_with("# --set"));
    assert!(line("name = \"gpu\"").ends_with("# sundynix.toml:2"));
    assert!(line("api_key = ").contains("*****") && !said.contains("sk-secret"));
    let backend = said
        .lines()
        .find(|line| line.contains("backend gpu"))
        .unwrap();
    assert!(backend.contains("ok"), "{backend}");
    assert_eq!(
        fs::read_dir(&dir).unwrap().count(),
        1,
        "only the file is there"
    );

    let nobody = Upstream::refusing();
    let url = format!("http://{nobody}/v1");
    let (good, said) = run(&dir, &["check", "--backend", &url], &[]).await;
    assert!(!good && said.contains("FAILED"), "{said}");
    let url = "store.url=postgres://ada:hunter2@127.0.0.1:1/x";
    let (good, said) = run(&dir, &["check", "--set", url], &[]).await;
    assert!(
        !good && said.contains("store.url") && !said.contains("hunter2"),
        "{said}"
    );
}

#[tokio::test]
async fn a_migration_makes_the_schema_and_ends() {
    let dir = TempDir::new().unwrap();
    for _ in 0..2 {
        let (good, said) = run(&dir, &["migrate", "--data", "data"], &[]).await;
        assert!(good && said.contains("up to date"), "{said}");
    }
    let (good, said) = run(
        &dir,
        &["check", "--data", "data", "--backend", "simulator"],
        &[],
    )
    .await;
    assert!(good && said.contains("data/sundynix.db"), "{said}");
}

#[tokio::test]
async fn it_says_its_version_and_its_flags() {
    let dir = TempDir::new().unwrap();
    let (good, said) = run(&dir, &["--version"], &[]).await;
    assert!(
        good && said.trim() == format!("sundynix {}", env!("CARGO_PKG_VERSION")),
        "{said}"
    );
    let (good, said) = run(&dir, &["serve", "--help"], &[]).await;
    assert!(
        good && said.contains("--backend") && said.contains("--set"),
        "{said}"
    );
}

#[tokio::test]
async fn logs_can_be_json() {
    let dir = TempDir::new().unwrap();
    let mut child = command()
        .args([
            "--bind",
            "127.0.0.1:0",
            "--backend",
            "simulator",
            "--set",
            "telemetry.format=json",
        ])
        .current_dir(&dir)
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = {
        use tokio::io::{AsyncBufReadExt, BufReader};
        BufReader::new(child.stderr.take().unwrap()).lines()
    };
    let line = lines.next_line().await.unwrap().unwrap();
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["message"], "listening");
    let client = Client::new(line["addr"].as_str().unwrap().parse().unwrap());
    assert_eq!(client.get("/livez").await.status(), 200);
}
