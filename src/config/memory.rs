//! What is remembered, recalled and learnt, and within which bounds.

use super::{EmbeddingsConfig, ExtractConfig, RemoteMemory, TopicConfig};
use serde::{Deserialize, Serialize};

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
    /// Comparing memories by what they mean.
    pub embeddings: EmbeddingsConfig,
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
            embeddings: EmbeddingsConfig::default(),
            topic: Vec::new(),
            mcp: RemoteMemory::default(),
        }
    }
}

impl MemoryConfig {
    /// Tokens that memory and prompt may take of a backend's context, where that is known.
    pub fn share(&self, context: Option<usize>) -> usize {
        context.map_or(usize::MAX, |context| context * self.context_percent / 100)
    }

    /// Tokens of the profile in the system message.
    pub fn profile_share(&self, context: Option<usize>) -> usize {
        self.profile_tokens.min(self.share(context))
    }

    /// Tokens of a native conversation's own turns.
    pub fn history_share(&self, context: Option<usize>) -> usize {
        self.history_tokens.min(self.share(context))
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
