//! `sundynix migrate`: the schema, before a new version serves.

use super::Outcome;
use std::{process::ExitCode, sync::Arc};
use sundynix::{config::Loaded, memory::Residents, store::Store};

/// Opening the store applies whatever is missing.
pub fn migrate(loaded: &Loaded) -> Outcome {
    sundynix::telemetry::start(&loaded.config.telemetry);
    let store = Store::open(&loaded.config, Arc::new(Residents::new(0)))?;
    store.close();
    println!("the schema is up to date");
    Ok(ExitCode::SUCCESS)
}
