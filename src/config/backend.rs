//! One backend: where it is, what it serves, and what is its own in place of the pool's.

use super::MemoryAt;
use serde::{Deserialize, Serialize};

/// `[[backend]]`
#[derive(Clone, Default, PartialEq, Eq, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BackendConfig {
    /// As in logs and `x-sundynix-backend`; by default host and port.
    pub name: String,
    /// Base URL; for the OpenAI dialect up to and with `/v1`.
    pub url: String,
    /// How it is spoken to; guessed from the URL by default (port 11434 is an Ollama).
    pub dialect: Option<DialectName>,
    /// Names or globs; empty: what the backend itself lists.
    pub models: Vec<String>,
    /// Sent as `Authorization: Bearer`. Never shown.
    #[serde(skip_serializing)]
    pub api_key: String,
    /// Requests at once; 0: no limit.
    pub max_concurrent: usize,
    /// How much it can do beside others, as 4 for twice as much as 2. 0: it is found out.
    pub weight: u32,
    /// Whether what is known of users may go there.
    pub memory: MemoryAt,
    /// As `pool.connect_timeout_ms`, for this one alone; so are the following. 0: the pool's.
    pub connect_timeout_ms: u64,
    /// To the first content of a stream.
    pub first_token_timeout_s: u64,
    /// The same, where the model has to be loaded first.
    pub cold_timeout_s: u64,
    /// Between two tokens.
    pub idle_timeout_s: u64,
    /// One exchange.
    pub total_timeout_s: u64,
    /// An idle connection.
    pub keep_idle_ms: u64,
}

/// How a backend is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DialectName {
    /// vLLM, llama.cpp, and everything else with `/v1/chat/completions`.
    Openai,
    /// Ollama's native `/api/chat`.
    Ollama,
    /// Built in, answers by itself.
    Simulator,
}
