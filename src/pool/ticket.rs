//! One request's admission to a backend, in which is recorded what the request came to.

use super::{breaker::Outcome, health::Health};
use crate::error::Error;
use std::sync::Arc;
use tokio::time::Instant;

/// See the file's head. Only the first record counts; dropped without one the request was neutral.
pub struct Ticket {
    health: Arc<Health>,
    /// What it asks for, as the backend knows it.
    model: Arc<str>,
    /// The breaker's, which the record belongs to.
    era: u64,
    /// Its first word closed the breaker.
    proof: bool,
    told: bool,
}

impl Ticket {
    pub(super) fn new(health: Arc<Health>, model: Arc<str>, era: u64) -> Self {
        Ticket {
            health,
            model,
            era,
            proof: false,
            told: false,
        }
    }

    /// The first word of the answer has come. True: the backend has become routable by it, and
    /// whoever waits may be let in.
    pub fn answered(&mut self) -> bool {
        let now = Instant::now();
        let (era, change) = self
            .health
            .breaker(&self.model, |b| b.answered(self.era, now));
        self.era = era;
        self.proof |= change.is_some();
        self.health.changed(&self.model, change)
    }

    /// What the request came to; only the first record counts. True as in `answered`.
    pub fn record(&mut self, outcome: Outcome) -> bool {
        if std::mem::replace(&mut self.told, true) {
            return false;
        }
        let now = Instant::now();
        let change = self.health.breaker(&self.model, |b| {
            b.record((self.era, self.proof), outcome, now)
        });
        self.health.changed(&self.model, change)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.record(Outcome::Neutral);
    }
}

impl Outcome {
    /// Whose fault an error is.
    pub fn of(error: &Error) -> Self {
        match error {
            Error::Upstream(_) | Error::Timeout(_) => Outcome::Failed,
            // A 4xx is the request's fault; a 429 is load, which the router reads elsewhere, and no
            // ill health. (Refused credentials are ours, and come as `Upstream`.)
            _ => Outcome::Neutral,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::PoolConfig, pool::breaker::Periods};
    use std::time::Duration;

    fn health() -> Arc<Health> {
        Health::new("b".into(), Periods::of(&PoolConfig::default()))
    }

    fn ticket(health: &Arc<Health>) -> Ticket {
        health
            .try_enter(&"m".into(), Instant::now())
            .expect("it is routable")
    }

    fn open(health: &Arc<Health>) {
        for _ in 0..5 {
            ticket(health).record(Outcome::Failed);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_trial_whose_caller_goes_away_is_given_back() {
        let health = health();
        open(&health);
        assert_eq!(
            health.wait("m", Instant::now()),
            Some(Duration::from_secs(10))
        );
        assert!(!health.routable("m", Instant::now()));
        tokio::time::advance(Duration::from_secs(10)).await;
        assert!(health.routable("m", Instant::now()));
        let mut trial = ticket(&health);
        assert!(health.try_enter(&"m".into(), Instant::now()).is_none());
        assert_eq!(health.wait("m", Instant::now()), Some(Duration::ZERO));
        drop(trial);
        trial = ticket(&health);
        assert!(trial.answered(), "it is routable again");
        assert!(!trial.answered());
        assert!(!trial.record(Outcome::Good));
        drop((ticket(&health), ticket(&health)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_record_counts_once() {
        let health = health();
        let mut one = ticket(&health);
        for _ in 0..100 {
            one.record(Outcome::Failed);
        }
        assert!(health.routable("m", Instant::now()));
    }

    #[test]
    fn whose_fault_an_error_is() {
        let refused = |status| Error::Refused {
            status,
            message: String::new(),
            code: None,
            param: None,
        };
        for (error, outcome) in [
            (Error::Upstream("it answered 503".into()), Outcome::Failed),
            (Error::Timeout("the first token"), Outcome::Failed),
            (refused(400), Outcome::Neutral),
            (refused(404), Outcome::Neutral),
            (refused(429), Outcome::Neutral),
            (Error::Cancelled, Outcome::Neutral),
        ] {
            assert_eq!(Outcome::of(&error), outcome, "{error}");
        }
    }
}
