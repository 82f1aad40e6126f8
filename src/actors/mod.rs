//! The nodes of the graph, one file an actor: its role, what it gets, what it does, what it
//! passes on. Handlers never await and never block; request work never lives in an actor.

pub mod gateway;
pub mod memory;
pub mod pool_model;
pub mod prompt;
pub mod recall;
