//! `sundynix migrate`: the schema, before a new version serves.

use super::Outcome;
use std::process::ExitCode;
use sundynix::{config::Loaded, store, telemetry};

/// Applies the migrations that are missing, and nothing else.
pub fn migrate(loaded: &Loaded) -> Outcome {
    telemetry::start(&loaded.config.telemetry);
    store::migrate(&loaded.config)?;
    println!("the schema is up to date");
    Ok(ExitCode::SUCCESS)
}
