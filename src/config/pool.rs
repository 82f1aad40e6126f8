//! How backends are used: the rule by which one is chosen, health, lines, timeouts.

use super::Policy;
use serde::{Deserialize, Serialize};

/// `[pool]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct PoolConfig {
    /// The model of a request that names none.
    pub default_model: String,
    /// By what rule a backend is chosen; an alias may have its own.
    pub policy: Policy,
    /// How often backends are asked what they serve.
    pub refresh_s: u64,
    /// How often each backend is probed, a fifth more or less: three failures take it out, two
    /// good answers bring it back.
    pub probe_ms: u64,
    /// How long a backend whose requests fail gets none; doubles each time it fails again …
    pub breaker_ms: u64,
    /// … up to this.
    pub breaker_most_ms: u64,
    /// Turns that may wait for one model.
    pub queue: usize,
    /// How long they may wait.
    pub queue_wait_ms: u64,
    /// To open a connection. This and the following are each backend's unless it has its own.
    pub connect_timeout_ms: u64,
    /// From the request to the first content of a stream.
    pub first_token_timeout_s: u64,
    /// The same, where an Ollama has to load the model first.
    pub cold_timeout_s: u64,
    /// Between two tokens.
    pub idle_timeout_s: u64,
    /// One exchange with a backend, from the request to the last byte.
    pub total_timeout_s: u64,
    /// An idle connection is kept so long: shorter than the backends keep theirs (vLLM: five
    /// seconds), or a request may be sent into one that is just being closed.
    pub keep_idle_ms: u64,
}

impl Default for PoolConfig {
    fn default() -> Self {
        PoolConfig {
            default_model: String::new(),
            policy: Policy::Affinity,
            refresh_s: 30,
            probe_ms: 5_000,
            breaker_ms: 10_000,
            breaker_most_ms: 60_000,
            queue: 100,
            queue_wait_ms: 10_000,
            connect_timeout_ms: 2_000,
            first_token_timeout_s: 60,
            cold_timeout_s: 300,
            idle_timeout_s: 30,
            total_timeout_s: 1_800,
            keep_idle_ms: 3_000,
        }
    }
}
