//! A client, its event streams, and a raw socket for what no client would send.

use futures_util::{Stream, StreamExt};
use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};
use std::{collections::VecDeque, net::SocketAddr, pin::Pin, sync::LazyLock, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    runtime::Runtime,
    time::timeout,
};

/// Longer than anything here may take on a busy machine; what runs into it hangs.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Connections live here and not on a test's own runtime: a test that blocks (a drop that waits
/// for its server to end) would keep them open.
pub(super) static NET: LazyLock<Runtime> = LazyLock::new(|| {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(1).enable_all().build().unwrap()
});

/// Sends a request on the connections' own runtime.
pub async fn send(request: RequestBuilder) -> Result<Response, reqwest::Error> {
    NET.spawn(request.send()).await.unwrap()
}

/// A client of one server; clones share connections.
#[derive(Clone)]
pub struct Client {
    /// `http://127.0.0.1:PORT`
    pub base: String,
    /// For whatever has no short form here.
    pub http: reqwest::Client,
}

impl Client {
    /// A client of the server at `addr`.
    pub fn new(addr: SocketAddr) -> Self {
        // reqwest asks for one even where nothing is encrypted.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy();
        Client {
            base: format!("http://{addr}"),
            http: http.build().unwrap(),
        }
    }

    /// The URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// `GET`
    pub async fn get(&self, path: &str) -> Response {
        send(self.http.get(self.url(path))).await.unwrap()
    }

    /// A request of `user` with a JSON body, where one is given.
    pub async fn call(
        &self,
        method: &str,
        path: &str,
        user: &str,
        body: Option<Value>,
    ) -> Response {
        let method = method.parse().unwrap();
        let request = self
            .http
            .request(method, self.url(path))
            .header("x-user-id", user);
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        send(request).await.unwrap()
    }

    /// A native task, streamed. Fails in words, for tests that count failures.
    pub async fn task(&self, user: &str, body: Value) -> Result<Events, String> {
        let request = self.http.post(self.url("/api/v1/tasks"));
        let request = request
            .header("x-user-id", user)
            .header("accept", "text/event-stream");
        let response = send(request.json(&body))
            .await
            .map_err(|e| format!("{e:?}"))?;
        match response.status().as_u16() {
            200 => Ok(Events::of(response)),
            status => Err(format!(
                "{status}: {}",
                response.text().await.unwrap_or_default()
            )),
        }
    }

    /// Asks and waits for the end: the data of the `done` event, with the answer as `text` and
    /// the data of the `recalled` event.
    pub async fn ask(&self, user: &str, query: &str) -> Result<Value, String> {
        self.done(user, json!({ "query": query })).await
    }

    /// The same with a short answer, for load: a simulator's tokens are single characters.
    pub async fn ask_briefly(&self, user: &str, query: &str) -> Result<Value, String> {
        let body = json!({ "query": query, "params": {"max_tokens": 4} });
        self.done(user, body).await
    }

    async fn done(&self, user: &str, body: Value) -> Result<Value, String> {
        let mut events = self.task(user, body).await?;
        let (mut text, mut recalled) = (String::new(), Value::Null);
        while let Some(event) = events.try_next().await? {
            match event.name.as_str() {
                "recalled" => recalled = event.json(),
                "token" => text += event.json()["text"].as_str().unwrap_or_default(),
                "done" => {
                    let mut done = event.json();
                    done["text"] = text.into();
                    done["recalled"] = recalled;
                    return Ok(done);
                }
                "error" => return Err(event.data),
                _ => {}
            }
        }
        Err(format!("the stream ended without `done` after {text:?}"))
    }

    /// A chat over `/v1`, streamed.
    pub async fn chat(&self, user: &str, mut body: Value) -> Result<Events, String> {
        body["stream"] = true.into();
        let request = self.http.post(self.url("/v1/chat/completions"));
        let response = send(request.header("x-user-id", user).json(&body)).await;
        let response = response.map_err(|e| format!("{e:?}"))?;
        match response.status().as_u16() {
            200 => Ok(Events::of(response)),
            status => Err(format!(
                "{status}: {}",
                response.text().await.unwrap_or_default()
            )),
        }
    }

    /// The user's profile: topic → key → value.
    pub async fn profile(&self, user: &str) -> Value {
        let response = self.call("GET", "/api/v1/memory", user, None).await;
        assert_eq!(response.status(), 200);
        response.json().await.unwrap()
    }
}

/// One server-sent event, or a block of comments alone (then `data` is empty).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// `id:`
    pub id: Option<String>,
    /// `event:`; empty where it has no name.
    pub name: String,
    /// `data:`, lines joined.
    pub data: String,
    /// Lines that begin with a colon, without it.
    pub comments: Vec<String>,
}

impl Event {
    /// The data as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or_else(|e| panic!("{e} in {self:?}"))
    }
}

/// The events of one answer. Dropping it hangs up.
pub struct Events {
    /// The answer's headers.
    pub headers: reqwest::header::HeaderMap,
    body: Pin<Box<dyn Stream<Item = reqwest::Result<bytes::Bytes>> + Send>>,
    buffer: Vec<u8>,
    ready: VecDeque<Event>,
}

impl Events {
    /// The events of a response.
    pub fn of(response: Response) -> Self {
        Events {
            headers: response.headers().clone(),
            body: Box::pin(response.bytes_stream()),
            buffer: Vec::new(),
            ready: VecDeque::new(),
        }
    }

    /// The next event; `None` at a clean end. A broken connection panics: servers here end their
    /// streams cleanly.
    pub async fn next(&mut self) -> Option<Event> {
        self.try_next().await.unwrap()
    }

    /// The next event; `None` at a clean end.
    pub async fn try_next(&mut self) -> Result<Option<Event>, String> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(Some(event));
            }
            let more = timeout(PATIENCE, self.body.next()).await;
            match more.map_err(|_| "the stream is silent")? {
                Some(Ok(bytes)) => self.feed(&bytes),
                Some(Err(broken)) => return Err(format!("the stream broke: {broken:?}")),
                None if self.buffer.is_empty() => return Ok(None),
                None => {
                    let rest = String::from_utf8_lossy(&self.buffer);
                    return Err(format!("the stream ended inside an event: {rest:?}"));
                }
            }
        }
    }

    /// All events up to the end.
    pub async fn all(mut self) -> Vec<Event> {
        let mut all = Vec::new();
        while let Some(event) = self.next().await {
            all.push(event);
        }
        all
    }

    fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
        while let Some(end) = self.buffer.windows(2).position(|two| two == b"\n\n") {
            let block: Vec<u8> = self.buffer.drain(..end + 2).collect();
            self.ready
                .push_back(parse(std::str::from_utf8(&block).unwrap()));
        }
    }
}

fn parse(block: &str) -> Event {
    let mut event = Event::default();
    let mut data = Vec::new();
    for line in block.lines() {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "" if !line.is_empty() => event.comments.push(value.to_owned()),
            "id" => event.id = Some(value.to_owned()),
            "event" => event.name = value.to_owned(),
            "data" => data.push(value),
            _ => {}
        }
    }
    event.data = data.join("\n");
    event
}

/// A bare connection.
pub struct Raw {
    /// The socket itself.
    pub stream: TcpStream,
    /// What has come and not been looked for yet.
    pub seen: Vec<u8>,
}

impl Raw {
    /// Connects.
    pub async fn connect(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect(addr).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let seen = Vec::new();
        Raw { stream, seen }
    }

    /// Sends bytes as they are.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Sends a `POST` with a JSON body and these header lines (`name: value`).
    pub async fn post(&mut self, path: &str, headers: &[&str], body: &Value) {
        let body = body.to_string();
        let head = headers
            .iter()
            .map(|line| format!("{line}\r\n"))
            .collect::<String>();
        self.send(format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n{head}Content-Length: {}\r\n\r\n{body}",
            self.stream.peer_addr().unwrap(),
            body.len(),
        ))
        .await;
    }

    /// Reads until `needle` has come; what came up to and with it. `None`: the end came first.
    pub async fn until(&mut self, needle: &str) -> Option<String> {
        loop {
            let found = memchr::memmem::find(&self.seen, needle.as_bytes());
            if let Some(at) = found {
                let taken = self.seen.drain(..at + needle.len()).collect();
                return Some(String::from_utf8(taken).unwrap());
            }
            let mut chunk = [0; 4096];
            let read = timeout(PATIENCE, self.stream.read(&mut chunk)).await;
            match read.expect("the server is silent") {
                Ok(n) if n > 0 => self.seen.extend_from_slice(&chunk[..n]),
                _ => return None,
            }
        }
    }

    /// Closes with a reset instead of an orderly end.
    pub fn reset(self) {
        self.stream.set_zero_linger().unwrap();
    }
}
