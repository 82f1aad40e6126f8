//! `[memory.mcp]`: another server that remembers for this one, over MCP.

use serde::{Deserialize, Serialize};

/// `[memory.mcp]`, or for short `memory.mcp = "https://…/mcp"`.
#[derive(Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct RemoteMemory {
    /// Of the MCP server; empty: profiles are kept here.
    pub url: String,
    /// What it calls the tool that answers with `{profile, version}`.
    pub get_tool: String,
    /// What it calls the tool that takes `{preferences, turn_id}`.
    pub upsert_tool: String,
    /// What it calls the tool that takes `{query}` and finds what was said; one that has none, or
    /// an empty name: what is recalled of conversations comes from here alone.
    pub search_tool: String,
    /// How it is told whose memory is meant.
    pub user: UserAs,
    /// Sent as `Authorization: Bearer`. Never shown.
    #[serde(skip_serializing)]
    pub api_key: String,
    /// A call may take so long; recall has its own, shorter limit.
    pub timeout_ms: u64,
}

impl Default for RemoteMemory {
    fn default() -> Self {
        RemoteMemory {
            url: String::new(),
            get_tool: "memory_get".into(),
            upsert_tool: "memory_upsert".into(),
            search_tool: "memory_search".into(),
            user: UserAs::Argument,
            api_key: String::new(),
            timeout_ms: 5_000,
        }
    }
}

/// How a remote memory is told whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum UserAs {
    /// As the argument `user_id`.
    Argument,
    /// As the header `X-User-ID`.
    Header,
}
