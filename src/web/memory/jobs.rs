//! `/api/v1/memory/jobs` and `/api/v1/memory/ledger`: which of the user's turns wait to be learnt
//! from, which failed for good and may be tried again, and what that has cost.

use super::{audit, learning};
use crate::{
    error::Error,
    memory::UserKey,
    store::{
        Spending,
        extraction::{self, Job, Write},
    },
    web::{
        fault::{Fault, only},
        moment::shown,
        openapi::Known,
        query::Query,
        server::graph,
    },
};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

/// So many days of the ledger are shown.
const DAYS: i64 = 31;

/// The routes under `/api/v1`; they come before `/memory/{topic}/{key}`.
pub fn routes(app: &mut web::ServiceConfig) {
    let list = web::resource("/memory/jobs").get(jobs);
    let again = web::resource("/memory/jobs/requeue").post(requeue);
    let one = web::resource("/memory/jobs/{turn}/requeue").post(requeue_one);
    let flush = web::resource("/memory/jobs/flush").post(flush);
    let ledger = web::resource("/memory/ledger").get(ledger);
    app.service(only("GET, HEAD", list))
        .service(only("POST", again))
        .service(only("POST", one))
        .service(only("POST", flush))
        .service(only("GET, HEAD", ledger));
}

/// Turns that wait.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Jobs {
    jobs: Vec<Waiting>,
}

/// One of them.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Waiting {
    /// When it may be tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = "date-time")]
    next_at: Option<String>,
    /// When it was kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = "date-time")]
    kept_at: Option<String>,
    #[serde(flatten)]
    job: Job,
}

/// `GET /api/v1/memory/jobs`
#[utoipa::path(
    get, path = "/api/v1/memory/jobs", tag = "memory", operation_id = "list_jobs",
    summary = "Turns that are not learnt from yet, the dead included",
    params(Known),
    responses((status = 200, description = "In the order they were kept", body = Jobs)),
)]
pub async fn jobs(req: HttpRequest) -> Result<HttpResponse, Fault> {
    let reading = async {
        Query::read(&req, &[])?;
        let graph = graph(&req);
        let user = UserKey::local(&audit::acting(&graph, &req, "read jobs").await?);
        let store = &graph.state.store;
        let reading = store.reading(move |db| async move { extraction::jobs(&db, &user).await });
        let jobs = reading.await.map_err(|_| Error::StoreDown)?.into_iter();
        let jobs = jobs.map(|job| Waiting {
            next_at: job.next_at_ms.map(shown),
            kept_at: job.kept_at_ms.map(shown),
            job,
        });
        let jobs = jobs.collect();
        Ok(HttpResponse::Ok().json(Jobs { jobs }))
    };
    reading.await.map_err(Fault::native)
}

/// Turns that wait again.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Requeued {
    /// How many.
    requeued: u64,
}

/// `POST /api/v1/memory/jobs/requeue`
#[utoipa::path(
    post, path = "/api/v1/memory/jobs/requeue", tag = "memory", operation_id = "requeue_jobs",
    summary = "Try the user's dead turns again",
    params(Known),
    responses((status = 200, description = "How many wait again", body = Requeued)),
)]
pub async fn requeue(req: HttpRequest) -> Result<HttpResponse, Fault> {
    again(&req, None).await.map_err(Fault::native)
}

/// `POST /api/v1/memory/jobs/{turn}/requeue`
#[utoipa::path(
    post, path = "/api/v1/memory/jobs/{turn}/requeue", tag = "memory", operation_id = "requeue_job",
    summary = "Try one dead turn again",
    params(Known, ("turn" = String, Path, description = "The turn's id")),
    responses((status = 200, description = "It waits again", body = Requeued)),
)]
pub async fn requeue_one(req: HttpRequest, turn: web::Path<String>) -> Result<HttpResponse, Fault> {
    let turn = turn.into_inner();
    again(&req, Some(turn)).await.map_err(Fault::native)
}

async fn again(req: &HttpRequest, turn: Option<String>) -> Result<HttpResponse, Error> {
    Query::read(req, &[])?;
    let (graph, one) = (graph(req), turn.is_some());
    let user = audit::acting(&graph, req, "requeue jobs").await?;
    let done = learning(&graph, &user, Write::Requeue(turn.map(Into::into))).await?;
    match done.count {
        0 if one => Err(Error::NotFound("dead turn")),
        requeued => Ok(HttpResponse::Ok().json(Requeued { requeued })),
    }
}

/// Whether anything is read now.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Flushing {
    /// A model reads turns, and now this user's.
    flushing: bool,
}

/// `POST /api/v1/memory/jobs/flush`
#[utoipa::path(
    post, path = "/api/v1/memory/jobs/flush", tag = "memory", operation_id = "flush_jobs",
    summary = "The conversation has ended: what was said in it is read now",
    params(Known),
    responses((status = 202, description = "It is read as soon as the backend has time", body = Flushing)),
)]
pub async fn flush(req: HttpRequest) -> Result<HttpResponse, Fault> {
    let asking = async {
        Query::read(&req, &[])?;
        let graph = graph(&req);
        let user = UserKey::local(&audit::acting(&graph, &req, "flush jobs").await?);
        let store = &graph.state.store;
        let flushing = store.rules().extracts;
        if flushing {
            store.gathering().urge(&user, false);
        }
        Ok(HttpResponse::Accepted().json(Flushing { flushing }))
    };
    asking.await.map_err(Fault::native)
}

/// What memory cost.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Ledger {
    /// Tokens a day may cost; past it turns wait for the next. None: no cap.
    #[serde(skip_serializing_if = "Option::is_none")]
    daily_tokens: Option<u64>,
    /// By day, the latest first.
    days: Vec<Spending>,
}

/// `GET /api/v1/memory/ledger`
#[utoipa::path(
    get, path = "/api/v1/memory/ledger", tag = "memory", operation_id = "read_ledger",
    summary = "Tokens spent on the user's memory",
    params(Known),
    responses((status = 200, description = "The last 31 days", body = Ledger)),
)]
pub async fn ledger(req: HttpRequest) -> Result<HttpResponse, Fault> {
    let reading = async {
        Query::read(&req, &[])?;
        let graph = graph(&req);
        let user = UserKey::local(&audit::acting(&graph, &req, "read ledger").await?);
        let state = &graph.state;
        let from = state.store.rules().clock.day() - DAYS + 1;
        let days = state.store.ledger(&user, from).await;
        let days = days.map_err(|_| Error::StoreDown)?;
        let cap = state.config.memory.extract.daily_tokens;
        Ok(HttpResponse::Ok().json(Ledger {
            daily_tokens: (cap > 0).then_some(cap),
            days,
        }))
    };
    reading.await.map_err(Fault::native)
}
