//! One file a command, and what they share.

pub mod check;
pub mod migrate;
pub mod reload;
pub mod serve;

use sundynix::{
    config::{BackendConfig, Config, DialectName, Loaded},
    pool::find_ollama,
    state::StartError,
};

/// Why a command ended early; its text says what to do.
pub type Failure = Box<dyn std::error::Error>;

/// What a command comes to.
pub type Outcome = Result<std::process::ExitCode, Failure>;

/// The backends of a server without any in its settings: an Ollama on this machine, else the
/// simulator.
pub async fn add_backend(config: &mut Config) {
    if config.backend.is_empty() {
        let simulator = || BackendConfig {
            dialect: Some(DialectName::Simulator),
            ..BackendConfig::default()
        };
        let found = find_ollama().await;
        config.backend.push(found.unwrap_or_else(simulator));
    }
}

/// The error, with the place that its setting came from.
pub fn placed(error: StartError, loaded: &Loaded) -> Failure {
    match error {
        StartError::Backend(bad) => format!("{}: {bad}", loaded.origin(&bad.key)).into(),
        other => other.into(),
    }
}

/// A few of many, for a line.
pub fn some<T: AsRef<str>>(all: &[T], most: usize) -> String {
    let shown: Vec<_> = all.iter().take(most).map(AsRef::as_ref).collect();
    match all.len().saturating_sub(most) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
