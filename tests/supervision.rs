//! Supervision: an actor that panics or stops is restarted in place and nobody's request notices;
//! one that fails too often is given up and a sibling takes its turns; with nobody left the server
//! drains and exits non-zero.

use crate::support::{App, spawn_app};
use futures_util::future::join_all;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};
use sundynix::supervise::Poke;

const NODES: [&str; 5] = ["gateway", "recall", "prompt", "model", "memory"];

/// 64 clients that ask until told to stop; how many answers came, and every failure in words.
async fn under_load<F: Future<Output = ()>>(app: &App, meanwhile: F) -> (usize, Vec<String>) {
    let (stop, answers) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicUsize::new(0)),
    );
    let clients = (0..64).map(|n| {
        let (stop, answers, app) = (stop.clone(), answers.clone(), app.client());
        tokio::spawn(async move {
            let mut failures = Vec::new();
            let mut round = 0;
            while !stop.load(SeqCst) {
                round += 1;
                let user = format!("u{n}");
                match app
                    .ask_briefly(&user, &format!("question {round} of {n}"))
                    .await
                {
                    Ok(done) if done["memory"] == "recorded" => answers.fetch_add(1, SeqCst),
                    Ok(done) => {
                        failures.push(format!("not recorded: {done}"));
                        0
                    }
                    Err(failure) => {
                        failures.push(failure);
                        0
                    }
                };
            }
            failures
        })
    });
    let clients: Vec<_> = clients.collect();
    meanwhile.await;
    // The clients may be slower than what happened to the server meanwhile.
    app.until(|| answers.load(SeqCst) > 0).await;
    stop.store(true, SeqCst);
    let failures = join_all(clients)
        .await
        .into_iter()
        .flat_map(Result::unwrap)
        .collect();
    (answers.load(SeqCst), failures)
}

/// Pokes a node so often, each time once the one before has been survived and turns have passed.
async fn poke(app: &App, node: &str, poke: Poke, times: u64) {
    for _ in 0..times {
        let before = app.restarts(node);
        let told = app.state.roster.poke(node, None, poke);
        assert!(told > 0, "no replica of {node}");
        app.until(|| app.restarts(node) >= before + told as u64)
            .await;
    }
}

async fn survives(cause: Poke) {
    let app = spawn_app(|c| {
        c.server.workers = 2;
        c.server.max_restarts = 100_000;
        c.server.restart_pause_ms = 0;
    })
    .await;
    for node in NODES {
        let (answers, failures) = under_load(&app, poke(&app, node, cause, 200)).await;
        assert!(
            failures.is_empty(),
            "{node}: {} failed, as {:?}",
            failures.len(),
            &failures[..1]
        );
        assert!(answers > 0, "{node}: nobody was served");
        let replicas = if node == "memory" { 1 } else { 2 };
        assert_eq!(app.restarts(node), 200 * replicas, "{node}");
    }
    app.until(|| app.state.inflight() == 0).await;
    for (node, health) in app.state.roster.read() {
        assert_eq!(
            health.iter().map(|h| h.turns).sum::<i64>(),
            0,
            "seats left at {node}"
        );
    }
}

#[tokio::test]
async fn each_actor_panics_two_hundred_times_and_no_request_fails() {
    survives(Poke::Panic).await;
}

#[tokio::test]
async fn each_actor_stops_two_hundred_times_and_no_request_fails() {
    survives(Poke::Stop).await;
}

#[tokio::test]
async fn past_the_intensity_a_sibling_takes_over() {
    let app = spawn_app(|c| {
        c.server.workers = 2;
        c.server.max_restarts = 3;
        c.server.restart_pause_ms = 0;
    })
    .await;
    for node in &NODES[..4] {
        let kill = async {
            for _ in 0..4 {
                let before = app.restarts(node);
                app.state.roster.poke(node, Some(0), Poke::Panic);
                app.until(|| app.restarts(node) > before).await;
            }
            app.until(|| app.up(node) == 1).await;
        };
        let (answers, failures) = under_load(&app, kill).await;
        assert!(failures.is_empty(), "{node}: {:?}", &failures[..1]);
        assert!(answers > 0);
    }
    let ready = app.get("/readyz").await;
    assert_eq!(ready.status(), 200, "a sibling of each is up");
    // Everything now goes through worker 1's replicas, whichever worker took the connection.
    for n in 0..16 {
        app.client()
            .ask_briefly("ada", &format!("still here? {n}"))
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn with_nobody_left_it_drains_and_exits_non_zero() {
    for node in NODES {
        let app = spawn_app(|c| {
            c.server.workers = 2;
            c.server.max_restarts = 2;
            c.server.restart_pause_ms = 0;
            c.server.drain_wait_ms = 300;
        })
        .await;
        app.client()
            .ask_briefly("ada", "my name is Ada")
            .await
            .unwrap();
        for _ in 0..3 {
            let before = app.restarts(node);
            let told = app.state.roster.poke(node, None, Poke::Panic) as u64;
            app.until(|| app.restarts(node) >= before + told).await;
        }
        app.until(|| app.up(node) == 0).await;
        app.until(|| app.state.draining.load(SeqCst)).await;
        let code = app.ended(Duration::from_secs(20)).await;
        assert_eq!(code, Some(false), "{node}: it exits, and not with success");
    }
}
