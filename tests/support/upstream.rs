//! A scripted backend over plain TCP, for every way one can misbehave. It runs on a thread of its
//! own, so that a test that blocks does not stop it. Lists of models and the like it answers by
//! itself; each chat takes the next script, or, where none is left, an ordinary answer. What it
//! saw is a [`Log`] that a test can wait on.

use bytes::{Bytes, BytesMut};
use serde_json::{Value, json};
use std::{
    collections::{HashMap, VecDeque},
    net::{SocketAddr, TcpListener as StdListener},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{Semaphore, oneshot, watch},
};

/// What to do once a request has come. A script that ends leaves the connection to the next one.
pub type Script = Vec<Step>;

/// One step of a script.
#[derive(Clone)]
pub enum Step {
    /// Writes the bytes at once.
    Write(Bytes),
    /// Writes every byte by itself.
    Split(Bytes),
    /// Waits until the gate lets one more through.
    Pause(Gate),
    /// Never goes on.
    Hang,
    /// Closes cleanly.
    Close,
    /// Resets the connection.
    Reset,
}

/// Where scripts wait; each `open` lets one through, before or after it has come.
#[derive(Clone)]
pub struct Gate(Arc<Semaphore>);

impl Gate {
    pub fn new() -> Gate {
        Gate(Arc::new(Semaphore::new(0)))
    }

    /// Lets so many through.
    pub fn open(&self, count: usize) {
        self.0.add_permits(count);
    }
}

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Seen {
    pub connection: usize,
    pub method: String,
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// A connection that the other side has closed.
#[derive(Clone, Debug)]
pub struct Closed {
    pub connection: usize,
    pub at: Instant,
}

/// What happened so far.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// Connections accepted.
    pub accepted: usize,
    /// Everything that was asked.
    pub requests: Vec<Seen>,
    /// Connections that the other side closed, in order.
    pub closed: Vec<Closed>,
    /// Bytes written, over all connections.
    pub written: usize,
    /// Scripts that have come to a pause, or hang.
    pub paused: usize,
}

impl Log {
    /// The chat requests, without what discovery asks.
    pub fn chats(&self) -> Vec<&Seen> {
        self.requests
            .iter()
            .filter(|r| r.method == "POST")
            .collect()
    }
}

/// See the file's head. Dropped, it closes its port and all its connections.
pub struct Upstream {
    pub addr: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

struct Shared {
    scripts: Mutex<VecDeque<Script>>,
    on_accept: Mutex<VecDeque<Script>>,
    always: Mutex<Option<Script>>,
    routes: Mutex<HashMap<String, Bytes>>,
    log: watch::Sender<Log>,
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
            routes: Mutex::default(),
            log: watch::Sender::new(Log::default()),
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
                    shared.log.send_modify(|log| log.requests.push(seen));
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

struct Peer {
    read: OwnedReadHalf,
    buffer: BytesMut,
}

impl Peer {
    /// Resolves when the other side has closed; what it sends before is kept.
    async fn closed(&mut self) {
        while let Ok(1..) = self.read.read_buf(&mut self.buffer).await {}
    }

    async fn request(&mut self, connection: usize) -> Option<Seen> {
        let end = loop {
            if let Some(at) = self.buffer.windows(4).position(|w| w == b"\r\n\r\n") {
                break at + 4;
            }
            if !matches!(self.read.read_buf(&mut self.buffer).await, Ok(1..)) {
                return None;
            }
        };
        let head = self.buffer.split_to(end);
        let head = std::str::from_utf8(&head).unwrap();
        let mut lines = head.lines();
        let mut first = lines.next()?.split(' ');
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let length = headers.iter().find(|(name, _)| name == "content-length");
        let length = length.map_or(0, |(_, value)| value.parse().unwrap());
        while self.buffer.len() < length {
            if !matches!(self.read.read_buf(&mut self.buffer).await, Ok(1..)) {
                return None;
            }
        }
        Some(Seen {
            connection,
            method: first.next()?.to_owned(),
            path: first.next()?.to_owned(),
            headers,
            body: self.buffer.split_to(length).freeze(),
        })
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
        script.unwrap_or_else(|| ordinary(seen))
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

/// What a good backend answers.
fn ordinary(seen: &Seen) -> Script {
    let body: Value = serde_json::from_slice(&seen.body).unwrap_or_default();
    let model = body["model"].as_str().unwrap_or("m");
    match (seen.path.as_str(), body["stream"] == json!(true)) {
        ("/v1/chat/completions", true) => sse(&chat_events(model, &["Hel", "lo"])),
        ("/v1/chat/completions", false) => vec![Step::Write(ok(&chat_whole(model, "Hello")))],
        ("/api/chat", true) => ndjson(&ollama_lines(model, &["Hel", "lo"])),
        ("/api/chat", false) => vec![Step::Write(ok(&json!({
            "model": model, "message": {"role": "assistant", "content": "Hello"},
            "done": true, "done_reason": "stop", "prompt_eval_count": 5, "eval_count": 2,
        })))],
        _ => vec![Step::Write(http(
            404,
            "application/json",
            r#"{"error":"not found"}"#,
        ))],
    }
}

/// A whole HTTP message.
pub fn http(status: u16, kind: &str, body: &str) -> Bytes {
    let length = body.len();
    format!(
        "HTTP/1.1 {status} Status\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .into()
}

/// 200 with JSON.
pub fn ok(body: &Value) -> Bytes {
    http(200, "application/json", &body.to_string())
}

/// The head of a chunked answer.
pub fn head(kind: &str) -> Step {
    let head =
        format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n");
    Step::Write(head.into())
}

/// One chunk of a chunked body.
pub fn chunk(bytes: impl AsRef<[u8]>) -> Bytes {
    let bytes = bytes.as_ref();
    let mut all = BytesMut::from(format!("{:x}\r\n", bytes.len()).as_bytes());
    all.extend_from_slice(bytes);
    all.extend_from_slice(b"\r\n");
    all.freeze()
}

/// The end of a chunked body.
pub fn end() -> Step {
    Step::Write(Bytes::from_static(b"0\r\n\r\n"))
}

/// A chunked answer, each part in a write of its own.
pub fn chunked(kind: &str, parts: &[String]) -> Script {
    let parts = parts.iter().map(|part| Step::Write(chunk(part)));
    [head(kind)]
        .into_iter()
        .chain(parts)
        .chain([end()])
        .collect()
}

/// An SSE answer of these `data:` payloads, and `[DONE]`.
pub fn sse(events: &[Value]) -> Script {
    let mut parts: Vec<String> = events.iter().map(|e| format!("data: {e}\n\n")).collect();
    parts.push("data: [DONE]\n\n".into());
    chunked("text/event-stream", &parts)
}

/// The chunks of a chat: role, tokens, finish.
pub fn chat_events(model: &str, tokens: &[&str]) -> Vec<Value> {
    let chunk = |delta: Value, reason: Value| {
        json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": model,
            "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]})
    };
    let mut events = vec![chunk(
        json!({"role": "assistant", "content": ""}),
        json!(null),
    )];
    events.extend(
        tokens
            .iter()
            .map(|t| chunk(json!({"content": t}), json!(null))),
    );
    events.push(chunk(json!({}), json!("stop")));
    events
}

/// A whole chat answer.
pub fn chat_whole(model: &str, text: &str) -> Value {
    json!({"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": model,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text},
            "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}})
}

/// An answer of lines as Ollama streams it.
pub fn ndjson(lines: &[Value]) -> Script {
    let parts: Vec<String> = lines.iter().map(|line| format!("{line}\n")).collect();
    chunked("application/x-ndjson", &parts)
}

/// The lines of a chat in Ollama's dialect.
pub fn ollama_lines(model: &str, tokens: &[&str]) -> Vec<Value> {
    let at = "2026-11-23T21:00:00.000000Z";
    let message = |text: &str| json!({"role": "assistant", "content": text});
    let line =
        |t: &&str| json!({"model": model, "created_at": at, "message": message(t), "done": false});
    let mut lines: Vec<_> = tokens.iter().map(line).collect();
    lines.push(
        json!({"model": model, "created_at": at, "message": message(""), "done": true,
        "done_reason": "stop", "total_duration": 9, "load_duration": 1, "prompt_eval_count": 5,
        "prompt_eval_duration": 3, "eval_count": tokens.len(), "eval_duration": 4}),
    );
    lines
}
