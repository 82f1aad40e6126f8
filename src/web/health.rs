//! What the people on call look at: whether the process lives, whether it takes requests, how each
//! actor and each backend is, and the graph as it is drawn. Read from atomics: it answers while an
//! actor is wedged.

mod actors;

pub use actors::{ActorStatus, DrawnGraph, LiveNode};

use super::{
    exchange::now_ms,
    fault::{Fault, only},
    server::graph,
};
use crate::{embedding::EmbeddingHealth, error::Error, extraction::ExtractionHealth, state::State};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use std::{collections::BTreeMap, sync::atomic::Ordering::SeqCst};

/// The routes at the root.
pub fn routes(app: &mut web::ServiceConfig) {
    let probes = [
        web::resource("/livez").get(live),
        web::resource("/readyz").get(ready),
        web::resource("/health").get(health),
    ];
    for probe in probes {
        app.service(only("GET, HEAD", probe));
    }
}

/// The routes under `/api/v1`.
pub fn api_routes(app: &mut web::ServiceConfig) {
    let readings = [
        web::resource("/actors").get(actors),
        web::resource("/actors/{name}").get(actor),
        web::resource("/graph").get(drawing),
    ];
    for reading in readings {
        app.service(only("GET, HEAD", reading));
    }
}

/// `GET /livez`: it answers, so it lives; nothing else is asked.
#[utoipa::path(
    get, path = "/livez", tag = "health", operation_id = "live",
    summary = "Whether the process lives",
    responses((status = 200, description = "As it is now", body = Liveness)),
)]
pub async fn live() -> HttpResponse {
    HttpResponse::Ok().json(Liveness { status: "alive" })
}

/// Whether the process lives.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Liveness {
    /// `alive`
    status: &'static str,
}

/// `GET /readyz`
#[utoipa::path(
    get, path = "/readyz", tag = "health", operation_id = "ready",
    summary = "Whether requests are taken",
    responses((status = 200, description = "As it is now", body = Readiness), (status = 503, description = "They are not, and why", body = Readiness)),
)]
pub async fn ready(req: HttpRequest) -> HttpResponse {
    let readiness = Readiness::of(&graph(&req).state);
    let mut response = match readiness.unready.is_empty() {
        true => HttpResponse::Ok(),
        false => HttpResponse::ServiceUnavailable(),
    };
    response
        .insert_header(("cache-control", "no-store"))
        .json(readiness)
}

/// Whether requests are taken.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Readiness {
    /// `ready` or `unready`
    status: &'static str,
    /// What is served without: `store`, `remote_memory`; what lags behind: `extraction`.
    degraded: Vec<&'static str>,
    /// Why requests are not taken.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unready: Vec<String>,
}

impl Readiness {
    fn of(state: &State) -> Self {
        let mut unready = Vec::new();
        if state.draining.load(SeqCst) || !state.admits() {
            unready.push("draining".to_owned());
        }
        let dead = state.roster.dead();
        unready.extend(
            dead.iter()
                .map(|node| format!("no replica of {node} is up")),
        );
        let wedged = state.roster.wedged();
        unready.extend(
            wedged
                .iter()
                .map(|node| format!("a replica of {node} is wedged")),
        );
        let (down, full) = (state.store.is_down(), state.store.spool_full());
        let now = state.store.rules().clock.now_ms();
        let late = state.extraction.is_late(state.store.gathering(), now);
        if full {
            unready.push("the store is down and the spool full".to_owned());
        }
        let mut degraded = Vec::new();
        degraded.extend((down || full).then_some("store"));
        let remote = state.remote.as_ref();
        degraded.extend(remote.and_then(|r| (!r.is_up()).then_some("remote_memory")));
        degraded.extend(late.then_some("extraction"));
        Readiness {
            status: if unready.is_empty() {
                "ready"
            } else {
                "unready"
            },
            degraded,
            unready,
        }
    }
}

/// `GET /health`: all of it in short, for people. Always 200: probes have `/readyz`.
#[utoipa::path(
    get, path = "/health", tag = "health", operation_id = "health",
    summary = "All of it in short",
    responses((status = 200, description = "As it is now", body = Summary)),
)]
pub async fn health(req: HttpRequest) -> HttpResponse {
    let graph = graph(&req);
    let state = &graph.state;
    let backends = state.pool.status();
    HttpResponse::Ok().json(Summary {
        readiness: Readiness::of(state),
        version: env!("CARGO_PKG_VERSION"),
        uptime_s: state.started.elapsed().as_secs(),
        now_ms: now_ms(),
        inflight: state.inflight(),
        tasks: state.tasks.running(),
        actors: actors::all(state)
            .into_iter()
            .map(|a| (a.name, a.share()))
            .collect(),
        store: StoreHealth {
            status: if state.store.is_down() { "down" } else { "up" },
            spool: if state.store.spool_full() {
                "full"
            } else {
                "ok"
            },
        },
        extraction: state.extraction.health(
            state.store.rules().extracts,
            state.store.gathering(),
            state.store.rules().clock.now_ms(),
        ),
        embeddings: match (&state.embedding, state.store.unembedded()) {
            (Some(embedding), Some(line)) => embedding.standing.health(line.len()),
            _ => EmbeddingHealth::off(),
        },
        backends: Share {
            up: backends.iter().filter(|b| b.condition.routable).count(),
            of: backends.len(),
        },
    })
}

/// All of it in short.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Summary {
    #[serde(flatten)]
    readiness: Readiness,
    /// Of sundynix.
    version: &'static str,
    /// Since the start.
    uptime_s: u64,
    /// The server's clock, Unix milliseconds.
    now_ms: i64,
    /// Turns in flight.
    inflight: usize,
    /// Detached tasks that run.
    tasks: usize,
    /// Replicas that are up, by actor.
    actors: BTreeMap<&'static str, Share>,
    store: StoreHealth,
    /// How learning from turns by a model goes.
    extraction: ExtractionHealth,
    /// How comparing memories by their meaning goes.
    embeddings: EmbeddingHealth,
    /// Backends that can be routed to.
    backends: Share,
}

/// So many of so many.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Share {
    /// These …
    up: usize,
    /// … of these.
    of: usize,
}

/// How the store is.
#[derive(Serialize, utoipa::ToSchema)]
pub struct StoreHealth {
    /// `up` or `down`
    status: &'static str,
    /// Where write-backs wait meanwhile: `ok` or `full`.
    spool: &'static str,
}

/// `GET /api/v1/actors`
#[utoipa::path(
    get, path = "/api/v1/actors", tag = "health", operation_id = "list_actors",
    summary = "Every actor",
    responses((status = 200, description = "As it is now", body = Actors)),
)]
pub async fn actors(req: HttpRequest) -> HttpResponse {
    let actors = actors::all(&graph(&req).state);
    HttpResponse::Ok().json(Actors { actors })
}

/// Every actor.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Actors {
    actors: Vec<ActorStatus>,
}

/// `GET /api/v1/actors/{name}`
#[utoipa::path(
    get, path = "/api/v1/actors/{name}", tag = "health", operation_id = "read_actor",
    summary = "One actor",
    params(("name" = String, Path)),
    responses((status = 200, description = "As it is now", body = ActorStatus)),
)]
pub async fn actor(req: HttpRequest, name: web::Path<String>) -> Result<HttpResponse, Fault> {
    let mut all = actors::all(&graph(&req).state).into_iter();
    match all.find(|actor| actor.name == *name) {
        Some(actor) => Ok(HttpResponse::Ok().json(actor)),
        None => Err(Fault::native(Error::NotFound("actor"))),
    }
}

/// `GET /api/v1/graph`
#[utoipa::path(
    get, path = "/api/v1/graph", tag = "health", operation_id = "read_graph",
    summary = "The graph, and what is at its nodes now",
    responses((status = 200, description = "As it is now", body = DrawnGraph)),
)]
pub async fn drawing(req: HttpRequest) -> HttpResponse {
    HttpResponse::Ok().json(DrawnGraph::of(&graph(&req).state))
}
