//! Every setting: its name, its default and what it is for. `source.rs` reads them from file,
//! environment and flags, `load.rs` lays these over each other and refuses what is wrong by name
//! and place, `range.rs` says which values make sense, `show.rs` prints them without secrets.

mod extract;
mod key;
mod load;
mod range;
mod remote;
mod routing;
mod show;
mod source;

pub use extract::{ExtractConfig, TopicConfig};
pub use load::{Loaded, Refused};
pub use remote::{RemoteMemory, UserAs};
pub use routing::{AliasConfig, MemoryAt, Policy};
pub use source::{Flags, Origin};

use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf};

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

/// `[server]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// Loopback only, as long as there are no keys.
    pub bind: SocketAddr,
    /// Data directory: database file, spool, lock.
    pub data: PathBuf,
    /// Web workers, each with a replica of the graph; 0: one a core.
    pub workers: usize,
    /// On SIGTERM readiness goes to 503 this long before new requests are refused, so that a
    /// balancer can look away first.
    pub drain_wait_ms: u64,
    /// How long running streams may take to end after that.
    pub shutdown_timeout_s: u64,
    /// Restart intensity: so many restarts of one actor …
    pub max_restarts: usize,
    /// … within this window, then the replica is given up.
    pub restart_window_s: u64,
    /// The pause before the second restart of a window; doubles with each further one.
    pub restart_pause_ms: u64,
}

impl Default for Server {
    fn default() -> Self {
        Server {
            bind: SocketAddr::from(([127, 0, 0, 1], 8484)),
            data: PathBuf::from("sundynix-data"),
            workers: 0,
            drain_wait_ms: 0,
            shutdown_timeout_s: 1800,
            max_restarts: 5,
            restart_window_s: 10,
            restart_pause_ms: 50,
        }
    }
}

/// `[store]`
#[derive(Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreConfig {
    /// `postgres://…`; empty: a SQLite file in the data directory.
    pub url: String,
    /// SQLite's `synchronous`: `normal` survives the death of the process, `full` a power cut.
    pub sync: Sync,
    /// How long the end of an answer waits for its commit before it goes to the spool.
    pub ack_timeout_ms: u64,
    /// The most the spool may hold; full: memory is off until the store is back.
    pub spool_bytes: u64,
    /// Most write-backs in one transaction.
    pub group: usize,
    /// Connections for reading.
    pub readers: u32,
    /// SQLite: after an erase a file up to this size is written anew at once, a larger one at the next
    /// start.
    pub rewrite_bytes: u64,
}

impl Default for StoreConfig {
    fn default() -> Self {
        StoreConfig {
            url: String::new(),
            sync: Sync::Normal,
            ack_timeout_ms: 2_000,
            spool_bytes: 64 << 20,
            group: 64,
            readers: 2,
            rewrite_bytes: 128 << 20,
        }
    }
}

/// SQLite's `synchronous`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Sync {
    /// Survives `kill -9`, not a power cut.
    Normal,
    /// Survives both.
    Full,
}

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

/// `[memory]`
#[derive(Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct MemoryConfig {
    /// `on`, `read` or `off` for everybody; a request can only ask for less.
    pub mode: Mode,
    /// What holds for a user who has not said: `opt_out` remembers, `opt_in` neither recalls nor
    /// remembers before they agree (`PUT /api/v1/memory/settings`).
    pub consent: Consent,
    /// Turns and superseded values are kept so many days; 0: for ever.
    pub keep_turns: u32,
    /// Recall has so long; then the turn goes on without.
    pub recall_timeout_ms: u64,
    /// Tokens of profile in a prompt.
    pub profile_tokens: usize,
    /// Tokens of recalled turns in a prompt.
    pub recall_tokens: usize,
    /// Tokens of the conversation's own last turns (native surface).
    pub history_tokens: usize,
    /// Memory and prompt may take this share of a backend's context, in percent.
    pub context_percent: usize,
    /// Bytes of users held ready.
    pub cache_bytes: u64,
    /// Only configured topics and keys are taken.
    pub strict: bool,
    /// Values in one user's profile; the oldest that is not pinned gives way.
    pub max_slots: usize,
    /// Topics that are never learnt from what is said, as `health`.
    pub never: Vec<String>,
    /// Reading turns with a model.
    pub extract: ExtractConfig,
    /// What a profile is about; empty: the built-in topics.
    pub topic: Vec<TopicConfig>,
    /// Another server that remembers for this one.
    pub mcp: RemoteMemory,
}

impl Default for MemoryConfig {
    fn default() -> Self {
        MemoryConfig {
            mode: Mode::On,
            consent: Consent::OptOut,
            keep_turns: 180,
            recall_timeout_ms: 150,
            profile_tokens: 512,
            recall_tokens: 1_024,
            history_tokens: 2_048,
            context_percent: 15,
            cache_bytes: 64 << 20,
            strict: false,
            max_slots: 200,
            never: Vec::new(),
            extract: ExtractConfig::default(),
            topic: Vec::new(),
            mcp: RemoteMemory::default(),
        }
    }
}

/// Memory for everybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Recall and remember.
    On,
    /// Recall only.
    Read,
    /// Neither.
    Off,
}

/// What a user who has not said is taken to want.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Consent {
    /// To be remembered.
    OptOut,
    /// Not to be.
    OptIn,
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

/// `[limits]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Turns admitted at once; more are told to come back.
    pub max_inflight: usize,
    /// The largest body.
    pub body_bytes: usize,
    /// A turn's whole time.
    pub deadline_s: u64,
    /// A client that takes nothing of its answer for so long is dropped.
    pub stalled_client_s: u64,
    /// Bytes of events kept of finished tasks.
    pub task_log_bytes: usize,
    /// How long they are kept after their end.
    pub task_keep_s: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            max_inflight: 4_096,
            body_bytes: 10 << 20,
            deadline_s: 1_800,
            stalled_client_s: 60,
            task_log_bytes: 64 << 20,
            task_keep_s: 300,
        }
    }
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
