//! The surfaces, one file each, and the relay between them and the backends. Nothing here knows
//! that it is run by actors.

pub mod attempts;
pub mod backends;
pub mod body;
pub mod chat;
mod chunk;
mod connection;
mod content;
#[cfg(test)]
mod cost;
pub mod exchange;
pub mod fault;
mod frame;
mod guard;
pub mod health;
pub mod identity;
mod incoming;
mod json;
pub mod later;
mod listen;
mod mcp;
pub mod memory;
pub mod models;
mod moment;
pub mod openapi;
mod paced;
mod query;
pub mod relay;
pub mod server;
pub mod tasks;
pub mod unwritten;
