//! The clock of extraction: the real one, and ahead of it by as much as somebody has moved it.
//! Flushes, pauses, days of the ledger and times of topics all go by it, so that a test waits for
//! none of them.

use std::{
    sync::atomic::{AtomicI64, Ordering::SeqCst},
    time::Duration,
};
use tokio::sync::Notify;

const DAY_MS: i64 = 86_400_000;

/// See the file's head.
#[derive(Debug, Default)]
pub struct Clock {
    ahead_ms: AtomicI64,
    moved: Notify,
}

impl Clock {
    /// Unix milliseconds.
    pub fn now_ms(&self) -> i64 {
        let real = time::OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000;
        real as i64 + self.ahead_ms.load(SeqCst)
    }

    /// Days since 1970.
    pub fn day(&self) -> i64 {
        self.now_ms().div_euclid(DAY_MS)
    }

    /// When the next day begins.
    pub fn tomorrow_ms(&self) -> i64 {
        (self.day() + 1) * DAY_MS
    }

    /// Moves it ahead; whoever waits for it looks again.
    pub fn advance(&self, by: Duration) {
        let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.ahead_ms.fetch_add(by, SeqCst);
        self.moved.notify_waiters();
    }

    /// Waits until it says `at_ms`.
    pub async fn sleep_until(&self, at_ms: i64) {
        loop {
            let mut moved = std::pin::pin!(self.moved.notified());
            moved.as_mut().enable();
            let left = at_ms.saturating_sub(self.now_ms());
            let Ok(left) = u64::try_from(left) else {
                return;
            };
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(left)) => return,
                () = moved => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[tokio::test]
    async fn moving_it_wakes_who_waits() {
        let clock = Arc::new(Clock::default());
        let at = clock.now_ms() + 3_600_000;
        let waiting = tokio::spawn({
            let clock = clock.clone();
            async move { clock.sleep_until(at).await }
        });
        clock.advance(Duration::from_secs(3_601));
        waiting.await.unwrap();
        assert!(clock.now_ms() >= at && clock.tomorrow_ms() > clock.now_ms());
        clock.sleep_until(0).await;
    }
}
