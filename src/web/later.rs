//! When to come back, as 429 and 503 say it: never before it is worth it, and not all at once, for
//! who was sent away together would be sent away together again.

use actix_web::{HttpResponseBuilder, http::header};
use std::time::Duration;

/// The times are spread over a quarter of the wait, and over no less than this.
const SPREAD: Duration = Duration::from_secs(1);

/// Anything up to `most`.
pub fn jitter(most: Duration) -> Duration {
    // Without randomness they do come back together.
    let share = getrandom::u32().unwrap_or(u32::MAX);
    most.mul_f64(f64::from(share) / f64::from(u32::MAX))
}

/// `Retry-After`, in whole seconds, and in milliseconds for the SDKs that read those first.
pub fn say(response: &mut HttpResponseBuilder, wait: Duration) {
    let (seconds, millis) = spread(wait);
    response.insert_header((header::RETRY_AFTER, seconds));
    response.insert_header(("retry-after-ms", millis));
}

fn spread(wait: Duration) -> (u64, u64) {
    let wait = Duration::from_secs(wait.as_millis().div_ceil(1_000).max(1) as u64);
    let millis = (wait + jitter(SPREAD.max(wait / 4))).as_millis() as u64;
    // Rounded, not up: with whole seconds alone a wait of one would always be two.
    ((millis + 500) / 1_000, millis)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn nobody_is_told_too_early_and_not_all_the_same() {
        for (wait, from, to) in [
            (0, 1, 2),
            (300, 1, 2),
            (1_000, 1, 2),
            (7_200, 8, 10),
            (60_000, 60, 75),
        ] {
            let told: Vec<_> = (0..200)
                .map(|_| spread(Duration::from_millis(wait)))
                .collect();
            for (seconds, millis) in &told {
                assert!((from..=to).contains(seconds), "{wait}: {seconds}");
                assert!(
                    (from * 1_000..=to * 1_000).contains(millis),
                    "{wait}: {millis}"
                );
            }
            let seconds: BTreeSet<_> = told.iter().map(|(seconds, _)| seconds).collect();
            assert!(seconds.len() > 1, "{wait}");
        }
    }
}
