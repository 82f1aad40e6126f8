//! The promises, one file each; `tests/support` is what they share.

// Clippy exempts only functions marked as tests; helpers here are tests too.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

mod affinity;
mod bad_input;
mod balance;
mod chaos;
mod commands;
mod degraded;
mod disconnect;
mod drain;
mod durability;
mod erase;
mod event_source;
mod extraction;
mod failover;
mod hang_up;
mod health;
mod history;
mod honest_streams;
mod injection;
mod isolation;
mod leak;
mod live_change;
mod lost_updates;
mod mcp;
mod mcp_clients;
mod mcp_foreign;
mod mcp_remote;
mod memory;
mod memory_denied;
mod not_said_of_oneself;
mod pool_discovery;
mod pool_health;
mod pool_ollama;
mod pool_wire;
mod prefix_cache;
mod queue;
mod read_your_writes;
mod real_backend;
mod resent_history;
mod resume;
mod retry_storm;
mod routing;
mod search;
mod settings;
mod slow_client;
mod spike_and_recovery;
mod store;
mod store_down;
mod supervision;
mod timeouts;
mod usage;
mod whole_way;
