//! What is no JSON-RPC message, or a call of no tool, is refused here by the protocol's own errors:
//! `rmcp` would call the one a wrong media type, and the other a method that it does not know.

use actix_web::{HttpResponse, http::StatusCode};
use rmcp::model::ErrorCode;
use serde_json::{Value, json};

/// The answer to a body that is not passed on.
pub fn refused(body: &[u8]) -> Option<HttpResponse> {
    let message = match serde_json::from_slice::<Value>(body) {
        Err(_) => return answer(Value::Null, ErrorCode::PARSE_ERROR, "the body is not JSON"),
        Ok(message) => message,
    };
    let invalid = |id, why| answer(id, ErrorCode::INVALID_REQUEST, why);
    if !message.is_object() {
        let why = "the body is one JSON-RPC message; batches are not taken";
        return invalid(Value::Null, why);
    }
    let id = message.get("id");
    let whole = |id: &Value| id.is_string() || id.is_i64() || id.is_u64();
    if id.is_some_and(|id| !whole(id)) {
        return invalid(Value::Null, "id: takes a string or a whole number");
    }
    let told = || id.cloned().unwrap_or_default();
    if message["jsonrpc"] != "2.0" {
        return invalid(told(), "jsonrpc: takes \"2.0\"");
    }
    let Some(method) = message.get("method") else {
        let is_answer = message.get("result").or(message.get("error")).is_some();
        return match is_answer {
            true => None,
            false => invalid(told(), "method: is missing"),
        };
    };
    let params = message.get("params").unwrap_or(&Value::Null);
    let why = match (method.as_str(), params) {
        (None, _) => return invalid(told(), "method: takes a string"),
        (_, params) if !params.is_object() && !params.is_null() => "params: takes an object",
        (Some("tools/call"), params) if !params["name"].is_string() => {
            "params.name: say which tool"
        }
        (Some("tools/call"), params)
            if !params["arguments"].is_object() && !params["arguments"].is_null() =>
        {
            "params.arguments: takes an object"
        }
        _ => return None,
    };
    match id {
        Some(id) => answer(id.clone(), ErrorCode::INVALID_PARAMS, why),
        // Nobody waits for an answer to a notification.
        None => None,
    }
}

fn answer(id: Value, code: ErrorCode, message: &str) -> Option<HttpResponse> {
    // Wrong arguments were understood as a message: that is an answer like others.
    let status = match code {
        ErrorCode::INVALID_PARAMS => StatusCode::OK,
        _ => StatusCode::BAD_REQUEST,
    };
    let error = json!({"code": code.0, "message": message});
    let answer = json!({"jsonrpc": "2.0", "id": id, "error": error});
    Some(HttpResponse::build(status).json(answer))
}
