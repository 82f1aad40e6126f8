//! One call of the embedding model, and how it is judged: a vector for each text, of as many
//! dimensions as all others. What fails is not told to the backend's breaker: a model of vectors
//! that is upset must not take a backend from those who chat with it.

use crate::{
    error::Error,
    memory::Vector,
    pool::{Client, Failure, Lease},
    state::State,
};
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;

/// Why there are no vectors.
#[derive(Debug)]
pub enum Trouble {
    /// Not now: what is waited for. It says nothing of the texts.
    Later(&'static str),
    /// The backend refuses the request as it is.
    Refused,
    /// The call failed, and how.
    Failed(&'static str),
}

/// Calls the model.
#[derive(Clone)]
pub struct Asker {
    state: Arc<State>,
    client: Client,
}

impl Asker {
    /// On the current thread, which must be an actix runtime.
    pub fn new(state: &Arc<State>) -> Self {
        Asker {
            client: Client::new(),
            state: state.clone(),
        }
    }

    /// What a question means. Somebody waits for it, but not in a line.
    pub async fn question(&self, text: &str) -> Option<Vector> {
        let model = &self.state.config.memory.embeddings.model;
        let lease = self.state.pool.lease_for_memory(model).ok()?;
        let vectors = self.call(lease, &[text]).await.ok()?;
        vectors.into_iter().next()
    }

    /// What kept texts mean, behind everybody else.
    pub async fn texts(&self, texts: &[&str]) -> Result<Vec<Vector>, Trouble> {
        let (pool, config) = (&self.state.pool, &self.state.config.memory.embeddings);
        if pool.is_crowded(None) {
            return Err(Trouble::Later("users to be served"));
        }
        let lease = pool
            .lease_for_memory(&config.model)
            .map_err(Trouble::Later)?;
        let backend = lease.backend().name.clone();
        let limit = Duration::from_secs(config.timeout_s);
        tokio::select! {
            called = timeout(limit, self.call(lease, texts)) => {
                called.unwrap_or(Err(Trouble::Failed("the model took too long")))
            }
            () = pool.crowded(&backend) => Err(Trouble::Later("users to be served")),
        }
    }

    async fn call(&self, mut lease: Lease, texts: &[&str]) -> Result<Vec<Vector>, Trouble> {
        let (backend, model) = (lease.backend().clone(), lease.model().clone());
        let raw = self.client.embed(&backend, &model, texts).await;
        let raw = raw.map_err(trouble)?;
        let vectors = raw.iter().map(|raw| self.judged(raw));
        let vectors = vectors.collect::<Result<Vec<_>, _>>()?;
        lease.good();
        Ok(vectors)
    }

    fn judged(&self, raw: &[f32]) -> Result<Vector, Trouble> {
        let none = Trouble::Failed("a vector has no direction");
        let vector = Vector::of(raw).ok_or(none)?;
        let unembedded = self.state.store.unembedded();
        match unembedded.is_some_and(|known| known.learn(vector.dims())) {
            true => Ok(vector),
            false => Err(Trouble::Failed(
                "vectors have another number of dimensions than before, or than is configured",
            )),
        }
    }
}

fn trouble(failure: Failure) -> Trouble {
    match failure.error {
        _ if failure.unreached => Trouble::Later("a backend that can be reached"),
        Error::Refused {
            status: 408 | 425 | 429,
            ..
        } => Trouble::Later("a backend with time"),
        Error::Refused { .. } => Trouble::Refused,
        Error::Timeout(_) => Trouble::Failed("the model took too long"),
        Error::Invalid { .. } => Trouble::Failed("the simulator has no embeddings"),
        _ => Trouble::Failed("the backend failed, or its vectors cannot be read"),
    }
}
