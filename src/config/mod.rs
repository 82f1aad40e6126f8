//! Every setting: its name, its default and what it is for. `source.rs` reads them from file,
//! environment and flags, `load.rs` lays these over each other and refuses what is wrong by name
//! and place, `range.rs` says which values make sense, `show.rs` prints them without secrets.

mod backend;
mod embeddings;
mod extract;
mod key;
mod load;
mod memory;
mod pool;
mod range;
mod remote;
mod routing;
mod server;
mod show;
mod source;
mod store;

pub use backend::{BackendConfig, DialectName};
pub use embeddings::EmbeddingsConfig;
pub use extract::{ExtractConfig, TopicConfig};
pub use load::{Loaded, Refused};
pub use memory::{Consent, MemoryConfig, Mode};
pub use pool::PoolConfig;
pub use remote::{RemoteMemory, UserAs};
pub use routing::{AliasConfig, MemoryAt, Policy};
pub use server::{Limits, Server};
pub use source::{Flags, Origin};
pub use store::{StoreConfig, Sync};

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The effective configuration. It holds keys and passwords: no `Debug` for it, on purpose.
#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where and how it listens.
    pub server: Server,
    /// Where memory is kept.
    pub store: StoreConfig,
    /// How backends are used.
    pub pool: PoolConfig,
    /// The backends; none: an Ollama on this machine if there is one, else the simulator.
    pub backend: Vec<BackendConfig>,
    /// Names that stand for several models.
    pub alias: Vec<AliasConfig>,
    /// What is remembered and recalled.
    pub memory: MemoryConfig,
    /// How memory is put into the prompt.
    pub prompt: PromptConfig,
    /// What a request may take.
    pub limits: Limits,
    /// The built-in backend for trying things out.
    pub simulator: SimulatorConfig,
    /// Logs.
    pub telemetry: Telemetry,
}

/// `[prompt]`: minijinja templates, checked at start.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct PromptConfig {
    /// The system text of native tasks that bring none. May use `meta`.
    pub system: String,
    /// How the profile is written into the system message; empty: the built-in one.
    pub profile: String,
    /// How recalled turns are written before the query; empty: the built-in one.
    pub memories: String,
}

/// `[simulator]`
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct SimulatorConfig {
    /// To the first token.
    pub first_token_ms: u64,
    /// Between two tokens.
    pub token_ms: u64,
}

impl Default for SimulatorConfig {
    fn default() -> Self {
        SimulatorConfig {
            first_token_ms: 700,
            token_ms: 60,
        }
    }
}

/// `[telemetry]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Telemetry {
    /// A `tracing` filter, as `info` or `sundynix=debug`.
    pub log: String,
    /// `text` or `json`.
    pub format: LogFormat,
}

impl Default for Telemetry {
    fn default() -> Self {
        Telemetry {
            // Without these two's notes on every start.
            log: "info,actix_server=warn,sea_orm_migration=warn".into(),
            format: LogFormat::Text,
        }
    }
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For collectors.
    Json,
}

/// Free-form parameters of a native task, passed on to the backend.
pub type Params = BTreeMap<String, serde_json::Value>;
