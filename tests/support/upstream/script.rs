//! What a scripted backend does once a request has come.

use bytes::Bytes;
use std::{sync::Arc, time::Duration};
use tokio::sync::Semaphore;

/// What to do once a request has come. A script that ends leaves the connection to the next one.
pub type Script = Vec<Step>;

/// One step of a script.
#[derive(Clone)]
pub enum Step {
    /// Writes the bytes at once.
    Write(Bytes),
    /// Writes every byte by itself.
    Split(Bytes),
    /// Waits until the gate lets one more through.
    Pause(Gate),
    /// Waits so long: it drips.
    Wait(Duration),
    /// Never goes on.
    Hang,
    /// Closes cleanly.
    Close,
    /// Resets the connection.
    Reset,
}

/// Where scripts wait; each `open` lets one through, before or after it has come.
#[derive(Clone)]
pub struct Gate(pub(super) Arc<Semaphore>);

impl Gate {
    pub fn new() -> Gate {
        Gate(Arc::new(Semaphore::new(0)))
    }

    /// Lets so many through.
    pub fn open(&self, count: usize) {
        self.0.add_permits(count);
    }
}
