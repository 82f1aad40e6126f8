//! What the tests need of Python, in the environment that `make deps` makes. Where it is missing
//! they fail and say so: a test that is skipped in silence shows nothing.

use super::http::PATIENCE;
use std::{path::PathBuf, process::Stdio};
use tokio::{process::Command, time::timeout};

/// Python with `script` of `tests/support`, ready for its arguments.
pub fn script(script: &str) -> Command {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let python = root.join("target/test-venv/bin/python");
    assert!(
        python.exists(),
        "{} is missing: run `make deps`",
        python.display()
    );
    let mut command = Command::new(python);
    command.arg(root.join("tests/support").join(script));
    command.kill_on_drop(true).stdin(Stdio::null());
    command
}

/// Runs it to its end: what it printed.
pub async fn run(mut command: Command) -> String {
    let output = timeout(PATIENCE, command.output()).await;
    let output = output.expect("the script did not end").unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the script failed:\n{errors}");
    String::from_utf8(output.stdout).unwrap()
}
