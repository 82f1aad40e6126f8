//! What several test files share; each uses a part of it.
#![allow(dead_code, unused_imports)]

pub mod answers;
pub mod browser;
pub mod door;
pub mod faults;
pub mod http;
pub mod llama;
pub mod mcp_clients;
pub mod openai_sdk;
pub mod postgres;
pub mod process;
pub mod python;
pub mod server;
pub mod store;
pub mod storm;
pub mod tap;
pub mod upstream;

pub use browser::Browser;
pub use door::Door;
pub use http::{Client, Event, Events, Raw};
pub use llama::Llama;
pub use process::Process;
pub use server::{App, config, spawn_app, spawn_app_in, until};
pub use tap::Tap;
