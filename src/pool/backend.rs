//! One backend: where it is and how it is spoken to, as configured and checked; and what has been
//! seen of it since. Its load is kept in `places.rs`, its models in `catalog.rs`.

use super::{
    affinity,
    base::Base,
    breaker::Periods,
    health::Health,
    layers::{Origin, Said},
    places::Gauge,
    seen::Seen,
    simulator::Pace,
    timeouts::Timeouts,
};
use crate::config::{DialectName, MemoryAt, PoolConfig, SimulatorConfig};
use awc::http::{Uri, header::HeaderValue};
use std::sync::Arc;

/// A backend's number. It is never given to another one, also not to one that takes its name.
pub type BackendId = usize;

/// One backend: where it is, how it is spoken to, what has been seen of it.
pub struct Backend {
    /// What it is told apart by.
    pub id: BackendId,
    /// As in logs and headers.
    pub name: Arc<str>,
    /// How it is spoken to.
    pub dialect: DialectName,
    /// The base URL, which holds no credentials; empty for the simulator.
    pub(super) url: String,
    /// Where chat goes.
    pub(super) chat: Uri,
    /// Where its models are listed.
    pub(super) list: Uri,
    /// What is asked to see whether it answers.
    pub(super) ping: Uri,
    /// Prometheus metrics, where it has them.
    pub(super) metrics: Uri,
    /// Ollama's list of what is loaded, with contexts.
    pub(super) running: Uri,
    /// `Authorization`, the only secret ever sent to it.
    pub(super) authorization: Option<HeaderValue>,
    /// Names or globs from the configuration.
    pub(super) models: Vec<String>,
    /// Requests at once.
    pub(super) max_concurrent: Option<usize>,
    /// How much it can do beside others, where that was set.
    pub(super) weight: Option<u32>,
    memory: MemoryAt,
    /// Of its name: the same in all processes.
    pub(super) hash: u64,
    /// What was said of it, and by whom.
    pub(super) said: Said,
    /// When it joined a pool that was running already.
    pub(super) joined: Option<tokio::time::Instant>,
    /// What is under way there.
    pub(super) gauge: Arc<Gauge>,
    /// How long it is waited for.
    pub(super) timeouts: Timeouts,
    /// How fast the simulator types.
    pub(super) pace: Pace,
    /// What has been seen of it.
    pub(super) seen: Arc<Seen>,
    /// Whether it can be routed to, and how loaded it says it is.
    pub health: Arc<Health>,
}

/// One backend's settings that cannot be used: which one, and what is wrong.
#[derive(Debug)]
pub(super) struct Bad {
    pub key: &'static str,
    pub detail: String,
}

/// A backend's settings that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{key}: {detail}")]
pub struct BadBackend {
    /// The key at fault, as `backend[0].url`.
    pub key: String,
    /// What is wrong and what would be right.
    pub detail: String,
}

impl Backend {
    /// Checks one `[[backend]]`.
    pub(super) fn new(
        id: BackendId,
        said: &Said,
        pool: &PoolConfig,
        simulator: &SimulatorConfig,
    ) -> Result<Backend, Bad> {
        let bad = |key: &'static str, detail: String| Bad { key, detail };
        let config = &said.config;
        let simulated = config.dialect == Some(DialectName::Simulator)
            || (config.dialect.is_none() && config.url == "simulator");
        let (dialect, base) = if simulated {
            (DialectName::Simulator, None)
        } else {
            let base = Base::parse(&config.url, config.dialect).map_err(|d| bad("url", d))?;
            (base.dialect, Some(base))
        };
        let name = match (&config.name, &base) {
            (name, _) if !name.is_empty() => name.clone(),
            (_, Some(base)) => base.authority.clone(),
            (_, None) => "simulator".into(),
        };
        if name.len() > 64 || !name.bytes().all(|b| b.is_ascii_graphic()) {
            let detail = "a name is up to 64 ASCII characters without spaces".to_owned();
            return Err(bad("name", detail));
        }
        let at = |root: fn(&Base) -> &str, path: &str| match &base {
            Some(base) => format!("{}{path}", root(base)).parse().map_err(|_| {
                let detail = "this is no URL; write it as http://host:port/v1".to_owned();
                bad("url", detail)
            }),
            None => Ok(Uri::default()),
        };
        let url = |path| at(|base| &base.url, path);
        let (chat, list, running, ping) = match dialect {
            DialectName::Ollama => ("/api/chat", "/api/tags", "/api/ps", "/api/version"),
            _ => ("/chat/completions", "/models", "", "/health"),
        };
        let name: Arc<str> = name.into();
        Ok(Backend {
            id,
            health: Health::new(name.clone(), Periods::of(pool)),
            hash: affinity::key(&*name),
            name,
            dialect,
            chat: url(chat)?,
            list: url(list)?,
            running: url(running)?,
            ping: at(Base::root, ping)?,
            metrics: at(Base::root, "/metrics")?,
            url: base.map(|b| b.url).unwrap_or_default(),
            authorization: authorization(&config.api_key).map_err(|d| bad("api_key", d))?,
            models: match (config.models.is_empty(), dialect) {
                (true, DialectName::Simulator) => vec!["simulator".into()],
                _ => config.models.clone(),
            },
            max_concurrent: Some(config.max_concurrent).filter(|most| *most > 0),
            weight: Some(config.weight).filter(|weight| *weight > 0),
            memory: config.memory,
            said: said.clone(),
            joined: None,
            gauge: Arc::default(),
            timeouts: Timeouts::of(pool, config),
            pace: Pace::from(simulator),
            seen: Arc::default(),
        })
    }
}

impl Backend {
    /// Addresses of metadata services are refused when its name is resolved.
    pub(super) fn is_guarded(&self) -> bool {
        self.said.origin == Origin::Api
    }

    /// Whether it is where the other one is, and known there as the same.
    pub(super) fn is_same_server(&self, other: &Backend) -> bool {
        let place = |b: &Backend| (b.dialect, b.url.clone(), b.said.config.api_key.clone());
        self.name == other.name && place(self) == place(other)
    }

    /// Takes over what is known of the same server with other settings, and what is under way.
    pub(super) fn succeed(&mut self, old: &Backend) {
        self.id = old.id;
        self.joined = old.joined;
        self.gauge = old.gauge.clone();
        self.seen = old.seen.clone();
        self.health = old.health.clone();
    }

    /// Whether what is known of users may go there.
    pub fn takes_memory(&self) -> bool {
        self.memory == MemoryAt::Allow
    }
}

fn authorization(key: &str) -> Result<Option<HeaderValue>, String> {
    if key.is_empty() {
        return Ok(None);
    }
    let mut value = HeaderValue::from_str(&format!("Bearer {key}"))
        .map_err(|_| "the key has characters that no header can carry".to_owned())?;
    value.set_sensitive(true);
    Ok(Some(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::BackendConfig;

    fn backend(url: &str) -> Result<Backend, Bad> {
        let config = BackendConfig {
            url: url.into(),
            ..BackendConfig::default()
        };
        Backend::new(
            0,
            &Said::of(config),
            &PoolConfig::default(),
            &SimulatorConfig::default(),
        )
    }

    #[test]
    fn the_dialect_is_guessed_from_the_port() {
        let ollama = backend("http://10.0.0.1:11434/v1").unwrap();
        assert_eq!(ollama.dialect, DialectName::Ollama);
        assert_eq!(ollama.chat, "http://10.0.0.1:11434/api/chat");
        assert_eq!(ollama.ping, "http://10.0.0.1:11434/api/version");
        let openai = backend("http://gpu-1:8000").unwrap();
        assert_eq!(openai.dialect, DialectName::Openai);
        assert_eq!(openai.chat, "http://gpu-1:8000/v1/chat/completions");
        assert_eq!(openai.ping, "http://gpu-1:8000/health");
        assert_eq!(openai.metrics, "http://gpu-1:8000/metrics");
        assert_eq!(&*openai.name, "gpu-1:8000");
        assert_eq!(&*backend("simulator").unwrap().name, "simulator");
    }

    #[test]
    fn what_cannot_be_used_is_refused_by_key() {
        for url in ["ftp://x/", "/v1", "", "http://u:secret@h/v1", "http://h/?a"] {
            let error = backend(url).err().unwrap();
            assert_eq!(error.key, "url", "{url}");
            assert!(!error.detail.contains("secret"));
        }
    }
}
