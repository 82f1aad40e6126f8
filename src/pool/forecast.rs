//! How soon a backend will answer one more: a straight line through its last times to first token,
//! over how many requests it had then. A server that works at one request after the other has a
//! steep line, one that takes all at once a flat one, and a slow one a high one; where they meet,
//! the load is balanced, whatever the servers are.

use std::time::Duration;
use tokio::time::Instant;

/// The last so many answers count, the later ones more.
const WINDOW: f64 = 32.0;
/// An answer this many times slower than the mean counts as that: a cold model loads once.
const OUTLIER: f64 = 8.0;
/// So much variance of the load is assumed to have been seen on the line through the origin:
/// without any, a slope could not be told.
const PRIOR: f64 = 0.5;
/// A backend that got no request is given the benefit of the doubt, which doubles with each such
/// period …
const FORGET: Duration = Duration::from_secs(10);
/// … and with so many requests that went elsewhere: the later of the two counts.
const PASSED: u64 = 300;

/// What is known of one backend's times to first token, in seconds.
#[derive(Default)]
pub(super) struct Forecast {
    answers: u32,
    /// Means of the load that a request found (itself included) and of its time.
    load: f64,
    time: f64,
    /// Variance of the load, and how the time varies with it.
    variance: f64,
    covariance: f64,
    /// When the last answer came, and how many requests had been routed then.
    last: Option<(Instant, u64)>,
}

/// Seconds to the first token, over the load.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Line {
    pub base: f64,
    pub slope: f64,
}

impl Line {
    /// With so many there.
    pub(super) fn at(self, load: f64) -> f64 {
        // Below what was ever seen a falling line may cross zero, and all would be equal there.
        (self.base + self.slope * load).max(self.slope * load / 4.0)
    }
}

impl Forecast {
    /// A request that found so many there (itself included) had its first token after `took`.
    pub(super) fn learn(&mut self, load: f64, took: Duration, routed: u64, now: Instant) {
        let mut time = took.as_secs_f64();
        if self.answers >= 8 {
            time = time.min(self.time * OUTLIER);
        }
        self.answers = self.answers.saturating_add(1);
        let share = 1.0 / f64::from(self.answers).min(WINDOW);
        let (load_off, time_off) = (load - self.load, time - self.time);
        self.load += share * load_off;
        self.time += share * time_off;
        self.variance = (1.0 - share) * (self.variance + share * load_off * load_off);
        self.covariance = (1.0 - share) * (self.covariance + share * load_off * time_off);
        self.last = Some((now, routed));
    }

    /// The line; `None`: it has never answered. `idle`: nothing is under way there.
    pub(super) fn line(&self, idle: bool, routed: u64, now: Instant) -> Option<Line> {
        let (last, at) = self.last?;
        let through_origin = self.time / self.load.max(1.0);
        let slope = (self.covariance + PRIOR * through_origin) / (self.variance + PRIOR);
        // It always takes something to do more.
        let slope = slope.max(through_origin / 20.0);
        let base = self.time - slope * self.load;
        let factor = match idle {
            true => {
                let periods = now.saturating_duration_since(last).div_duration_f64(FORGET);
                let passed = routed.saturating_sub(at) as f64 / PASSED as f64;
                0.5_f64.powf(periods.min(passed))
            }
            // One at a time finds out.
            false => 1.0,
        };
        Some(Line {
            base: base * factor,
            slope: slope * factor,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learnt(answers: impl Iterator<Item = (f64, f64)>) -> Forecast {
        let mut forecast = Forecast::default();
        for (load, seconds) in answers {
            let took = Duration::from_secs_f64(seconds);
            forecast.learn(load, took, 0, Instant::now());
        }
        forecast
    }

    fn at(forecast: &Forecast, load: f64) -> f64 {
        forecast.line(false, 0, Instant::now()).unwrap().at(load)
    }

    #[tokio::test]
    async fn a_queue_is_steep_and_a_batch_is_flat() {
        let loads = || (0..200).map(|n| 1.0 + f64::from(n % 20));
        let queue = learnt(loads().map(|load| (load, 0.25 * load)));
        for load in [1.0, 10.0, 40.0] {
            assert!((at(&queue, load) - 0.25 * load).abs() < 0.02 * load);
        }
        let batch = learnt(loads().map(|load| (load, 0.3)));
        assert!((at(&batch, 20.0) - at(&batch, 1.0)) < 0.1);
        // Two slots, then a queue.
        let slots = learnt(loads().map(|load| (load, (load - 2.0).max(0.0) + 0.1)));
        assert!((at(&slots, 10.0) - 8.1).abs() < 0.5);
        assert!(at(&slots, 1.0) > 0.0);
    }

    #[tokio::test]
    async fn a_cold_start_is_forgiven() {
        let mut forecast = learnt((0..50).map(|_| (1.0, 0.1)));
        forecast.learn(1.0, Duration::from_secs(60), 0, Instant::now());
        assert!(at(&forecast, 1.0) < 0.2);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_is_left_out_is_tried_again() {
        let forecast = learnt((0..50).map(|_| (1.0, 0.4)));
        let later = Instant::now() + 4 * FORGET;
        let at = |idle, routed| forecast.line(idle, routed, later).unwrap().at(1.0);
        assert!((at(true, 2 * PASSED) - 0.1).abs() < 0.01);
        assert!(
            (at(true, 0) - 0.4).abs() < 0.01,
            "nobody else was asked either"
        );
        assert!((at(false, 2 * PASSED) - 0.4).abs() < 0.01, "one finds out");
    }
}
