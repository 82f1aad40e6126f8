//! A scripted backend over plain TCP, for every way one can misbehave. It runs on a thread of its
//! own, so that a test that blocks does not stop it. Lists of models and the like it answers by
//! itself; each chat takes the next script, or, where none is left, an ordinary answer. What it
//! saw is a [`Log`] that a test can wait on.

mod log;
mod peer;
mod script;

pub use super::answers::*;
pub use log::{Closed, Log, Seen};
pub use script::{Gate, Script, Step};

use bytes::{Bytes, BytesMut};
use peer::Peer;
use serde_json::json;
use std::{
    collections::{HashMap, VecDeque},
    net::{SocketAddr, TcpListener as StdListener},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use tokio::{
    io::AsyncWriteExt,
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{oneshot, watch},
};

/// See the file's head. Dropped, it closes its port and all its connections.
pub struct Upstream {
    pub addr: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// Says how a chat is answered.
type Brain = Arc<dyn Fn(&Seen) -> Script + Send + Sync>;

struct Shared {
    scripts: Mutex<VecDeque<Script>>,
    on_accept: Mutex<VecDeque<Script>>,
    always: Mutex<Option<Script>>,
    brain: Mutex<Option<Brain>>,
    routes: Mutex<HashMap<String, Bytes>>,
    log: watch::Sender<Log>,
    quiet: AtomicBool,
}

impl Upstream {
    /// A backend that serves the model `m`.
    pub fn start() -> Upstream {
        Upstream::at("127.0.0.1:0".parse().unwrap())
    }

    /// The same at an address, where another one was before.
    pub fn at(addr: SocketAddr) -> Upstream {
        let listener = StdListener::bind(addr).unwrap();
        listener.set_nonblocking(true).unwrap();
        let addr = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            scripts: Mutex::default(),
            on_accept: Mutex::default(),
            always: Mutex::default(),
            brain: Mutex::default(),
            routes: Mutex::default(),
            log: watch::Sender::new(Log::default()),
            quiet: AtomicBool::new(false),
        });
        let (stop, stopped) = oneshot::channel();
        let serving = shared.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async move {
                let listener = TcpListener::from_std(listener).unwrap();
                tokio::select! {
                    () = accept(listener, serving) => {}
                    _ = stopped => {}
                }
            });
        });
        let upstream = Upstream {
            addr,
            shared,
            stop: Some(stop),
            thread: Some(thread),
        };
        upstream.models(&["m"]);
        upstream
    }

    /// An address where nobody listens.
    pub fn refusing() -> SocketAddr {
        let listener = StdListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    }

    /// Its base URL in the OpenAI dialect.
    pub fn openai(&self) -> String {
        format!("http://{}/v1", self.addr)
    }

    /// Its base URL in Ollama's dialect.
    pub fn ollama(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// The next chat is answered so.
    pub fn script(&self, script: Script) -> &Self {
        self.shared.scripts.lock().unwrap().push_back(script);
        self
    }

    /// Every chat without a script of its own is answered so.
    pub fn always(&self, script: Script) -> &Self {
        *self.shared.always.lock().unwrap() = Some(script);
        self
    }

    /// Every chat without a script is answered as `brain` says.
    pub fn answers(&self, brain: impl Fn(&Seen) -> Script + Send + Sync + 'static) -> &Self {
        *self.shared.brain.lock().unwrap() = Some(Arc::new(brain));
        self
    }

    /// Keeps no log of requests, for tests that send very many.
    pub fn quiet(&self) -> &Self {
        self.shared.quiet.store(true, Relaxed);
        self
    }

    /// The next connection gets this before anything is read from it.
    pub fn on_accept(&self, script: Script) -> &Self {
        self.shared.on_accept.lock().unwrap().push_back(script);
        self
    }

    /// What a `GET` of the path is answered with, whole HTTP message.
    pub fn route(&self, path: &str, answer: Bytes) -> &Self {
        let mut routes = self.shared.routes.lock().unwrap();
        routes.insert(path.to_owned(), answer);
        self
    }

    /// What it serves, in both dialects.
    pub fn models(&self, names: &[&str]) -> &Self {
        let data: Vec<_> = names
            .iter()
            .map(|name| json!({"id": name, "object": "model", "created": 1, "owned_by": "test"}))
            .collect();
        let tags: Vec<_> = names
            .iter()
            .map(|n| json!({"name": n, "model": n}))
            .collect();
        self.route("/v1/models", ok(&json!({"object": "list", "data": data})))
            .route("/api/tags", ok(&json!({"models": tags})))
            .route("/api/ps", ok(&json!({"models": []})))
            .route("/api/version", ok(&json!({"version": "0.13.0"})))
            .route("/health", http(200, "text/plain", ""))
    }

    /// What happened so far.
    pub fn log(&self) -> Log {
        self.shared.log.borrow().clone()
    }

    /// Waits until something has happened; panics after ten seconds.
    pub async fn until(&self, happened: impl FnMut(&Log) -> bool) -> Log {
        let mut log = self.shared.log.subscribe();
        let waited = tokio::time::timeout(Duration::from_secs(10), log.wait_for(happened));
        match waited.await {
            Ok(log) => log.unwrap().clone(),
            Err(_) => panic!("it did not happen; so far: {:?}", self.log()),
        }
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // Its own panics have been printed.
            let _ = thread.join();
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    for connection in 0.. {
        let Ok((stream, _)) = listener.accept().await else {
            return;
        };
        stream.set_nodelay(true).unwrap();
        shared.log.send_modify(|log| log.accepted += 1);
        tokio::spawn(serve(stream, connection, shared.clone()));
    }
}

async fn serve(stream: TcpStream, connection: usize, shared: Arc<Shared>) {
    let (read, write) = stream.into_split();
    let mut peer = Peer {
        read,
        buffer: BytesMut::new(),
    };
    let mut write = Some(write);
    let mut next = shared.on_accept.lock().unwrap().pop_front();
    loop {
        let script = match next.take() {
            Some(script) => script,
            None => match peer.request(connection).await {
                Some(seen) => {
                    let script = shared.answer(&seen);
                    if !shared.quiet.load(Relaxed) {
                        shared.log.send_modify(|log| log.requests.push(seen));
                    }
                    script
                }
                None => break,
            },
        };
        tokio::select! {
            () = peer.closed() => break,
            open = shared.run(script, &mut write) => if !open {
                reunite(peer.read, write);
                return;
            }
        }
    }
    let at = Instant::now();
    if shared.quiet.load(Relaxed) {
        return;
    }
    shared
        .log
        .send_modify(|log| log.closed.push(Closed { connection, at }));
}

/// Drops both halves; a reset leaves no time for a goodbye.
fn reunite(read: OwnedReadHalf, write: Option<OwnedWriteHalf>) {
    if let Some(write) = write {
        let stream = read.reunite(write).unwrap();
        stream.set_zero_linger().unwrap();
    }
}

impl Shared {
    fn answer(&self, seen: &Seen) -> Script {
        if seen.method == "GET" {
            let answer = self.routes.lock().unwrap().get(&seen.path).cloned();
            let missing = || http(404, "application/json", r#"{"error":"not found"}"#);
            return vec![Step::Write(answer.unwrap_or_else(missing))];
        }
        let script = self.scripts.lock().unwrap().pop_front();
        let script = script.or_else(|| self.always.lock().unwrap().clone());
        let brain = self.brain.lock().unwrap().clone();
        script.unwrap_or_else(|| brain.map_or_else(|| ordinary(seen), |brain| brain(seen)))
    }

    /// False: the connection is to be closed; without its write half cleanly, else by a reset.
    async fn run(&self, script: Script, write: &mut Option<OwnedWriteHalf>) -> bool {
        for step in script {
            let Some(out) = write.as_mut() else {
                return false;
            };
            match step {
                Step::Write(bytes) => self.write(out, &bytes).await,
                Step::Split(bytes) => {
                    for byte in bytes.chunks(1) {
                        self.write(out, byte).await;
                        tokio::task::yield_now().await;
                    }
                }
                Step::Pause(gate) => {
                    self.log.send_modify(|log| log.paused += 1);
                    gate.0.acquire().await.unwrap().forget();
                }
                Step::Wait(time) => tokio::time::sleep(time).await,
                Step::Hang => {
                    self.log.send_modify(|log| log.paused += 1);
                    std::future::pending().await
                }
                Step::Close => {
                    // Dropping the write half sends the FIN.
                    *write = None;
                    return false;
                }
                Step::Reset => return false,
            }
        }
        true
    }

    async fn write(&self, out: &mut OwnedWriteHalf, bytes: &[u8]) {
        match out.write_all(bytes).await {
            Ok(()) => self.log.send_modify(|log| log.written += bytes.len()),
            // Whoever watches the reading side will see it.
            Err(_) => std::future::pending().await,
        }
    }
}
