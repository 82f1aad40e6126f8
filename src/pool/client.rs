//! One worker's own upstream connections, and the judgement of an answer's head: whose fault a
//! failure is, and whether another backend may be asked.

use super::{
    Backend, Request,
    body::Body,
    dial::{self, Dial},
    extras::Extras,
    ollama, openai, refusal, simulator,
};
use crate::{
    config::{DialectName, PoolConfig},
    error::Error,
};
use awc::{
    ClientResponse,
    error::{ConnectError, SendRequestError},
    http::{
        Uri, Version,
        header::{AUTHORIZATION, CONTENT_TYPE},
    },
};
use bytes::Bytes;
use futures_util::Stream;
use std::{io::ErrorKind, pin::Pin, time::Duration};
use tokio::time::Instant;

/// vLLM closes idle connections after five seconds.
const KEEP_IDLE: Duration = Duration::from_secs(3);
/// The most that is read of an error's body.
const ERROR_BYTES: usize = 64 << 10;
/// How long the rest of an error is waited for.
const ERROR_WAIT: Duration = Duration::from_secs(2);
/// The most that is read of a whole answer.
const WHOLE_BYTES: usize = 64 << 20;

/// One worker's own upstream connections; it never leaves its thread.
#[derive(Clone)]
pub struct Client {
    http: awc::Client,
    first_token: Duration,
    idle: Duration,
}

/// A backend's answer, its head judged good.
pub enum Answer {
    /// OpenAI SSE bytes, cut anywhere, whatever the dialect. Read to its end (`None`) it leaves
    /// its connection to the next request; dropped before, it closes it at once.
    Stream(Pin<Box<dyn Stream<Item = Result<Bytes, Error>>>>),
    /// A whole `chat.completion` object.
    Whole(Bytes),
}

/// Why a backend gave no answer.
#[derive(Debug)]
pub struct Failure {
    /// What the caller would be told.
    pub error: Error,
    /// Another backend may be asked: nothing has come yet, and the request is not to blame.
    pub elsewhere: bool,
}

impl Failure {
    /// Not the request's fault.
    pub(super) fn elsewhere(error: Error) -> Self {
        Failure {
            error,
            elsewhere: true,
        }
    }

    /// The backend did not hold to its protocol.
    pub(super) fn upstream(what: impl Into<String>) -> Self {
        Failure::elsewhere(Error::Upstream(what.into()))
    }
}

impl Client {
    /// A client of the current thread, which must be an actix runtime (a `LocalSet`).
    pub fn new(config: &PoolConfig) -> Self {
        // Somebody else may have installed one before: any will do.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let connect = Duration::from_millis(config.connect_timeout_ms);
        let connector = awc::Connector::new()
            .connector(Dial::default())
            .max_http_version(Version::HTTP_11)
            .timeout(connect)
            .handshake_timeout(connect)
            .limit(0)
            .conn_keep_alive(KEEP_IDLE)
            .conn_lifetime(Duration::from_secs(24 * 3600));
        let http = awc::ClientBuilder::new()
            .connector(connector)
            .disable_timeout()
            .disable_redirects()
            .no_default_headers()
            .finish();
        Client {
            http,
            first_token: Duration::from_secs(config.first_token_timeout_s),
            idle: Duration::from_secs(config.idle_timeout_s),
        }
    }

    /// Opens the exchange and waits for the head of the answer, or for a whole one; and what the
    /// head says beside it.
    pub async fn open(
        &self,
        backend: &Backend,
        request: &Request,
    ) -> Result<(Answer, Extras), Failure> {
        let plain = |answer| (answer, Extras::new());
        let opened = match backend.dialect {
            DialectName::Openai => openai::open(self, backend, request).await,
            DialectName::Ollama => ollama::open(self, backend, request).await.map(plain),
            DialectName::Simulator => Ok(plain(simulator::open(backend.pace, request).await)),
        };
        match &opened {
            Ok(_) => backend.seen.served(),
            Err(failure) => backend.seen.failed(&failure.error),
        }
        opened
    }

    /// Posts a chat and judges the head of the answer; the body is of one of the `kinds`.
    pub(super) async fn post(
        &self,
        backend: &Backend,
        body: Bytes,
        kinds: &[&str],
    ) -> Result<Body, Failure> {
        let by = Instant::now() + self.first_token;
        let exchange = self.exchange(backend, body);
        let response = match tokio::time::timeout_at(by, exchange).await {
            Ok(response) => response?,
            Err(_) => return Err(Failure::elsewhere(Error::Timeout("the first token"))),
        };
        backend.seen.now();
        let status = response.status().as_u16();
        let kind = response.headers().get(CONTENT_TYPE);
        let kind = kind.and_then(|k| k.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        let good =
            (200..300).contains(&status) && kinds.iter().any(|k| kind.eq_ignore_ascii_case(k));
        if good {
            return Ok(Body::new(response, by, self.idle));
        }
        let surprise = format!("it answered with '{}'", kind.escape_debug());
        let body = Body::new(response, by, self.idle);
        let text = tokio::time::timeout(ERROR_WAIT, body.read(ERROR_BYTES)).await;
        let text = text.ok().and_then(Result::ok).unwrap_or_default();
        Err(match status {
            200..300 => match refusal::under_200(&text) {
                Ok(Some(said)) => Failure::elsewhere(said.upstream("it answered with an error")),
                _ => Failure::upstream(surprise),
            },
            // Its words may show our key, and the caller can do nothing about it.
            401 | 403 => Failure::upstream("it refused our credentials; check its `api_key`"),
            300..400 => {
                Failure::upstream(format!("it answered {status}; redirects are not followed"))
            }
            400..500 => Failure {
                error: refusal::read(&text).refused(status),
                elsewhere: matches!(status, 408 | 425 | 429),
            },
            _ => {
                let what = format!("it answered {status}");
                Failure::elsewhere(refusal::read(&text).upstream(&what))
            }
        })
    }

    /// A whole JSON answer, checked to be one.
    pub(super) async fn post_whole(
        &self,
        backend: &Backend,
        body: Bytes,
    ) -> Result<(Bytes, Extras), Failure> {
        let body = self.post(backend, body, &["application/json"]).await;
        let mut body = body.map_err(|failure| match failure.error {
            // It may well be at work: another would do the same work again.
            Error::Timeout(_) => Failure {
                error: Error::Timeout("the answer"),
                elsewhere: false,
            },
            _ => failure,
        })?;
        let extras = std::mem::take(&mut body.extras);
        let whole = body.read(WHOLE_BYTES).await.map_err(Failure::elsewhere)?;
        match refusal::under_200(&whole) {
            // Also finds a body that ended early: awc takes that for its end.
            Err(_) => Err(Failure::upstream("its answer is cut off or is not JSON")),
            Ok(Some(said)) => Err(Failure::elsewhere(
                said.upstream("it answered with an error"),
            )),
            Ok(None) => Ok((whole, extras)),
        }
    }

    /// Asks for what stands there.
    pub(super) async fn fetch(
        &self,
        backend: &Backend,
        url: &Uri,
    ) -> Result<ClientResponse, String> {
        let (mut sent, from_stock) = dial::over(self.send(backend, url, None)).await;
        if from_stock && sent.as_ref().is_err_and(is_stale) {
            sent = self.send(backend, url, None).await;
        }
        sent.map_err(describe)
    }

    async fn exchange(&self, backend: &Backend, body: Bytes) -> Result<ClientResponse, Failure> {
        let send = || self.send(backend, &backend.chat, Some(body.clone()));
        let (mut sent, from_stock) = dial::over(send()).await;
        if from_stock && sent.as_ref().is_err_and(is_stale) {
            // The backend had closed it before the request came: it has not seen the request.
            sent = send().await;
        }
        sent.map_err(|error| Failure::upstream(describe(error)))
    }

    /// The one place where a request is written: nothing of the caller's own headers goes along.
    async fn send(
        &self,
        backend: &Backend,
        url: &Uri,
        body: Option<Bytes>,
    ) -> Result<ClientResponse, SendRequestError> {
        let mut request = match body {
            Some(_) => self.http.post(url),
            None => self.http.get(url),
        }
        .no_decompress();
        if let Some(key) = &backend.authorization {
            request = request.insert_header((AUTHORIZATION, key.clone()));
        }
        match body {
            Some(body) => {
                request
                    .content_type("application/json")
                    .send_body(body)
                    .await
            }
            None => request.send().await,
        }
    }
}

/// Closed before a byte of an answer came.
fn is_stale(error: &SendRequestError) -> bool {
    let reset = |kind| {
        matches!(
            kind,
            ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe
        )
    };
    match error {
        SendRequestError::Connect(ConnectError::Disconnected) => true,
        SendRequestError::Send(error) => reset(error.kind()),
        SendRequestError::Response(actix_web::error::ParseError::Io(error)) => reset(error.kind()),
        _ => false,
    }
}

fn describe(error: SendRequestError) -> String {
    match error {
        SendRequestError::Connect(ConnectError::Disconnected) | SendRequestError::Send(_) => {
            "it closed the connection without an answer".into()
        }
        SendRequestError::Connect(ConnectError::Timeout) => "connecting took too long".into(),
        SendRequestError::Connect(ConnectError::Resolver(_) | ConnectError::NoRecords) => {
            "its host name is not known".into()
        }
        SendRequestError::Connect(ConnectError::Io(error)) => {
            match error
                .get_ref()
                .and_then(|e| e.downcast_ref::<rustls::Error>())
            {
                Some(error) => format!("no secure connection to it ({error})"),
                None => format!("it cannot be reached ({})", error.kind()),
            }
        }
        SendRequestError::Connect(_) => "it cannot be reached".into(),
        SendRequestError::Response(actix_web::error::ParseError::Io(_)) => {
            "it broke off before its answer".into()
        }
        _ => "what it answered is not HTTP".into(),
    }
}
