//! The breaker against a clock of its own.

use super::{Outcome::*, *};
use proptest::prelude::*;

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

    fn one(&mut self, outcome: Outcome) -> Option<Change> {
        let era = self.breaker.enter(self.now).expect("it is open");
        self.breaker.record((era, false), outcome, self.now)
    }

    /// Until it opens; how long it does.
    fn fail(&mut self) -> u64 {
        loop {
            if let Some(Change::Opened(period)) = self.one(Failed) {
                return period.as_secs();
            }
        }
    }
}

fn opened(seconds: u64) -> Option<Change> {
    Some(Change::Opened(Duration::from_secs(seconds)))
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
    assert_eq!(
        bench.breaker.record((trial, false), Neutral, bench.now),
        None
    );
    let trial = bench.breaker.enter(bench.now).unwrap();
    assert_eq!(bench.breaker.enter(bench.now), None);
    let (era, change) = bench.breaker.answered(trial, bench.now);
    assert_eq!(change, Some(Change::Closed));
    assert_eq!(bench.breaker.state(bench.now), State::Closed);
    // The stream that found out goes on: if it breaks before another was whole, it proved nothing.
    let mut end = |proof| bench.breaker.record((era, proof), Failed, bench.now);
    assert_eq!(end(false), None);
    assert_eq!(end(true), opened(20));
    bench.wait(20_000);
    let trial = bench.breaker.enter(bench.now).unwrap();
    let (era, _) = bench.breaker.answered(trial, bench.now);
    assert_eq!(bench.one(Good), None);
    assert_eq!(bench.breaker.record((era, true), Failed, bench.now), None);
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
    assert_eq!(bench.one(Good), Some(Change::Closed));
    assert_eq!(bench.fail(), 60);
    bench.wait(60_000);
    assert_eq!(bench.one(Good), Some(Change::Closed));
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
    let mut record = |era: u64, outcome| {
        bench
            .breaker
            .record((era, false), outcome, bench.now)
            .is_some()
    };
    assert!(!record(stale[0], Good), "a late answer closes nothing");
    assert!(!record(stale[1], Failed), "nor does a late failure prolong");
    bench.wait(10_000);
    let trial = bench.breaker.enter(bench.now).unwrap();
    assert_eq!(
        bench.breaker.record((stale[2], false), Failed, bench.now),
        None
    );
    assert_eq!(
        bench.breaker.record((stale[3], false), Good, bench.now),
        None
    );
    assert!(!bench.breaker.admits(bench.now), "the trial is still out");
    assert!(
        bench
            .breaker
            .record((trial, false), Good, bench.now)
            .is_some()
    );
    for era in &stale[4..] {
        assert_eq!(bench.breaker.record((*era, false), Failed, bench.now), None);
    }
}

/// What may happen: a request enters, one of those under way has its first word or ends, time goes.
#[derive(Clone, Debug)]
enum Step {
    Enter,
    Answered(usize),
    End(usize, Outcome),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let outcome = prop_oneof![
        2 => Just(Failed),
        1 => Just(Good),
        1 => Just(Neutral),
    ];
    prop_oneof![
        4 => Just(Step::Enter),
        1 => any::<usize>().prop_map(Step::Answered),
        4 => (any::<usize>(), outcome).prop_map(|(at, outcome)| Step::End(at, outcome)),
        1 => (0..15_000u64).prop_map(Step::Wait),
    ]
}

proptest! {
    /// Whatever happens, it is never stuck: once nobody is under way and the longest period is
    /// over, exactly one request is let through where it had not recovered, and closes it.
    #[test]
    fn nothing_sticks(steps in prop::collection::vec(step(), 0..300)) {
        let mut bench = Bench::new();
        let mut under_way: Vec<(u64, bool)> = Vec::new();
        for step in steps {
            match step {
                Step::Enter => {
                    let before = bench.breaker.state(bench.now);
                    let entered = bench.breaker.enter(bench.now);
                    let shut = matches!(before, State::Open { .. } | State::HalfOpen { out: true });
                    prop_assert_eq!(entered.is_none(), shut);
                    under_way.extend(entered.map(|era| (era, false)));
                }
                Step::Answered(at) if !under_way.is_empty() => {
                    let at = at % under_way.len();
                    let one = &mut under_way[at];
                    let (era, change) = bench.breaker.answered(one.0, bench.now);
                    *one = (era, one.1 || change.is_some());
                }
                Step::End(at, outcome) if !under_way.is_empty() => {
                    let one = under_way.swap_remove(at % under_way.len());
                    if let Some(Change::Opened(period)) =
                        bench.breaker.record(one, outcome, bench.now)
                    {
                        prop_assert!((10..=60).contains(&period.as_secs()));
                    }
                }
                Step::Wait(ms) => bench.wait(ms),
                _ => {}
            }
        }
        for one in under_way {
            bench.breaker.record(one, Neutral, bench.now);
        }
        bench.wait(60_000);
        let closed = bench.breaker.state(bench.now) == State::Closed;
        let trial = bench.breaker.enter(bench.now);
        prop_assert!(trial.is_some());
        prop_assert_eq!(bench.breaker.enter(bench.now).is_some(), closed);
        bench.breaker.record((trial.unwrap_or_default(), false), Good, bench.now);
        prop_assert_eq!(bench.breaker.state(bench.now), State::Closed);
    }
}
