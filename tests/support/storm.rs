//! A fleet of backends that misbehave at random, and clients that check every answer: whose text it
//! is, that it is whole where its end was told, and that it was told where it is not.

use super::{
    answers::{chat_events, chunk, head, ok, sse},
    faults::{EARLY, Early, LATE, ODD, SILENT},
    http::{Client, PATIENCE, send},
    upstream::{Script, Seen, Step, Upstream},
};
use futures_util::StreamExt;
use serde_json::{Value, json};
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::time::timeout;

/// Numbers that look random and can be had again.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % most
    }

    pub fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}

/// See the file's head.
pub struct Fleet {
    /// `None`: dead for now.
    upstreams: Vec<Option<Upstream>>,
    addrs: Vec<SocketAddr>,
    random: Arc<Mutex<Random>>,
    percent: usize,
}

impl Fleet {
    /// So many backends; so many of a hundred requests meet a fault.
    pub fn start(size: usize, percent: usize, seed: u64) -> Self {
        let mut fleet = Fleet {
            upstreams: Vec::new(),
            addrs: vec!["127.0.0.1:0".parse().unwrap(); size],
            random: Arc::new(Mutex::new(Random::new(seed))),
            percent,
        };
        for id in 0..size {
            let upstream = fleet.make(id);
            fleet.addrs[id] = upstream.addr;
            fleet.upstreams.push(Some(upstream));
        }
        fleet
    }

    /// Base URLs.
    pub fn urls(&self) -> Vec<String> {
        let url = |addr| format!("http://{addr}/v1");
        self.addrs.iter().map(url).collect()
    }

    /// Kills one, connections and all, or brings it back.
    pub fn toggle(&mut self, id: usize) {
        self.upstreams[id] = match self.upstreams[id].take() {
            Some(_) => None,
            None => Some(self.make(id)),
        };
    }

    /// From now on all are there and well.
    pub fn calm(&mut self) {
        self.percent = 0;
        for id in 0..self.addrs.len() {
            self.upstreams[id] = None;
            self.upstreams[id] = Some(self.make(id));
        }
    }

    fn make(&self, id: usize) -> Upstream {
        let (random, percent) = (self.random.clone(), self.percent);
        let upstream = Upstream::at(self.addrs[id]);
        upstream.quiet();
        upstream.answers(move |seen| answer(seen, &mut random.lock().unwrap(), percent));
        upstream
    }
}

/// The text that belongs to a question.
pub fn belongs(id: &str) -> Vec<String> {
    let count = 1 + id.bytes().map(usize::from).sum::<usize>() % 24;
    (0..count)
        .map(|n| format!("{id}/{n} 中\u{1F600} "))
        .collect()
}

fn answer(seen: &Seen, random: &mut Random, percent: usize) -> Script {
    let body = seen.json();
    let said = body["messages"]
        .as_array()
        .and_then(|all| all.last()?["content"].as_str());
    // Memory may stand before it.
    let id = said
        .and_then(|text| text.rsplit("ask ").next())
        .unwrap_or_default();
    let tokens = belongs(id);
    let tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();
    let fails = random.below(100) < percent;
    let early = |random: &mut Random| loop {
        // What it says of the request would be passed on.
        match random.one(&EARLY) {
            Early::Status(404 | 408) => {}
            fault => return fault.script(),
        }
    };
    if body["stream"] != true {
        let whole = json!({"choices": [{"index": 0, "finish_reason": "stop",
            "message": {"role": "assistant", "content": tokens.concat()}}]});
        return match (fails, random.below(3)) {
            (false, _) => vec![Step::Write(ok(&whole))],
            (true, 0) => {
                let half = whole.to_string();
                let half = &half.as_bytes()[..half.len() / 2];
                vec![
                    head("application/json"),
                    Step::Write(chunk(half)),
                    Step::Close,
                ]
            }
            (true, _) => loop {
                match random.one(&EARLY) {
                    Early::Status(404 | 408) => {}
                    fault @ (Early::Close | Early::Reset | Early::Page | Early::Status(_)) => {
                        return fault.script();
                    }
                    _ => {}
                }
            },
        };
    }
    match (fails, random.below(20)) {
        (false, 0..8) => sse(&chat_events("m", &tokens)),
        (false, _) => random.one(&ODD).script(&tokens),
        (true, 0) => random.one(&SILENT).script(),
        (true, 1..10) => early(random),
        (true, _) => {
            let some = random.below(tokens.len()).max(1);
            random.one(&LATE).script(&tokens[..some])
        }
    }
}

/// How an answer ended, for its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum End {
    /// All of it came.
    Whole,
    /// It broke off, and the client was told.
    Told,
    /// There was none, and this status said why.
    Refused(u16),
    /// The client went away.
    Left,
}

/// Asks once, as one of so many users, on any surface; sometimes goes away before the end. `Err`:
/// what is wrong with what came.
pub async fn ask(
    client: &Client,
    id: &str,
    users: usize,
    random: &mut Random,
    leaves: bool,
) -> Result<End, String> {
    let user = format!("u{}", random.below(users));
    let (surface, patience) = (random.below(8), leaves.then(|| 1 + random.below(4)));
    let asking = async {
        match surface {
            0 => natively(client, &user, id).await,
            1 => whole(client, &user, id).await,
            _ => streamed(client, &user, id, patience).await,
        }
    };
    let (most, left) = match (leaves, surface) {
        (true, _) => (
            Duration::from_millis(random.below(40) as u64),
            Ok(End::Left),
        ),
        (false, _) => (PATIENCE, Err(format!("{id}: it hangs"))),
    };
    timeout(most, asking).await.unwrap_or(left)
}

async fn post(
    client: &Client,
    user: &str,
    id: &str,
    stream: bool,
) -> Result<reqwest::Response, String> {
    let body = json!({"model": "m", "stream": stream,
        "messages": [{"role": "user", "content": format!("ask {id}")}]});
    let request = client.http.post(client.url("/v1/chat/completions"));
    let response = send(request.header("x-user-id", user).json(&body)).await;
    response.map_err(|e| format!("{id}: {e:?}"))
}

async fn streamed(
    client: &Client,
    user: &str,
    id: &str,
    reads: Option<usize>,
) -> Result<End, String> {
    let response = post(client, user, id, true).await?;
    if response.status() != 200 {
        return refused(id, response).await;
    }
    let (mut body, mut all) = (response.bytes_stream(), Vec::new());
    let mut left = reads.unwrap_or(usize::MAX);
    while let Some(bytes) = body.next().await {
        all.extend_from_slice(&bytes.map_err(|e| format!("{id}: {e:?}"))?);
        left -= 1;
        if left == 0 {
            return Ok(End::Left);
        }
    }
    judge(
        id,
        &String::from_utf8(all).map_err(|e| format!("{id}: {e}"))?,
    )
}

fn judge(id: &str, sse: &str) -> Result<End, String> {
    let wrong = |what: &str| Err(format!("{id}: {what} in {sse}"));
    let sse = sse
        .replace("\r\n", "\n")
        .replace('\r', "\n")
        .replace('\u{feff}', "");
    let (mut text, mut end) = (String::new(), None);
    for event in sse.split("\n\n") {
        let lines = event.lines().filter_map(|line| line.strip_prefix("data:"));
        let data = lines
            .map(|l| l.trim_start_matches(' '))
            .collect::<Vec<_>>()
            .join("\n");
        if data.is_empty() {
            continue;
        }
        if end.is_some() {
            return wrong("something after the end");
        }
        if data == "[DONE]" {
            end = Some(End::Whole);
            continue;
        }
        let Ok(chunk) = serde_json::from_str::<Value>(&data) else {
            return wrong("an event that is no JSON");
        };
        match chunk["error"]["message"].is_string() {
            true => end = Some(End::Told),
            false => {
                text += chunk["choices"][0]["delta"]["content"]
                    .as_str()
                    .unwrap_or("")
            }
        }
    }
    let expected = belongs(id).concat();
    match end {
        Some(End::Whole) if text != expected => wrong("another text than belongs to it"),
        Some(_) if !expected.starts_with(&text) => wrong("a text that does not belong to it"),
        Some(end) => Ok(end),
        None => wrong("no end"),
    }
}

async fn whole(client: &Client, user: &str, id: &str) -> Result<End, String> {
    let response = post(client, user, id, false).await?;
    if response.status() != 200 {
        return refused(id, response).await;
    }
    let answer: Value = response.json().await.map_err(|e| format!("{id}: {e:?}"))?;
    match answer["choices"][0]["message"]["content"] == belongs(id).concat() {
        true => Ok(End::Whole),
        false => Err(format!("{id}: another answer: {answer}")),
    }
}

async fn refused(id: &str, response: reqwest::Response) -> Result<End, String> {
    let status = response.status().as_u16();
    let error: Value = response.json().await.map_err(|e| format!("{id}: {e:?}"))?;
    match (status, error["error"]["message"].is_string()) {
        (429 | 502 | 503 | 504, true) => Ok(End::Refused(status)),
        _ => Err(format!("{id}: {status} {error}")),
    }
}

async fn natively(client: &Client, user: &str, id: &str) -> Result<End, String> {
    match client.ask(user, &format!("ask {id}")).await {
        Ok(done) if done["text"] == belongs(id).concat() => Ok(End::Whole),
        Ok(done) => Err(format!("{id}: another answer: {done}")),
        Err(error) => {
            let problem = error.split_once('{').map(|(_, rest)| format!("{{{rest}"));
            let problem = problem.and_then(|json| serde_json::from_str::<Value>(&json).ok());
            match problem.as_ref().and_then(|p| p["status"].as_u64()) {
                Some(429 | 502 | 503 | 504) if error.starts_with('{') => Ok(End::Told),
                Some(status @ (429 | 502 | 503 | 504)) => Ok(End::Refused(status as u16)),
                _ => Err(format!("{id}: {error}")),
            }
        }
    }
}

/// What is out now: turns, leases, places in line, seats at the nodes. All by HTTP.
pub async fn gauges(client: &Client) -> Value {
    let read = async |path: &str| client.get(path).await.json::<Value>().await.unwrap();
    let (health, backends) = (read("/health").await, read("/api/v1/backends").await);
    let actors = read("/api/v1/actors").await;
    let sum = |list: &Value, key: &str| -> i64 {
        let values = list
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one[key].as_i64().unwrap());
        values.sum()
    };
    let replicas = actors["actors"].as_array().unwrap();
    json!({
        "turns": health["inflight"], "tasks": health["tasks"],
        "leases": sum(&backends["backends"], "in_flight"),
        "in line": sum(&backends["backends"], "waiting"),
        "seats": replicas.iter().map(|one| one["turns"].as_i64().unwrap()).sum::<i64>(),
    })
}

/// Waits until every gauge is exactly zero.
pub async fn all_given_back(client: &Client) {
    let zero = json!({"turns": 0, "tasks": 0, "leases": 0, "in line": 0, "seats": 0});
    let start = std::time::Instant::now();
    loop {
        let now = gauges(client).await;
        if now == zero {
            return;
        }
        assert!(start.elapsed() < PATIENCE, "something leaks: {now}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
