//! What a scripted backend saw.

use bytes::Bytes;
use serde_json::Value;
use std::time::Instant;

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Seen {
    pub connection: usize,
    pub method: String,
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// A connection that the other side has closed.
#[derive(Clone, Debug)]
pub struct Closed {
    pub connection: usize,
    pub at: Instant,
}

/// What happened so far.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// Connections accepted.
    pub accepted: usize,
    /// Everything that was asked.
    pub requests: Vec<Seen>,
    /// Connections that the other side closed, in order.
    pub closed: Vec<Closed>,
    /// Bytes written, over all connections.
    pub written: usize,
    /// Scripts that have come to a pause, or hang.
    pub paused: usize,
}

impl Log {
    /// The chat requests, without what discovery asks.
    pub fn chats(&self) -> Vec<&Seen> {
        self.requests
            .iter()
            .filter(|r| r.method == "POST")
            .collect()
    }
}
