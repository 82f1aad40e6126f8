//! The OpenAI dialect: vLLM, llama.cpp and everything else with `/v1/chat/completions`. Bytes
//! pass through as they are, both ways.

use super::{
    Answer, Backend, Client, Extras, Failure, Request, catalog::Listed, streamed::Streamed,
};
use serde::Deserialize;

pub(super) async fn open(
    client: &Client,
    backend: &Backend,
    request: &Request,
) -> Result<(Answer, Extras), Failure> {
    let body = request.body.clone();
    if !request.stream {
        let (whole, extras) = client.post_whole(backend, &backend.chat, body).await?;
        return Ok((Answer::Whole(whole), extras));
    }
    let kinds = ["text/event-stream"];
    let (mut body, patience) = client.post_stream(backend, request, body, &kinds).await?;
    let extras = std::mem::take(&mut body.extras);
    Ok((Answer::Stream(Streamed::new(body, patience)), extras))
}

/// `GET /v1/models`. llama.cpp mixes Ollama's `models` into it; only `data` counts.
#[derive(Deserialize)]
struct List {
    data: Vec<Model>,
}

#[derive(Deserialize)]
struct Model {
    id: String,
    /// vLLM
    #[serde(default)]
    max_model_len: Option<usize>,
    /// llama.cpp
    #[serde(default)]
    meta: Option<Meta>,
}

#[derive(Deserialize)]
struct Meta {
    #[serde(default)]
    n_ctx: Option<usize>,
    #[serde(default)]
    n_ctx_train: Option<usize>,
}

/// Reads the list of models.
pub(super) fn models(body: &[u8]) -> Result<Vec<Listed>, serde_json::Error> {
    let list: List = serde_json::from_slice(body)?;
    let listed = |model: Model| Listed {
        context: model
            .max_model_len
            .or_else(|| model.meta.and_then(|meta| meta.n_ctx.or(meta.n_ctx_train))),
        name: model.id,
    };
    Ok(list.data.into_iter().map(listed).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_vllm_and_llama_cpp() {
        let vllm = br#"{"object":"list","data":[{"id":"a/b","object":"model","created":1,
            "owned_by":"vllm","root":"a/b","parent":null,"max_model_len":32768,"permission":[]}]}"#;
        let llama =
            br#"{"models":[{"name":"x.gguf","model":"x.gguf","capabilities":["completion"]}],
            "object":"list","data":[{"id":"x.gguf","object":"model","owned_by":"llamacpp",
            "meta":{"vocab_type":2,"n_vocab":512,"n_ctx_train":2048,"n_embd":64}}]}"#;
        let listed = |name: &str, context| Listed {
            name: name.into(),
            context: Some(context),
        };
        assert_eq!(models(vllm).unwrap(), [listed("a/b", 32768)]);
        assert_eq!(models(llama).unwrap(), [listed("x.gguf", 2048)]);
        assert!(models(br#"{"detail":"Not Found"}"#).is_err());
    }
}
