//! The request of a native task: there is no body to edit, so it is built.

use crate::{chat::NativeAsk, config::Params, error::Error, memory::Told};
use bytes::Bytes;
use serde::Serialize;

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    messages: Vec<Message<'a>>,
    stream: bool,
    stream_options: StreamOptions,
    // `NativeAsk::check` has kept the names above out of it.
    #[serde(flatten)]
    params: &'a Params,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: &'a str,
}

/// The request as the backends know it: a stream, with its usage at the end.
pub(super) fn build(
    task: &NativeAsk,
    model: &str,
    system: &str,
    history: &[Told],
    query: &str,
) -> Result<Bytes, Error> {
    let message = |role, content| Message { role, content };
    let mut messages = Vec::with_capacity(2 + 2 * history.len());
    if !system.is_empty() {
        messages.push(message("system", system));
    }
    for Told { turn, .. } in history {
        messages.push(message("user", &turn.query));
        messages.push(message("assistant", &turn.answer));
    }
    messages.push(message("user", query));
    let body = Body {
        model,
        messages,
        stream: true,
        stream_options: StreamOptions {
            include_usage: true,
        },
        params: &task.params,
    };
    let bytes = serde_json::to_vec(&body).map_err(|_| Error::Crashed("prompt"))?;
    Ok(bytes.into())
}
