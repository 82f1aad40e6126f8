//! The official MCP client for Python, and the MCP Inspector, against a server here.

use super::{http::PATIENCE, python};
use serde_json::Value;
use std::{path::PathBuf, process::Stdio};
use tempfile::TempDir;
use tokio::{process::Command, time::timeout};

/// What the Python client makes of the server's list and of these calls.
pub async fn python(base: &str, user: &str, mode: &str, calls: &Value) -> Value {
    let mut command = python::script("mcp_client.py");
    command.args([&format!("{base}/mcp"), user, mode, &calls.to_string()]);
    let printed = python::run(command).await;
    serde_json::from_str(&printed).unwrap_or_else(|e| panic!("{e} in {printed:?}"))
}

/// What the Inspector prints of one method, and what it has to say beside that.
pub async fn inspector(base: &str, user: &str, args: &[&str]) -> (Value, String) {
    let npm = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/test-npm/node_modules");
    let arch = match std::env::consts::ARCH {
        "aarch64" => "arm64",
        _ => "x64",
    };
    let node = npm.join(format!("node-linux-{arch}/bin/node"));
    assert!(
        node.exists(),
        "{} is missing: run `make deps`",
        node.display()
    );
    let home = TempDir::new().unwrap();
    let mut command = Command::new(node);
    command
        .arg(npm.join("@modelcontextprotocol/inspector/clients/launcher/build/index.js"))
        .args(["--cli", &format!("{base}/mcp"), "--transport", "http"])
        .args(["--header", &format!("X-User-ID: {user}")])
        .args(args)
        .env("HOME", home.path())
        .kill_on_drop(true)
        .stdin(Stdio::null());
    let output = timeout(PATIENCE, command.output()).await;
    let output = output.expect("the Inspector did not end").unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "the Inspector failed:\n{said}");
    let printed = String::from_utf8(output.stdout).unwrap();
    let printed = serde_json::from_str(&printed).unwrap_or_else(|e| panic!("{e} in {printed:?}"));
    (printed, said)
}
