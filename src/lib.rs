//! sundynix: a streaming LLM gateway that knows each user. ARCHITECTURE.md says how its parts
//! hang together; the graph itself is in [`graph`], the message that walks it in [`turn`].

pub mod actors;
pub mod chat;
pub mod config;
pub mod embedding;
pub mod error;
pub mod extraction;
pub mod graph;
pub mod memory;
pub mod pool;
pub mod prompt;
pub mod remote;
pub mod runtime;
pub mod state;
pub mod store;
pub mod supervise;
pub mod telemetry;
pub mod turn;
pub mod web;
