//! The watch over the backends: for each one a task that asks what it serves, whether it answers
//! and how loaded it is, each at its own pace, so that one that hangs delays nobody else. It follows
//! the pool's backends as they come and go.

use super::{
    Backend, Client, Pool,
    probe::{Probe, Slots},
    scrape,
};
use std::{rc::Rc, sync::Arc, time::Duration};
use tokio::{
    sync::Notify,
    task::{AbortHandle, JoinSet},
    time::{Instant, sleep},
};

/// How soon a backend that has never said what it serves is asked again.
const AGAIN: Duration = Duration::from_secs(1);
/// A watch that has crashed begins anew after so long.
const REST: Duration = Duration::from_secs(1);

/// One backend's watch.
struct Followed {
    backend: Arc<Backend>,
    task: AbortHandle,
}

/// Watches for as long as it is polled. It runs on an actix runtime (a `LocalSet`), with a client
/// of its own.
pub async fn watch(pool: Arc<Pool>) {
    let client = Client::new();
    let slots = Rc::new(Slots::default());
    let (mut tasks, mut followed) = (JoinSet::new(), Vec::<Followed>::new());
    loop {
        let current = pool.backends();
        followed.retain(|one| {
            let stays = current.iter().any(|b| Arc::ptr_eq(b, &one.backend));
            if !stays {
                one.task.abort();
            }
            stays && !one.task.is_finished()
        });
        for backend in current {
            if followed.iter().all(|f| !Arc::ptr_eq(&f.backend, &backend)) {
                let (pool, client, slots) = (pool.clone(), client.clone(), slots.clone());
                let watched = backend.clone();
                let task = tasks.spawn_local(async move {
                    one(&pool, &client, &watched, &slots).await;
                });
                followed.push(Followed { backend, task });
            }
        }
        tokio::select! {
            () = pool.changed.notified() => {}
            Some(Err(crashed)) = tasks.join_next() => if crashed.is_panic() {
                tracing::error!("the watch over a backend crashed and begins anew");
                sleep(REST).await;
            },
        }
    }
}

async fn one(pool: &Arc<Pool>, client: &Client, backend: &Arc<Backend>, slots: &Slots) {
    let (tenth, fifth) = (0.1, 0.2);
    // It may have come back with other models.
    let back = Notify::new();
    let lists = async {
        loop {
            let told = pool.ask(client, backend).await;
            let pause = if told { pool.refresh } else { AGAIN };
            tokio::select! {
                () = sleep(jittered(pause, tenth)) => {}
                () = back.notified() => {}
            }
        }
    };
    let probes = async {
        let mut probe = Probe::new(client, backend, slots);
        loop {
            if probe.once().await {
                back.notify_one();
                pool.wake(backend);
            }
            sleep(jittered(pool.probe, fifth)).await;
        }
    };
    // Nothing else happens when the time of an open breaker, or of a rest, is over.
    let bell = async {
        loop {
            match backend.health.away(Instant::now()) {
                None => backend.health.opened().await,
                Some(away) => tokio::select! {
                    () = sleep(away) => pool.wake(backend),
                    () = backend.health.opened() => {}
                },
            }
        }
    };
    tokio::join!(lists, probes, bell, scrape::keep(client, backend));
}

/// So much more or less, so that neither backends nor replicas are asked in step.
fn jittered(period: Duration, share: f64) -> Duration {
    let mut byte = [128];
    // Without randomness there is no jitter, which harms little.
    let _ = getrandom::fill(&mut byte);
    period.mul_f64(1.0 + share * (f64::from(byte[0]) / 127.5 - 1.0))
}
