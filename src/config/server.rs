//! How the server listens and ends, and what a request may take.

use serde::{Deserialize, Serialize};
use std::{net::SocketAddr, path::PathBuf};

/// `[server]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// Loopback only, as long as there are no keys.
    pub bind: SocketAddr,
    /// Data directory: database file, spool, lock.
    pub data: PathBuf,
    /// Web workers, each with a replica of the graph; 0: one a core.
    pub workers: usize,
    /// On SIGTERM readiness goes to 503 this long before new requests are refused, so that a
    /// balancer can look away first.
    pub drain_wait_ms: u64,
    /// How long running streams may take to end after that.
    pub shutdown_timeout_s: u64,
    /// Restart intensity: so many restarts of one actor …
    pub max_restarts: usize,
    /// … within this window, then the replica is given up.
    pub restart_window_s: u64,
    /// The pause before the second restart of a window; doubles with each further one.
    pub restart_pause_ms: u64,
}

impl Default for Server {
    fn default() -> Self {
        Server {
            bind: SocketAddr::from(([127, 0, 0, 1], 8484)),
            data: PathBuf::from("sundynix-data"),
            workers: 0,
            drain_wait_ms: 0,
            shutdown_timeout_s: 1800,
            max_restarts: 5,
            restart_window_s: 10,
            restart_pause_ms: 50,
        }
    }
}

/// `[limits]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Turns admitted at once; more are told to come back.
    pub max_inflight: usize,
    /// The largest body.
    pub body_bytes: usize,
    /// A turn's whole time.
    pub deadline_s: u64,
    /// A client that takes nothing of its answer for so long is dropped.
    pub stalled_client_s: u64,
    /// Bytes of events kept of finished tasks.
    pub task_log_bytes: usize,
    /// How long they are kept after their end.
    pub task_keep_s: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            max_inflight: 4_096,
            body_bytes: 10 << 20,
            deadline_s: 1_800,
            stalled_client_s: 60,
            task_log_bytes: 64 << 20,
            task_keep_s: 300,
        }
    }
}
