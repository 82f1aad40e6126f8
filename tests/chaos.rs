//! Chaos: backends that fail at random and die and come back, and many clients at once. No answer
//! hangs, none is wrong, none has another's text in it; and in the end nothing is left over.

use crate::support::{
    Client, Process, spawn_app,
    storm::{End, Fleet, Random, all_given_back, ask},
};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};
use sundynix::config::BackendConfig;

const USERS: usize = 97;

/// How the answers ended, by kind.
type Tally = BTreeMap<End, usize>;

/// So many clients, each until it has asked often enough or `stop` is set; one that was told to come
/// back later waits for `pause`.
async fn clients(
    client: &Client,
    count: usize,
    each: usize,
    pause: Duration,
    stop: &Arc<AtomicBool>,
) -> Tally {
    let one = |who: usize| {
        let (client, stop) = (client.clone(), stop.clone());
        tokio::spawn(async move {
            let (mut random, mut tally) = (Random::new(who as u64), Tally::new());
            for n in 0..each {
                if stop.load(SeqCst) {
                    break;
                }
                let leaves = random.below(10) == 0;
                let end = ask(&client, &format!("c{who}q{n}"), USERS, &mut random, leaves).await;
                let end = end.unwrap();
                *tally.entry(end).or_default() += 1;
                if let End::Refused(429 | 503) = end {
                    // Every client does, and none is told less than a second.
                    tokio::time::sleep(pause).await;
                }
            }
            tally
        })
    };
    let clients: Vec<_> = (0..count).map(one).collect();
    let mut all = Tally::new();
    for client in clients {
        for (end, count) in client.await.unwrap() {
            *all.entry(end).or_default() += count;
        }
    }
    all
}

/// With all backends well again, everybody is answered wholly.
async fn whole_again(client: &Client, fleet: &mut Fleet) {
    fleet.calm();
    let start = Instant::now();
    let (mut in_a_row, mut n) = (0, 0);
    while in_a_row < 20 {
        n += 1;
        let end = ask(
            client,
            &format!("after{n}"),
            USERS,
            &mut Random::new(n),
            false,
        )
        .await;
        in_a_row = if end.unwrap() == End::Whole {
            in_a_row + 1
        } else {
            0
        };
        assert!(
            start.elapsed() < Duration::from_secs(90),
            "it does not recover"
        );
    }
}

#[tokio::test]
async fn whatever_fails_no_answer_is_wrong() {
    let mut fleet = Fleet::start(4, 25, 1);
    let backend = |url| BackendConfig {
        url,
        models: vec!["m".into()],
        ..BackendConfig::default()
    };
    let backends = fleet.urls().into_iter().map(backend).collect();
    let app = spawn_app(|c| {
        c.backend = backends;
        c.pool.first_token_timeout_s = 2;
        c.pool.idle_timeout_s = 2;
        (c.pool.breaker_ms, c.pool.breaker_most_ms) = (50, 100);
        c.pool.probe_ms = 100;
    })
    .await;
    let (client, stop) = (app.client(), Arc::new(AtomicBool::new(false)));
    let asking = tokio::spawn({
        let stop = stop.clone();
        async move { clients(&client, 24, 12, Duration::ZERO, &stop).await }
    });
    // One dies and comes back all the while.
    let mut random = Random::new(2);
    while !asking.is_finished() {
        let victim = random.below(4);
        fleet.toggle(victim);
        tokio::time::sleep(Duration::from_millis(30)).await;
        fleet.toggle(victim);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let tally = asking.await.unwrap();
    println!("{tally:?}");
    assert_eq!(tally.values().sum::<usize>(), 24 * 12);
    assert!(tally[&End::Whole] > 24 * 12 / 2, "{tally:?}");
    whole_again(&app, &mut fleet).await;
    all_given_back(&app).await;
}

/// Looks once a second: how often so many backends could be asked.
async fn routable(server: SocketAddr, stop: Arc<AtomicBool>) -> [usize; 5] {
    let (client, mut seconds) = (Client::new(server), [0; 5]);
    while !stop.load(SeqCst) {
        let backends: Value = client.get("/api/v1/backends").await.json().await.unwrap();
        let backends = backends["backends"].as_array().unwrap().iter();
        seconds[backends.filter(|b| b["routable"] == true).count()] += 1;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    seconds
}

/// The real thing: `SOAK_SECONDS` (600) of it, by 100 clients, with periods as they are by default
/// but for the timeouts.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes ten minutes; `make soak` runs it"]
async fn soak_chaos() {
    let seconds = std::env::var("SOAK_SECONDS").ok();
    let seconds = seconds.map_or(600, |s| s.parse().unwrap());
    let mut fleet = Fleet::start(4, 20, 3);
    let urls = fleet.urls().join(",");
    let env = [
        ("SUNDYNIX_BACKENDS", &*urls),
        ("SUNDYNIX_POOL__FIRST_TOKEN_TIMEOUT_S", "5"),
        ("SUNDYNIX_POOL__IDLE_TIMEOUT_S", "5"),
        ("SUNDYNIX_TELEMETRY__LOG", "warn"),
    ];
    let server = Process::start(&[], &env).await;
    let (client, stop) = (Client::new(server.addr), Arc::new(AtomicBool::new(false)));
    let asking = tokio::spawn({
        let stop = stop.clone();
        async move { clients(&client, 100, usize::MAX, Duration::from_secs(1), &stop).await }
    });
    let routable = tokio::spawn(routable(server.addr, stop.clone()));
    let (end, mut random) = (
        Instant::now() + Duration::from_secs(seconds),
        Random::new(4),
    );
    while Instant::now() < end && !asking.is_finished() {
        let (victim, away) = (random.below(4), random.below(3_000) as u64);
        fleet.toggle(victim);
        tokio::time::sleep(Duration::from_millis(away)).await;
        fleet.toggle(victim);
        tokio::time::sleep(Duration::from_millis(random.below(10_000) as u64)).await;
    }
    stop.store(true, SeqCst);
    let (tally, routable) = (asking.await.unwrap(), routable.await.unwrap());
    whole_again(&server, &mut fleet).await;
    all_given_back(&server).await;
    println!("{seconds} s of chaos, 100 clients, 4 backends: {tally:?}, no hang, no wrong answer");
    println!("seconds in which 0, 1, 2, 3, 4 of the backends were routable: {routable:?}");
}
