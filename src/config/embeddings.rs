//! Memories compared by what they mean: with which model, and how much that counts.

use serde::{Deserialize, Serialize};

/// `[memory.embeddings]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct EmbeddingsConfig {
    /// The embedding model, as a backend serves it at `/v1/embeddings`; empty: memories are
    /// compared by their words alone.
    pub model: String,
    /// What the same meaning is worth with this model, beside a best match of words, which is
    /// worth 1. A weak model with much weight finds less than no model.
    pub weight: f64,
    /// The same where the question is Chinese, Japanese or Korean, which many models know less.
    pub weight_cjk: f64,
    /// How many dimensions its vectors have; others are refused. 0: as many as come first.
    pub dimensions: usize,
    /// Texts of one call.
    pub batch: usize,
    /// Tokens of a text that the model is shown, its beginning; models refuse what is too long.
    pub max_tokens: usize,
    /// A call for memories may take so long.
    pub timeout_s: u64,
    /// The question's own vector is waited for so long, within recall's time; then its words do.
    pub query_timeout_ms: u64,
}

impl Default for EmbeddingsConfig {
    fn default() -> Self {
        EmbeddingsConfig {
            model: String::new(),
            weight: 0.3,
            weight_cjk: 0.3,
            dimensions: 0,
            batch: 32,
            max_tokens: 400,
            timeout_s: 30,
            query_timeout_ms: 100,
        }
    }
}
