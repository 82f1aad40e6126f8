//! One worker's own upstream connections.
use super::{Backend, Request};
use crate::{config::PoolConfig, error::Error};
use bytes::Bytes;
use futures_util::Stream;
use std::pin::Pin;

/// One worker's own upstream connections; it never leaves its thread.
#[derive(Clone)]
pub struct Client {}

/// A backend's answer, its head judged good.
pub enum Answer {
    /// OpenAI SSE bytes, cut anywhere, whatever the dialect.
    Stream(Pin<Box<dyn Stream<Item = Result<Bytes, Error>>>>),
    /// A whole `chat.completion` object.
    Whole(Bytes),
}

/// Why a backend gave no answer.
pub struct Failure {
    /// What the caller would be told.
    pub error: Error,
    /// Another backend may be asked: nothing has come yet, and the request is not to blame.
    pub elsewhere: bool,
}

impl Client {
    /// A client of the current thread.
    pub fn new(_config: &PoolConfig) -> Self {
        todo!()
    }
    /// Opens the exchange and waits for the head of the answer.
    pub async fn open(&self, _backend: &Backend, _request: &Request) -> Result<Answer, Failure> {
        todo!()
    }
}
