//! Probes, rests and reports against a paused clock.

use super::*;
use crate::{config::PoolConfig, pool::breaker::Outcome};

fn health() -> Arc<Health> {
    Health::new("b".into(), Periods::of(&PoolConfig::default()))
}

fn open(health: &Arc<Health>) {
    for _ in 0..5 {
        let ticket = health.try_enter(Instant::now());
        ticket.expect("it is routable").record(Outcome::Failed);
    }
}

#[tokio::test(start_paused = true)]
async fn three_failed_probes_take_it_out_and_two_good_ones_bring_it_back() {
    let health = health();
    let routable = || health.routable(Instant::now());
    let probed = |well| health.probed(if well { Ok(()) } else { Err("gone".into()) });
    assert!(routable(), "nothing is known against it");
    probed(true);
    for well in [false, false, true, false, false] {
        assert!(!probed(well) && routable(), "three in a row");
    }
    assert!(!probed(false) && !routable());
    assert_eq!(health.wait(Instant::now()), None);
    for well in [true, false, true] {
        assert!(!probed(well) && !routable(), "two in a row");
    }
    assert!(probed(true) && routable());
}

#[tokio::test(start_paused = true)]
async fn what_it_said_of_itself_grows_old() {
    let health = health();
    assert!(health.loaded(Instant::now(), "m"), "it has nothing to load");
    let reported = Reported {
        running: 1,
        waiting: 2,
        kv_used: None,
    };
    health.reports(reported);
    health.loads(["m".to_owned()].into());
    tokio::time::advance(FRESH).await;
    assert_eq!(health.reported(Instant::now()), Some(reported));
    assert!(health.loaded(Instant::now(), "m"));
    assert!(!health.loaded(Instant::now(), "n"));
    tokio::time::advance(Duration::from_millis(1)).await;
    assert_eq!(health.reported(Instant::now()), None);
    assert!(!health.loaded(Instant::now(), "m"));
}

#[tokio::test(start_paused = true)]
async fn a_good_probe_closes_no_breaker() {
    let health = health();
    open(&health);
    for _ in 0..10 {
        health.probed(Ok(()));
    }
    assert!(!health.routable(Instant::now()));
}

#[tokio::test(start_paused = true)]
async fn whoever_asks_for_a_rest_gets_it() {
    let health = health();
    let wait = || health.wait(Instant::now());
    health.rest(Duration::from_secs(20));
    health.rest(Duration::from_secs(3));
    assert!(!health.routable(Instant::now()) && health.try_enter(Instant::now()).is_none());
    assert_eq!(wait(), Some(Duration::from_secs(20)));
    let condition = health.condition(Instant::now());
    assert_eq!((condition.routable, condition.rest_s), (false, Some(20)));
    tokio::time::advance(Duration::from_secs(16)).await;
    assert_eq!(wait(), Some(Duration::ZERO), "it is worth waiting for");
    assert!(!health.routable(Instant::now()));
    tokio::time::advance(Duration::from_secs(4)).await;
    assert!(health.try_enter(Instant::now()).is_some());
    assert!(health.condition(Instant::now()).routable);
}
