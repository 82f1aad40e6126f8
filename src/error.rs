//! What a caller can be told. One type for every surface: `/api/v1` renders it as RFC 9457
//! problem details, `/v1` in OpenAI's shape (see `web/fault.rs`). A message says what to do
//! next, and never carries a key, a prompt or another user's data.

use std::borrow::Cow;

/// Why a request was not served. The variants are the contract: status, code and the header
/// that says when to come back all follow from them.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The request itself is wrong; `field` names the header, query parameter or JSON path.
    #[error("{detail}")]
    Invalid {
        /// Header, parameter or JSON path, as the caller wrote it.
        field: Cow<'static, str>,
        /// What is wrong with it and what would be right.
        detail: String,
    },
    /// The caller may not ask this (a foreign `Host`, a capability that has run out).
    #[error("{0}")]
    Forbidden(String),
    /// Nothing here under that name, for this user.
    #[error("{0} not found")]
    NotFound(&'static str),
    /// The URL is right, the method is not; these are.
    #[error("this takes {0} only")]
    Method(&'static str),
    /// No backend serves that model.
    #[error("the model '{model}' is not served here; available: {}", list(.known))]
    UnknownModel {
        /// What was asked for (cut to a readable length).
        model: String,
        /// What can be had.
        known: Vec<String>,
    },
    /// The request names no model and there is no default.
    #[error("name a model: set `model` to one of {}", list(.known))]
    NoModel {
        /// What can be had.
        known: Vec<String>,
    },
    /// A body or a field beyond its limit.
    #[error("{field} is larger than {limit} bytes")]
    TooLarge {
        /// What is too large.
        field: &'static str,
        /// How much would have been taken.
        limit: usize,
    },
    /// A content type that is not JSON.
    #[error("send the body as application/json, lines of it as application/x-ndjson")]
    Media,
    /// `If-Match` names a version that is no longer the newest.
    #[error("the profile is at version {current}; read it again and repeat the change")]
    Stale {
        /// The version now in force.
        current: u64,
    },
    /// The same `Idempotency-Key` came with another body.
    #[error("this Idempotency-Key was used with a different body")]
    KeyReused,
    /// It was here and its time is over.
    #[error("{0} is no longer kept")]
    Gone(&'static str),
    /// All permits are out, or the model's queue is full or too slow.
    #[error("{what}; retry in about {retry_after} s")]
    Busy {
        /// What is full.
        what: &'static str,
        /// Seconds until it is worth asking again.
        retry_after: u32,
    },
    /// The server is shutting down.
    #[error("the server is draining; ask another replica or retry in a moment")]
    Draining,
    /// The model is known, but nothing that serves it can take a request.
    #[error("no backend for '{0}' can be reached")]
    NoBackend(String),
    /// A step of the graph crashed with this turn, or is down.
    #[error("the {0} step failed; the request can be repeated")]
    Crashed(&'static str),
    /// The backend did not hold to its protocol, or broke off.
    #[error("the backend failed: {0}")]
    Upstream(String),
    /// The backend refused the request itself (a 4xx): its own words go to the caller.
    #[error("the backend refused the request: {message}")]
    Refused {
        /// The status it answered.
        status: u16,
        /// Its message.
        message: String,
        /// Its error code or type, where it named one.
        code: Option<String>,
        /// The parameter it complained of, where it named one.
        param: Option<String>,
    },
    /// Something took longer than it may.
    #[error("{0} took too long")]
    Timeout(&'static str),
    /// The store does not answer, and the request is about nothing else.
    #[error("the memory store cannot be reached; try again in a moment")]
    StoreDown,
    /// The server that remembers for this one does not answer.
    #[error("the remote memory (memory.mcp) cannot be reached; try again in a moment")]
    RemoteDown,
    /// That server answers, and does not do what it was asked.
    #[error("the remote memory (memory.mcp) refuses: {0}")]
    RemoteRefused(&'static str),
    /// The caller cancelled (`DELETE`), or hung up.
    #[error("the request was cancelled")]
    Cancelled,
}

impl Error {
    /// A wrong `field`, with what would be right.
    pub fn invalid(field: impl Into<Cow<'static, str>>, detail: impl Into<String>) -> Self {
        Error::Invalid {
            field: field.into(),
            detail: detail.into(),
        }
    }

    /// The HTTP status it is answered with.
    pub fn status(&self) -> u16 {
        match self {
            Error::Invalid { .. } | Error::NoModel { .. } => 400,
            Error::Forbidden(_) => 403,
            Error::NotFound(_) | Error::UnknownModel { .. } => 404,
            Error::Method(_) => 405,
            Error::Gone(_) => 410,
            Error::Stale { .. } => 412,
            Error::TooLarge { .. } => 413,
            Error::Media => 415,
            Error::KeyReused => 422,
            Error::Busy { .. } => 429,
            Error::Cancelled => 499,
            Error::Crashed(_) => 500,
            Error::Upstream(_) | Error::RemoteRefused(_) => 502,
            Error::Draining | Error::NoBackend(_) | Error::StoreDown | Error::RemoteDown => 503,
            Error::Timeout(_) => 504,
            Error::Refused { status, .. } => *status,
        }
    }

    /// A stable word for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Error::Invalid { .. } => "invalid_request",
            Error::Forbidden(_) => "forbidden",
            Error::NotFound(_) => "not_found",
            Error::Method(_) => "method_not_allowed",
            Error::UnknownModel { .. } => "model_not_found",
            Error::NoModel { .. } => "model_required",
            Error::TooLarge { .. } => "too_large",
            Error::Media => "unsupported_media_type",
            Error::Stale { .. } => "stale_version",
            Error::KeyReused => "idempotency_key_reused",
            Error::Gone(_) => "gone",
            Error::Busy { .. } => "busy",
            Error::Draining => "draining",
            Error::NoBackend(_) => "no_backend",
            Error::Crashed(_) => "step_failed",
            Error::Upstream(_) => "upstream_failed",
            Error::Refused { .. } => "upstream_refused",
            Error::Timeout(_) => "timeout",
            Error::StoreDown => "store_down",
            Error::RemoteDown => "remote_memory_down",
            Error::RemoteRefused(_) => "remote_memory_refused",
            Error::Cancelled => "cancelled",
        }
    }

    /// The header, parameter or JSON path at fault.
    pub fn field(&self) -> Option<&str> {
        match self {
            Error::Invalid { field, .. } => Some(field),
            Error::UnknownModel { .. } | Error::NoModel { .. } => Some("model"),
            Error::TooLarge { field, .. } => Some(field),
            Error::Media => Some("Content-Type"),
            Error::Stale { .. } => Some("If-Match"),
            Error::KeyReused => Some("Idempotency-Key"),
            Error::Refused { param, .. } => param.as_deref(),
            _ => None,
        }
    }

    /// Seconds for `Retry-After`, where coming back makes sense.
    pub fn retry_after(&self) -> Option<u32> {
        match self {
            Error::Busy { retry_after, .. } => Some(*retry_after),
            Error::Draining | Error::NoBackend(_) | Error::StoreDown | Error::RemoteDown => Some(1),
            _ => None,
        }
    }
}

/// At most twenty names, so that an error stays readable.
fn list(names: &[String]) -> String {
    match names {
        [] => "none (no backend is configured or none has answered yet)".into(),
        names if names.len() > 20 => format!("{}, …", names[..20].join(", ")),
        names => names.join(", "),
    }
}
