//! Which of the backends that could take a request gets it, by policy. Pure: what is known of them
//! comes in, a choice goes out.

use super::{
    affinity::{self, mix},
    forecast::Line,
};
use crate::config::Policy;

/// Up to so many are all looked at. They are read under one lock, so two samples of a few would
/// only overlook the best; of many, two are enough.
const ALL: usize = 8;
/// Forecasts closer than this are equal: the load decides.
const NEAR: f64 = 1.1;
/// A model that is loaded is preferred to loading it elsewhere until so many are there.
const LOADED: f64 = 8.0;

/// What is known of a backend that could take a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    /// Which it is, for the caller.
    pub at: usize,
    /// Of its name: the same in all processes.
    pub hash: u64,
    /// In flight here, and waiting inside it.
    pub load: f64,
    /// As configured.
    pub weight: Option<u32>,
    /// How soon it answers.
    pub line: Option<Line>,
    /// The model is in memory there.
    pub loaded: bool,
    /// Work waits inside it, or its KV cache is nearly full: no affinity is worth that.
    pub saturated: bool,
    /// How much of its share a newcomer gets by affinity.
    pub settled: f64,
}

/// Picks one; `turn` counts the requests, so that ties go round. `None`: there is none.
pub(super) fn choose(
    policy: Policy,
    all: &mut Vec<Candidate>,
    key: Option<u64>,
    turn: u64,
) -> Option<usize> {
    if all.is_empty() {
        return None;
    }
    let chosen = match policy {
        Policy::RoundRobin => (turn % all.len() as u64) as usize,
        Policy::Weighted => weighted(all, turn),
        Policy::LeastLoad => {
            prefer_loaded(all);
            least(all, turn)
        }
        Policy::Affinity => {
            prefer_loaded(all);
            let home = key.and_then(|key| affinity::home(key, all));
            home.unwrap_or_else(|| least(all, turn))
        }
    };
    all.get(chosen).map(|c| c.at)
}

fn prefer_loaded(all: &mut Vec<Candidate>) {
    if all.iter().any(|c| c.loaded && c.load < LOADED) {
        all.retain(|c| c.loaded);
    }
}

/// In proportion, and evenly: the golden ratio's multiples fill a circle without clusters.
fn weighted(all: &[Candidate], turn: u64) -> usize {
    let weight = |c: &Candidate| f64::from(c.weight.unwrap_or(1));
    let total: f64 = all.iter().map(weight).sum();
    let golden = turn.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut left = (golden >> 11) as f64 / (1_u64 << 53) as f64 * total;
    let found = all.iter().position(|c| {
        left -= weight(c);
        left < 0.0
    });
    found.unwrap_or(all.len() - 1)
}

/// The one that will answer soonest.
fn least(all: &[Candidate], turn: u64) -> usize {
    let count = all.len();
    if count <= ALL {
        return soonest(all, turn);
    }
    let random = mix(turn);
    let first = random as usize % count;
    let second = (first + 1 + (random >> 32) as usize % (count - 1)) % count;
    match soonest(&[all[first], all[second]], turn) {
        0 => first,
        _ => second,
    }
}

fn soonest(all: &[Candidate], turn: u64) -> usize {
    let count = all.len();
    // Who sets weights knows what his machines can do.
    let by_weight = all.iter().any(|c| c.weight.is_some());
    let load = |c: &Candidate| (c.load + 1.0) / f64::from(c.weight.unwrap_or(1));
    // One that is not known is hoped to be as fast as the fastest.
    let hoped = |load| {
        let known = all.iter().filter_map(|c| c.line).map(|l| l.at(load));
        known.min_by(f64::total_cmp).unwrap_or_default()
    };
    let wait = |c: &Candidate| match c.line {
        _ if by_weight => load(c),
        Some(line) => line.at(c.load + 1.0),
        None => hoped(c.load + 1.0),
    };
    let best = all
        .iter()
        .map(wait)
        .min_by(f64::total_cmp)
        .unwrap_or_default();
    let near = all
        .iter()
        .enumerate()
        .filter(|(_, c)| wait(c) <= best * NEAR);
    let start = (turn % count as u64) as usize;
    let least = near.min_by(|(a, c), (b, d)| {
        let turn = |at: &usize| (at + start) % count;
        load(c).total_cmp(&load(d)).then(turn(a).cmp(&turn(b)))
    });
    least.map_or(0, |(at, _)| at)
}

#[cfg(test)]
impl Candidate {
    pub(super) fn idle(at: usize, name: &str) -> Self {
        Candidate {
            at,
            hash: affinity::key(name),
            load: 0.0,
            weight: None,
            line: None,
            loaded: true,
            saturated: false,
            settled: 1.0,
        }
    }
}

#[cfg(test)]
#[path = "route_tests.rs"]
mod tests;
