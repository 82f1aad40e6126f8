//! How many retries the whole pool may make: a failing fleet must not be asked three times as
//! often as a healthy one. Shared by all workers, behind one short lock.

use super::window::{WINDOW, Window};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::time::Instant;

/// So many are free: a small installation never notices the budget.
const BURST: u64 = 256;
/// Beyond them one retry to so many requests.
const SHARE: u64 = 10;

/// See the file's head.
pub struct Budget(Mutex<Ledger>);

struct Ledger {
    /// Requests and retries.
    window: Window,
    /// While retries are being refused the window does not slide: a long outage has one burst, not
    /// one every half minute.
    storm: Option<Storm>,
}

struct Storm {
    /// Since the window in which the first was refused began.
    requests: u64,
    retries: u64,
    /// When one was last refused; a whole window later it is over.
    refused: Instant,
}

impl Default for Budget {
    fn default() -> Self {
        Budget(Mutex::new(Ledger {
            window: Window::new(Instant::now()),
            storm: None,
        }))
    }
}

impl Budget {
    /// A client's request: a tenth of a retry.
    pub fn request(&self) {
        self.lock().request(Instant::now());
    }

    /// Takes a retry, if one is left. A retry after a refused connection is free, for nobody was
    /// asked: do not take one for it.
    pub fn try_retry(&self) -> bool {
        self.lock().try_retry(Instant::now())
    }

    fn lock(&self) -> MutexGuard<'_, Ledger> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ledger {
    fn request(&mut self, now: Instant) {
        self.window.count(now, 0);
        if let Some(storm) = &mut self.storm {
            storm.requests += 1;
        }
    }

    fn try_retry(&mut self, now: Instant) -> bool {
        self.storm
            .take_if(|storm| now.saturating_duration_since(storm.refused) >= WINDOW);
        let [requests, retries] = match &self.storm {
            Some(storm) => [storm.requests, storm.retries],
            None => self.window.sums(now),
        };
        if retries < BURST + requests / SHARE {
            self.window.count(now, 1);
            if let Some(storm) = &mut self.storm {
                storm.retries += 1;
            }
            return true;
        }
        let storm = self.storm.get_or_insert(Storm {
            requests,
            retries,
            refused: now,
        });
        storm.refused = now;
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// So many requests, each of which wants two retries, over so long: how many it gets.
    fn storm(ledger: &mut Ledger, requests: u64, from: Instant, over: Duration) -> u64 {
        let mut granted = 0;
        for n in 0..requests {
            let now = from + over.mul_f64(n as f64 / requests as f64);
            ledger.request(now);
            granted += (0..2).filter(|_| ledger.try_retry(now)).count() as u64;
        }
        granted
    }

    fn ledger(now: Instant) -> Ledger {
        Ledger {
            window: Window::new(now),
            storm: None,
        }
    }

    #[test]
    fn a_storm_has_one_burst_and_a_tenth_however_long_it_lasts() {
        let start = Instant::now();
        for seconds in [0, 1, 29, 60, 600] {
            let over = Duration::from_secs(seconds);
            let granted = storm(&mut ledger(start), 20_000, start, over);
            assert!(granted <= 2_000 + BURST, "{granted} in {seconds} s");
            assert!(granted >= 2_000, "{granted} in {seconds} s");
        }
    }

    #[test]
    fn a_small_installation_never_notices() {
        let start = Instant::now();
        let mut ledger = ledger(start);
        // Each request of an hour fails twice, eight a second at most.
        let granted = storm(&mut ledger, 14_400, start, Duration::from_secs(3_600));
        assert_eq!(granted, 28_800);
    }

    #[test]
    fn the_burst_is_back_once_a_window_has_passed_in_peace() {
        let start = Instant::now();
        let mut ledger = ledger(start);
        assert_eq!(storm(&mut ledger, 200, start, Duration::ZERO), 276);
        let soon = start + WINDOW - Duration::from_secs(1);
        assert!(!ledger.try_retry(soon));
        let late = soon + WINDOW;
        assert_eq!(storm(&mut ledger, 200, late, Duration::ZERO), 276);
    }
}
