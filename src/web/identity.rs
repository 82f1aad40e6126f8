//! Who asks, and whether they may. Without keys the server listens on loopback only and believes
//! `X-User-ID`; so that no web page can use that, by DNS rebinding or by a plain form, it takes
//! loopback `Host`s and `Origin`s and JSON bodies only.

use super::{
    exchange::Head,
    fault::{Fault, Surface},
};
use crate::{config::Mode, error::Error, memory::MemoryMode, state::State};
use actix_web::{
    HttpRequest, HttpResponse,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::{Method, header},
    middleware::Next,
    web,
};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use std::{collections::BTreeMap, net::IpAddr, sync::Arc, time::Duration};
use tokio::time::timeout;

/// The longest user id, in characters.
const USER_CHARS: usize = 128;

/// A body may take so long to arrive.
const BODY_TIME: Duration = Duration::from_secs(30);

/// Of a body that is refused, so much is read and thrown away, so that its sender gets to read
/// the answer instead of a reset.
const POLITE_BYTES: usize = 64 << 20;

/// The user, if the request names one.
pub fn user(req: &HttpRequest) -> Result<Option<String>, Error> {
    let Some((name, user)) = first(req, &["x-user-id", "x-openwebui-user-id"])? else {
        return Ok(None);
    };
    let shown = if name == "x-user-id" {
        "X-User-ID"
    } else {
        "X-OpenWebUI-User-Id"
    };
    let plain = !user.chars().any(char::is_control) && user.trim() == user;
    if user.is_empty() || user.chars().count() > USER_CHARS || !plain {
        let detail =
            format!("{shown} takes 1 to {USER_CHARS} characters, without control characters");
        return Err(Error::invalid(shown, detail));
    }
    Ok(Some(user))
}

/// The user, where there must be one.
pub fn some_user(req: &HttpRequest) -> Result<String, Error> {
    let missing = || Error::invalid("X-User-ID", "say whose memory with an X-User-ID header");
    user(req)?.ok_or_else(missing)
}

/// The conversation, if the request names one.
pub fn conversation(req: &HttpRequest) -> Result<Option<String>, Error> {
    let named = first(req, &["x-sundynix-conversation", "x-openwebui-chat-id"])?;
    Ok(named.map(|(_, value)| value))
}

/// What the head of a request says beside that.
pub fn head(req: &HttpRequest, state: &State) -> Result<Head, Error> {
    let asked = match first(req, &["x-sundynix-memory"])? {
        None => MemoryMode::On,
        Some((_, mode)) => match &*mode {
            "on" => MemoryMode::On,
            "read" => MemoryMode::Read,
            "off" => MemoryMode::Off,
            _ => return Err(Error::invalid("X-Sundynix-Memory", "takes on, read or off")),
        },
    };
    let configured = match state.config.memory.mode {
        Mode::On => MemoryMode::On,
        Mode::Read => MemoryMode::Read,
        Mode::Off => MemoryMode::Off,
    };
    Ok(Head {
        request_id: request_id(req),
        mode: asked.min(configured),
        meta: BTreeMap::new(),
    })
}

/// The caller's own request id where it is sane, else a new one.
pub fn request_id(req: &HttpRequest) -> Arc<str> {
    let given = req
        .headers()
        .get("x-request-id")
        .and_then(|v| v.to_str().ok());
    match given {
        Some(id) if (1..=128).contains(&id.len()) && id.chars().all(|c| c.is_ascii_graphic()) => {
            id.into()
        }
        _ => uuid::Uuid::now_v7().simple().to_string().into(),
    }
}

/// The first of these headers that is there, as text; given twice with two values it is refused.
fn first(
    req: &HttpRequest,
    names: &[&'static str],
) -> Result<Option<(&'static str, String)>, Error> {
    for &name in names {
        let mut values = req.headers().get_all(name);
        let Some(value) = values.next() else { continue };
        if values.any(|other| other != value) {
            return Err(Error::invalid(
                name,
                format!("{name} is there more than once"),
            ));
        }
        let text = String::from_utf8(value.as_bytes().to_vec());
        let text = text.map_err(|_| Error::invalid(name, format!("{name} is not UTF-8")))?;
        return Ok(Some((name, text)));
    }
    Ok(None)
}

/// Reads a body. One that came in one piece is not copied.
pub async fn read_body(
    req: &HttpRequest,
    mut payload: web::Payload,
    limit: usize,
) -> Result<Bytes, Error> {
    let too_large = Error::TooLarge {
        field: "the body",
        limit,
    };
    let declared = req.headers().get(header::CONTENT_LENGTH);
    let declared = declared.and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|n| n > limit) {
        discard(payload, 0).await;
        return Err(too_large);
    }
    let reading = async {
        let (mut whole, mut more) = (Bytes::new(), BytesMut::new());
        while let Some(piece) = payload.next().await {
            let cut = |_| Error::invalid("the body", "the body broke off; send it again");
            let piece = piece.map_err(cut)?;
            if whole.len() + more.len() + piece.len() > limit {
                return Ok(None);
            }
            if whole.is_empty() && more.is_empty() {
                whole = piece;
                continue;
            }
            if more.is_empty() {
                more.reserve(declared.unwrap_or(2 * (whole.len() + piece.len())));
                more.extend_from_slice(&std::mem::take(&mut whole));
            }
            more.extend_from_slice(&piece);
        }
        Ok(Some(if more.is_empty() {
            whole
        } else {
            more.freeze()
        }))
    };
    match timeout(BODY_TIME, reading).await {
        Ok(Ok(Some(body))) => Ok(body),
        Ok(Ok(None)) => {
            discard(payload, limit).await;
            Err(too_large)
        }
        Ok(Err(error)) => Err(error),
        Err(_) => Err(Error::invalid(
            "the body",
            "the body took too long to arrive",
        )),
    }
}

async fn discard(mut payload: web::Payload, already: usize) {
    let mut read = already;
    let reading = async {
        while let Some(Ok(piece)) = payload.next().await {
            read += piece.len();
            if read > POLITE_BYTES {
                break;
            }
        }
    };
    // Whoever is slower than that gets the reset.
    let _ = timeout(Duration::from_secs(5), reading).await;
}

/// The guard in front of every route, while there are no keys.
pub async fn guard(
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    if let Err(error) = check(req.request()) {
        let fault = Fault::new(error, Surface::of(req.path()));
        let response = HttpResponse::from_error(fault);
        return Ok(req.into_response(response).map_into_right_body());
    }
    Ok(next.call(req).await?.map_into_left_body())
}

fn check(req: &HttpRequest) -> Result<(), Error> {
    let headers = req.headers();
    let host = match headers.get(header::HOST) {
        Some(host) => host.to_str().ok(),
        None => req.uri().authority().map(|a| a.as_str()),
    };
    if !host.is_some_and(is_loopback) {
        let detail = "without keys only loopback Hosts are answered: use http://127.0.0.1 or http://localhost";
        return Err(Error::Forbidden(detail.into()));
    }
    if let Some(origin) = headers.get(header::ORIGIN) {
        let origin = origin.to_str().ok().and_then(|o| o.split_once("://"));
        if !origin.is_some_and(|(_, host)| is_loopback(host)) {
            let detail = "without keys only pages from loopback Origins may ask";
            return Err(Error::Forbidden(detail.into()));
        }
    }
    let writes = matches!(*req.method(), Method::POST | Method::PUT | Method::PATCH);
    if writes && !is_json(headers.get(header::CONTENT_TYPE)) {
        return Err(Error::Media);
    }
    Ok(())
}

fn is_json(kind: Option<&header::HeaderValue>) -> bool {
    let kind = kind.and_then(|v| v.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
        || essence.eq_ignore_ascii_case("application/x-ndjson")
}

/// `localhost`, `127.0.0.0/8` or `[::1]`, with any port.
fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_what_it_says() {
        for host in [
            "localhost",
            "LOCALHOST:8484",
            "127.0.0.1",
            "127.9.9.9:1",
            "[::1]:8484",
            "[::1]",
        ] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example:80",
            "10.0.0.1",
            "0.0.0.0",
            "::2",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
