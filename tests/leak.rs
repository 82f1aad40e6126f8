//! Leak: whatever clients and backends do, everything that was taken is given back, exactly.

use crate::support::{
    Client, Process, spawn_app,
    storm::{End, Fleet, Random, all_given_back, ask},
};
use futures_util::stream::{self, StreamExt};
use std::collections::BTreeMap;
use sundynix::config::BackendConfig;

/// Hardly one comes twice: what is known of a user is no leak.
const USERS: usize = 1_000_000;

/// So many requests, 32 at a time: half of their clients leave at a random moment, and a third
/// meet a fault.
async fn aborts_and_faults(client: &Client, from: usize, count: usize) -> BTreeMap<End, usize> {
    let asking = (from..from + count).map(|n| {
        let client = client.clone();
        async move {
            let mut random = Random::new(n as u64 + 1);
            let leaves = random.below(2) == 0;
            ask(&client, &format!("q{n}"), USERS, &mut random, leaves)
                .await
                .unwrap()
        }
    });
    let mut ended = stream::iter(asking).buffer_unordered(32);
    let mut tally = BTreeMap::new();
    while let Some(end) = ended.next().await {
        *tally.entry(end).or_default() += 1;
    }
    tally
}

#[tokio::test]
async fn a_thousand_aborts_and_faults_leave_nothing_behind() {
    let fleet = Fleet::start(3, 33, 5);
    let backend = |url| BackendConfig {
        url,
        models: vec!["m".into()],
        max_concurrent: 8,
        ..BackendConfig::default()
    };
    let backends = fleet.urls().into_iter().map(backend).collect();
    let app = spawn_app(|c| {
        c.backend = backends;
        c.pool.first_token_timeout_s = 1;
        c.pool.idle_timeout_s = 1;
        (c.pool.breaker_ms, c.pool.breaker_most_ms) = (20, 20);
    })
    .await;
    let tally = aborts_and_faults(&app, 0, 1_000).await;
    println!("{tally:?}");
    assert!(
        tally[&End::Left] > 100 && tally[&End::Whole] > 100,
        "{tally:?}"
    );
    all_given_back(&app).await;
}

/// What the server holds, in KiB.
fn resident(server: &Process) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Thousands, in the soak.
const ROUNDS: usize = 16;

/// The real thing: 16,000, and the memory of the server looked at on the way.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes; `make soak` runs it"]
async fn soak_leak() {
    let fleet = Fleet::start(3, 33, 6);
    let urls = fleet.urls().join(",");
    let env = [
        ("SUNDYNIX_BACKENDS", &*urls),
        ("SUNDYNIX_POOL__FIRST_TOKEN_TIMEOUT_S", "2"),
        ("SUNDYNIX_POOL__IDLE_TIMEOUT_S", "2"),
        ("SUNDYNIX_POOL__BREAKER_MS", "100"),
        ("SUNDYNIX_POOL__BREAKER_MOST_MS", "100"),
        ("SUNDYNIX_TELEMETRY__LOG", "error"),
        // Full before the first look: users in memory are meant to be there.
        ("SUNDYNIX_MEMORY__CACHE_BYTES", "1000000"),
    ];
    let server = Process::start(&[], &env).await;
    let mut held = Vec::new();
    let mut all = BTreeMap::<End, usize>::new();
    for round in 0..ROUNDS {
        for (end, count) in aborts_and_faults(&server, round * 1_000, 1_000).await {
            *all.entry(end).or_default() += count;
        }
        all_given_back(&server).await;
        held.push(resident(&server));
    }
    let count = ROUNDS * 1_000;
    println!("{count} aborts and faults: {all:?}; every gauge 0; RSS in KiB, each 1,000: {held:?}");
    // The first two thousand fill caches and pools.
    let mean = |some: &[u64]| some.iter().sum::<u64>() / some.len() as u64;
    let (warm, end) = (mean(&held[2..6]), mean(&held[ROUNDS - 4..]));
    assert!(end < warm + warm / 20, "{held:?}");
}
