//! Ollama's native dialect, `/api/chat`: unlike its own `/v1` it can set the context and keeps
//! more of a request's meaning. An OpenAI request is translated to it (`ask.rs`) and its lines are
//! translated back (`answer.rs`).

mod answer;
mod ask;

use super::{
    Answer, Backend, Client, Failure, Request, body::Body, catalog::Listed, chunk::Chunks,
    streamed::Streamed,
};
use crate::error::Error;
use answer::Translator;
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt, stream};
use serde::Deserialize;
use std::collections::{HashMap, HashSet};

/// What an Ollama gives a model that nobody has configured.
const CONTEXT: usize = 4096;

pub(super) async fn open(
    client: &Client,
    backend: &Backend,
    request: &Request,
) -> Result<Answer, Failure> {
    let (body, wants_usage) = ask::translate(request).map_err(Failure::elsewhere)?;
    let chunks = Chunks::new(&request.model);
    if request.stream {
        // Its errors come as lines too, under whichever of the two.
        let kinds = ["application/x-ndjson", "application/json"];
        let (body, patience) = client.post_stream(backend, request, body, &kinds).await?;
        let lines = Lines {
            body,
            translator: Translator::new(chunks, wants_usage),
            failed: None,
        };
        let stream = Streamed::new(lines.translated(), patience);
        return Ok(Answer::Stream(stream));
    }
    let (whole, _) = client.post_whole(backend, &backend.chat, body).await?;
    let whole = answer::whole(&chunks, &whole).map_err(Failure::elsewhere)?;
    Ok(Answer::Whole(whole))
}

/// An answer of lines on its way.
struct Lines {
    body: Body,
    translator: Translator,
    /// What went wrong behind text that came in the same read, which is told first.
    failed: Option<Error>,
}

impl Lines {
    /// As an OpenAI stream; it ends with the first error.
    fn translated(self) -> impl Stream<Item = Result<Bytes, Error>> {
        stream::unfold(Some(self), |lines| async {
            let mut lines = lines?;
            match lines.next().await {
                Ok(Some(bytes)) => Some((Ok(bytes), Some(lines))),
                Ok(None) => None,
                Err(error) => Some((Err(error), None)),
            }
        })
    }

    /// The next chunks. The body is read to its end, so that its connection is used again.
    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let mut out = BytesMut::new();
        while let Some(bytes) = self.body.next().await {
            let fed = self.translator.feed(&bytes?, &mut out);
            if out.is_empty() {
                fed?;
            } else {
                self.failed = fed.err();
                return Ok(Some(out.freeze()));
            }
        }
        self.translator.end(&mut out)?;
        Ok(Some(out.freeze()).filter(|last| !last.is_empty()))
    }
}

#[derive(Deserialize)]
struct Tags {
    models: Vec<Tag>,
}

#[derive(Deserialize)]
struct Tag {
    name: String,
    #[serde(default)]
    context_length: Option<usize>,
}

/// Reads what it has, and of what is loaded the contexts.
pub(super) fn models(tags: &[u8], running: &[u8]) -> Result<Vec<Listed>, serde_json::Error> {
    let tags: Tags = serde_json::from_slice(tags)?;
    let running: HashMap<String, Option<usize>> = match serde_json::from_slice::<Tags>(running) {
        Ok(running) => running
            .models
            .into_iter()
            .map(|m| (m.name, m.context_length))
            .collect(),
        Err(_) => HashMap::new(),
    };
    let listed = |tag: Tag| Listed {
        context: running.get(&tag.name).copied().flatten().or(Some(CONTEXT)),
        name: tag.name,
    };
    Ok(tags.models.into_iter().map(listed).collect())
}

/// Reads what is loaded, by every name it may be asked for.
pub(super) fn loaded(running: &[u8]) -> Result<HashSet<String>, serde_json::Error> {
    let running: Tags = serde_json::from_slice(running)?;
    let names = running.models.into_iter().map(|tag| tag.name);
    let names = names.flat_map(|name| {
        let short = name.strip_suffix(":latest").map(str::to_owned);
        [Some(name), short]
    });
    Ok(names.flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_that_is_not_loaded_gets_the_default_context() {
        let tags = br#"{"models":[{"name":"a:latest","size":1},{"name":"b:7b"}]}"#;
        let running = br#"{"models":[{"name":"b:7b","context_length":8192}]}"#;
        let contexts = |running: &[u8]| -> Vec<_> {
            let listed = models(tags, running).unwrap();
            listed.into_iter().map(|l| l.context).collect()
        };
        assert_eq!(contexts(running), [Some(4096), Some(8192)]);
        assert_eq!(contexts(b""), [Some(4096), Some(4096)]);
    }
}
