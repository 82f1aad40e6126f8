//! Probes: whether a backend answers at all, asked every five seconds, and never with a generation.
//! They take a backend out that does not answer and bring it back; they close no breaker.

use super::{Backend, Client};
use crate::config::DialectName;
use std::time::Duration;
use tokio::sync::Semaphore;

/// How long a backend may take.
const WITHIN: Duration = Duration::from_secs(2);
/// The most that is read of an answer: it is its status that counts.
const BYTES: usize = 1 << 20;

/// At most eight probes are under way at once; of those to backends whose last one failed, which
/// will likely hang again, at most half: they hold up nobody who is well.
pub(super) struct Slots {
    all: Semaphore,
    suspects: Semaphore,
}

impl Default for Slots {
    fn default() -> Self {
        Slots {
            all: Semaphore::new(8),
            suspects: Semaphore::new(4),
        }
    }
}

/// The probes of one backend.
pub(super) struct Probe<'a> {
    client: &'a Client,
    backend: &'a Backend,
    slots: &'a Slots,
    /// It has no `/health`.
    lists: bool,
    failed: bool,
}

impl<'a> Probe<'a> {
    pub(super) fn new(client: &'a Client, backend: &'a Backend, slots: &'a Slots) -> Self {
        Probe {
            client,
            backend,
            slots,
            lists: false,
            failed: false,
        }
    }

    /// Asks once, when it is its turn. True: the backend has become routable by it.
    pub(super) async fn once(&mut self) -> bool {
        let outcome = {
            // They are never closed.
            let _suspect = match self.failed {
                true => self.slots.suspects.acquire().await.ok(),
                false => None,
            };
            let _slot = self.slots.all.acquire().await.ok();
            self.ask().await
        };
        self.failed = outcome.is_err();
        self.backend.health.probed(outcome)
    }

    async fn ask(&mut self) -> Result<(), String> {
        let within = tokio::time::timeout(WITHIN, async {
            if !self.lists {
                let status = self.status(&self.backend.ping).await?;
                match status {
                    200..300 => return Ok(()),
                    500 | 502..600 => return Err(format!("it answered {status}")),
                    // It speaks, but knows no such path.
                    _ => self.lists = true,
                }
            }
            match self.status(&self.backend.list).await? {
                status @ 500.. => Err(format!("it answered {status}")),
                _ => Ok(()),
            }
        });
        let late = || format!("no answer within {} s", WITHIN.as_secs());
        within.await.unwrap_or_else(|_| Err(late()))
    }

    async fn status(&self, url: &awc::http::Uri) -> Result<u16, String> {
        if self.backend.dialect == DialectName::Simulator {
            return Ok(200);
        }
        let answer = self.client.get(self.backend, url, WITHIN, BYTES).await;
        answer.map(|(status, _)| status)
    }
}
