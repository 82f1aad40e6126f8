//! What only shows from the inside: a committer that crashes, and what a write costs.

use super::*;
use crate::memory::{Ack, TurnStatus, Writeback};
use tokio::sync::oneshot;

fn open(dir: &tempfile::TempDir, group: usize) -> Store {
    let mut config = Config::default();
    config.server.data = dir.path().join("data");
    config.store.group = group;
    config.store.ack_timeout_ms = 20_000;
    Store::open(&config, Arc::new(Residents::new(1 << 20))).expect("open")
}

fn keep(store: &Store, n: usize, query: &str) -> oneshot::Receiver<Ack> {
    let (reply, ack) = oneshot::channel();
    let writeback = Writeback {
        user: UserKey::local(&format!("u{}", n % 100)),
        turn: format!("t{n}").into(),
        conversation: "c".into(),
        query: query.into(),
        answer: "An answer of some length, as they are. ".repeat(20),
        status: TurnStatus::Complete,
        // What is older than `memory.keep_turns` would be swept away.
        began_ms: now_ms() + n as i64,
    };
    store.enqueue(Command::Keep(Arc::new(writeback), reply));
    ack
}

#[tokio::test]
async fn a_crash_of_the_committer_loses_no_turn_and_no_answer() {
    let dir = tempfile::tempdir().expect("temp dir");
    let store = open(&dir, 8);
    for round in 0..20 {
        store.shared.crashes.store(1, SeqCst);
        let acks: Vec<_> = (0..50).map(|n| keep(&store, round * 50 + n, "q")).collect();
        for ack in acks {
            assert!(matches!(ack.await, Ok(Ack::Recorded(_))));
        }
    }
    let mut kept = 0;
    for n in 0..100 {
        let user = UserKey::local(&format!("u{n}"));
        kept += store.resident(&user).await.expect("read").turns.len();
    }
    assert_eq!(kept, 1_000);
    store.close();
}

#[tokio::test]
async fn what_crashes_the_committer_every_time_is_given_up() {
    let dir = tempfile::tempdir().expect("temp dir");
    let store = open(&dir, 8);
    store.shared.crashes.store(3, SeqCst);
    assert_eq!(keep(&store, 1, "q").await, Ok(Ack::Off));
    assert!(matches!(keep(&store, 2, "q").await, Ok(Ack::Recorded(_))));
    store.close();
    assert_eq!(keep(&store, 3, "q").await, Ok(Ack::Off));
}

/// User and system time of this process: other work on the machine does not count.
fn cpu_ms() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("proc");
    let fields: Vec<_> = stat
        .rsplit(')')
        .next()
        .expect("fields")
        .split_whitespace()
        .collect();
    let ticks = |at: usize| fields[at].parse::<f64>().expect("ticks");
    (ticks(11) + ticks(12)) * 10.0
}

/// `cargo test --release --lib store::tests::cost -- --ignored --nocapture`; with
/// `SUNDYNIX_STORE__URL` against that server.
#[tokio::test]
#[ignore = "a measurement"]
async fn cost() {
    for (what, query) in [
        ("plain", "What is the weather?"),
        ("teaching", "My name is Ada."),
    ] {
        for group in [64, 8, 1] {
            let dir = tempfile::tempdir().expect("temp dir");
            let mut config = Config::default();
            config.server.data = dir.path().join("data");
            config.store.url = std::env::var("SUNDYNIX_STORE__URL").unwrap_or_default();
            config.store.group = group;
            config.store.ack_timeout_ms = 60_000;
            let residents = Arc::new(Residents::new(1 << 20));
            let store = Store::open(&config, residents).expect("open");
            let (count, mut best) = (20_000 / 65 * group + 500, f64::MAX);
            for _ in 0..3 {
                let ids = now_ms() as usize * 100_000;
                let start = cpu_ms();
                let acks: Vec<_> = (0..count).map(|n| keep(&store, ids + n, query)).collect();
                for ack in acks {
                    assert!(matches!(ack.await, Ok(Ack::Recorded(_))));
                }
                best = best.min((cpu_ms() - start) * 1e3 / count as f64);
            }
            println!("{what} turns in groups of {group}: {best:.1} µs of CPU each");
            store.close();
        }
    }
}
