//! What least load comes to over real sockets: three backends of speeds 1 : 1 : 4 that work at one
//! request after the other, and 64 clients. Figures, printed by `make soak`; what must hold is held
//! in virtual time by `src/pool/balance_tests.rs`.

use crate::support::{
    server::spawn_app,
    upstream::{Step, Upstream, chat_events, sse},
};
use serde_json::{Value, json};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use sundynix::config::{BackendConfig, Policy};

const WORK_MS: [u64; 3] = [80, 80, 20];
const CLIENTS: usize = 64;
/// Of each client; the first third is not counted.
const TURNS: usize = 60;

/// A backend with a queue.
fn server(work_ms: u64) -> Upstream {
    let (upstream, free) = (Upstream::start(), Mutex::new(Instant::now()));
    upstream.answers(move |_| {
        let mut free = free.lock().unwrap();
        let now = Instant::now();
        *free = (*free).max(now) + Duration::from_millis(work_ms);
        let mut script = vec![Step::Wait(*free - now)];
        script.extend(sse(&chat_events("m", &["Hello"])));
        script
    });
    upstream
}

fn chat() -> Value {
    json!({"model": "m", "stream": true, "messages": [{"role": "user", "content": "hi"}]})
}

/// The 99th percentile of the time to first token; without a policy an oracle decides.
async fn p99(policy: Option<Policy>) -> Duration {
    let upstreams = WORK_MS.map(server);
    let urls = upstreams.each_ref().map(Upstream::openai);
    let app = spawn_app(|c| {
        let backend = |url: &String| BackendConfig {
            url: url.clone(),
            models: vec!["m".into()],
            ..BackendConfig::default()
        };
        c.backend = urls.iter().map(backend).collect();
        c.pool.policy = policy.unwrap_or_default();
    })
    .await;
    let ahead = Arc::new([0; 3].map(AtomicUsize::new));
    let clients = (0..CLIENTS).map(|_| {
        let (client, urls, ahead) = (app.client(), urls.clone(), ahead.clone());
        tokio::spawn(async move {
            let (mut took, http) = (Vec::new(), reqwest::Client::new());
            for _ in 0..TURNS {
                let began = Instant::now();
                if policy.is_some() {
                    let mut events = client.chat("ada", chat()).await.unwrap();
                    while !events.next().await.unwrap().data.contains("Hello") {}
                    took.push(began.elapsed());
                    events.all().await;
                    continue;
                }
                let wait = |at: &usize| (ahead[*at].load(Relaxed) as u64 + 1) * WORK_MS[*at];
                let at = (0..3).min_by_key(wait).unwrap();
                ahead[at].fetch_add(1, Relaxed);
                let sent = http.post(format!("{}/chat/completions", urls[at]));
                let mut answer = sent.json(&chat()).send().await.unwrap();
                answer.chunk().await.unwrap();
                took.push(began.elapsed());
                ahead[at].fetch_sub(1, Relaxed);
                while answer.chunk().await.unwrap().is_some() {}
            }
            took.split_off(TURNS / 3)
        })
    });
    let mut took = Vec::new();
    for client in clients.collect::<Vec<_>>() {
        took.extend(client.await.unwrap());
    }
    took.sort_unstable();
    took[took.len() * 99 / 100]
}

#[tokio::test]
#[ignore = "figures; make soak"]
async fn soak_balance() {
    let oracle = p99(None).await;
    let robin = p99(Some(Policy::RoundRobin)).await;
    println!("oracle: p99 {oracle:?}; round robin: {robin:?}");
    for policy in [Policy::LeastLoad, Policy::Affinity] {
        let ours = p99(Some(policy)).await;
        println!(
            "{policy:?}: p99 {ours:?}, {:.2} of the oracle's, round robin {:.2} times as long",
            ours.div_duration_f64(oracle),
            robin.div_duration_f64(ours)
        );
    }
}
