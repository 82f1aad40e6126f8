//! One backend.
use crate::config::DialectName;
use std::sync::Arc;

/// A backend's place in the pool.
pub type BackendId = usize;

/// One backend: where it is, how it is spoken to, how loaded it is.
pub struct Backend {
    /// Its place in the pool.
    pub id: BackendId,
    /// As in logs and headers.
    pub name: Arc<str>,
    /// How it is spoken to.
    pub dialect: DialectName,
}

/// One backend, as ops read it.
#[derive(Clone, Debug, serde::Serialize, utoipa::ToSchema)]
pub struct BackendStatus {
    /// Its name.
    pub name: String,
}
