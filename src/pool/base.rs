//! A backend's base URL: checked, brought into one form, and its dialect guessed from it.

use crate::config::DialectName;
use awc::http::Uri;

/// A base URL, checked.
pub(super) struct Base {
    pub dialect: DialectName,
    /// Without a slash at its end.
    pub url: String,
    /// Host and port.
    pub authority: String,
}

impl Base {
    /// Where servers keep what is not part of the OpenAI API.
    pub(super) fn root(&self) -> &str {
        self.url.strip_suffix("/v1").unwrap_or(&self.url)
    }

    pub(super) fn parse(url: &str, dialect: Option<DialectName>) -> Result<Base, String> {
        let parsed: Uri = url
            .parse()
            .map_err(|_| "this is no URL; write it as http://host:port/v1".to_owned())?;
        let scheme = match parsed.scheme_str() {
            Some(scheme @ ("http" | "https")) => scheme,
            _ => return Err("only http:// and https:// URLs can be used".into()),
        };
        let authority = parsed.authority().map(|a| a.as_str()).unwrap_or_default();
        if authority.contains('@') {
            return Err("no credentials in a URL: set `api_key` instead".into());
        }
        if parsed.host().unwrap_or_default().is_empty() || parsed.query().is_some() {
            return Err("a base URL has a host and no query: http://host:port/v1".into());
        }
        let dialect = dialect.unwrap_or(match parsed.port_u16() {
            Some(11434) => DialectName::Ollama,
            _ => DialectName::Openai,
        });
        let path = parsed.path().trim_end_matches('/');
        let path = match (dialect, path) {
            (DialectName::Ollama, path) => path.strip_suffix("/v1").unwrap_or(path),
            (_, "") => "/v1",
            (_, path) => path,
        };
        Ok(Base {
            dialect,
            url: format!("{scheme}://{authority}{path}"),
            authority: authority.to_owned(),
        })
    }
}
