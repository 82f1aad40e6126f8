//! The official OpenAI SDK for Python against a server here: what it makes of an answer is what
//! most callers get.

use super::python;
use serde_json::Value;

/// Runs steps of `sdk_clients.py` as `user` against the server's base URL: what the SDK made of
/// each.
pub async fn run(base: &str, user: &str, model: &str, steps: &[&str]) -> Value {
    let mut command = python::script("sdk_clients.py");
    command.arg(format!("{base}/v1")).args([user, model]);
    command.args(steps).env_remove("OPENAI_BASE_URL");
    let printed = python::run(command).await;
    serde_json::from_str(&printed).unwrap_or_else(|e| panic!("{e} in {printed:?}"))
}
