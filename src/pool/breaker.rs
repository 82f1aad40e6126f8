//! The breaker of one backend: what its last requests came to decides whether it gets another. A
//! state machine over outcomes and a time that it is told; it neither waits nor asks anybody.

use super::window::{WINDOW, Window};
use crate::config::PoolConfig;
use std::time::Duration;
use tokio::time::Instant;

/// So many failures in a row open it.
const STREAK: u32 = 5;
/// So do half of the requests of a window, once it has seen so many.
const ENOUGH: u64 = 20;

/// What a request says of its backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It answered, wholly.
    Good,
    /// It did not, broke off or took too long.
    Failed,
    /// Nothing: the caller went away, or the request itself was refused.
    Neutral,
}

/// A change that people on call want to read of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// It gets no requests for so long.
    Opened(Duration),
    /// It gets them again.
    Closed,
}

/// How long it stays open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Periods {
    /// The first time.
    pub first: Duration,
    /// At most; each re-opening doubles it up to here.
    pub most: Duration,
}

impl Periods {
    pub(super) fn of(config: &PoolConfig) -> Self {
        let first = Duration::from_millis(config.breaker_ms);
        Periods {
            first,
            most: Duration::from_millis(config.breaker_most_ms).max(first),
        }
    }
}

/// Where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Requests pass.
    Closed,
    /// None passes until then.
    Open { until: Instant },
    /// One request at a time is let through to find out; `out`: it is under way.
    HalfOpen { out: bool },
}

/// See the file's head.
pub(super) struct Breaker {
    state: State,
    /// Raised by each change of state: what a request that entered before it comes to says nothing
    /// of the backend as it is now.
    era: u64,
    /// Failures since the last good one.
    streak: u32,
    /// Good and failed ones.
    window: Window,
    periods: Periods,
    /// How long it was open last.
    period: Duration,
    /// When it closed last; `None`: it has never been open.
    closed: Option<Instant>,
}

impl Breaker {
    pub(super) fn new(periods: Periods, now: Instant) -> Self {
        Breaker {
            state: State::Closed,
            era: 0,
            streak: 0,
            window: Window::new(now),
            periods,
            period: periods.first,
            closed: None,
        }
    }

    /// Where it stands now: an open one whose time is over is half open.
    pub(super) fn state(&self, now: Instant) -> State {
        match self.state {
            State::Open { until } if now >= until => State::HalfOpen { out: false },
            state => state,
        }
    }

    /// Whether `enter` would let one through.
    pub(super) fn admits(&self, now: Instant) -> bool {
        matches!(
            self.state(now),
            State::Closed | State::HalfOpen { out: false }
        )
    }

    /// Lets a request through; the era it belongs to.
    pub(super) fn enter(&mut self, now: Instant) -> Option<u64> {
        match self.state(now) {
            State::Closed => {}
            State::HalfOpen { out: false } => {
                self.era += 1;
                self.state = State::HalfOpen { out: true };
            }
            State::Open { .. } | State::HalfOpen { out: true } => return None,
        }
        Some(self.era)
    }

    /// The request has its first word: that ends the trial of a half-open breaker, for a long
    /// answer must not keep everybody else waiting. The era it belongs to from now on.
    pub(super) fn answered(&mut self, era: u64, now: Instant) -> (u64, Option<Turn>) {
        if era != self.era || self.state != (State::HalfOpen { out: true }) {
            return (era, None);
        }
        self.era += 1;
        self.state = State::Closed;
        self.streak = 0;
        self.window = Window::new(now);
        self.closed = Some(now);
        (self.era, Some(Turn::Closed))
    }

    /// The request is over.
    pub(super) fn record(&mut self, era: u64, outcome: Outcome, now: Instant) -> Option<Turn> {
        if era != self.era {
            return None;
        }
        let trial = self.state == State::HalfOpen { out: true };
        match outcome {
            Outcome::Neutral if trial => {
                self.state = State::HalfOpen { out: false };
                None
            }
            Outcome::Neutral => None,
            Outcome::Good => {
                let (_, turn) = self.answered(era, now);
                self.streak = 0;
                self.window.count(now, 0);
                turn
            }
            Outcome::Failed if trial => Some(self.open(now)),
            Outcome::Failed => {
                self.streak += 1;
                self.window.count(now, 1);
                let [good, failed] = self.window.sums(now);
                let half = good + failed >= ENOUGH && failed >= good;
                (self.streak >= STREAK || half).then(|| self.open(now))
            }
        }
    }

    fn open(&mut self, now: Instant) -> Turn {
        // Closed for a whole window: it had recovered, and begins anew.
        let recovered = self.state == State::Closed
            && self.closed.is_none_or(|since| {
                now.saturating_duration_since(since) >= WINDOW.max(self.periods.first)
            });
        self.period = match recovered {
            true => self.periods.first,
            false => (self.period * 2).min(self.periods.most),
        };
        self.era += 1;
        self.state = State::Open {
            until: now + self.period,
        };
        Turn::Opened(self.period)
    }
}

#[cfg(test)]
mod tests {
    use super::{Outcome::*, *};

    /// A breaker and a clock.
    struct Bench {
        breaker: Breaker,
        now: Instant,
    }

    impl Bench {
        fn new() -> Self {
            let now = Instant::now();
            Bench {
                breaker: Breaker::new(Periods::of(&PoolConfig::default()), now),
                now,
            }
        }

        fn wait(&mut self, ms: u64) {
            self.now += Duration::from_millis(ms);
        }

        fn one(&mut self, outcome: Outcome) -> Option<Turn> {
            let era = self.breaker.enter(self.now).expect("it is open");
            self.breaker.record(era, outcome, self.now)
        }

        /// Until it opens; how long it does.
        fn fail(&mut self) -> u64 {
            loop {
                if let Some(Turn::Opened(period)) = self.one(Failed) {
                    return period.as_secs();
                }
            }
        }
    }

    fn opened(seconds: u64) -> Option<Turn> {
        Some(Turn::Opened(Duration::from_secs(seconds)))
    }

    #[test]
    fn five_in_a_row_open_it_and_a_good_one_between_does_not() {
        let mut bench = Bench::new();
        for _ in 0..4 {
            assert_eq!(bench.one(Failed), None);
        }
        assert_eq!(bench.one(Good), None);
        for _ in 0..4 {
            assert_eq!(bench.one(Failed), None);
        }
        assert_eq!(bench.one(Failed), opened(10));
        assert!(!bench.breaker.admits(bench.now));
        assert_eq!(bench.breaker.enter(bench.now), None);
    }

    #[test]
    fn half_of_twenty_open_it_within_a_window() {
        let mut bench = Bench::new();
        for _ in 0..9 {
            assert_eq!(bench.one(Good), None);
            assert_eq!(bench.one(Failed), None);
        }
        assert_eq!(bench.one(Good), None);
        assert_eq!(bench.one(Failed), opened(10), "ten of twenty");
        // The same, but slowly: never twenty in a window.
        let mut slow = Bench::new();
        for _ in 0..100 {
            assert_eq!(slow.one(Good), None);
            assert_eq!(slow.one(Failed), None);
            slow.wait(4_000);
        }
    }

    #[test]
    fn what_says_nothing_of_the_backend_changes_nothing() {
        let mut bench = Bench::new();
        for _ in 0..1_000 {
            assert_eq!(bench.one(Neutral), None);
        }
        for _ in 0..4 {
            assert_eq!(bench.one(Failed), None);
            assert_eq!(bench.one(Neutral), None);
        }
        assert_eq!(bench.one(Failed), opened(10), "and it ends no streak");
    }

    #[test]
    fn exactly_one_request_finds_out_whether_it_is_well_again() {
        let mut bench = Bench::new();
        bench.fail();
        bench.wait(9_999);
        assert!(!bench.breaker.admits(bench.now));
        bench.wait(1);
        assert!(bench.breaker.admits(bench.now));
        let trial = bench.breaker.enter(bench.now).unwrap();
        for _ in 0..10 {
            assert!(!bench.breaker.admits(bench.now));
            assert_eq!(bench.breaker.enter(bench.now), None);
        }
        // Its caller goes away: the next one finds out.
        assert_eq!(bench.breaker.record(trial, Neutral, bench.now), None);
        let trial = bench.breaker.enter(bench.now).unwrap();
        assert_eq!(bench.breaker.enter(bench.now), None);
        let (era, turn) = bench.breaker.answered(trial, bench.now);
        assert_eq!(turn, Some(Turn::Closed));
        assert_eq!(bench.breaker.state(bench.now), State::Closed);
        // The stream that found out goes on, and its break counts like any other.
        for _ in 0..4 {
            assert_eq!(bench.one(Failed), None);
        }
        assert!(bench.breaker.record(era, Failed, bench.now).is_some());
    }

    #[test]
    fn the_period_doubles_up_to_a_minute_and_begins_anew_after_recovery() {
        let mut bench = Bench::new();
        assert_eq!(bench.fail(), 10);
        for period in [20, 40, 60, 60] {
            bench.wait(60_000);
            assert_eq!(bench.one(Failed), opened(period));
        }
        // Well for a moment only: it goes on where it was.
        bench.wait(60_000);
        assert_eq!(bench.one(Good), Some(Turn::Closed));
        assert_eq!(bench.fail(), 60);
        bench.wait(60_000);
        assert_eq!(bench.one(Good), Some(Turn::Closed));
        bench.wait(30_000);
        assert_eq!(bench.fail(), 10);
    }

    #[test]
    fn what_entered_before_a_change_says_nothing_after_it() {
        let mut bench = Bench::new();
        let stale: Vec<_> = (0..200)
            .map(|_| bench.breaker.enter(bench.now).unwrap())
            .collect();
        bench.fail();
        let mut record =
            |era: u64, outcome| bench.breaker.record(era, outcome, bench.now).is_some();
        assert!(!record(stale[0], Good), "a late answer closes nothing");
        assert!(!record(stale[1], Failed), "nor does a late failure prolong");
        bench.wait(10_000);
        let trial = bench.breaker.enter(bench.now).unwrap();
        assert_eq!(bench.breaker.record(stale[2], Failed, bench.now), None);
        assert_eq!(bench.breaker.record(stale[3], Good, bench.now), None);
        assert!(!bench.breaker.admits(bench.now), "the trial is still out");
        assert!(bench.breaker.record(trial, Good, bench.now).is_some());
        for era in &stale[4..] {
            assert_eq!(bench.breaker.record(*era, Failed, bench.now), None);
        }
    }
}
