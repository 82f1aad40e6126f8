//! How long a backend is waited for, and the clock that a streamed answer is read by. The clock
//! runs only while something is awaited: whoever reads slowly is not taken for a silent backend.

use crate::{
    config::{BackendConfig, PoolConfig},
    error::Error,
};
use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::{Instant, Sleep, sleep_until};

/// One backend's limits, its own or the pool's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// To open a connection.
    pub connect: Duration,
    /// From the request to the first content of a stream.
    pub first: Duration,
    /// The same, where the model has to be loaded first.
    pub cold: Duration,
    /// Between two reads of a stream, from its first content on.
    pub between: Duration,
    /// The whole exchange.
    pub total: Duration,
    /// An idle connection is kept so long.
    pub keep: Duration,
}

impl Timeouts {
    /// A backend's.
    pub(super) fn of(pool: &PoolConfig, own: &BackendConfig) -> Timeouts {
        let own_or = |own: u64, pool: u64| if own > 0 { own } else { pool };
        let seconds = |own, pool| Duration::from_secs(own_or(own, pool));
        let millis = |own, pool| Duration::from_millis(own_or(own, pool));
        Timeouts {
            connect: millis(own.connect_timeout_ms, pool.connect_timeout_ms),
            first: seconds(own.first_token_timeout_s, pool.first_token_timeout_s),
            cold: seconds(own.cold_timeout_s, pool.cold_timeout_s),
            between: seconds(own.idle_timeout_s, pool.idle_timeout_s),
            total: seconds(own.total_timeout_s, pool.total_timeout_s),
            keep: millis(own.keep_idle_ms, pool.keep_idle_ms),
        }
    }
}

/// The clock of one streamed answer.
pub(super) struct Patience {
    /// Never later than what is due: moved on when it goes off too early, for a timer costs more to
    /// move than to look at, and there are many tokens.
    alarm: Pin<Box<Sleep>>,
    /// The end of all.
    total: Instant,
    /// For the first content, until that has come.
    first: Option<Instant>,
    between: Duration,
    /// Since when nothing has come, while something is awaited.
    waiting: Option<Instant>,
}

impl Patience {
    /// The first content is due by `first`.
    pub(super) fn new(first: Instant, between: Duration, total: Instant) -> Patience {
        Patience {
            alarm: Box::pin(sleep_until(first.min(total))),
            total,
            first: Some(first),
            between,
            waiting: None,
        }
    }

    /// The first content has come.
    pub(super) fn begun(&mut self) {
        self.first = None;
        self.waiting = None;
        let due = Instant::now() + self.between;
        self.alarm.as_mut().reset(due.min(self.total));
    }

    /// Something has come: it is not waited for any more.
    pub(super) fn came(&mut self) {
        self.waiting = None;
    }

    /// Nothing has come: whether that has been so for too long. Wakes the task when it is.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        let waiting = *self.waiting.get_or_insert_with(Instant::now);
        while self.alarm.as_mut().poll(cx).is_ready() {
            let (due, what) = match self.first {
                Some(first) => (first, "the first token"),
                None => (waiting + self.between, "the next token"),
            };
            let (due, what) = match due < self.total {
                true => (due, what),
                false => (self.total, "the answer"),
            };
            if due <= Instant::now() {
                return Poll::Ready(Error::Timeout(what));
            }
            self.alarm.as_mut().reset(due);
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use tokio::time::{advance, timeout};

    fn patience() -> Patience {
        let now = Instant::now();
        let s = Duration::from_secs;
        Patience::new(now + s(60), s(30), now + s(600))
    }

    /// What runs out first within `s` seconds, if anything does.
    async fn wait(patience: &mut Patience, s: u64) -> Option<&'static str> {
        let over = poll_fn(|cx| patience.poll(cx));
        match timeout(Duration::from_secs(s), over).await.ok()? {
            Error::Timeout(what) => Some(what),
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_content_is_waited_for_whatever_else_comes() {
        let mut patience = patience();
        for _ in 0..5 {
            assert_eq!(wait(&mut patience, 11).await, None);
            patience.came();
        }
        assert_eq!(wait(&mut patience, 11).await, Some("the first token"));
    }

    #[tokio::test(start_paused = true)]
    async fn after_that_each_wait_is_measured_by_itself() {
        let mut patience = patience();
        patience.begun();
        for _ in 0..10 {
            assert_eq!(wait(&mut patience, 29).await, None);
            patience.came();
        }
        assert_eq!(wait(&mut patience, 31).await, Some("the next token"));
    }

    #[tokio::test(start_paused = true)]
    async fn time_in_which_nobody_asked_is_not_the_backends() {
        let mut patience = patience();
        patience.begun();
        assert_eq!(wait(&mut patience, 1).await, None);
        patience.came();
        advance(Duration::from_secs(300)).await;
        assert_eq!(wait(&mut patience, 29).await, None);
        assert_eq!(wait(&mut patience, 2).await, Some("the next token"));
    }

    #[tokio::test(start_paused = true)]
    async fn all_of_it_has_an_end() {
        let mut patience = patience();
        patience.begun();
        for _ in 0..30 {
            assert_eq!(wait(&mut patience, 19).await, None);
            patience.came();
        }
        assert_eq!(wait(&mut patience, 29).await, None);
        patience.came();
        assert_eq!(wait(&mut patience, 29).await, Some("the answer"));
    }

    #[test]
    fn a_backends_own_go_first() {
        let own = BackendConfig {
            first_token_timeout_s: 7,
            ..BackendConfig::default()
        };
        let timeouts = Timeouts::of(&PoolConfig::default(), &own);
        assert_eq!(timeouts.first, Duration::from_secs(7));
        assert_eq!(timeouts.between, Duration::from_secs(30));
        assert_eq!(timeouts.keep, Duration::from_secs(3));
    }
}
