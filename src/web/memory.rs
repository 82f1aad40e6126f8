//! `/api/v1/memory`: what is known of a user, as the user's own application reads, sets and erases
//! it. A profile is topic → key → value; its version is the `ETag`. What is set here is pinned:
//! only a later statement of the user's own changes it.

mod preferences;
mod shown;

use super::{
    body,
    fault::{Fault, only},
    identity, json,
    openapi::Known,
    query::Query,
    server::graph,
};
use crate::{
    actors::memory::MemoryPort,
    error::Error,
    graph::Graph,
    memory::{Profile, Resident, UserKey},
    state::State,
    store::{Command, Erased, Upsert},
};
use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{self, HeaderName},
    web,
};
pub(super) use preferences::{Slots, slots};
use serde::Deserialize;
use serde_json::{Map, Value};
pub(super) use shown::values;
pub use shown::{Detailed, Shown};
use std::{rc::Rc, sync::Arc, time::Duration};
use tokio::time::timeout;

/// The routes under `/api/v1`.
pub fn routes(app: &mut web::ServiceConfig) {
    let profile = web::resource("/memory")
        .get(read)
        .put(upsert)
        .patch(upsert)
        .delete(erase);
    let slot = web::resource("/memory/{topic}/{key}").delete(remove);
    app.service(only("GET, PUT, PATCH, DELETE", profile))
        .service(only("DELETE", slot));
}

/// `GET /api/v1/memory`
#[utoipa::path(
    get, path = "/api/v1/memory", tag = "memory", operation_id = "read_memory",
    summary = "What is known of the user",
    params(
        Known,
        ("detail" = Option<bool>, Query, description = "With the origin of each value"),
        ("If-None-Match" = Option<String>, Header, description = "The version that is known already"),
    ),
    responses(
        (status = 200, description = "The profile, empty for a user who is not known; with `detail=true` a `Detailed`", body = Shown,
            headers(("ETag" = String, description = "The version"))),
        (status = 304, description = "It is still at this version"),
    ),
)]
pub async fn read(req: HttpRequest) -> Result<HttpResponse, Fault> {
    let graph = graph(&req);
    answer(&req, &graph.state).await.map_err(Fault::native)
}

async fn answer(req: &HttpRequest, state: &State) -> Result<HttpResponse, Error> {
    let detail = Query::read(req, &["detail"])?.flag("detail")?;
    let user = identity::some_user(req)?;
    let resident = known(state, &UserKey::local(&user)).await?;
    let profile = &resident.profile;
    let tag = tag(profile);
    let known = req.headers().get_all(header::IF_NONE_MATCH);
    let known = known
        .filter_map(|tags| tags.to_str().ok())
        .flat_map(|tags| tags.split(','));
    if known.map(strong).any(|known| known == tag) {
        return Ok(HttpResponse::NotModified()
            .insert_header((header::ETAG, tag))
            .finish());
    }
    let mut response = HttpResponse::Ok();
    response.insert_header((header::ETAG, tag));
    Ok(match detail {
        true => response.json(Detailed::of(&user, profile)),
        false => response.json(Shown::of(&user, profile)),
    })
}

/// The user as they are known now, or that the store does not say.
pub(super) async fn known(state: &State, user: &UserKey) -> Result<Arc<Resident>, Error> {
    let limit = Duration::from_millis(state.config.store.ack_timeout_ms);
    let resident = timeout(limit, state.store.resident(user)).await;
    resident.ok().and_then(Result::ok).ok_or(Error::StoreDown)
}

/// The body of a `PUT`.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Preferences {
    /// topic → key → value; `null` removes. A value without a topic goes to `general`.
    #[schema(value_type = Object, example = json!({"language": "中文", "style": {"tone": "concise"}}))]
    preferences: Map<String, Value>,
}

/// `PUT` and `PATCH /api/v1/memory`
#[utoipa::path(
    method(put, patch), path = "/api/v1/memory", tag = "memory", operation_id = "write_memory",
    summary = "Set, change or remove preferences",
    description = "What is named is set, `null` removes, the rest stays. What is set here is pinned: only a \
        later statement of the user's own changes it.",
    request_body = Preferences,
    params(Known, ("If-Match" = Option<String>, Header, pattern = r#"^((W/)?"\d+"|\*)$"#, description = "Only if the profile is still at this version")),
    responses(
        (status = 200, description = "The profile as it now is", body = Shown,
            headers(("ETag" = String, description = "The version"))),
    ),
)]
pub async fn upsert(req: HttpRequest, payload: web::Payload) -> Result<HttpResponse, Fault> {
    let graph = graph(&req);
    put(graph, &req, payload).await.map_err(Fault::native)
}

async fn put(
    graph: Rc<Graph>,
    req: &HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Error> {
    Query::read(req, &[])?;
    let user = identity::some_user(req)?;
    let on_version = on_version(req)?;
    let body = body::read(req, payload, graph.state.config.limits.body_bytes).await?;
    let asked: Preferences = json::parse(&body)?;
    change(&graph, user, slots(asked.preferences)?, on_version).await
}

/// `DELETE /api/v1/memory/{topic}/{key}`
#[utoipa::path(
    delete, path = "/api/v1/memory/{topic}/{key}", tag = "memory", operation_id = "remove_memory",
    summary = "Remove one value",
    params(
        Known,
        ("topic" = String, Path), ("key" = String, Path),
        ("If-Match" = Option<String>, Header, pattern = r#"^((W/)?"\d+"|\*)$"#, description = "Only if the profile is still at this version"),
    ),
    responses(
        (status = 200, description = "The profile as it now is; older turns never teach the value again",
            body = Shown, headers(("ETag" = String, description = "The version"))),
    ),
)]
pub async fn remove(
    req: HttpRequest,
    at: web::Path<(String, String)>,
) -> Result<HttpResponse, Fault> {
    let graph = graph(&req);
    let removing = async {
        Query::read(&req, &[])?;
        let user = identity::some_user(&req)?;
        let slots = Slots::from([(at.into_inner(), None)]);
        change(&graph, user, slots, on_version(&req)?).await
    };
    removing.await.map_err(Fault::native)
}

/// Writes, and answers with the profile as it now is.
async fn change(
    graph: &Graph,
    user: String,
    slots: Slots,
    on_version: Option<u64>,
) -> Result<HttpResponse, Error> {
    let upsert = Upsert {
        user: UserKey::local(&user),
        slots,
        on_version,
        said: None,
    };
    let profile = write(&graph.state, &graph.memory, upsert).await?;
    Ok(HttpResponse::Ok()
        .insert_header((header::ETAG, tag(&profile)))
        .json(Shown::of(&user, &profile)))
}

/// Changes a profile; answers with it as it now is.
pub(super) async fn write(
    state: &State,
    memory: &MemoryPort,
    upsert: Upsert,
) -> Result<Profile, Error> {
    let asking = memory.ask(|reply| Command::Upsert(upsert.clone(), reply));
    written(state, asking).await
}

/// Erases all of a user.
pub(super) async fn forget(
    state: &State,
    memory: &MemoryPort,
    user: UserKey,
) -> Result<Erased, Error> {
    let asking = memory.ask(|reply| Command::Erase(user.clone(), reply));
    written(state, asking).await
}

/// `DELETE /api/v1/memory`: all of the user, answered with a receipt.
#[utoipa::path(
    delete, path = "/api/v1/memory", tag = "memory", operation_id = "erase_memory",
    summary = "Erase all of the user",
    params(Known),
    responses((status = 200, description = "What was erased, in numbers", body = Erased)),
)]
pub async fn erase(req: HttpRequest) -> Result<HttpResponse, Fault> {
    let graph = graph(&req);
    let erasing = async {
        Query::read(&req, &[])?;
        let user = UserKey::local(&identity::some_user(&req)?);
        let erased = forget(&graph.state, &graph.memory, user).await?;
        Ok(HttpResponse::Ok().json(erased))
    };
    erasing.await.map_err(Fault::native)
}

/// Waits for a write. The store itself gives up after `ack_timeout` and says so; the caller waits
/// a little longer, for that answer is the better one.
async fn written<T>(
    state: &State,
    asking: impl Future<Output = Option<Result<T, Error>>>,
) -> Result<T, Error> {
    let limit = Duration::from_millis(2 * state.config.store.ack_timeout_ms);
    match timeout(limit, asking).await {
        Ok(answer) => answer.unwrap_or(Err(Error::StoreDown)),
        Err(_) => Err(Error::Timeout("the memory store")),
    }
}

fn tag(profile: &Profile) -> String {
    format!("\"{}\"", profile.version)
}

/// An entity tag without the mark that compressing proxies put before it.
fn strong(tag: &str) -> &str {
    let tag = tag.trim();
    tag.strip_prefix("W/").unwrap_or(tag)
}

/// The version that `If-Match` asks for; `*` is any.
fn on_version(req: &HttpRequest) -> Result<Option<u64>, Error> {
    const IF_MATCH: HeaderName = header::IF_MATCH;
    let mut tags = req.headers().get_all(IF_MATCH);
    let Some(tag) = tags.next() else {
        return Ok(None);
    };
    let tag = tag
        .to_str()
        .ok()
        .map(strong)
        .filter(|_| tags.next().is_none());
    if tag == Some("*") {
        return Ok(None);
    }
    let version = tag.and_then(|tag| tag.strip_prefix('"')?.strip_suffix('"')?.parse().ok());
    let wrong = || Error::invalid("If-Match", "takes the ETag of one version, as \"3\"");
    version.map(Some).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    #[test]
    fn if_match_is_one_version() {
        let version = |tag: &'static str| {
            let req = TestRequest::default().insert_header(("if-match", tag));
            on_version(&req.to_http_request())
        };
        assert_eq!(
            on_version(&TestRequest::default().to_http_request()).unwrap(),
            None
        );
        assert_eq!(version("*").unwrap(), None);
        assert_eq!(version("\"3\"").unwrap(), Some(3));
        assert_eq!(version("W/\"3\"").unwrap(), Some(3));
        for odd in ["3", "\"abc\"", "\"1\", \"2\"", "", "\"-1\""] {
            assert_eq!(version(odd).unwrap_err().field(), Some("If-Match"), "{odd}");
        }
    }
}
