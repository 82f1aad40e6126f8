//! The HTTP below the protocol: reqwest with rustls and the roots that backends are judged by, no
//! redirects, no proxies, and the header that names the user, which differs from call to call.

use super::way::{PASSED_ON, Via, Way};
use crate::config::RemoteMemory;
use futures_util::stream::BoxStream;
use http::{HeaderName, HeaderValue};
use rmcp::{
    model::{ClientJsonRpcMessage, GetExtensions},
    transport::streamable_http_client::{
        SseError, StreamableHttpClient, StreamableHttpError, StreamableHttpPostResponse,
        StreamableHttpResponseLimits,
    },
};
use rustls::{ClientConfig, RootCertStore};
use sse_stream::Sse;
use std::{collections::HashMap, sync::Arc, time::Duration};

const USER: HeaderName = HeaderName::from_static("x-user-id");

/// To open a connection.
const CONNECT: Duration = Duration::from_secs(2);

/// Rides with a request: whose memory is meant.
#[derive(Clone)]
pub struct ForUser(pub HeaderValue);

/// See the file's head.
#[derive(Clone)]
pub struct Http {
    http: reqwest::Client,
    /// The way of what this server asks by itself.
    own: HeaderValue,
    /// To the head of an answer.
    limit: Duration,
}

type Result<T> = std::result::Result<T, StreamableHttpError<reqwest::Error>>;
type Headers = HashMap<HeaderName, HeaderValue>;

impl Http {
    /// A client, whose connections are its own.
    pub fn new(config: &RemoteMemory, name: &str) -> std::result::Result<Self, String> {
        let roots = RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        let ring = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(ring)
            .with_safe_default_protocol_versions()
            .map_err(|e| format!("cannot use TLS: {e}"))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .tcp_nodelay(true)
            .connect_timeout(CONNECT)
            .build()
            .map_err(|e| format!("cannot make an HTTP client: {e}"))?;
        let limit = Duration::from_millis(config.timeout_ms);
        let own = Way::default().on(name);
        Ok(Http { http, own, limit })
    }
}

impl StreamableHttpClient for Http {
    type Error = reqwest::Error;

    async fn post_message(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session: Option<Arc<str>>,
        auth: Option<String>,
        headers: Headers,
    ) -> Result<StreamableHttpPostResponse> {
        let limits = StreamableHttpResponseLimits::default();
        self.post_message_with_response_limits(uri, message, session, auth, headers, limits)
            .await
    }

    async fn post_message_with_response_limits(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session: Option<Arc<str>>,
        auth: Option<String>,
        mut headers: Headers,
        limits: StreamableHttpResponseLimits,
    ) -> Result<StreamableHttpPostResponse> {
        let mut way = &self.own;
        if let ClientJsonRpcMessage::Request(request) = &message {
            let extensions = request.request.extensions();
            if let Some(ForUser(user)) = extensions.get() {
                headers.insert(USER, user.clone());
            }
            if let Some(Via(via)) = extensions.get() {
                way = via;
            }
        }
        headers.insert(PASSED_ON, way.clone());
        let posting = self
            .http
            .post_message_with_response_limits(uri, message, session, auth, headers, limits);
        // A server that hangs would use up the places for calls.
        let late = |_| StreamableHttpError::Io(std::io::ErrorKind::TimedOut.into());
        tokio::time::timeout(self.limit, posting)
            .await
            .map_err(late)?
    }

    async fn delete_session(
        &self,
        uri: Arc<str>,
        session: Arc<str>,
        auth: Option<String>,
        headers: Headers,
    ) -> Result<()> {
        self.http.delete_session(uri, session, auth, headers).await
    }

    async fn get_stream(
        &self,
        uri: Arc<str>,
        session: Option<Arc<str>>,
        last_event: Option<String>,
        auth: Option<String>,
        headers: Headers,
    ) -> Result<BoxStream<'static, std::result::Result<Sse, SseError>>> {
        self.http
            .get_stream(uri, session, last_event, auth, headers)
            .await
    }
}
