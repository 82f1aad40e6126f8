//! The promises, one file each; `tests/support` is what they share.

mod support;

mod pool_discovery;
mod pool_ollama;
mod pool_wire;
