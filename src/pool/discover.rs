//! What backends serve: asked of them at the start and regularly, all at once. One that does not
//! answer keeps its last list.

use super::{Backend, Client, Pool, catalog::Listed, layers::Said, ollama, openai};
use crate::config::{BackendConfig, DialectName, PoolConfig, SimulatorConfig};
use futures_util::future::join_all;
use std::time::Duration;

/// How long a backend may take to tell what it serves.
const WITHIN: Duration = Duration::from_secs(2);
/// How long an Ollama on this machine may take.
const NEARBY: Duration = Duration::from_millis(300);

/// An Ollama on this machine, or where `OLLAMA_HOST` says.
pub async fn find_ollama() -> Option<BackendConfig> {
    let host = std::env::var("OLLAMA_HOST").unwrap_or_default();
    let config = BackendConfig {
        url: ollama_url(&host),
        dialect: Some(DialectName::Ollama),
        ..BackendConfig::default()
    };
    let backend = Backend::new(
        0,
        &Said::of(config.clone()),
        &PoolConfig::default(),
        &SimulatorConfig::default(),
    )
    .ok()?;
    let client = Client::new();
    let tags = client.ask(&backend, &backend.list, NEARBY).await.ok()?;
    ollama::models(&tags, b"").ok().map(|_| config)
}

impl Pool {
    /// Asks every backend what it serves.
    pub async fn refresh(&self, client: &Client) {
        let all = self.backends();
        join_all(all.iter().map(|backend| self.ask(client, backend))).await;
    }

    /// Asks one. Whether it is known what it serves, from now or from before.
    pub(super) async fn ask(&self, client: &Client, backend: &Backend) -> bool {
        match self.list(client, backend).await {
            Ok(listed) => {
                if self.members().note(backend.id, listed) {
                    self.publish();
                }
                true
            }
            Err(()) => self.members().heard(backend.id),
        }
    }

    /// Asks one, and tells of what is new in how it answers.
    pub(super) async fn list(&self, client: &Client, backend: &Backend) -> Result<Vec<Listed>, ()> {
        let answer = list(client, backend).await;
        let outcome = answer.as_ref().map(|_| ()).map_err(String::as_str);
        let news = backend.seen.told(outcome);
        match answer {
            Ok(listed) => {
                if news && !backend.url.is_empty() {
                    tracing::info!(backend = %backend.name, models = listed.len(), "answers");
                }
                Ok(listed)
            }
            Err(why) => {
                if news {
                    tracing::warn!(backend = %backend.name, "{why}");
                }
                Err(())
            }
        }
    }
}

async fn list(client: &Client, backend: &Backend) -> Result<Vec<Listed>, String> {
    let unreadable = |_| "its list of models cannot be read".to_owned();
    match backend.dialect {
        DialectName::Simulator => Ok(Vec::new()),
        DialectName::Openai => {
            let body = client.ask(backend, &backend.list, WITHIN).await?;
            openai::models(&body).map_err(unreadable)
        }
        DialectName::Ollama => {
            let tags = client.ask(backend, &backend.list, WITHIN).await?;
            // Older ones do not say what is loaded.
            let running = client.ask(backend, &backend.running, WITHIN).await;
            ollama::models(&tags, &running.unwrap_or_default()).map_err(unreadable)
        }
    }
}

/// As Ollama's own client reads `OLLAMA_HOST`, which is also where its server listens.
fn ollama_url(host: &str) -> String {
    let host = host.trim().trim_matches(['"', '\'']).trim_end_matches('/');
    let (scheme, rest, port) = match host.split_once("://") {
        Some(("https", rest)) => ("https", rest, 443),
        Some((_, rest)) => ("http", rest, 80),
        None => ("http", host, 11434),
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let (name, port) = match authority.rsplit_once(':') {
        Some((name, digits)) if !digits.contains(']') => (name, digits.parse().unwrap_or(port)),
        _ => (authority, port),
    };
    // "Every interface" is where a server listens; a client asks this machine.
    let name = match name {
        "" | "0.0.0.0" | "[::]" => "127.0.0.1",
        name => name,
    };
    format!("{scheme}://{name}:{port}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ollama_host_is_read_as_ollama_reads_it() {
        for (host, url) in [
            ("", "http://127.0.0.1:11434"),
            ("0.0.0.0", "http://127.0.0.1:11434"),
            (":5000", "http://127.0.0.1:5000"),
            ("gpu", "http://gpu:11434"),
            ("gpu:5000", "http://gpu:5000"),
            ("http://gpu", "http://gpu:80"),
            ("https://gpu/ollama/", "https://gpu:443/ollama"),
            ("[::1]", "http://[::1]:11434"),
            ("[::1]:5000", "http://[::1]:5000"),
            ("\"gpu\"", "http://gpu:11434"),
        ] {
            assert_eq!(ollama_url(host), url, "{host}");
        }
    }
}
