//! The connection to a remote memory: made in the background, made anew whenever it breaks, so
//! that a request finds it there or goes on without at once. Both lifecycles of the protocol are
//! spoken; which one, the server decides.

use super::{
    Failure,
    http::{ForUser, Http},
    way::{Via, Way},
};
use crate::{
    config::{RemoteMemory, UserAs},
    memory::UserKey,
    runtime::Own,
};
use http::HeaderValue;
use rmcp::{
    ClientLifecycleMode, ClientServiceExt, Peer, RoleClient, ServiceError,
    model::{
        CallToolRequest, CallToolRequestParams, CallToolResult, ClientRequest, ErrorCode,
        Extensions, ProtocolVersion, ServerResult, Tool,
    },
    service::PeerRequestOptions,
    transport::{
        StreamableHttpClientTransport,
        streamable_http_client::{StreamableHttpClientTransportConfig, StreamableHttpError},
    },
};
use serde_json::{Map, Value};
use std::{io::ErrorKind, sync::Arc, time::Duration};
use tokio::{
    sync::{Notify, watch},
    time::{sleep, timeout},
};

/// Before connecting again; doubles up to the second.
const PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));
/// Calls at once.
const CALLS: usize = 64;

/// What servers call the number of memories that a search brings.
const NUMBERS: [&str; 3] = ["k", "limit", "top_k"];

/// See the file's head.
pub struct Link {
    /// What this server is called.
    name: Arc<str>,
    user: UserAs,
    server: watch::Receiver<Option<Arc<Server>>>,
}

/// A server that was reached.
pub struct Server {
    peer: Peer<RoleClient>,
    /// What its tools can do.
    pub tools: Tools,
    /// A call found the connection broken.
    broken: Notify,
}

/// What a server's tools can do beyond what they must.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tools {
    /// The upsert has an argument for when it was said.
    pub takes_said_at: bool,
    /// There is one that searches, and what it calls the number of memories, if it takes one.
    pub search: Option<Option<&'static str>>,
}

impl Link {
    /// Starts connecting, and goes on for ever.
    pub fn start(runtime: &Own, config: &RemoteMemory, name: &Arc<str>) -> Result<Link, String> {
        let (tell, server) = watch::channel(None);
        let http = Http::new(config, name)?;
        runtime.spawn(keep(config.clone(), http, tell));
        let user = config.user;
        let name = name.clone();
        Ok(Link { name, user, server })
    }

    /// The server, if the connection stands.
    pub fn server(&self) -> Option<Arc<Server>> {
        self.server.borrow().clone()
    }

    /// Waits for the connection to stand.
    pub async fn up(&self) {
        let mut server = self.server.clone();
        // It ends with the process only.
        let _ = server.wait_for(Option::is_some).await;
    }

    /// Calls a tool for a user: the object it answers with.
    pub async fn call(
        &self,
        tool: &str,
        user: &UserKey,
        mut arguments: Map<String, Value>,
        limit: Duration,
    ) -> Result<Value, Failure> {
        let server = self.server().ok_or(Failure::Unreachable)?;
        let mut extensions = Extensions::default();
        extensions.insert(Via(Way::here().on(&self.name)));
        match self.user {
            UserAs::Argument => {
                arguments.insert("user_id".into(), (*user.user).into());
            }
            UserAs::Header => {
                let user = HeaderValue::from_bytes(user.user.as_bytes());
                extensions.insert(ForUser(user.map_err(|_| Failure::Refused)?));
            }
        }
        let tool = tool.to_owned();
        let params = CallToolRequestParams::new(tool).with_arguments(arguments);
        let mut request = CallToolRequest::new(params);
        request.extensions = extensions;
        let request = ClientRequest::CallToolRequest(request);
        let answer = async {
            let options = PeerRequestOptions::with_timeout(limit);
            let asked = server.peer.send_cancellable_request(request, options);
            asked.await?.await_response().await
        };
        match timeout(limit, answer).await {
            Ok(Ok(ServerResult::CallToolResult(result))) => read(result),
            Ok(Ok(_)) => Err(Failure::Refused),
            Ok(Err(error)) => Err(server.failed(&error)),
            Err(_) => Err(Failure::Slow),
        }
    }
}

impl Server {
    fn failed(&self, error: &ServiceError) -> Failure {
        match error {
            ServiceError::Timeout { .. } => return Failure::Slow,
            ServiceError::TransportSend(error) if is_late(&*error.error) => return Failure::Slow,
            // It can be reached, and has troubles of its own.
            ServiceError::McpError(error) if error.code == ErrorCode::INTERNAL_ERROR => {}
            ServiceError::McpError(error) if error.code == ErrorCode::INVALID_PARAMS => {
                return Failure::Refused;
            }
            _ => self.broken.notify_one(),
        }
        Failure::Unreachable
    }
}

/// The one request took too long (`http.rs`), which says nothing of the connection.
fn is_late(error: &(dyn std::error::Error + 'static)) -> bool {
    let error = error.downcast_ref::<StreamableHttpError<reqwest::Error>>();
    matches!(error, Some(StreamableHttpError::Io(why)) if why.kind() == ErrorKind::TimedOut)
}

/// The object that a tool answers with: as such, or as the text it stands in.
fn read(result: CallToolResult) -> Result<Value, Failure> {
    if result.is_error == Some(true) {
        return Err(Failure::Refused);
    }
    if let Some(answer) = result.structured_content {
        return Ok(answer);
    }
    let text = result.content.iter().find_map(|block| block.as_text());
    let text = text.and_then(|text| serde_json::from_str(&text.text).ok());
    text.ok_or(Failure::Refused)
}

async fn keep(config: RemoteMemory, http: Http, tell: watch::Sender<Option<Arc<Server>>>) {
    let (mut pause, mut told) = (PAUSES.0, false);
    loop {
        let why = match timeout(4 * Duration::from_millis(config.timeout_ms), async {
            let mut transport = StreamableHttpClientTransportConfig::with_uri(&*config.url)
                .max_concurrent_requests(CALLS);
            if !config.api_key.is_empty() {
                transport = transport.auth_header(&*config.api_key);
            }
            let lifecycle = ClientLifecycleMode::Auto {
                preferred_versions: vec![ProtocolVersion::V_2026_07_28],
                legacy_version: None,
            };
            let transport = StreamableHttpClientTransport::with_client(http.clone(), transport);
            let service = ().serve_with_lifecycle(transport, lifecycle).await;
            let service = service.map_err(|_| "it does not answer as an MCP server".to_owned())?;
            let tools = service.list_all_tools().await;
            let tools = tools.map_err(|_| "it does not list its tools".to_owned())?;
            let tools = fits(&config, &tools)?;
            Ok((service, tools))
        })
        .await
        {
            Ok(Ok((service, tools))) => {
                let server = Arc::new(Server {
                    peer: service.peer().clone(),
                    tools,
                    broken: Notify::new(),
                });
                let searches = tools.search.is_some();
                tracing::info!(searches, "the remote memory is there");
                (pause, told) = (PAUSES.0, false);
                tell.send_replace(Some(server.clone()));
                tokio::select! {
                    () = server.broken.notified() => {}
                    _ = service.waiting() => {}
                }
                tell.send_replace(None);
                "the connection broke".to_owned()
            }
            Ok(Err(why)) => why,
            Err(_) => "it takes too long".to_owned(),
        };
        if !std::mem::replace(&mut told, true) {
            tracing::warn!(why, "the remote memory cannot be used (memory.mcp)");
        }
        sleep(pause).await;
        pause = PAUSES.1.min(2 * pause);
    }
}

/// Whether the tools are there, and what they can do.
fn fits(config: &RemoteMemory, tools: &[Tool]) -> Result<Tools, String> {
    let named = |name: &str| tools.iter().find(|tool| tool.name == name);
    let find = |name: &str, key: &str| {
        let missing = || format!("it has no tool `{name}`: say with memory.mcp.{key} which it is");
        named(name).ok_or_else(missing)
    };
    let takes = |tool: &Tool, argument: &str| {
        let arguments = tool.input_schema.get("properties");
        arguments.is_some_and(|arguments| arguments.get(argument).is_some())
    };
    find(&config.get_tool, "get_tool")?;
    let upsert = find(&config.upsert_tool, "upsert_tool")?;
    let search = named(&config.search_tool).filter(|tool| takes(tool, "query"));
    let number = |tool: &Tool| NUMBERS.into_iter().find(|name| takes(tool, name));
    Ok(Tools {
        takes_said_at: takes(upsert, "said_at"),
        search: search.map(number),
    })
}
