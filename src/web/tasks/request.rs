//! What a native task asks, as it comes in the body and in the head.

use crate::{
    actors::gateway::Submitted,
    chat::{Ask, NativeAsk},
    config::Params,
    error::Error,
    graph::Graph,
};
use actix_web::{HttpRequest, http::header};
use serde::Deserialize;
use std::{collections::BTreeMap, time::Duration};

/// The longest a caller may have us wait with `Prefer: wait`.
const LONGEST_WAIT: u64 = 600;

/// `POST /api/v1/tasks`
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TaskRequest {
    /// What the user asks.
    #[schema(min_length = 1)]
    pub query: String,
    /// Which model; else the default, or the only one.
    #[serde(default)]
    pub model: Option<String>,
    /// Brings this conversation's last turns back, and goes on with it.
    #[schema(min_length = 1, max_length = 256)]
    #[serde(default)]
    pub conversation: Option<String>,
    /// The application's own system text.
    #[serde(default)]
    pub system: Option<String>,
    /// Passed on to the backend (`temperature`, `max_tokens`, …).
    #[serde(default)]
    #[schema(value_type = Object)]
    pub params: Params,
    /// Rides along; templates and logs of the operator can read it.
    #[serde(default)]
    pub meta: BTreeMap<String, String>,
}

impl TaskRequest {
    /// Reads a body and checks what can be told at once, so that a task that cannot run is a 4xx.
    pub fn read(graph: &Graph, body: &[u8], named: Option<String>) -> Result<Self, Error> {
        let mut task: TaskRequest = super::super::json::parse(body)?;
        if task.query.trim().is_empty() {
            return Err(Error::invalid(
                "query",
                "`query` is empty: say what is asked",
            ));
        }
        graph.state.pool.resolve(task.model.as_deref())?;
        task.conversation = task.conversation.or(named);
        Ok(task)
    }

    /// As the graph takes it.
    pub fn submitted(self, user: Option<String>) -> (Submitted, BTreeMap<String, String>) {
        let ask = NativeAsk {
            query: self.query,
            system: self.system,
            params: self.params,
            conversation: self.conversation.as_deref().map(Into::into),
        };
        let submitted = Submitted {
            user,
            conversation: self.conversation,
            model: self.model,
            ask: Ask::Native(ask),
        };
        (submitted, self.meta)
    }
}

/// How the caller wants the answer.
#[derive(Debug, PartialEq, Eq)]
pub enum Wish {
    /// `Accept: text/event-stream`: the events, bound to the connection.
    Events,
    /// `Prefer: wait=30`: the whole answer, if it is there in time.
    Wait(Duration),
    /// A task that runs by itself.
    Detached,
}

impl Wish {
    /// Reads the head.
    pub fn read(req: &HttpRequest) -> Result<Self, Error> {
        let headers = req.headers();
        let accepts = |v: &header::HeaderValue| {
            let kinds = v.to_str().unwrap_or_default().split(',');
            kinds
                .map(|k| k.split(';').next().unwrap_or_default().trim())
                .any(|k| k.eq_ignore_ascii_case("text/event-stream"))
        };
        if headers.get_all(header::ACCEPT).any(accepts) {
            return Ok(Wish::Events);
        }
        for prefer in headers.get_all("prefer") {
            for wish in prefer.to_str().unwrap_or_default().split([',', ';']) {
                let Some((name, value)) = wish.split_once('=') else {
                    continue;
                };
                if name.trim().eq_ignore_ascii_case("wait") {
                    let bad =
                        |_| Error::invalid("Prefer", "wait takes a number of seconds, as wait=30");
                    let seconds: u64 = value.trim().trim_matches('"').parse().map_err(bad)?;
                    return Ok(Wish::Wait(Duration::from_secs(seconds.min(LONGEST_WAIT))));
                }
            }
        }
        Ok(Wish::Detached)
    }
}

/// The `Idempotency-Key`, if there is one.
pub fn idempotency_key(req: &HttpRequest) -> Result<Option<String>, Error> {
    let Some(key) = req.headers().get("idempotency-key") else {
        return Ok(None);
    };
    let key = key
        .to_str()
        .ok()
        .filter(|key| (1..=255).contains(&key.len()));
    let wrong = || Error::invalid("Idempotency-Key", "takes 1 to 255 ASCII characters");
    key.map(|key| Some(key.to_owned())).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    #[test]
    fn wishes() {
        let read = |name: &'static str, value: &'static str| {
            Wish::read(
                &TestRequest::default()
                    .insert_header((name, value))
                    .to_http_request(),
            )
        };
        assert_eq!(
            read("accept", "application/json, text/event-stream;q=1").unwrap(),
            Wish::Events
        );
        assert_eq!(
            read("prefer", "respond-async, wait=30").unwrap(),
            Wish::Wait(Duration::from_secs(30))
        );
        assert_eq!(read("accept", "*/*").unwrap(), Wish::Detached);
        assert_eq!(
            read("prefer", "wait=soon").unwrap_err().field(),
            Some("Prefer")
        );
    }
}
