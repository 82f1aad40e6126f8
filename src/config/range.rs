//! Which values make sense. What needs more than the value itself (a backend's URL, a template)
//! is judged by whoever uses it, when the server is put together.

use super::Config;
use crate::memory::MOST_DIMENSIONS;
use http::{HeaderValue, Uri};
use tokio::sync::Semaphore;
use tracing_subscriber::EnvFilter;

/// The most web workers: more is a slip of the finger.
const WORKERS: usize = 1_024;

/// Every value that makes none: its key, and what would be right.
pub(super) fn wrong(config: &Config) -> Vec<(String, String)> {
    let mut wrong = Vec::new();
    let mut must = |holds: bool, key: &str, detail: &str| {
        if !holds {
            wrong.push((key.to_owned(), detail.to_owned()));
        }
    };
    let Config {
        server,
        store,
        pool,
        memory,
        limits,
        ..
    } = config;
    must(
        server.bind.ip().is_loopback(),
        "server.bind",
        "without API keys anybody who can reach the server could read and write anyone's memory: \
         only a loopback address is allowed, as 127.0.0.1:8484",
    );
    must(
        !server.data.as_os_str().is_empty(),
        "server.data",
        "must name a directory",
    );
    must(
        server.workers <= WORKERS,
        "server.workers",
        "must be at most 1024",
    );
    let postgres = ["postgres://", "postgresql://"]
        .iter()
        .any(|scheme| store.url.starts_with(scheme));
    must(
        postgres || store.url.is_empty(),
        "store.url",
        "must be postgres://user:password@host/database, or nothing for a SQLite file in the data \
         directory (an empty SUNDYNIX_STORE__URL does not undo DATABASE_URL; --set store.url= does)",
    );
    must(
        memory.context_percent <= 100,
        "memory.context_percent",
        "must be at most 100",
    );
    let mcp = &memory.mcp;
    must(
        mcp.url.is_empty() || is_http(&mcp.url),
        "memory.mcp.url",
        "must be the http:// or https:// URL of an MCP server, as http://127.0.0.1:8485/mcp",
    );
    for (key, tool) in [
        ("memory.mcp.get_tool", &mcp.get_tool),
        ("memory.mcp.upsert_tool", &mcp.upsert_tool),
    ] {
        must(!tool.is_empty(), key, "must name a tool of the server");
    }
    must(
        HeaderValue::try_from(&mcp.api_key).is_ok(),
        "memory.mcp.api_key",
        "must be plain text without control characters",
    );
    must(
        limits.max_inflight <= Semaphore::MAX_PERMITS.min(u32::MAX as usize),
        "limits.max_inflight",
        "must be at most 4294967295",
    );
    must(
        EnvFilter::try_new(&config.telemetry.log).is_ok(),
        "telemetry.log",
        "must be a filter, as info or sundynix=debug,warn",
    );
    let extract = &memory.extract;
    let names: Vec<_> = memory.topic.iter().map(|t| &*t.name).collect();
    let fits = |name: &&str| (1..=64).contains(&name.chars().count()) && name.trim() == *name;
    let again = |at: usize| names[..at].contains(&names[at]);
    must(
        names.iter().all(fits) && !(0..names.len()).any(again),
        "memory.topic",
        "each topic needs a name of its own, of 1 to 64 characters",
    );
    let embeddings = &memory.embeddings;
    for (key, weight) in [
        ("memory.embeddings.weight", embeddings.weight),
        ("memory.embeddings.weight_cjk", embeddings.weight_cjk),
    ] {
        must((0.0..=10.0).contains(&weight), key, "must be from 0 to 10");
    }
    must(
        embeddings.dimensions <= MOST_DIMENSIONS,
        "memory.embeddings.dimensions",
        "must be at most 16384; 0 takes what the model gives",
    );
    must(
        (1..=1_024).contains(&embeddings.batch),
        "memory.embeddings.batch",
        "must be from 1 to 1024",
    );
    let positive = [
        ("memory.embeddings.max_tokens", embeddings.max_tokens as u64),
        ("memory.embeddings.timeout_s", embeddings.timeout_s),
        (
            "memory.embeddings.query_timeout_ms",
            embeddings.query_timeout_ms,
        ),
        ("memory.max_slots", memory.max_slots as u64),
        ("memory.extract.flush_tokens", extract.flush_tokens as u64),
        ("memory.extract.timeout_s", extract.timeout_s),
        ("memory.extract.max_tokens", extract.max_tokens as u64),
        ("memory.extract.max_attempts", extract.max_attempts.into()),
        ("server.restart_window_s", server.restart_window_s),
        ("store.ack_timeout_ms", store.ack_timeout_ms),
        ("store.spool_bytes", store.spool_bytes),
        ("store.group", store.group as u64),
        ("store.readers", store.readers.into()),
        ("memory.mcp.timeout_ms", mcp.timeout_ms),
        ("pool.refresh_s", pool.refresh_s),
        ("pool.probe_ms", pool.probe_ms),
        ("pool.breaker_ms", pool.breaker_ms),
        ("pool.breaker_most_ms", pool.breaker_most_ms),
        ("pool.connect_timeout_ms", pool.connect_timeout_ms),
        ("pool.first_token_timeout_s", pool.first_token_timeout_s),
        ("pool.cold_timeout_s", pool.cold_timeout_s),
        ("pool.idle_timeout_s", pool.idle_timeout_s),
        ("pool.total_timeout_s", pool.total_timeout_s),
        ("pool.keep_idle_ms", pool.keep_idle_ms),
        ("limits.max_inflight", limits.max_inflight as u64),
        ("limits.body_bytes", limits.body_bytes as u64),
        ("limits.deadline_s", limits.deadline_s),
        ("limits.stalled_client_s", limits.stalled_client_s),
    ];
    for (key, value) in positive {
        must(value > 0, key, "must be at least 1");
    }
    wrong
}

fn is_http(url: &str) -> bool {
    let url = url.parse::<Uri>().ok();
    let whole = |url: &Uri| url.host().is_some_and(|host| !host.is_empty());
    url.filter(whole)
        .is_some_and(|url| matches!(url.scheme_str(), Some("http" | "https")))
}
