//! The official OpenAI SDK for Python against a server here: what it makes of an answer is what
//! most callers get.

use super::python;
use serde_json::Value;

/// Runs a script of `tests/support` with the server's base URL and `args`; what it prints is JSON.
pub async fn run(script: &str, base: &str, args: &[&str]) -> Value {
    let mut command = python::script(script);
    command.arg(format!("{base}/v1")).args(args);
    command.env_remove("OPENAI_BASE_URL");
    let printed = python::run(command).await;
    serde_json::from_str(&printed).unwrap_or_else(|e| panic!("{e} in {printed:?}"))
}

/// One question, asked whole and streamed; see `sdk_chat.py` for what comes back.
pub async fn chat(base: &str, user: &str, model: &str, query: &str) -> Value {
    run("sdk_chat.py", base, &[user, model, query]).await
}
