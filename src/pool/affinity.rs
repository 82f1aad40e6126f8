//! Where a conversation belongs: rendezvous hashing, so that all workers and replicas agree without
//! a table, and a backend that comes or goes moves only its own share; and how much more than its
//! share a backend may have for it.

use super::route::Candidate;
use std::{
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};
use tokio::time::Instant;

/// A backend takes this much of its fair share for affinity's sake, and no more.
const BOUND: f64 = 1.25;
/// Below so many a fraction of a request counts for one: a quarter of three would be none.
const FEW: f64 = 8.0;
/// Speeds that differ by less are taken for equal: what is measured is noisy.
const ALIKE: f64 = 1.5;
/// Where speeds differ, nobody waits longer than this for a prefix: so many times the shortest wait,
/// and so many seconds more.
const WORTH: (f64, f64) = (1.15, 0.1);
/// A backend that joins a running pool gets half of its share at first, and all of it after so
/// long: conversations stay for now where their prefix is.
const SETTLES: Duration = Duration::from_secs(600);

/// A number for a key; the same in every process of one build.
pub fn key(parts: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    parts.hash(&mut hasher);
    hasher.finish()
}

/// How much of its share a backend gets that joined then.
pub(super) fn settled(joined: Option<Instant>, now: Instant) -> f64 {
    joined.map_or(1.0, |joined| {
        let since = now.saturating_duration_since(joined);
        (0.5 + 0.5 * since.div_duration_f64(SETTLES)).min(1.0)
    })
}

/// The best of these for the key that is neither over its bound nor has work waiting, nor is one of
/// the slower.
pub(super) fn home(key: u64, all: &[Candidate]) -> Option<usize> {
    let total: f64 = all.iter().map(|c| c.load).sum();
    let shares = Shares::of(all, total);
    let score = |c: &Candidate| {
        // A share of s wins as often as s backends would.
        let unit = (mix(key ^ c.hash) >> 11) as f64 / (1_u64 << 53) as f64;
        -c.settled * c.weight.map_or(1.0, f64::from) / unit.max(f64::MIN_POSITIVE).ln()
    };
    let fits = |c: &Candidate| {
        !c.saturated && c.load + 1.0 <= bound(total, shares.of_one(c)) && shares.is_worth(c)
    };
    let fitting = all.iter().enumerate().filter(|(_, c)| fits(c));
    let scored = fitting.map(|(at, c)| (at, score(c)));
    scored
        .max_by(|(_, a), (_, b)| a.total_cmp(b))
        .map(|(at, _)| at)
}

/// What one with that share may have once it has taken one more.
fn bound(total: f64, share: f64) -> f64 {
    let bound = BOUND * (total + 1.0) * share;
    if bound < FEW { bound.ceil() } else { bound }
}

/// What of all work each can do.
struct Shares {
    /// The load at which they are compared.
    mean: f64,
    total: f64,
    by_speed: bool,
    /// The longest that is waited for a prefix.
    longest: f64,
}

impl Shares {
    fn of(all: &[Candidate], load: f64) -> Shares {
        let mut shares = Shares {
            mean: load / all.len() as f64 + 1.0,
            total: 0.0,
            by_speed: true,
            longest: f64::INFINITY,
        };
        let speeds = || all.iter().map(|c| shares.speed(c));
        let most = speeds().fold(0.0, f64::max);
        let least = speeds().fold(f64::INFINITY, f64::min);
        // Also false where one is not known: `NaN`.
        shares.by_speed = speeds().all(f64::is_finite) && most > ALIKE * least;
        if shares.by_speed {
            let waits = all.iter().filter_map(wait);
            shares.longest = WORTH.0 * waits.fold(f64::INFINITY, f64::min) + WORTH.1;
        }
        shares.total = all.iter().map(|c| shares.power(c)).sum();
        shares
    }

    fn is_worth(&self, one: &Candidate) -> bool {
        wait(one).is_none_or(|wait| wait <= self.longest)
    }

    fn of_one(&self, one: &Candidate) -> f64 {
        self.power(one) / self.total
    }

    fn power(&self, one: &Candidate) -> f64 {
        match one.weight {
            Some(weight) => f64::from(weight),
            None if self.by_speed => self.speed(one),
            None => 1.0,
        }
    }

    fn speed(&self, one: &Candidate) -> f64 {
        one.line.map_or(f64::NAN, |line| 1.0 / line.at(self.mean))
    }
}

fn wait(one: &Candidate) -> Option<f64> {
    one.line.map(|line| line.at(one.load + 1.0))
}

/// SplitMix64's finaliser.
pub(super) fn mix(mut x: u64) -> u64 {
    x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn backends(count: usize) -> Vec<Candidate> {
        (0..count)
            .map(|n| Candidate::idle(n, &format!("b{n}")))
            .collect()
    }

    proptest! {
        #[test]
        fn one_that_comes_moves_only_what_it_gets(keys: Vec<u64>, count in 1_usize..8) {
            let (before, after) = (backends(count), backends(count + 1));
            for key in keys {
                let (old, new) = (home(key, &before).unwrap(), home(key, &after).unwrap());
                prop_assert!(new == old || new == count);
            }
        }

        #[test]
        fn nobody_is_over_the_bound_and_somebody_is_always_under_it(
            loads in prop::collection::vec(0_u8..40, 1..10), key: u64,
        ) {
            let mut all = backends(loads.len());
            for (one, load) in all.iter_mut().zip(&loads) {
                one.load = f64::from(*load);
            }
            let total: f64 = all.iter().map(|c| c.load).sum();
            let home = home(key, &all).expect("the least loaded is under the bound");
            let mean = (total + 1.0) / all.len() as f64;
            prop_assert!(all[home].load + 1.0 <= (BOUND * mean).max((BOUND * mean).ceil().min(FEW)));
        }
    }

    #[test]
    fn keys_spread_and_weights_count() {
        let mut all = backends(4);
        let count = |all: &[Candidate]| {
            let mut counts = [0; 4];
            (0..10_000_u64).for_each(|n| counts[home(mix(n), all).unwrap()] += 1);
            counts
        };
        assert!(count(&all).iter().all(|n| (2_300..2_700).contains(n)));
        all.iter_mut().for_each(|one| one.weight = Some(1));
        all[0].weight = Some(3);
        assert!((4_700..5_300).contains(&count(&all)[0]));
    }

    #[test]
    fn whoever_has_work_waiting_is_passed_over() {
        let mut all = backends(2);
        let first = home(7, &all).unwrap();
        all[first].saturated = true;
        assert_eq!(home(7, &all), Some(1 - first));
        all[1 - first].saturated = true;
        assert_eq!(home(7, &all), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_newcomer_settles() {
        let now = Instant::now();
        assert_eq!(settled(None, now), 1.0);
        assert_eq!(settled(Some(now), now), 0.5);
        assert_eq!(settled(Some(now), now + SETTLES), 1.0);
    }
}
