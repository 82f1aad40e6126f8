//! What ops see of one replica: atomics only, readable while the actor is wedged.

use super::Cause;
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, AtomicU8, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// A beat older than this means that the thread does not turn.
const WEDGED: Duration = Duration::from_secs(5);

/// Where a replica stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum State {
    /// Not started yet.
    Starting = 0,
    /// Takes turns.
    Up = 1,
    /// Rests before its next restart; its mail waits.
    Restarting = 2,
    /// Restarted too often: siblings take its turns.
    Down = 3,
    /// Ended with its worker.
    Gone = 4,
}

impl State {
    fn from(n: u8) -> Self {
        match n {
            1 => State::Up,
            2 => State::Restarting,
            3 => State::Down,
            4 => State::Gone,
            _ => State::Starting,
        }
    }
}

/// The vitals of one replica of one actor.
pub struct Vitals {
    /// The node's name in the graph.
    pub node: &'static str,
    /// Which worker's replica.
    pub worker: usize,
    pub(super) state: AtomicU8,
    /// Restarts after a panic.
    pub panics: AtomicU64,
    /// Restarts after a stop.
    pub stops: AtomicU64,
    /// Turns at this node now, by the seats they hold.
    pub turns: AtomicI64,
    /// Handling time of every turn or message taken.
    pub times: Histogram,
    /// Milliseconds after `born` of the last sign of life.
    beat: AtomicU64,
    born: Instant,
    /// Last failure: where (never what), and when in Unix milliseconds.
    last: Mutex<Option<(String, u64)>>,
}

impl Vitals {
    /// The vitals of a replica that is about to start.
    pub fn new(node: &'static str, worker: usize) -> Arc<Self> {
        Arc::new(Vitals {
            node,
            worker,
            state: AtomicU8::new(State::Starting as u8),
            panics: AtomicU64::new(0),
            stops: AtomicU64::new(0),
            turns: AtomicI64::new(0),
            times: Histogram::default(),
            beat: AtomicU64::new(0),
            born: Instant::now(),
            last: Mutex::new(None),
        })
    }

    /// Where the replica stands.
    pub fn state(&self) -> State {
        State::from(self.state.load(Relaxed))
    }

    /// Takes turns now.
    pub fn is_up(&self) -> bool {
        self.state() == State::Up
    }

    /// Given up; a pause before a restart is not.
    pub fn is_down(&self) -> bool {
        matches!(self.state(), State::Down | State::Gone)
    }

    /// Its thread has not turned for too long.
    pub fn is_wedged(&self) -> bool {
        self.state() != State::Gone && self.beat_age() > WEDGED
    }

    /// Time since the last sign of life.
    pub fn beat_age(&self) -> Duration {
        let beat = Duration::from_millis(self.beat.load(Relaxed));
        self.born.elapsed().saturating_sub(beat)
    }

    pub(super) fn set(&self, state: State) {
        self.state.store(state as u8, Relaxed);
    }

    pub(super) fn beat(&self) {
        let now = u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.beat.store(now, Relaxed);
    }

    /// One message done.
    pub fn handled(&self, took: Duration) {
        self.times.add(took);
    }

    pub(super) fn failed(&self, cause: &Cause) {
        let (count, words) = match cause {
            Cause::Stop => (&self.stops, "stopped".to_owned()),
            Cause::Panic(place) => (&self.panics, format!("panicked at {place}")),
        };
        count.fetch_add(1, Relaxed);
        tracing::warn!(node = self.node, worker = self.worker, cause = %words, "actor restarts");
        let at = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let at = u64::try_from(at.as_millis()).unwrap_or(u64::MAX);
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((words, at));
    }

    /// The reading that ops get.
    pub fn read(&self) -> Health {
        let last = self
            .last
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let (panics, stops) = (self.panics.load(Relaxed), self.stops.load(Relaxed));
        Health {
            worker: self.worker,
            state: self.state(),
            restarts: panics + stops,
            panics,
            stops,
            last_failure: last.as_ref().map(|l| l.0.clone()),
            last_failure_ms: last.map(|l| l.1),
            turns: self.turns.load(Relaxed),
            handled: self.times.count(),
            handling_p50_us: self.times.quantile(0.50),
            handling_p99_us: self.times.quantile(0.99),
            heartbeat_age_ms: u64::try_from(self.beat_age().as_millis()).unwrap_or(u64::MAX),
            wedged: self.is_wedged(),
        }
    }
}

/// One replica's vitals at one moment.
#[derive(Clone, Debug, serde::Serialize, utoipa::ToSchema)]
pub struct Health {
    /// Which worker's replica.
    pub worker: usize,
    /// Where it stands.
    pub state: State,
    /// How often it was restarted, for whatever cause.
    pub restarts: u64,
    /// … after a panic.
    pub panics: u64,
    /// … after a stop.
    pub stops: u64,
    /// Where it failed last; never what it was working on.
    pub last_failure: Option<String>,
    /// When, in Unix milliseconds.
    pub last_failure_ms: Option<u64>,
    /// Turns at this node now.
    pub turns: i64,
    /// Messages handled since the start.
    pub handled: u64,
    /// Half of them took at most this long, in microseconds (upper edge of the bucket).
    pub handling_p50_us: u64,
    /// … and 99 % of them this long.
    pub handling_p99_us: u64,
    /// Since the last sign of life.
    pub heartbeat_age_ms: u64,
    /// Whether that is too long.
    pub wedged: bool,
}

/// Times in buckets that double: 1 µs, 2 µs, … about 9 minutes.
#[derive(Default)]
pub struct Histogram {
    buckets: [AtomicU64; 30],
}

impl Histogram {
    /// Counts one time.
    pub fn add(&self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = (64 - us.leading_zeros() as usize).min(self.buckets.len() - 1);
        self.buckets[bucket].fetch_add(1, Relaxed);
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|b| b.load(Relaxed)).sum()
    }

    /// The upper edge, in microseconds, of the bucket that holds the quantile.
    pub fn quantile(&self, q: f64) -> u64 {
        let total = self.count();
        let rank = (total as f64 * q).ceil() as u64;
        let mut seen = 0;
        for (i, bucket) in self.buckets.iter().enumerate() {
            seen += bucket.load(Relaxed);
            if total > 0 && seen >= rank {
                return 1 << i;
            }
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_upper_edges() {
        let h = Histogram::default();
        assert_eq!(h.quantile(0.5), 0);
        for us in [1, 1, 1, 900] {
            h.add(Duration::from_micros(us));
        }
        assert_eq!((h.count(), h.quantile(0.5), h.quantile(0.99)), (4, 2, 1024));
    }
}
