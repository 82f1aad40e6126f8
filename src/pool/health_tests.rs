//! Probes, rests and reports against a paused clock.

use super::*;
use crate::{config::PoolConfig, pool::breaker::Outcome};

fn health() -> Arc<Health> {
    Health::new("b".into(), Periods::of(&PoolConfig::default()))
}

fn open(health: &Arc<Health>) {
    for _ in 0..5 {
        let ticket = health.try_enter(&"m".into(), Instant::now());
        ticket.expect("it is routable").record(Outcome::Failed);
    }
}

#[tokio::test(start_paused = true)]
async fn three_failed_probes_take_it_out_and_two_good_ones_bring_it_back() {
    let health = health();
    let routable = || health.routable("m", Instant::now());
    let probed = |well| health.probed(if well { Ok(()) } else { Err("gone".into()) });
    assert!(routable(), "nothing is known against it");
    probed(true);
    for well in [false, false, true, false, false] {
        assert!(!probed(well) && routable(), "three in a row");
    }
    assert!(!probed(false) && !routable());
    assert_eq!(health.wait("m", Instant::now()), None);
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
    assert!(!health.routable("m", Instant::now()));
}

#[tokio::test(start_paused = true)]
async fn whoever_asks_for_a_rest_gets_it() {
    let health = health();
    let wait = || health.wait("m", Instant::now());
    health.rest(&"m".into(), Duration::from_secs(20));
    health.rest(&"m".into(), Duration::from_secs(3));
    assert!(
        !health.routable("m", Instant::now())
            && health.try_enter(&"m".into(), Instant::now()).is_none()
    );
    assert_eq!(wait(), Some(Duration::from_secs(20)));
    let condition = health.condition(["m".into()].iter(), Instant::now());
    assert_eq!((condition.routable, condition.rest_s), (false, Some(20)));
    tokio::time::advance(Duration::from_secs(16)).await;
    assert_eq!(wait(), Some(Duration::ZERO), "it is worth waiting for");
    assert!(!health.routable("m", Instant::now()));
    tokio::time::advance(Duration::from_secs(4)).await;
    assert!(health.try_enter(&"m".into(), Instant::now()).is_some());
    assert!(
        health
            .condition(["m".into()].iter(), Instant::now())
            .routable
    );
}

#[tokio::test(start_paused = true)]
async fn a_model_that_fails_takes_no_other_with_it() {
    let (health, good): (_, Arc<str>) = (health(), "good".into());
    open(&health);
    health.rest(&"busy".into(), Duration::from_secs(20));
    let now = Instant::now();
    assert!(!health.routable("m", now) && !health.routable("busy", now));
    assert!(health.routable("good", now) && health.try_enter(&good, now).is_some());
    let condition = health.condition(["m".into(), "busy".into(), good.clone()].iter(), now);
    assert!(condition.routable && condition.why_not.is_none());
    let out: Vec<_> = condition.models_out.keys().map(String::as_str).collect();
    assert_eq!(out, ["busy", "m"]);
    // Whoever waits is let in as each of them is back.
    assert_eq!(health.away(now), Some(Duration::from_secs(10)));
    tokio::time::advance(Duration::from_secs(10)).await;
    assert_eq!(health.away(Instant::now()), Some(Duration::from_secs(10)));
    // With none left that can be asked for, it is the one that is back first that counts.
    let condition = health.condition(["busy".into()].iter(), Instant::now());
    assert_eq!((condition.routable, condition.rest_s), (false, Some(10)));
}
