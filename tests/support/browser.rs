//! A real browser with one page of ours. The page, and what it reads of a server, come from one
//! small proxy, as browsers want it; the proxy cuts connections where the page's URLs say, and
//! notes what was asked. What the page finds out it posts back.

use super::http::{NET, PATIENCE};
use memchr::memmem;
use serde_json::Value;
use std::{
    collections::HashMap,
    net::SocketAddr,
    process::Stdio,
    sync::{Arc, Mutex},
    time::Duration,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    process::{Child, Command},
    sync::{mpsc, watch},
    time::timeout,
};

/// A request that went through to the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passed {
    /// Its plan, see [`Browser::open`].
    pub plan: String,
    /// `Last-Event-ID`
    pub last: Option<String>,
    /// The status of the answer; 0: none was let through.
    pub status: u16,
}

/// A browser at a page; dropping it ends it.
pub struct Browser {
    shared: Arc<Shared>,
    results: mpsc::UnboundedReceiver<Value>,
    profile: TempDir,
    child: Child,
}

struct Shared {
    page: String,
    server: SocketAddr,
    /// Connections so far, by plan.
    connections: Mutex<HashMap<String, usize>>,
    passed: watch::Sender<Vec<Passed>>,
    results: mpsc::UnboundedSender<Value>,
}

impl Browser {
    /// Opens `page`. What it asks of `/cut/PLAN/…` goes to the server, without `/cut/PLAN`. A plan
    /// says how many events each connection brings before it is cut, `1-0-2`; those behind the
    /// last are not cut. `2+9` cuts nine bytes into the third event, `x` before the answer.
    pub async fn open(server: SocketAddr, page: String) -> Browser {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (sender, results) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            page,
            server,
            connections: Mutex::default(),
            passed: watch::Sender::default(),
            results: sender,
        });
        let (listener, serving) = (listener.into_std().unwrap(), shared.clone());
        NET.spawn(async move {
            let listener = TcpListener::from_std(listener).unwrap();
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client, serving.clone()));
            }
        });
        let profile = TempDir::new().unwrap();
        let said = std::fs::File::create(profile.path().join("said")).unwrap();
        let child = Command::new("chromium")
            .args(["--headless", "--no-sandbox", "--disable-gpu"])
            .args(["--disable-quic", "--no-first-run", "--disable-sync"])
            .args([
                "--disable-background-networking",
                "--disable-component-update",
            ])
            .args([
                "--disable-dev-shm-usage",
                "--no-proxy-server",
                "--disable-breakpad",
            ])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg(format!("http://{addr}/page"))
            .env("HOME", profile.path())
            .env("TMPDIR", profile.path())
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(said)
            .spawn()
            .unwrap_or_else(|e| panic!("chromium does not start ({e}): run `make deps`"));
        Browser {
            shared,
            results,
            profile,
            child,
        }
    }

    /// What the page posts.
    pub async fn result(&mut self) -> Value {
        match timeout(PATIENCE, self.results.recv()).await {
            Ok(result) => result.unwrap(),
            Err(_) => {
                let said = std::fs::read_to_string(self.profile.path().join("said"));
                panic!(
                    "no result; {:?}; it said:\n{}",
                    self.passed(),
                    said.unwrap()
                )
            }
        }
    }

    /// What went through to the server, in order.
    fn passed(&self) -> Vec<Passed> {
        self.shared.passed.borrow().clone()
    }

    /// The same, once so many readers have been told that there is no more: the page may know of it
    /// before it is noted here.
    pub async fn all_passed(&self, readers: usize) -> Vec<Passed> {
        let told = |all: &Vec<Passed>| all.iter().filter(|p| p.status == 204).count() >= readers;
        let mut passed = self.shared.passed.subscribe();
        let waited = timeout(PATIENCE, passed.wait_for(told)).await.is_ok();
        assert!(waited, "only {:?}", self.passed());
        self.passed()
    }

    /// Waits until so many requests have gone through and come to their end.
    pub async fn cut(&self, count: usize) {
        let mut passed = self.shared.passed.subscribe();
        let waited = timeout(PATIENCE, passed.wait_for(|passed| passed.len() >= count)).await;
        assert!(waited.is_ok(), "only {:?}", self.passed());
    }
}

/// All its processes end at once: one that lived on would write into the profile again.
impl Drop for Browser {
    #[expect(clippy::disallowed_methods, reason = "a drop cannot await")]
    fn drop(&mut self) {
        let Some(pid) = self.child.id() else { return };
        let group = format!("-{pid}");
        let _ = std::process::Command::new("sh")
            .args(["-c", "kill -s KILL -- \"$0\"", &group])
            .status();
        for _ in 0..100 {
            let _ = self.child.try_wait();
            let _ = std::fs::remove_dir_all(self.profile.path());
            if !self.profile.path().exists() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

async fn serve(mut client: TcpStream, shared: Arc<Shared>) {
    let mut asked = Vec::new();
    let Some(end) = read_past(&mut client, &mut asked, b"\r\n\r\n").await else {
        return;
    };
    let head = String::from_utf8(asked[..end].to_vec()).unwrap();
    let mut words = head.split(' ').skip(1);
    let path = words.next().unwrap();
    if let Some((plan, path)) = path.strip_prefix("/cut/").and_then(|p| p.split_once('/')) {
        return pass(client, &shared, plan, path, &head).await;
    }
    let (status, body) = match path {
        "/page" => ("200 OK", &*shared.page),
        "/result" => {
            let length: usize = header(&head, "content-length").unwrap().parse().unwrap();
            while asked.len() - end < length {
                client.read_buf(&mut asked).await.unwrap();
            }
            let result = serde_json::from_slice(&asked[end..]).unwrap();
            let _ = shared.results.send(result);
            ("204 No Content", "")
        }
        _ => ("404 Not Found", ""),
    };
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/html\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    let _ = client.write_all(answer.as_bytes()).await;
}

/// Asks the server, over a connection of its own, and brings its answer as far as the plan goes.
async fn pass(mut client: TcpStream, shared: &Shared, plan: &str, path: &str, head: &str) {
    let nth = {
        let mut connections = shared.connections.lock().unwrap();
        let nth = connections.entry(plan.to_owned()).or_default();
        *nth += 1;
        *nth - 1
    };
    let cut = plan.split('-').nth(nth);
    let mut status = 0;
    if cut != Some("x") {
        let mut server = TcpStream::connect(shared.server).await.unwrap();
        let keep = |line: &&str| !line.to_ascii_lowercase().starts_with("connection:");
        let rest: Vec<_> = head.trim_end().lines().skip(1).filter(keep).collect();
        let rest = rest.join("\r\n");
        let ask = format!("GET /{path} HTTP/1.1\r\n{rest}\r\nConnection: close\r\n\r\n");
        server.write_all(ask.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        if let Some(end) = read_past(&mut server, &mut answer, b"\r\n\r\n").await {
            status = std::str::from_utf8(&answer[9..12])
                .unwrap()
                .parse()
                .unwrap();
            bring(&mut client, &mut server, answer, end, cut).await;
        }
    }
    // An orderly end: what was let through arrives.
    let _ = client.shutdown().await;
    let last = header(head, "last-event-id").map(str::to_owned);
    let plan = plan.to_owned();
    let passed = Passed { plan, last, status };
    shared.passed.send_modify(|all| all.push(passed));
}

/// Brings the answer up to the cut, or all of it. Its head ends at `head`.
async fn bring(
    client: &mut TcpStream,
    server: &mut TcpStream,
    mut answer: Vec<u8>,
    head: usize,
    cut: Option<&str>,
) {
    let mut sent = 0;
    loop {
        let end = cut.and_then(|cut| place(&answer[head..], cut));
        let end = end.map_or(usize::MAX, |end| head + end);
        let now = end.min(answer.len());
        if client.write_all(&answer[sent..now]).await.is_err() || now == end {
            return;
        }
        sent = now;
        if !matches!(server.read_buf(&mut answer).await, Ok(1..)) {
            return;
        }
    }
}

/// Where in a body the cut is, once its events are there.
fn place(body: &[u8], cut: &str) -> Option<usize> {
    let (events, more) = cut.split_once('+').unwrap_or((cut, "0"));
    let more: usize = more.parse().unwrap();
    let mut ends = memmem::find_iter(body, b"\n\n").map(|at| at + 2);
    match events.parse().unwrap() {
        0 => Some(more),
        events => ends.nth(events - 1).map(|end| end + more),
    }
}

/// Reads until `mark` has come: where it ends.
async fn read_past(from: &mut TcpStream, into: &mut Vec<u8>, mark: &[u8]) -> Option<usize> {
    loop {
        if let Some(at) = memmem::find(into, mark) {
            return Some(at + mark.len());
        }
        if !matches!(from.read_buf(into).await, Ok(1..)) {
            return None;
        }
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.lines().filter_map(|line| line.split_once(':'));
    let found = lines.find(|(n, _)| n.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.trim())
}
