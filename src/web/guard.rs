//! What stands in front of every route, while there are no keys. The server listens on loopback
//! only; so that no web page can use that, by DNS rebinding or by a plain form, it takes loopback
//! `Host`s and `Origin`s and JSON bodies only.

use super::fault::{Fault, Surface};
use crate::error::Error;
use actix_web::{
    HttpMessage, HttpRequest, HttpResponse,
    body::{self, BodySize, BoxBody, EitherBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{
        Method,
        header::{self, HeaderMap, HeaderName, HeaderValue},
    },
    middleware::Next,
};
use std::{net::IpAddr, sync::Arc};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// See the file's head. It also gives each request its id
/// and each answer the header that tells it, and lets whoever may `GET` ask by `HEAD`: the head is
/// the same, a body of known size is counted and not sent, and a stream is not begun.
pub async fn guard(
    mut req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let id = new_request_id(req.headers());
    req.extensions_mut().insert(RequestId(id.clone()));
    let checked = check(req.request());
    let head_only = *req.method() == Method::HEAD;
    if head_only {
        req.head_mut().method = Method::GET;
    }
    let mut response = match checked {
        Ok(()) => next.call(req).await?.map_into_left_body(),
        Err(error) => {
            let fault = Fault::new(error, Surface::of(req.path()));
            let response = HttpResponse::from_error(fault);
            req.into_response(response).map_into_right_body()
        }
    };
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    if head_only && response.response().body().size() == BodySize::Stream {
        let nothing = || EitherBody::right(BoxBody::new(body::None::new()));
        response = response.map_body(|_, _| nothing());
    }
    Ok(response)
}

/// The id that the guard gave the request.
pub fn request_id(req: &HttpRequest) -> Arc<str> {
    let known = req.extensions().get::<RequestId>().map(|id| id.0.clone());
    known.unwrap_or_else(|| new_request_id(req.headers()))
}

struct RequestId(Arc<str>);

/// The caller's own request id where it is sane, else a new one.
fn new_request_id(headers: &HeaderMap) -> Arc<str> {
    let given = headers.get(REQUEST_ID).and_then(|v| v.to_str().ok());
    let sane =
        |id: &&str| (1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic());
    match given.filter(sane) {
        Some(id) => id.into(),
        None => uuid::Uuid::now_v7().simple().to_string().into(),
    }
}

fn check(req: &HttpRequest) -> Result<(), Error> {
    let headers = req.headers();
    let mut hosts: Vec<_> = headers
        .get_all(header::HOST)
        .map(|h| h.to_str().ok())
        .collect();
    hosts.extend(req.uri().authority().map(|a| Some(a.as_str())));
    if hosts.is_empty() || !hosts.iter().all(|host| host.is_some_and(is_loopback)) {
        let detail = "this Host is not answered: without keys only loopback is; use http://127.0.0.1 or http://localhost";
        return Err(Error::Forbidden(detail.into()));
    }
    if let Some(origin) = headers.get(header::ORIGIN) {
        let origin = origin.to_str().ok().and_then(|o| o.split_once("://"));
        if !origin.is_some_and(|(_, host)| is_loopback(host)) {
            let detail =
                "this Origin is not answered: without keys only pages from loopback may ask";
            return Err(Error::Forbidden(detail.into()));
        }
    }
    let kind = headers.get(header::CONTENT_TYPE);
    if is_write(req.method()) && (kind.is_some() || has_body(headers)) && !is_json(kind) {
        return Err(Error::Media);
    }
    Ok(())
}

fn is_write(method: &Method) -> bool {
    matches!(
        *method,
        Method::POST | Method::PUT | Method::PATCH | Method::DELETE
    )
}

fn has_body(headers: &HeaderMap) -> bool {
    let length = headers.get(header::CONTENT_LENGTH);
    headers.contains_key(header::TRANSFER_ENCODING) || length.is_some_and(|n| n != "0")
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
    use actix_web::test::TestRequest;

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

    fn named(name: &'static str, value: &[u8]) -> HttpRequest {
        let value = HeaderValue::from_bytes(value).unwrap();
        TestRequest::default()
            .insert_header((name, value))
            .to_http_request()
    }

    #[test]
    fn a_sane_request_id_is_taken_over() {
        assert_eq!(&*request_id(&named("x-request-id", b"abc-1")), "abc-1");
        for odd in [&b""[..], b"a b", &[b'x'; 129], b"\xff"] {
            assert_eq!(request_id(&named("x-request-id", odd)).len(), 32);
        }
    }

    fn checked(req: TestRequest) -> Result<(), u16> {
        check(&req.to_http_request()).map_err(|e| e.status())
    }

    #[test]
    fn only_loopback_and_only_json() {
        let post = || TestRequest::post().insert_header(("host", "localhost:8484"));
        let json = ("content-type", "application/json; charset=utf-8");
        assert_eq!(checked(post().insert_header(json)), Ok(()));
        assert_eq!(
            checked(post().insert_header(("content-type", "text/plain"))),
            Err(415)
        );
        assert_eq!(
            checked(post().insert_header(("content-length", "2"))),
            Err(415)
        );
        assert_eq!(
            checked(post().insert_header(("transfer-encoding", "chunked"))),
            Err(415)
        );
        assert_eq!(checked(post()), Ok(()), "there is nothing in it");
        for origin in [
            "http://evil.example",
            "null",
            "http://127.0.0.1.evil.example",
        ] {
            let foreign = post().insert_header(json).insert_header(("origin", origin));
            assert_eq!(checked(foreign), Err(403), "{origin}");
        }
        let own = ("origin", "http://127.0.0.1:8484");
        assert_eq!(
            checked(post().insert_header(json).insert_header(own)),
            Ok(())
        );
        let get = TestRequest::get;
        assert_eq!(
            checked(get().insert_header(("host", "evil.example"))),
            Err(403)
        );
        assert_eq!(checked(get()), Err(403), "no Host at all");
        let twice = get().append_header(("host", "localhost"));
        assert_eq!(
            checked(twice.append_header(("host", "evil.example"))),
            Err(403)
        );
        let absolute = get().uri("http://evil.example/livez");
        assert_eq!(
            checked(absolute.insert_header(("host", "localhost"))),
            Err(403)
        );
    }
}
