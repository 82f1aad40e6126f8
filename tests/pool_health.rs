//! Health: backends are probed, never with a generation, and read for their load, each at its own
//! pace; what they say decides who is routed to, and ops can read why.

use crate::support::{
    Llama,
    upstream::{Upstream, http, ok},
};
use serde_json::json;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};
use sundynix::{
    config::{BackendConfig, Config, DialectName},
    error::Error,
    pool::{BackendStatus, BreakerState, Pool, Probed, Reported, watch},
};
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

const VLLM: &str = "vllm:num_requests_running{engine=\"0\",model_name=\"m\"} 2.0\n\
    vllm:num_requests_waiting{engine=\"0\",model_name=\"m\"} 3.0\n\
    vllm:kv_cache_usage_perc{engine=\"0\",model_name=\"m\"} 0.5\n";

/// A pool that is watched, as in a server; probes come fast.
struct Watched {
    pool: Arc<Pool>,
    watching: JoinHandle<()>,
}

impl Watched {
    fn new(urls: &[String]) -> Watched {
        Watched::with(urls, |_| {})
    }

    fn with(urls: &[String], tweak: impl FnOnce(&mut Config)) -> Watched {
        let backend = |(at, url): (usize, &String)| BackendConfig {
            name: format!("b{at}"),
            url: url.clone(),
            models: vec!["m".into()],
            dialect: (!url.ends_with("/v1")).then_some(DialectName::Ollama),
            ..BackendConfig::default()
        };
        let mut config = Config {
            backend: urls.iter().enumerate().map(backend).collect(),
            ..Config::default()
        };
        config.pool.probe_ms = 20;
        config.pool.queue_wait_ms = 60_000;
        config.pool.breaker_ms = 600_000;
        config.pool.breaker_most_ms = 600_000;
        tweak(&mut config);
        let pool = Pool::new(&config).unwrap();
        let watching = actix_web::rt::spawn(watch(pool.clone()));
        Watched { pool, watching }
    }

    fn status(&self, at: usize) -> BackendStatus {
        self.pool.status()[at].clone()
    }

    async fn until(&self, at: usize, holds: impl Fn(&BackendStatus) -> bool) {
        let holds = || holds(&self.status(at));
        crate::support::until(holds).await;
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.watching.abort();
    }
}

fn asked(upstream: &Upstream, path: &str) -> usize {
    let log = upstream.log();
    log.requests.iter().filter(|r| r.path == path).count()
}

#[actix_web::test]
async fn what_backends_say_of_their_load_is_read() {
    let (vllm, llama, ollama) = (Upstream::start(), Upstream::start(), Upstream::start());
    vllm.route("/metrics", http(200, "text/plain; version=0.0.4", VLLM));
    let metrics = "llamacpp:requests_processing 1\nllamacpp:requests_deferred 0\n";
    llama.route("/metrics", http(200, "text/plain", metrics));
    let running = json!({"models": [{"name": "m:latest"}, {"name": "b:7b"}]});
    ollama.route("/api/ps", ok(&running));
    let watched = Watched::new(&[vllm.openai(), llama.openai(), ollama.ollama()]);
    let reported = |running, waiting, kv_used| Reported {
        running,
        waiting,
        kv_used,
    };
    watched
        .until(0, |s| {
            s.condition.reported == Some(reported(2, 3, Some(0.5)))
        })
        .await;
    watched
        .until(1, |s| s.condition.reported == Some(reported(1, 0, None)))
        .await;
    watched.until(2, |s| s.condition.loaded.is_some()).await;
    let loaded = watched.status(2).condition.loaded.unwrap();
    assert_eq!(loaded, ["b:7b", "m", "m:latest"], "by every name");
    // What it says next counts; what it said grows old when it says nothing more.
    let busier = VLLM.replace("3.0", "30.0");
    vllm.route("/metrics", http(200, "text/plain", &busier));
    watched
        .until(0, |s| s.condition.reported.is_some_and(|r| r.waiting == 30))
        .await;
    vllm.route("/metrics", http(503, "text/plain", ""));
    watched.until(0, |s| s.condition.reported.is_none()).await;
    assert!(watched.status(0).condition.routable, "never 'full' for it");
}

#[actix_web::test]
async fn a_real_llama_cpp_is_probed_and_read() {
    let llama = Llama::start().await;
    let watched = Watched::new(std::slice::from_ref(&llama.url));
    watched.until(0, |s| s.condition.reported.is_some()).await;
    let condition = watched.status(0).condition;
    let reported = condition.reported.unwrap();
    assert_eq!((reported.running, reported.waiting), (0, 0), "{reported:?}");
    assert_eq!((condition.probe, condition.routable), (Probed::Up, true));
}

#[actix_web::test]
async fn one_that_hangs_is_left_out() {
    let (probes, most) = Default::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (well, hangs) = (Upstream::start(), listener.local_addr().unwrap());
    actix_web::rt::spawn(hang(listener, probes, most));
    let watched = Watched::new(&[well.openai(), format!("http://{hangs}/v1")]);
    watched.until(1, |s| !s.condition.routable).await;
    let why = watched.status(1).condition.why_not.unwrap();
    assert_eq!(why, "its probes fail: no answer within 2 s");
    for _ in 0..10 {
        let lease = watched.pool.lease("m", &[]).unwrap().unwrap();
        assert_eq!(&*lease.backend().name, "b0");
    }
}

#[actix_web::test]
async fn probes_never_generate_and_who_has_no_metrics_is_asked_seldom() {
    let (vllm, other, ollama) = (Upstream::start(), Upstream::start(), Upstream::start());
    other.route("/health", http(404, "text/plain", ""));
    other.route("/metrics", http(501, "application/json", r#"{"error":{}}"#));
    let watched = Watched::new(&[vllm.openai(), other.openai(), ollama.ollama()]);
    for (upstream, path) in [
        (&vllm, "/health"),
        (&other, "/v1/models"),
        (&ollama, "/api/version"),
    ] {
        let probed = |log: &crate::support::upstream::Log| {
            log.requests.iter().filter(|r| r.path == path).count() > 50
        };
        upstream.until(probed).await;
        assert!(upstream.log().requests.iter().all(|r| r.method == "GET"));
    }
    assert_eq!(asked(&other, "/health"), 1, "it has none");
    for (upstream, at) in [(&vllm, 0), (&other, 1)] {
        assert_eq!(asked(upstream, "/metrics"), 1, "it has none");
        assert_eq!(watched.status(at).condition.probe, Probed::Up);
    }
}

#[actix_web::test]
async fn one_that_does_not_answer_is_left_out_until_it_does_again() {
    let (stays, goes) = (Upstream::start(), Upstream::start());
    let watched = Watched::new(&[stays.openai(), goes.openai()]);
    watched.until(1, |s| s.condition.probe == Probed::Up).await;
    let addr = goes.addr;
    drop(goes);
    watched.until(1, |s| !s.condition.routable).await;
    let condition = watched.status(1).condition;
    assert_eq!(condition.probe, Probed::Down);
    let why = condition.why_not.unwrap();
    assert!(why.contains("probes fail: it cannot be reached"), "{why}");
    for _ in 0..10 {
        let lease = watched.pool.lease("m", &[]).unwrap().unwrap();
        assert_eq!(&*lease.backend().name, "b0");
    }
    let only = watched.pool.lease("m", &[0]);
    assert!(matches!(only.err(), Some(Error::NoBackend(_))));
    let _back = Upstream::at(addr);
    watched.until(1, |s| s.condition.routable).await;
    assert!(watched.pool.lease("m", &[0]).unwrap().is_some());
}

#[actix_web::test]
async fn whoever_waits_is_let_in_when_a_backend_is_back() {
    let upstream = Upstream::start();
    let watched = Watched::with(&[upstream.openai()], |c| c.backend[0].max_concurrent = 1);
    let held = watched.pool.lease("m", &[]).unwrap().unwrap();
    let waiting = {
        let pool = watched.pool.clone();
        actix_web::rt::spawn(async move { pool.queue("m", &[]).await })
    };
    watched.until(0, |s| s.waiting == 1).await;
    let addr = upstream.addr;
    drop(upstream);
    watched.until(0, |s| !s.condition.routable).await;
    drop(held);
    assert_eq!(
        watched.status(0).waiting,
        1,
        "nobody is sent to what is down"
    );
    let _back = Upstream::at(addr);
    drop(waiting.await.unwrap().unwrap());
    watched.until(0, |s| s.in_flight == 0).await;
}

#[actix_web::test]
async fn what_answers_probes_and_fails_requests_is_not_healthy() {
    let upstream = Upstream::start();
    let watched = Watched::new(&[upstream.openai()]);
    for _ in 0..5 {
        let mut lease = watched.pool.lease("m", &[]).unwrap().unwrap();
        lease.failed(&Error::Upstream("it answered 500".into()));
    }
    let before = asked(&upstream, "/health");
    upstream
        .until(|log| log.requests.iter().filter(|r| r.path == "/health").count() > before + 10)
        .await;
    let condition = watched.status(0).condition;
    assert_eq!(
        (condition.routable, condition.breaker, condition.probe),
        (false, BreakerState::Open, Probed::Up)
    );
    let left = condition.breaker_open_s.unwrap();
    assert!((1..=600).contains(&left), "{left}");
    let why = condition.why_not.unwrap();
    assert!(why.contains("too many requests to it failed"), "{why}");
    assert!(watched.pool.lease("m", &[]).is_err());
}

fn probes(log: &crate::support::upstream::Log) -> usize {
    log.requests.iter().filter(|r| r.path == "/health").count()
}

#[actix_web::test]
async fn backends_are_followed_as_they_come_and_go() {
    let (stays, goes, comes) = (Upstream::start(), Upstream::start(), Upstream::start());
    let watched = Watched::new(&[stays.openai(), goes.openai()]);
    let client = sundynix::pool::Client::new();
    goes.until(|log| probes(log) > 3).await;
    let came = BackendConfig {
        name: "b2".into(),
        url: comes.openai(),
        ..BackendConfig::default()
    };
    watched.pool.put(&client, came).await.unwrap();
    comes.until(|log| probes(log) > 3).await;
    watched.pool.remove(&client, "b1").await.unwrap();
    let more = async |count: usize| {
        let before = asked(&stays, "/health");
        stays.until(|log| probes(log) > before + count).await;
    };
    // What was under way when it went may still arrive.
    more(10).await;
    let last = goes.log().requests.len();
    more(20).await;
    assert_eq!(goes.log().requests.len(), last, "it is asked no more");
}

/// A backend that accepts and never answers. It counts the probes that wait for it.
async fn hang(listener: TcpListener, probes: Arc<AtomicUsize>, most: Arc<AtomicUsize>) {
    loop {
        let (socket, _) = listener.accept().await.unwrap();
        let (probes, most) = (probes.clone(), most.clone());
        actix_web::rt::spawn(hang_up(socket, probes, most));
    }
}

async fn hang_up(mut socket: TcpStream, probes: Arc<AtomicUsize>, most: Arc<AtomicUsize>) {
    let mut buffer = [0; 4096];
    let read = socket.read(&mut buffer).await.unwrap_or(0);
    let is_probe = buffer[..read].starts_with(b"GET /health");
    if is_probe {
        most.fetch_max(probes.fetch_add(1, SeqCst) + 1, SeqCst);
    }
    while socket.read(&mut buffer).await.is_ok_and(|n| n > 0) {}
    if is_probe {
        probes.fetch_sub(1, SeqCst);
    }
}

#[actix_web::test]
async fn many_that_hang_delay_nobody_elses_probes() {
    let (probes, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let well = Upstream::start();
    let mut urls = vec![well.openai()];
    for _ in 0..30 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        urls.push(format!("http://{}/v1", listener.local_addr().unwrap()));
        actix_web::rt::spawn(hang(listener, probes.clone(), most.clone()));
    }
    let watched = Watched::new(&urls);
    // By then each of the others has been waited for once.
    let hung = |s: &BackendStatus| s.condition.probe_error.is_some();
    while !watched.pool.status()[1..].iter().all(hung) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // From now on at least half of the slots are free, while the others are full.
    let before = asked(&well, "/health");
    let (full, all) = (4, 8);
    crate::support::until(|| probes.load(SeqCst) >= full).await;
    well.until(|log| log.requests.iter().filter(|r| r.path == "/health").count() > before + 20)
        .await;
    assert!(watched.status(0).condition.routable);
    // Those that were given up may not have been seen to close yet.
    assert!(most.load(SeqCst) <= 2 * all, "{most:?} at once");
    assert!(probes.load(SeqCst) <= 2 * full, "{probes:?} at once");
}

#[actix_web::test]
async fn whoever_waits_is_let_in_when_the_time_of_a_breaker_is_over() {
    let upstream = Upstream::start();
    let watched = Watched::with(&[upstream.openai()], |c| {
        c.backend[0].max_concurrent = 1;
        c.pool.breaker_ms = 50;
    });
    let pool = watched.pool.clone();
    let failed = |mut lease: sundynix::pool::Lease| {
        lease.failed(&Error::Upstream("it answered 500".into()));
    };
    for _ in 0..4 {
        failed(pool.lease("m", &[]).unwrap().unwrap());
    }
    let last = pool.lease("m", &[]).unwrap().unwrap();
    let waiting = {
        let pool = pool.clone();
        actix_web::rt::spawn(async move { pool.queue("m", &[]).await })
    };
    crate::support::until(|| pool.status()[0].waiting == 1).await;
    failed(last);
    let mut trial = waiting.await.unwrap().unwrap();
    assert!(!pool.status()[0].condition.routable, "the trial is out");
    trial.good();
    drop(trial);
    assert!(pool.status()[0].condition.routable);
}
