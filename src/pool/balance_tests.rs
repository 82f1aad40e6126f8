//! How near routing comes to an oracle that knows how fast each backend is: the real pool, and
//! servers that are clocks, in virtual time, so that the figures are the same on any machine.

use super::*;
use crate::config::{BackendConfig, Config, DialectName, Policy};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use tokio::{sync::Semaphore, time::sleep};

/// Speeds of the three.
const SPEEDS: [f64; 3] = [1.0, 1.0, 4.0];
/// Clients, each asking again as soon as it has its answer.
const CLIENTS: usize = 64;
/// Answers that are measured; as many come before them, in which the speeds are found out.
const ANSWERS: usize = 6_000;
/// What the slowest takes for one.
const WORK: Duration = Duration::from_millis(400);

/// What a server does with what it has.
#[derive(Clone, Copy)]
enum Kind {
    /// So many at once, the others wait.
    Slots(usize),
    /// All at once.
    Batch,
}

struct Server {
    slots: Semaphore,
    work: Duration,
    in_flight: AtomicUsize,
}

/// Who decides.
#[derive(Clone, Copy)]
enum By {
    Oracle,
    /// The pool, and whether each client has a conversation of its own.
    Pool(Policy, bool),
}

/// The 99th percentile of the time to first token.
async fn p99(kind: Kind, by: By) -> f64 {
    let servers: Arc<Vec<Server>> = Arc::new(
        SPEEDS
            .map(|speed| {
                let (slots, work) = match kind {
                    // Shared out, so that all kinds have the same throughput.
                    Kind::Slots(slots) => (slots, WORK.mul_f64(slots as f64)),
                    Kind::Batch => (Semaphore::MAX_PERMITS, WORK),
                };
                Server {
                    slots: Semaphore::new(slots),
                    work: work.div_f64(speed),
                    in_flight: AtomicUsize::new(0),
                }
            })
            .into(),
    );
    let policy = match by {
        By::Pool(policy, _) => policy,
        By::Oracle => Policy::default(),
    };
    let pool = pool(policy);
    let took: Arc<Mutex<Vec<Duration>>> = Arc::default();
    let clients = (0..CLIENTS).map(|client| {
        let (pool, servers, took) = (pool.clone(), servers.clone(), took.clone());
        tokio::spawn(async move {
            let mut random = affinity::mix(client as u64);
            while took.lock().unwrap().len() < 2 * ANSWERS {
                let (began, mut lease) = (Instant::now(), None);
                let at = match by {
                    By::Oracle => oracle(kind, &servers),
                    By::Pool(_, converses) => {
                        let affinity = converses.then(|| affinity::key(client));
                        let want = Want {
                            model: "m",
                            affinity,
                            tried: &[],
                        };
                        lease
                            .insert(pool.place(want).unwrap().unwrap())
                            .backend()
                            .id
                    }
                };
                let server = &servers[at];
                server.in_flight.fetch_add(1, Relaxed);
                random = affinity::mix(random);
                let spread = 0.5 + (random >> 11) as f64 / (1_u64 << 53) as f64;
                let slot = server.slots.acquire().await.unwrap();
                sleep(server.work.mul_f64(spread)).await;
                drop(slot);
                server.in_flight.fetch_sub(1, Relaxed);
                if let Some(lease) = &mut lease {
                    lease.answered();
                    lease.good();
                }
                took.lock().unwrap().push(began.elapsed());
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.unwrap();
    }
    let mut took = took.lock().unwrap()[ANSWERS..].to_vec();
    took.sort_unstable();
    took[took.len() * 99 / 100].as_secs_f64()
}

/// Knows how long each will take.
fn oracle(kind: Kind, servers: &[Server]) -> usize {
    let wait = |server: &Server| {
        let ahead = server.in_flight.load(Relaxed) as f64;
        let rounds = match kind {
            Kind::Slots(slots) => ((ahead + 1.0) / slots as f64).max(1.0),
            Kind::Batch => 1.0,
        };
        rounds * server.work.as_secs_f64()
    };
    let best = (0..servers.len()).min_by(|a, b| wait(&servers[*a]).total_cmp(&wait(&servers[*b])));
    best.unwrap()
}

fn pool(policy: Policy) -> Arc<Pool> {
    let backend = |at| BackendConfig {
        name: format!("b{at}"),
        dialect: Some(DialectName::Simulator),
        models: vec!["m".into()],
        ..BackendConfig::default()
    };
    let mut config = Config {
        backend: (0..SPEEDS.len()).map(backend).collect(),
        ..Config::default()
    };
    config.pool.policy = policy;
    Pool::new(&config).unwrap()
}

async fn near_the_oracle(name: &str, kind: Kind) {
    let oracle = p99(kind, By::Oracle).await;
    let robin = p99(kind, By::Pool(Policy::RoundRobin, false)).await;
    for (policy, converses) in [
        (Policy::LeastLoad, false),
        (Policy::Affinity, false),
        (Policy::Affinity, true),
    ] {
        let ours = p99(kind, By::Pool(policy, converses)).await;
        let (to_oracle, to_robin) = (ours / oracle, robin / ours);
        println!(
            "{name}, {policy:?}, conversations: {converses}: p99 {ours:.2} s, \
             {to_oracle:.2} of the oracle's, round robin takes {to_robin:.2} times as long"
        );
        assert!(
            to_oracle <= 1.3,
            "{name} {policy:?} {converses}: {to_oracle:.2}"
        );
        assert!(
            to_robin >= 2.0,
            "{name} {policy:?} {converses}: {to_robin:.2}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn one_after_the_other() {
    near_the_oracle("one at a time", Kind::Slots(1)).await;
}

#[tokio::test(start_paused = true)]
async fn four_slots_and_a_queue() {
    near_the_oracle("four slots", Kind::Slots(4)).await;
}

#[tokio::test(start_paused = true)]
async fn all_at_once() {
    near_the_oracle("all at once", Kind::Batch).await;
}

/// Where speeds are equal nobody gets more than his share, however they answer.
#[tokio::test(start_paused = true)]
async fn equals_share_alike() {
    let pool = pool(Policy::LeastLoad);
    let (mut counts, mut random) = ([0; 3], 1_u64);
    let mut out = std::collections::VecDeque::new();
    for _ in 0..3_000 {
        if out.len() == 30 {
            let mut lease: Lease = out.pop_front().unwrap();
            lease.answered();
            lease.good();
        }
        random = affinity::mix(random);
        sleep(Duration::from_millis(random % 20)).await;
        let lease = pool.lease("m", &[]).unwrap().unwrap();
        counts[lease.backend().id] += 1;
        out.push_back(lease);
    }
    assert!(
        counts.iter().all(|n| (900..1_100).contains(n)),
        "{counts:?}"
    );
}
