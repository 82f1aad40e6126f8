//! One worker's own upstream connections: how a request is sent, and how the head of its answer is
//! judged.

use super::{
    Backend, Request,
    body::Body,
    dial::{self, Dial},
    extras::Extras,
    failure::{Failure, describe, is_stale, retry_after},
    ollama, openai, refusal, simulator,
    streamed::Streamed,
    timeouts::{Patience, Timeouts},
};
use crate::{config::DialectName, error::Error};
use awc::{
    ClientResponse,
    error::SendRequestError,
    http::{
        Uri, Version,
        header::{AUTHORIZATION, CONTENT_TYPE},
    },
};
use bytes::Bytes;
use std::{cell::RefCell, collections::HashMap, rc::Rc, time::Duration};
use tokio::time::{Instant, timeout_at};

/// The most that is read of an error's body.
const ERROR_BYTES: usize = 64 << 10;
/// How long the rest of an error is waited for.
const ERROR_WAIT: Duration = Duration::from_secs(2);
/// The most that is read of a whole answer.
const WHOLE_BYTES: usize = 64 << 20;

/// One worker's own upstream connections; it never leaves its thread.
#[derive(Clone, Default)]
pub struct Client {
    /// By the time to connect and the time to keep, which are a connector's and not a request's:
    /// one, unless backends have their own.
    http: Rc<RefCell<HashMap<(Duration, Duration), awc::Client>>>,
}

/// A backend's answer, its head judged good.
pub enum Answer {
    /// It comes bit by bit.
    Stream(Streamed),
    /// A whole `chat.completion` object.
    Whole(Bytes),
}

impl Client {
    /// A client of the current thread, which must be an actix runtime (a `LocalSet`).
    pub fn new() -> Self {
        // Somebody else may have installed one before: any will do.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Client::default()
    }

    fn http(&self, timeouts: &Timeouts) -> awc::Client {
        let Timeouts { connect, keep, .. } = *timeouts;
        let make = || {
            let connector = awc::Connector::new()
                .connector(Dial::default())
                .max_http_version(Version::HTTP_11)
                .timeout(connect)
                .handshake_timeout(connect)
                .limit(0)
                .conn_keep_alive(keep)
                .conn_lifetime(Duration::from_secs(24 * 3600));
            awc::ClientBuilder::new()
                .connector(connector)
                .disable_timeout()
                .disable_redirects()
                .no_default_headers()
                .finish()
        };
        let mut known = self.http.borrow_mut();
        known.entry((connect, keep)).or_insert_with(make).clone()
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
            DialectName::Simulator => {
                let patience = patience(backend, request);
                let answer = simulator::open(backend.pace, request, patience).await;
                Ok(plain(answer))
            }
        };
        match &opened {
            Ok(_) => backend.seen.served(),
            Err(failure) => backend.seen.failed(&failure.error),
        }
        opened
    }

    /// Posts a chat whose answer is a stream; it is of one of the `kinds`.
    pub(super) async fn post_stream(
        &self,
        backend: &Backend,
        request: &Request,
        body: Bytes,
        kinds: &[&str],
    ) -> Result<(Body, Patience), Failure> {
        let by = Instant::now() + first(backend, request);
        let patience = patience(backend, request);
        match timeout_at(by, self.post(backend, &backend.chat, body, kinds)).await {
            Ok(body) => Ok((body?, patience)),
            Err(_) => Err(Failure::elsewhere(Error::Timeout("the first token"))),
        }
    }

    /// A whole JSON answer, checked to be one. Its head comes with its end, so that it has all of
    /// the time that an exchange may take; and one that ran out may well be at work, which another
    /// backend would only do again.
    pub(super) async fn post_whole(
        &self,
        backend: &Backend,
        url: &Uri,
        body: Bytes,
    ) -> Result<(Bytes, Extras), Failure> {
        let by = Instant::now() + backend.timeouts.total;
        let posting = async {
            let kinds = ["application/json"];
            let mut body = self.post(backend, url, body, &kinds).await?;
            let extras = std::mem::take(&mut body.extras);
            let whole = body.read(WHOLE_BYTES).await;
            Ok((whole.map_err(Failure::elsewhere)?, extras))
        };
        let late = |_| Err(Failure::here(Error::Timeout("the answer")));
        let (whole, extras) = timeout_at(by, posting).await.unwrap_or_else(late)?;
        match refusal::under_200(&whole) {
            // Also finds a body that ended early: awc takes that for its end.
            Err(_) => Err(Failure::upstream("its answer is cut off or is not JSON")),
            Ok(Some(said)) => Err(Failure::elsewhere(
                said.upstream("it answered with an error"),
            )),
            Ok(None) => Ok((whole, extras)),
        }
    }

    /// Posts a request and judges the head of the answer.
    async fn post(
        &self,
        backend: &Backend,
        url: &Uri,
        body: Bytes,
        kinds: &[&str],
    ) -> Result<Body, Failure> {
        let response = self.exchange(backend, url, body).await?;
        backend.seen.now();
        let status = response.status().as_u16();
        let kind = response.headers().get(CONTENT_TYPE);
        let kind = kind.and_then(|k| k.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        let good =
            (200..300).contains(&status) && kinds.iter().any(|k| kind.eq_ignore_ascii_case(k));
        if good {
            return Ok(Body::new(response));
        }
        let surprise = format!("it answered with '{}'", kind.escape_debug());
        // Who is asked too often and does not say until when is left alone for a moment.
        let unsaid = (status == 429).then_some(Duration::from_secs(1));
        let retry_after = retry_after(response.headers()).or(unsaid);
        let reading = Body::new(response).read(ERROR_BYTES);
        let text = tokio::time::timeout(ERROR_WAIT, reading).await;
        let text = text.ok().and_then(Result::ok).unwrap_or_default();
        let failure = match status {
            200..300 => match refusal::under_200(&text) {
                Ok(Some(said)) => Failure::elsewhere(said.upstream("it answered with an error")),
                _ => Failure::upstream(surprise),
            },
            _ => Failure::of_status(status, &text),
        };
        Err(Failure {
            retry_after,
            ..failure
        })
    }

    /// Asks for what stands there.
    pub(super) async fn fetch(
        &self,
        backend: &Backend,
        url: &Uri,
    ) -> Result<ClientResponse, String> {
        let (mut sent, from_stock) =
            dial::over(backend.is_guarded(), self.send(backend, url, None)).await;
        if from_stock && sent.as_ref().is_err_and(is_stale) {
            sent = self.send(backend, url, None).await;
        }
        sent.map_err(describe)
    }

    async fn exchange(
        &self,
        backend: &Backend,
        url: &Uri,
        body: Bytes,
    ) -> Result<ClientResponse, Failure> {
        let send = || self.send(backend, url, Some(body.clone()));
        let (mut sent, from_stock) = dial::over(backend.is_guarded(), send()).await;
        if from_stock && sent.as_ref().is_err_and(is_stale) {
            // The backend had closed it before the request came: it has not seen the request.
            sent = send().await;
        }
        sent.map_err(Failure::unanswered)
    }

    /// The one place where a request is written: nothing of the caller's own headers goes along.
    async fn send(
        &self,
        backend: &Backend,
        url: &Uri,
        body: Option<Bytes>,
    ) -> Result<ClientResponse, SendRequestError> {
        let http = self.http(&backend.timeouts);
        let mut request = match body {
            Some(_) => http.post(url),
            None => http.get(url),
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

/// How long the first content of a stream is waited for.
fn first(backend: &Backend, request: &Request) -> Duration {
    match backend.health.loaded(Instant::now(), &request.model) {
        true => backend.timeouts.first,
        false => backend.timeouts.cold,
    }
}

fn patience(backend: &Backend, request: &Request) -> Patience {
    let (now, timeouts) = (Instant::now(), &backend.timeouts);
    let first = now + first(backend, request);
    Patience::new(first, timeouts.between, now + timeouts.total)
}
