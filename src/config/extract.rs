//! What is learnt from turns: with which model, when, for how much; and what a profile is about.

use serde::{Deserialize, Serialize};

/// `[memory.extract]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExtractConfig {
    /// The model that reads turns for what they say of the user; empty: only what is stated
    /// outright is learnt, without a model.
    pub model: String,
    /// A user's turns are read once they come to so many tokens …
    pub flush_tokens: usize,
    /// … or after so long without another turn, or when another conversation begins.
    pub idle_s: u64,
    /// Tokens a user's memory may cost in a day (UTC); past it turns are kept and wait. 0: no cap.
    pub daily_tokens: u64,
    /// A call may take so long.
    pub timeout_s: u64,
    /// The longest answer, in tokens.
    pub max_tokens: usize,
    /// A turn that failed so often is put aside as dead, to be looked at and queued again.
    pub max_attempts: u32,
    /// The pause after the first failure; four times as long after each further one.
    pub retry_s: u64,
}

impl Default for ExtractConfig {
    fn default() -> Self {
        ExtractConfig {
            model: String::new(),
            flush_tokens: 1_024,
            idle_s: 60,
            daily_tokens: 0,
            timeout_s: 120,
            max_tokens: 1_024,
            max_attempts: 5,
            retry_s: 30,
        }
    }
}

/// `[[memory.topic]]`
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct TopicConfig {
    /// Its name, as in the profile.
    pub name: String,
    /// What belongs there, for the model.
    pub description: String,
    /// The keys it has; empty: any.
    pub keys: Vec<String>,
    /// What was said holds so many days; 0: until something else is said.
    pub ttl_days: u32,
    /// The longest value, in characters; 0: 500 of what is learnt, 2,000 of what is `PUT`.
    pub max_chars: usize,
}
