//! The right to use one backend, given back on drop.
use super::Backend;
use std::sync::Arc;

/// One request's place at one backend.
pub struct Lease {
    backend: Arc<Backend>,
}

impl Lease {
    /// Which backend.
    pub fn backend(&self) -> &Arc<Backend> {
        &self.backend
    }
}
