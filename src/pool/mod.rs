//! The pool: backends, what they serve, how loaded they are, who may use one next, and how to
//! speak to each kind. It knows neither actors nor users.

mod backend;
mod client;
mod context;
mod discover;
mod lease;
mod ollama;
mod openai;
mod queue;
pub mod simulator;

pub use backend::{Backend, BackendId, BackendStatus};
pub use client::{Answer, Client, Failure};
pub use lease::Lease;

use bytes::Bytes;
use std::sync::Arc;

/// What is sent to a backend: an OpenAI chat request; other dialects translate it.
#[derive(Clone)]
pub struct Request {
    /// The model as the backends know it.
    pub model: Arc<str>,
    /// The request with memory merged in.
    pub body: Bytes,
    /// The request as it came, where `body` differs: a backend that answers the edited one with a
    /// 400 gets this once.
    pub unedited: Option<Bytes>,
    /// Whether the answer comes as a stream.
    pub stream: bool,
}

/// The backends and their load, shared by all workers.
pub struct Pool {}

impl Pool {
    /// The model that a request gets: the one it names if any backend serves it, else the default,
    /// else the only one there is.
    pub fn resolve(&self, _asked: Option<&str>) -> Result<Arc<str>, crate::error::Error> {
        todo!()
    }
    /// The smallest context, in tokens, of the backends that serve it, where known.
    pub fn context(&self, _model: &str) -> Option<usize> {
        todo!()
    }
    /// A place at the least loaded backend that serves it; `None`: all are full, stand in line.
    pub fn lease(
        &self,
        _model: &str,
        _tried: &[BackendId],
    ) -> Result<Option<Lease>, crate::error::Error> {
        todo!()
    }
    /// Stands in the model's line until a place is free. Dropping the future leaves the line.
    pub async fn queue(
        &self,
        _model: &str,
        _tried: &[BackendId],
    ) -> Result<Lease, crate::error::Error> {
        todo!()
    }
}
