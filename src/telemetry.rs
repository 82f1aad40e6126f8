//! Logs, to stderr: lines for people, or JSON for collectors. What may not be in them (keys,
//! prompts, user ids) is kept out where they are written.

use crate::{
    config::{LogFormat, Telemetry},
    supervise::log_panics,
};
use std::io::{IsTerminal, stderr};
use tracing_subscriber::{EnvFilter, fmt, util::SubscriberInitExt};

/// Starts logging for this process. A second call changes nothing.
pub fn start(config: &Telemetry) {
    let mut filter = EnvFilter::new(&config.log);
    // `rmcp` writes down whole messages, with what users said in them, and as errors every attempt
    // to reach a remote memory that is away, with its address; what matters of it we say ourselves.
    filter = match "rmcp=off".parse() {
        Ok(directive) => filter.add_directive(directive),
        Err(_) => filter,
    };
    let lines = fmt()
        .with_env_filter(filter)
        .with_writer(stderr)
        .with_ansi(stderr().is_terminal());
    // A panic's message may quote what it choked on.
    log_panics();
    // It fails only where logging has been started before.
    let _ = match config.format {
        LogFormat::Text => lines.with_target(false).finish().try_init(),
        LogFormat::Json => lines.json().flatten_event(true).finish().try_init(),
    };
}
