//! A real llama.cpp server with a tiny random model that is made on the spot: real wire format,
//! real chat template, real hang-ups; what it says makes no sense.

use super::{http::PATIENCE, python};
use std::{path::PathBuf, process::Stdio};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Child,
    time::timeout,
};

/// The name of its only model.
pub const MODEL: &str = "tiny";

/// A running llama.cpp; dropping it ends it.
pub struct Llama {
    /// Its OpenAI base URL, with `/v1`.
    pub url: String,
    _child: Child,
}

impl Llama {
    /// Starts one on a free port; it serves two requests at once.
    pub async fn start() -> Self {
        Llama::serve(&[]).await
    }

    /// One that has embeddings as well.
    pub async fn with_embeddings() -> Self {
        Llama::serve(&["embeddings"]).await
    }

    async fn serve(options: &[&str]) -> Self {
        let mut command = python::script("llama/serve.py");
        // It ends when its stdin closes: with this process, however that ends.
        command
            .arg(model().await)
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = timeout(PATIENCE, lines.next_line()).await;
        let line = line.expect("llama.cpp does not start").unwrap();
        let line = line.expect("llama.cpp ended at once: run `make deps`");
        let base = line
            .strip_prefix("listening ")
            .expect("its first line is its address");
        Llama {
            url: format!("{base}/v1"),
            _child: child,
        }
    }
}

/// The model file, made once: under another name first, for tests that run beside this one.
async fn model() -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("tiny.gguf");
    if !path.exists() {
        let draft = tempfile::NamedTempFile::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let mut make = python::script("llama/make_gguf.py");
        make.arg(draft.path());
        python::run(make).await;
        draft.persist(&path).unwrap();
    }
    path
}
