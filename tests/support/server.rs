//! A real server inside the test's process, on a port of its own, with a data directory of its
//! own; a test sees its state beside what comes over the socket.

use super::http::{Client, PATIENCE};
use reqwest::Response;
use std::{
    net::SocketAddr,
    ops::Deref,
    panic::Location,
    process::ExitCode,
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};
use sundynix::{
    config::{BackendConfig, Config, DialectName},
    state::State,
    supervise::State as Standing,
    web::server,
};
use tempfile::TempDir;
use tokio::{sync::watch, time::timeout};

/// A running server; dropping it drains it. It is also a [`Client`] of itself.
pub struct App {
    /// Where it listens.
    pub addr: SocketAddr,
    /// What its workers share: gauges, vitals, the way to provoke failures.
    pub state: Arc<State>,
    /// Its data directory; it outlives the server.
    pub dir: Arc<TempDir>,
    client: Option<Client>,
    ended: watch::Receiver<Option<bool>>,
    gone: mpsc::Receiver<()>,
}

/// Settings for tests: any free port, a simulator without pauses, a short drain.
pub fn config(dir: &TempDir) -> Config {
    let mut config = Config::default();
    config.server.bind = ([127, 0, 0, 1], 0).into();
    config.server.data = dir.path().join("data");
    config.server.workers = 2;
    config.server.shutdown_timeout_s = 5;
    // A busy machine is no slow store; tests of slow stores set their own.
    config.memory.recall_timeout_ms = 30_000;
    config.store.ack_timeout_ms = 30_000;
    config.simulator.first_token_ms = 0;
    config.simulator.token_ms = 0;
    config.backend.push(BackendConfig {
        dialect: Some(DialectName::Simulator),
        ..BackendConfig::default()
    });
    config
}

/// A server with the settings for tests, changed by `tweak`.
pub async fn spawn_app(tweak: impl FnOnce(&mut Config)) -> App {
    spawn_app_in(Arc::new(TempDir::new().unwrap()), tweak).await
}

/// The same on the data of a server before it.
pub async fn spawn_app_in(dir: Arc<TempDir>, tweak: impl FnOnce(&mut Config)) -> App {
    let mut config = config(&dir);
    tweak(&mut config);
    let workers = config.server.workers;
    let (started, starting) = tokio::sync::oneshot::channel();
    let (ending, ended) = watch::channel(None);
    let (going, gone) = mpsc::channel();
    let kept = dir.clone();
    // A thread of its own: the server's runtime may not start inside the test's.
    std::thread::spawn(move || {
        let listener = server::bind(config.server.bind).unwrap();
        let state = State::assemble(config).unwrap();
        let shared = state.clone();
        let ready = |addr| drop(started.send((addr, shared)));
        let code = server::run(state, listener, ready).unwrap();
        let success = format!("{code:?}") == format!("{:?}", ExitCode::SUCCESS);
        ending.send_replace(Some(success));
        drop(kept);
        drop(going);
    });
    let (addr, state) = starting.await.expect("the server did not start");
    let app = App {
        addr,
        state,
        dir,
        client: Some(Client::new(addr)),
        ended,
        gone,
    };
    // It listens before its workers have all made their replicas.
    until(|| workers == 0 || (app.up("gateway") == workers && app.up("memory") == 1)).await;
    app
}

impl App {
    /// A client that can be moved into a task.
    pub fn client(&self) -> Client {
        self.client.clone().unwrap()
    }

    /// `GET`
    pub async fn get(&self, path: &str) -> Response {
        self.client().get(path).await
    }

    /// Restarts of a node's replicas, together.
    pub fn restarts(&self, node: &str) -> u64 {
        let roster = self.state.roster.read();
        roster
            .get(node)
            .into_iter()
            .flatten()
            .map(|h| h.restarts)
            .sum()
    }

    /// How many of a node's replicas take turns.
    pub fn up(&self, node: &str) -> usize {
        let roster = self.state.roster.read();
        let replicas = roster.get(node).into_iter().flatten();
        replicas.filter(|h| h.state == Standing::Up).count()
    }

    /// Waits until something holds, looked at often.
    #[track_caller]
    pub fn until(&self, holds: impl Fn() -> bool) -> impl Future<Output = ()> {
        until(holds)
    }

    /// SIGTERM's effect, without the signal, which would reach every server of the process.
    pub fn stop(&self) {
        self.state.stop.notify_one();
    }

    /// Waits for the server's end: whether it was a success. `None`: it did not end in time.
    pub async fn ended(&self, within: Duration) -> Option<bool> {
        let mut ended = self.ended.clone();
        let ended = timeout(within, ended.wait_for(Option::is_some)).await;
        *ended.ok()?.expect("the server's thread panicked")
    }
}

impl Deref for App {
    type Target = Client;
    fn deref(&self) -> &Client {
        self.client.as_ref().unwrap()
    }
}

impl Drop for App {
    fn drop(&mut self) {
        self.client = None; // idle connections would hold the server up
        self.stop();
        if !std::thread::panicking() {
            // Closed by the thread's end, however it ends.
            let end = self.gone.recv_timeout(PATIENCE);
            assert_ne!(
                end,
                Err(mpsc::RecvTimeoutError::Timeout),
                "the server does not end"
            );
        }
    }
}

/// Waits until something holds, looked at often.
#[track_caller]
pub fn until(holds: impl Fn() -> bool) -> impl Future<Output = ()> {
    let place = Location::caller();
    async move {
        let start = Instant::now();
        while !holds() {
            assert!(start.elapsed() < PATIENCE, "it never came to hold: {place}");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}
