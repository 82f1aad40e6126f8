//! Every way in which a backend can misbehave in a streamed chat, as scripts: before anything that
//! a client would show, in the middle, and ways that are only odd. A backend that refuses
//! connections is a dropped [`super::upstream::Upstream`].

use super::answers::{chat_events, chunk, chunked, end, head, http};
use super::upstream::{Script, Step};
use serde_json::{Value, json};
use std::time::Duration;

/// What it does instead of answering. Nothing of it may reach a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Early {
    /// Closes the connection.
    Close,
    /// Resets it.
    Reset,
    /// Says nothing at all.
    Silent,
    /// Sends a head and nothing else.
    OnlyHead,
    /// Sends a role and then nothing.
    OnlyRole,
    /// Sends a role, and closes.
    RoleThenClose,
    /// Sends a role, and resets.
    RoleThenReset,
    /// Sends a role and half an event, and ends cleanly.
    RoleThenHalf,
    /// Sends a role and `[DONE]`.
    RoleThenDone,
    /// Ends cleanly without a word.
    Empty,
    /// An error event comes first.
    ErrorEvent,
    /// What it sends is not JSON.
    Garbage,
    /// It gives up before it has begun.
    Abort,
    /// An error under status 200.
    ErrorUnder200,
    /// A page under status 200.
    Page,
    /// A status.
    Status(u16),
}

/// Those that are noticed at once, without a timeout.
pub const EARLY: [Early; 18] = [
    Early::Close,
    Early::Reset,
    Early::RoleThenClose,
    Early::RoleThenReset,
    Early::RoleThenHalf,
    Early::RoleThenDone,
    Early::Empty,
    Early::ErrorEvent,
    Early::Garbage,
    Early::Abort,
    Early::ErrorUnder200,
    Early::Page,
    Early::Status(500),
    Early::Status(502),
    Early::Status(503),
    Early::Status(504),
    Early::Status(408),
    Early::Status(404),
];

/// Those that only a timeout ends.
pub const SILENT: [Early; 3] = [Early::Silent, Early::OnlyHead, Early::OnlyRole];

/// How it breaks off behind the first tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Late {
    /// Closes the connection.
    Close,
    /// Resets it.
    Reset,
    /// Ends cleanly, without a finish reason.
    CleanEnd,
    /// `[DONE]` without a finish reason.
    Done,
    /// Sends half an event and ends.
    Half,
    /// An error event.
    ErrorEvent,
    /// A finish reason that is none.
    Abort,
    /// Says nothing more.
    Stall,
}

/// Those that are noticed at once.
pub const LATE: [Late; 7] = [
    Late::Close,
    Late::Reset,
    Late::CleanEnd,
    Late::Done,
    Late::Half,
    Late::ErrorEvent,
    Late::Abort,
];

/// What is odd, and a good answer all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Odd {
    /// Every byte in a write of its own.
    Split,
    /// CRLF.
    Crlf,
    /// CR.
    Cr,
    /// A byte order mark.
    Bom,
    /// Comments between the events.
    Comments,
    /// Events of several `data:` lines.
    Lines,
    /// Empty deltas all over.
    Empties,
    /// Usage in every chunk.
    UsageEverywhere,
    /// `usage: null` in every chunk, and a chunk of usage alone.
    UsageAlone,
    /// The last event lacks its blank line.
    Unended,
    /// A pause before each event.
    Drip,
}

/// All of them.
pub const ODD: [Odd; 11] = [
    Odd::Split,
    Odd::Crlf,
    Odd::Cr,
    Odd::Bom,
    Odd::Comments,
    Odd::Lines,
    Odd::Empties,
    Odd::UsageEverywhere,
    Odd::UsageAlone,
    Odd::Unended,
    Odd::Drip,
];

const SSE: &str = "text/event-stream";

fn data(event: &Value) -> String {
    format!("data: {event}\n\n")
}

fn role() -> String {
    data(&chat_events("m", &[])[0])
}

fn aborted() -> String {
    data(&json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "abort"}]}))
}

const HALF: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"ha";
const ERROR: &str = "data: {\"error\":{\"message\":\"out of memory\",\"code\":500}}\n\n";

impl Early {
    /// As a script.
    pub fn script(self) -> Script {
        let begun = |last: &str| vec![head(SSE), Step::Write(chunk(role() + last))];
        let with = |last: &str, step| [begun(last), vec![step]].concat();
        match self {
            Early::Close => vec![Step::Close],
            Early::Reset => vec![Step::Reset],
            Early::Silent => vec![Step::Hang],
            Early::OnlyHead => vec![head(SSE), Step::Hang],
            Early::OnlyRole => with("", Step::Hang),
            Early::RoleThenClose => with("", Step::Close),
            Early::RoleThenReset => with("", Step::Reset),
            Early::RoleThenHalf => with(HALF, end()),
            Early::RoleThenDone => with("data: [DONE]\n\n", end()),
            Early::Empty => vec![head(SSE), end()],
            Early::ErrorEvent => chunked(SSE, &[ERROR.into()]),
            Early::Garbage => chunked(SSE, &["data: hello\n\n".into()]),
            Early::Abort => with(&aborted(), end()),
            Early::ErrorUnder200 => {
                let body = r#"{"error":{"message":"out of memory"}}"#;
                vec![Step::Write(http(200, "application/json", body))]
            }
            Early::Page => vec![Step::Write(http(200, "text/html", "<html>hello</html>"))],
            Early::Status(status) => {
                let body = r#"{"error":{"message":"not now"}}"#;
                vec![Step::Write(http(status, "application/json", body))]
            }
        }
    }
}

impl Late {
    /// As a script: these tokens, and then no good end.
    pub fn script(self, tokens: &[&str]) -> Script {
        let events = chat_events("m", tokens);
        let events = events[..events.len() - 1].iter().map(data);
        let mut script: Script = [head(SSE)]
            .into_iter()
            .chain(events.map(|event| Step::Write(chunk(event))))
            .collect();
        let last = |text: &str| vec![Step::Write(chunk(text)), end()];
        script.extend(match self {
            Late::Close => vec![Step::Close],
            Late::Reset => vec![Step::Reset],
            Late::CleanEnd => vec![end()],
            Late::Done => last("data: [DONE]\n\n"),
            Late::Half => last(HALF),
            Late::ErrorEvent => last(ERROR),
            Late::Abort => last(&aborted()),
            Late::Stall => vec![Step::Hang],
        });
        script
    }
}

impl Odd {
    /// As a script: a whole answer of these tokens.
    pub fn script(self, tokens: &[&str]) -> Script {
        let events = self.events(tokens);
        let body: String = events.concat();
        match self {
            Odd::Split => vec![head(SSE), Step::Split(chunk(body)), end()],
            Odd::Drip => {
                let pause = Step::Wait(Duration::from_millis(3));
                let writes = events.iter().map(|event| Step::Write(chunk(event)));
                let body = writes.flat_map(|write| [pause.clone(), write]);
                [head(SSE)].into_iter().chain(body).chain([end()]).collect()
            }
            _ => vec![head(SSE), Step::Write(chunk(body)), end()],
        }
    }

    fn events(self, tokens: &[&str]) -> Vec<String> {
        let mut chunks = chat_events("m", tokens);
        let usage = json!({"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7});
        match self {
            Odd::UsageEverywhere => chunks.iter_mut().for_each(|c| c["usage"] = usage.clone()),
            Odd::UsageAlone => {
                chunks.iter_mut().for_each(|c| c["usage"] = Value::Null);
                let mut alone = chunks[0].clone();
                alone["choices"] = json!([]);
                alone["usage"] = usage;
                chunks.push(alone);
            }
            Odd::Empties => {
                let empty = json!({"choices": [{"index": 0, "delta": {"content": ""}}]});
                chunks = chunks
                    .into_iter()
                    .flat_map(|chunk| [empty.clone(), chunk])
                    .collect();
            }
            _ => {}
        }
        let mut events: Vec<String> = match self {
            Odd::Lines => {
                let lines = |c: &Value| serde_json::to_string_pretty(c).unwrap();
                let event = |c| format!("data: {}\n\n", lines(c).replace('\n', "\ndata: "));
                chunks.iter().map(event).collect()
            }
            _ => chunks.iter().map(data).collect(),
        };
        events.push("data: [DONE]\n\n".into());
        match self {
            Odd::Crlf => events.iter_mut().for_each(|e| *e = e.replace('\n', "\r\n")),
            Odd::Cr => events.iter_mut().for_each(|e| *e = e.replace('\n', "\r")),
            Odd::Bom => events[0].insert(0, '\u{feff}'),
            Odd::Comments => events
                .iter_mut()
                .for_each(|e| *e = format!(": ping\n\n: and\n{e}")),
            Odd::Unended => {
                let last = events.last_mut().unwrap();
                last.truncate(last.len() - 2);
            }
            _ => {}
        }
        events
    }
}
