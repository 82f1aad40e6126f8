//! ollama
use super::{Answer, Backend, Client, Failure, Request, catalog::Listed};

pub(super) async fn open(
    _client: &Client,
    _backend: &Backend,
    _request: &Request,
) -> Result<Answer, Failure> {
    todo!()
}
pub(super) fn models(_tags: &[u8], _running: &[u8]) -> Result<Vec<Listed>, serde_json::Error> {
    todo!()
}
