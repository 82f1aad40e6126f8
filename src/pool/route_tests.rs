//! What each policy promises, for any state of the backends.

use super::*;
use proptest::prelude::*;

fn some(loads: &[f64]) -> Vec<Candidate> {
    let candidate = |(at, load): (usize, &f64)| Candidate {
        load: *load,
        ..Candidate::idle(at, &format!("b{at}"))
    };
    loads.iter().enumerate().map(candidate).collect()
}

fn pick(policy: Policy, all: &[Candidate], turn: u64) -> usize {
    choose(policy, &mut all.to_vec(), None, turn).unwrap()
}

fn line(base: f64, slope: f64) -> Option<Line> {
    Some(Line { base, slope })
}

#[test]
fn the_least_loaded_and_among_equals_each_in_turn() {
    assert_eq!(pick(Policy::LeastLoad, &some(&[3.0, 1.0, 2.0]), 0), 1);
    let all = some(&[0.0; 3]);
    let mut picked: Vec<_> = (0..3)
        .map(|turn| pick(Policy::LeastLoad, &all, turn))
        .collect();
    picked.sort_unstable();
    assert_eq!(picked, [0, 1, 2]);
}

#[test]
fn of_many_two_are_compared_and_the_worst_is_never_taken() {
    let loads: Vec<_> = (0..50).map(f64::from).collect();
    let all = some(&loads);
    let picked: Vec<_> = (0..5_000)
        .map(|turn| pick(Policy::LeastLoad, &all, turn))
        .collect();
    assert!(!picked.contains(&49));
    let mean = picked.iter().sum::<usize>() as f64 / 5_000.0;
    assert!(
        (14.0..18.0).contains(&mean),
        "a third of the way up: {mean}"
    );
}

#[test]
fn weights_say_what_a_backend_can_do() {
    let mut all = some(&[4.0, 7.0]);
    all[1].weight = Some(2);
    assert_eq!(pick(Policy::LeastLoad, &all, 0), 1);
    // They are believed rather than what was measured.
    (all[0].line, all[1].line) = (line(0.0, 0.1), line(0.0, 9.0));
    assert_eq!(pick(Policy::LeastLoad, &all, 0), 1);
    let mut counts = [0; 2];
    (0..3_000).for_each(|turn| counts[pick(Policy::Weighted, &all, turn)] += 1);
    assert!((990..1_010).contains(&counts[0]), "{counts:?}");
}

#[test]
fn the_one_that_answers_soonest() {
    let mut all = some(&[2.0, 8.0]);
    (all[0].line, all[1].line) = (line(0.0, 1.0), line(0.0, 0.25));
    assert_eq!(pick(Policy::LeastLoad, &all, 0), 1);
    all[1].load = 12.0;
    assert_eq!(pick(Policy::LeastLoad, &all, 0), 0);
    // Close to each other: the load decides.
    (all[0].line, all[1].line) = (line(0.31, 0.0), line(0.3, 0.0));
    assert_eq!(pick(Policy::LeastLoad, &all, 0), 0);
    // Not known yet: as fast as the fastest, and so by load.
    (all[0].line, all[1].line) = (None, line(0.0, 0.25));
    assert_eq!(pick(Policy::LeastLoad, &all, 0), 0);
    all[0].load = 13.0;
    assert_eq!(pick(Policy::LeastLoad, &all, 0), 1);
}

#[test]
fn a_loaded_model_is_preferred_until_it_is_busy() {
    let mut all = some(&[7.0, 0.0]);
    all[1].loaded = false;
    assert_eq!(pick(Policy::LeastLoad, &all, 0), 0);
    all[0].load = 8.0;
    assert_eq!(pick(Policy::LeastLoad, &all, 0), 1);
    all[0].loaded = false;
    assert_eq!(pick(Policy::LeastLoad, &all, 0), 1);
}

fn candidates() -> impl Strategy<Value = Vec<Candidate>> {
    let one = (
        0_u16..200,
        prop::option::of(1_u32..9),
        any::<[bool; 3]>(),
        0.0..2.0_f64,
    );
    prop::collection::vec(one, 0..20).prop_map(|all| {
        let one = |(at, one): (usize, (u16, Option<u32>, [bool; 3], f64))| {
            let (load, weight, [known, loaded, saturated], slope) = one;
            Candidate {
                load: f64::from(load),
                weight,
                line: Some(Line { base: slope, slope }).filter(|_| known),
                loaded,
                saturated,
                ..Candidate::idle(at, &format!("b{at}"))
            }
        };
        all.into_iter().enumerate().map(one).collect()
    })
}

proptest! {
    #[test]
    fn whoever_is_there_is_found(
        all in candidates(), key: Option<u64>, turn: u64,
        policy in prop::sample::select(vec![
            Policy::Affinity, Policy::LeastLoad, Policy::RoundRobin, Policy::Weighted,
        ]),
    ) {
        let chosen = choose(policy, &mut all.clone(), key, turn);
        prop_assert_eq!(chosen.is_some(), !all.is_empty());
        prop_assert!(chosen.is_none_or(|at| at < all.len()));
    }

    /// Nobody is chosen while another has less to do and will answer sooner.
    #[test]
    fn the_choice_is_never_the_worse_one(all in candidates(), turn: u64) {
        prop_assume!((1..=ALL).contains(&all.len()));
        let mut all = all;
        all.iter_mut().for_each(|c| { c.weight = None; c.loaded = true; });
        let chosen = all[pick(Policy::LeastLoad, &all, turn)];
        let wait = |c: &Candidate| c.line.map(|l| l.at(c.load + 1.0));
        for other in &all {
            if let (Some(ours), Some(theirs)) = (wait(&chosen), wait(other)) {
                prop_assert!(ours <= theirs * NEAR || ours == theirs);
            }
        }
    }
}
