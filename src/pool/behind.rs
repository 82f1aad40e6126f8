//! Work that stands behind everybody: it takes a place only where nobody waits, gives way when
//! somebody comes to, and goes only where what is known of users may go.

use super::{Lease, Pool};
use std::time::Duration;
use tokio::time::interval;

/// How often work that is under way looks whether somebody waits for its backend.
const LOOK: Duration = Duration::from_millis(50);

impl Pool {
    /// A place at a backend that memory may go to, or what it would take to get one.
    pub fn lease_for_memory(&self, model: &str) -> Result<Lease, &'static str> {
        let mut denied = Vec::new();
        loop {
            match self.lease(model, &denied) {
                Ok(Some(lease)) if lease.backend().takes_memory() => return Ok(lease),
                Ok(Some(lease)) => denied.push(lease.backend().id),
                Ok(None) => return Err("a place at a backend"),
                Err(_) if denied.is_empty() => return Err("a backend that can be reached"),
                Err(_) => return Err("a backend that memory may go to"),
            }
        }
    }

    /// Whether anybody waits: for this backend, or for any.
    pub fn is_crowded(&self, backend: Option<&str>) -> bool {
        let all = self.status();
        let mut ours = all
            .iter()
            .filter(|one| backend.is_none_or(|name| one.name == name));
        ours.any(|one| one.waiting > 0)
    }

    /// Returns when somebody waits for the backend.
    pub async fn crowded(&self, backend: &str) {
        let mut look = interval(LOOK);
        loop {
            look.tick().await;
            if self.is_crowded(Some(backend)) {
                return;
            }
        }
    }
}
