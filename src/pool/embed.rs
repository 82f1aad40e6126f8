//! What texts mean, asked at `/v1/embeddings`, which OpenAI-like servers and Ollama have in common.

use super::{Backend, Client, Failure};
use crate::{config::DialectName, error::Error};
use awc::http::Uri;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;

/// As much of an answer as counts.
#[derive(Deserialize)]
struct Answer {
    data: Vec<One>,
}

#[derive(Deserialize)]
struct One {
    index: usize,
    embedding: Vec<f32>,
}

impl Client {
    /// A vector for each of the texts, in their order.
    pub async fn embed(
        &self,
        backend: &Backend,
        model: &str,
        texts: &[&str],
    ) -> Result<Vec<Vec<f32>>, Failure> {
        let url = backend.embeddings()?;
        let body = json!({"model": model, "input": texts}).to_string();
        let posted = self.post_whole(backend, &url, body.into()).await;
        let read = posted.and_then(|(answer, _)| vectors(&answer, texts.len()));
        match &read {
            Ok(_) => backend.seen.served(),
            Err(failure) => backend.seen.failed(&failure.error),
        }
        read
    }
}

impl Backend {
    fn embeddings(&self) -> Result<Uri, Failure> {
        let path = match self.dialect {
            DialectName::Openai => "/embeddings",
            DialectName::Ollama => "/v1/embeddings",
            DialectName::Simulator => {
                let detail = "the simulator has no embeddings";
                return Err(Failure::here(Error::invalid("model", detail)));
            }
        };
        let url = format!("{}{path}", self.url).parse();
        url.map_err(|_| Failure::upstream("its URL cannot be used"))
    }
}

/// The answer's order need not be that of the texts.
fn vectors(answer: &Bytes, texts: usize) -> Result<Vec<Vec<f32>>, Failure> {
    let bad = |what: &str| Failure::upstream(what);
    let unreadable = |_| bad("its vectors cannot be read");
    let Answer { mut data } = serde_json::from_slice(answer).map_err(unreadable)?;
    data.sort_by_key(|one| one.index);
    let each = data.iter().map(|one| one.index).eq(0..texts);
    match each {
        true => Ok(data.into_iter().map(|one| one.embedding).collect()),
        false => Err(bad("it did not answer with a vector for each text")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_text_gets_its_own_vector_or_none_does() {
        let read = |text: &str, texts| vectors(&text.to_owned().into(), texts).ok();
        let two = r#"{"object":"list","data":[{"index":1,"embedding":[2,3]},
            {"index":0,"embedding":[1.5,-1]}],"usage":{"prompt_tokens":2}}"#;
        assert_eq!(read(two, 2), Some(vec![vec![1.5, -1.0], vec![2.0, 3.0]]));
        for (bad, texts) in [
            (two, 3),
            (two, 1),
            (
                r#"{"data":[{"index":0,"embedding":[1]},{"index":0,"embedding":[1]}]}"#,
                2,
            ),
            (r#"{"data":[{"index":0,"embedding":"AACAPw=="}]}"#, 1),
            (r#"{"data":[{"index":0,"embedding":[null]}]}"#, 1),
            ("{}", 1),
        ] {
            assert_eq!(read(bad, texts), None, "{bad}");
        }
    }
}
