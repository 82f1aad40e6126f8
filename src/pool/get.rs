//! What a backend is asked beside chat: its models, its load, whether it answers.

use super::{Backend, Client, body::Body};
use awc::http::Uri;
use bytes::Bytes;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// The most that is read of a list of models.
const LIST_BYTES: usize = 8 << 20;

impl Client {
    /// Status and body of an answer, the latter cut off at `most` bytes; errors in our own words.
    pub(super) async fn get(
        &self,
        backend: &Backend,
        url: &Uri,
        within: Duration,
        most: usize,
    ) -> Result<(u16, Bytes), String> {
        let by = Instant::now() + within;
        let asked = async {
            let response = self.fetch(backend, url).await?;
            backend.seen.now();
            let status = response.status().as_u16();
            let body = Body::new(response).read(most).await;
            Ok((status, body.map_err(|e| e.to_string())?))
        };
        let late = || format!("no answer within {} s", within.as_secs_f32());
        timeout_at(by, asked).await.unwrap_or_else(|_| Err(late()))
    }

    /// What a backend tells of itself, for discovery.
    pub(super) async fn ask(
        &self,
        backend: &Backend,
        url: &Uri,
        within: Duration,
    ) -> Result<Bytes, String> {
        match self.get(backend, url, within, LIST_BYTES).await? {
            (200, body) => Ok(body),
            (401 | 403, _) => Err("it refused our credentials".into()),
            (status, _) => Err(format!("it answered {status} when asked what it serves")),
        }
    }
}
