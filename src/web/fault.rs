//! Errors as each surface tells them: RFC 9457 problem details on `/api/v1` and for ops, OpenAI's
//! shape on `/v1`. The same bytes go into error events once a stream has begun.

use super::{
    attempts::{Failed, Route},
    later,
};
use crate::error::Error;
use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder, Resource, Responder, ResponseError,
    body::BoxBody,
    http::{StatusCode, header},
    web,
};
use bytes::Bytes;
use serde::Serialize;
use std::{fmt, time::Duration};

/// Whose shape an error takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Surface {
    /// `/api/v1` and ops.
    Native,
    /// `/v1`.
    OpenAi,
}

impl Surface {
    /// The surface that a path belongs to.
    pub fn of(path: &str) -> Self {
        match path == "/v1" || path.starts_with("/v1/") {
            true => Surface::OpenAi,
            false => Surface::Native,
        }
    }
}

/// An error on its way to a caller.
#[derive(Debug)]
pub struct Fault {
    failed: Failed,
    surface: Surface,
}

impl Fault {
    /// An error, in the shape of `surface`.
    pub fn new(error: Error, surface: Surface) -> Self {
        Fault::failed(error.into(), surface)
    }

    /// An error of a backend, with which one it was.
    pub fn failed(failed: Failed, surface: Surface) -> Self {
        Fault { failed, surface }
    }

    /// An error of the native surface.
    pub fn native(error: Error) -> Self {
        Fault::new(error, Surface::Native)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.failed.error.fmt(f)
    }
}

impl ResponseError for Fault {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.failed.error.status())
            .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        let Failed {
            error,
            route,
            retry_after,
        } = &self.failed;
        let usual = || error.retry_after().map(|s| Duration::from_secs(s.into()));
        if let Some(wait) = retry_after.or_else(usual) {
            later::say(&mut response, wait);
        }
        for header in route.iter().flat_map(Route::headers) {
            response.insert_header(header);
        }
        if let Error::Method(allow) = error {
            response.insert_header((header::ALLOW, *allow));
        }
        match self.surface {
            Surface::Native => response
                .content_type("application/problem+json")
                .body(problem_bytes(error)),
            Surface::OpenAi => response
                .content_type("application/json")
                .body(openai_bytes(error)),
        }
    }
}

/// RFC 9457, with a stable `code` and the `field` at fault.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Problem<'a> {
    /// A URN of the code.
    #[serde(rename = "type")]
    kind: String,
    /// The HTTP status in words.
    title: &'a str,
    /// The HTTP status.
    status: u16,
    /// What happened, and what to do.
    detail: String,
    /// A stable word for programs.
    code: &'a str,
    /// The header, parameter or JSON path at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
}

/// An error as problem details.
pub fn problem(error: &Error) -> Problem<'_> {
    let status = error.status();
    let title = StatusCode::from_u16(status)
        .ok()
        .and_then(|s| s.canonical_reason());
    Problem {
        kind: format!("urn:sundynix:error:{}", error.code()),
        title: title.unwrap_or("Error"),
        status,
        detail: error.to_string(),
        code: error.code(),
        field: error.field(),
    }
}

/// The same, as bytes.
pub fn problem_bytes(error: &Error) -> Bytes {
    bytes(&problem(error))
}

/// An error of the `/v1` surface.
#[derive(Serialize, utoipa::ToSchema)]
pub struct OpenAi<'a> {
    error: OpenAiError<'a>,
}

/// An error in OpenAI's shape.
#[derive(Serialize, utoipa::ToSchema)]
pub struct OpenAiError<'a> {
    /// What happened, and what to do.
    message: String,
    /// OpenAI's word for the kind of error.
    #[serde(rename = "type")]
    kind: &'a str,
    /// The header, parameter or JSON path at fault.
    param: Option<&'a str>,
    /// A stable word for programs.
    code: &'a str,
}

/// An error in OpenAI's shape; all four members always, `code` always a string.
pub fn openai_bytes(error: &Error) -> Bytes {
    let code = match error {
        Error::Refused { code, .. } => code.as_deref(),
        _ => None,
    };
    bytes(&OpenAi {
        error: OpenAiError {
            message: error.to_string(),
            kind: match error.status() {
                401 => "authentication_error",
                403 => "permission_error",
                429 => "rate_limit_error",
                status if status < 500 => "invalid_request_error",
                _ => "server_error",
            },
            param: error.field(),
            code: code.unwrap_or(error.code()),
        },
    })
}

fn bytes(value: &impl Serialize) -> Bytes {
    // Structs of strings and numbers always serialise.
    serde_json::to_vec(value).unwrap_or_default().into()
}

/// The headers that keep an event stream flowing through whatever stands between.
pub fn sse(response: &mut HttpResponseBuilder) -> &mut HttpResponseBuilder {
    response
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .insert_header((header::CONTENT_ENCODING, "identity"))
        .insert_header(("x-accel-buffering", "no"))
}

/// No such route.
pub async fn unknown_route(req: HttpRequest) -> Fault {
    Fault::new(Error::NotFound("route"), Surface::of(req.path()))
}

/// A path that takes these methods only; any other is a 405 that says so.
pub fn only(allow: &'static str, resource: Resource) -> Resource {
    let refuse = move |req: HttpRequest| async move {
        Fault::new(Error::Method(allow), Surface::of(req.path()))
    };
    resource.default_service(web::to(refuse))
}

/// A fault is an answer like any other.
impl Responder for Fault {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        self.error_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_shapes_name_the_field() {
        let error = Error::invalid("messages[2].role", "is missing");
        let problem: serde_json::Value = serde_json::from_slice(&problem_bytes(&error)).unwrap();
        assert_eq!(
            (&problem["status"], &problem["field"]),
            (&400.into(), &"messages[2].role".into())
        );
        let openai: serde_json::Value = serde_json::from_slice(&openai_bytes(&error)).unwrap();
        assert_eq!(openai["error"]["param"], "messages[2].role");
        assert_eq!(openai["error"]["type"], "invalid_request_error");
        assert_eq!(openai["error"]["code"], "invalid_request");
    }

    #[test]
    fn a_path_has_its_surface() {
        assert_eq!(Surface::of("/v1/models"), Surface::OpenAi);
        assert_eq!(Surface::of("/v10"), Surface::Native);
    }

    #[actix_web::test]
    async fn a_wrong_method_and_a_wrong_path_keep_the_shape() {
        use actix_web::{App, test};
        let fine = || async { HttpResponse::Ok().finish() };
        let paths = ["/v1/x", "/api/v1/x"];
        let mut app = App::new().default_service(web::to(unknown_route));
        for path in paths {
            app = app.service(only("GET", web::resource(path).get(fine)));
        }
        let app = test::init_service(app).await;
        for (path, member) in [("/v1", "/error/code"), ("/api/v1", "/code")] {
            for (status, code, uri) in [
                (405, "method_not_allowed", format!("{path}/x")),
                (404, "not_found", format!("{path}/y")),
            ] {
                let request = test::TestRequest::delete().uri(&uri).to_request();
                let response = test::call_service(&app, request).await;
                assert_eq!(response.status().as_u16(), status);
                let allow = response.headers().get(header::ALLOW).cloned();
                assert_eq!(allow.is_some(), status == 405);
                let body: serde_json::Value = test::read_body_json(response).await;
                assert_eq!(body.pointer(member).unwrap(), code);
            }
        }
    }

    #[test]
    fn it_says_when_to_come_back() {
        let busy = Error::Busy {
            what: "the gateway is at capacity",
            retry_after: 7,
        };
        let response = Fault::new(busy.clone(), Surface::OpenAi).error_response();
        for (name, unit) in [("retry-after", 1), ("retry-after-ms", 1_000)] {
            let wait = response.headers().get(name).unwrap().to_str().unwrap();
            let wait: u32 = wait.parse().unwrap();
            assert!((7 * unit..=9 * unit).contains(&wait), "{name}: {wait}");
        }
        assert_eq!(Fault::native(busy).status_code(), 429);
    }
}
