//! What to do, and the request it means.

use bench::{Shape, WORDS, answer};
use serde::Deserialize;
use serde_json::json;
use std::cell::Cell;

/// The command's only argument, as JSON.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// Host and port.
    pub address: String,
    /// Whole answers, streams, or streams that stay open.
    pub mode: Mode,
    /// Its name carries the answer's shape.
    pub model: String,
    /// Requests at once, each on a connection of its own.
    pub connections: usize,
    /// New connections a second.
    pub ramp: f64,
    /// Seconds that do not count, after the ramp.
    pub warmup: f64,
    /// Seconds that count.
    pub window: f64,
    /// The first request's number: no two requests to one server may be alike.
    pub serial: u64,
    /// So many users take turns; 0: none is named.
    pub users: u64,
    /// Further header lines.
    pub headers: Vec<String>,
    /// The server must have put something into the prompt; else it must not.
    pub grows: bool,
    /// Whose CPU time and memory count.
    pub pids: Vec<u32>,
}

/// What the answers are.
#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Whole.
    Chat,
    /// Streamed, one after the other.
    Stream,
    /// Streamed, and never at an end.
    Hold,
}

/// Eight bytes each, replaced by as many digits, so that the length stays.
const USER: &str = "USERUSER";
const TURN: &str = "TURNTURN";
const SYSTEM: &str = "You are a helpful assistant.";
const PROMPT_WORDS: usize = 40;

/// What is sent, and what must come back.
pub struct Plan {
    /// As asked.
    pub job: Job,
    /// Tokens of an answer.
    pub tokens: usize,
    /// The text of an answer; empty for one without end.
    pub text: String,
    /// Words of the prompt, which the mock counts as its tokens.
    pub prompt: u64,
    template: String,
    users: Vec<usize>,
    turns: Vec<usize>,
    serial: Cell<u64>,
}

impl Plan {
    /// The plan for a job.
    pub fn of(job: Job) -> Result<Plan, String> {
        let shape = Shape::of(&job.model).ok_or("the model's name carries no shape")?;
        let mut words: Vec<_> = (0..PROMPT_WORDS - 1).map(|i| WORDS[i * 7 % 64]).collect();
        words.push(TURN);
        let mut body = json!({
            "model": job.model,
            "messages": [
                {"role": "system", "content": SYSTEM},
                {"role": "user", "content": words.join(" ")},
            ],
            "temperature": 0.7,
            "max_tokens": shape.tokens.max(128),
        });
        if job.mode != Mode::Chat {
            body["stream"] = true.into();
            body["stream_options"] = json!({"include_usage": true});
        }
        let body = body.to_string();
        let (address, length) = (&job.address, body.len());
        let mut template = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nAccept: */*\r\nContent-Length: {length}\r\n"
        );
        if job.users > 0 {
            template += &format!("X-User-ID: bench-{USER}\r\n");
        }
        job.headers
            .iter()
            .for_each(|h| template += &format!("{h}\r\n"));
        template += &format!("\r\n{body}");
        let places = |mark| template.match_indices(mark).map(|(at, _)| at).collect();
        Ok(Plan {
            tokens: shape.tokens,
            text: if job.mode == Mode::Hold {
                String::new()
            } else {
                answer(shape.tokens)
            },
            prompt: (SYSTEM.split(' ').count() + words.len()) as u64,
            users: places(USER),
            turns: places(TURN),
            template,
            serial: Cell::new(job.serial),
            job,
        })
    }

    /// The next request: the next user's, and unlike any before.
    pub fn request(&self) -> Vec<u8> {
        let n = self.serial.replace(self.serial.get() + 1);
        let mut request = self.template.clone().into_bytes();
        let mut put = |places: &[usize], n: u64| {
            let digits = format!("{:08}", n % 100_000_000);
            places
                .iter()
                .for_each(|&at| request[at..at + 8].copy_from_slice(digits.as_bytes()));
        };
        put(&self.users, n % self.job.users.max(1));
        put(&self.turns, n);
        request
    }
}
