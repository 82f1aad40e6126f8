//! Who asks, and what the head of their request says beside it. Without keys `X-User-ID` is
//! believed: `guard.rs` lets nobody ask but from this machine.

use super::{exchange::Head, guard::request_id};
use crate::{config::Mode, error::Error, memory::MemoryMode, state::State};
use actix_web::HttpRequest;
use std::collections::BTreeMap;

/// The longest user id, in characters.
const USER_CHARS: usize = 128;

/// The user, if the request names one.
pub fn user(req: &HttpRequest) -> Result<Option<String>, Error> {
    let Some((name, user)) = first(req, &["X-User-ID", "X-OpenWebUI-User-Id"])? else {
        return Ok(None);
    };
    check_user(name, &user)?;
    Ok(Some(user))
}

/// Who acts, where it is not the user themselves.
pub fn actor(req: &HttpRequest) -> Result<Option<String>, Error> {
    let Some((name, actor)) = first(req, &["X-Sundynix-Actor"])? else {
        return Ok(None);
    };
    check_user(name, &actor)?;
    Ok(Some(actor))
}

/// Whether this can be a user; `name` is where it stands.
pub fn check_user(name: &'static str, user: &str) -> Result<(), Error> {
    let plain = !user.chars().any(char::is_control) && user.trim() == user;
    if user.is_empty() || user.chars().count() > USER_CHARS || !plain {
        let detail = format!(
            "{name} takes 1 to {USER_CHARS} characters, without control characters or space \
             around them"
        );
        return Err(Error::invalid(name, detail));
    }
    Ok(())
}

/// The user, where there must be one.
pub fn some_user(req: &HttpRequest) -> Result<String, Error> {
    let missing = || Error::invalid("X-User-ID", "say whose memory with an X-User-ID header");
    user(req)?.ok_or_else(missing)
}

/// The conversation, if the request names one.
pub fn conversation(req: &HttpRequest) -> Result<Option<String>, Error> {
    let named = first(req, &["X-Sundynix-Conversation", "X-OpenWebUI-Chat-Id"])?;
    Ok(named.map(|(_, value)| value))
}

/// What the head of a request says beside that.
pub fn head(req: &HttpRequest, state: &State) -> Result<Head, Error> {
    let asked = match first(req, &["X-Sundynix-Memory"])? {
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

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::{http::header::HeaderValue, test::TestRequest};

    fn named(name: &'static str, value: &[u8]) -> HttpRequest {
        let value = HeaderValue::from_bytes(value).unwrap();
        TestRequest::default()
            .insert_header((name, value))
            .to_http_request()
    }

    #[test]
    fn a_user_is_named_plainly_or_not_at_all() {
        assert_eq!(
            user(&TestRequest::default().to_http_request()).unwrap(),
            None
        );
        for good in ["ada", "阿达", &"字".repeat(128), "a b", "user@example.org"] {
            let req = named("x-user-id", good.as_bytes());
            assert_eq!(user(&req).unwrap().as_deref(), Some(good));
        }
        let long = "x".repeat(129);
        for bad in [
            &b""[..],
            b" ada",
            b"a\tb",
            b"\xff",
            "a\u{85}b".as_bytes(),
            long.as_bytes(),
        ] {
            let error = user(&named("x-user-id", bad)).unwrap_err();
            assert_eq!((error.status(), error.field()), (400, Some("X-User-ID")));
        }
        let open_web_ui = named("x-openwebui-user-id", b"7");
        assert_eq!(user(&open_web_ui).unwrap().as_deref(), Some("7"));
    }

    #[test]
    fn two_users_are_none() {
        let twice = |a, b| {
            let req = TestRequest::default();
            let req = req
                .append_header(("x-user-id", a))
                .append_header(("x-user-id", b));
            user(&req.to_http_request())
        };
        assert_eq!(twice("ada", "bob").unwrap_err().field(), Some("X-User-ID"));
        assert_eq!(twice("ada", "ada").unwrap().as_deref(), Some("ada"));
    }
}
