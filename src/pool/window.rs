//! Counts over the last half minute, in buckets of a second. It is told the time, so that tests
//! need no clock.

use std::time::Duration;
use tokio::time::Instant;

/// How far back it looks.
pub(super) const WINDOW: Duration = Duration::from_secs(BUCKETS as u64);

const BUCKETS: usize = 30;

/// Two counts, as good and failed, or requests and retries.
pub(super) struct Window {
    /// When second 0 was.
    began: Instant,
    /// Each with the second it is of: an old one counts as empty.
    buckets: [(u64, [u64; 2]); BUCKETS],
}

impl Window {
    pub(super) fn new(now: Instant) -> Self {
        Window {
            began: now,
            buckets: [(0, [0; 2]); BUCKETS],
        }
    }

    /// One more of either.
    pub(super) fn count(&mut self, now: Instant, which: usize) {
        let second = self.second(now);
        let bucket = &mut self.buckets[second as usize % BUCKETS];
        if bucket.0 != second {
            *bucket = (second, [0; 2]);
        }
        bucket.1[which] += 1;
    }

    /// Both, over the window that ends now.
    pub(super) fn sums(&self, now: Instant) -> [u64; 2] {
        let second = self.second(now);
        let fresh = |(of, _): &&(u64, [u64; 2])| of + (BUCKETS as u64) > second;
        let counts = self.buckets.iter().filter(fresh).map(|(_, counts)| counts);
        counts.fold([0; 2], |sum, one| [sum[0] + one[0], sum[1] + one[1]])
    }

    fn second(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.began).as_secs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_old_counts_no_more() {
        let start = Instant::now();
        let at = |second: u64| start + Duration::from_secs(second);
        let mut window = Window::new(start);
        window.count(at(0), 0);
        window.count(at(0), 1);
        window.count(at(15), 1);
        assert_eq!(window.sums(at(29)), [1, 2]);
        assert_eq!(window.sums(at(30)), [0, 1]);
        window.count(at(30), 0);
        assert_eq!(window.sums(at(44)), [1, 1]);
        assert_eq!(window.sums(at(45)), [1, 0]);
        assert_eq!(window.sums(at(1_000)), [0, 0]);
    }
}
