//! `/api/v1/memory`: what is known of a user, as the user's own application reads, sets and erases
//! it. A profile is topic → key → value; its version is the `ETag`. What is set here is pinned:
//! only a later statement of the user's own changes it. A file a resource; what they share, and
//! what `/mcp` does as well, is here.

pub mod audit;
mod etag;
pub mod export;
mod exported;
pub mod history;
pub mod import;
pub mod jobs;
pub mod page;
mod preferences;
pub mod profile;
pub mod quarantine;
pub mod search;
pub mod settings;
mod shown;
pub mod turns;

use super::fault::only;
use crate::{
    actors::memory::MemoryPort,
    error::Error,
    graph::Graph,
    memory::{Resident, UserKey},
    state::State,
    store::{
        Ask, Command, Done, Erased, Erasure, Upsert, Upserted,
        extraction::{Write, Written},
    },
};
use actix_web::web;
pub(super) use preferences::{Slots, slots};
use serde::Serialize;
pub(super) use shown::values;
pub use shown::{Detailed, Shown};
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;

/// The most that privacy may take: a large file on a slow disk.
const PRIVATE: Duration = Duration::from_secs(120);

/// The routes under `/api/v1`.
pub fn routes(app: &mut web::ServiceConfig) {
    let profile = web::resource("/memory")
        .get(profile::read)
        .put(profile::upsert)
        .patch(profile::upsert)
        .delete(profile::erase);
    let slot = web::resource("/memory/{topic}/{key}").delete(profile::remove);
    let turns = web::resource("/memory/turns")
        .get(turns::list)
        .post(import::import);
    let turn = web::resource("/memory/turns/{id}").delete(turns::delete);
    let settings = web::resource("/memory/settings")
        .get(settings::read)
        .put(settings::set);
    app.service(only("GET, HEAD, PUT, PATCH, DELETE", profile))
        .configure(jobs::routes)
        .configure(quarantine::routes)
        .service(only(
            "POST",
            web::resource("/memory/search").post(search::search),
        ))
        .service(only("GET, HEAD, POST", turns))
        .service(only("DELETE", turn))
        .service(only(
            "GET, HEAD",
            web::resource("/memory/history").get(history::list),
        ))
        .service(only(
            "GET, HEAD",
            web::resource("/memory/export").get(export::export),
        ))
        .service(only("GET, HEAD, PUT", settings))
        .service(only("GET, HEAD", web::resource("/audit").get(audit::list)))
        .service(only("DELETE", slot));
}

/// The user as this server itself has them: all but the profile, where another one keeps it.
pub(super) async fn here(state: &State, user: &UserKey) -> Result<Arc<Resident>, Error> {
    let limit = Duration::from_millis(state.config.store.ack_timeout_ms);
    let resident = timeout(limit, state.store.resident(user)).await;
    resident.ok().and_then(Result::ok).ok_or(Error::StoreDown)
}

/// The user as they are known now, or that the store does not say.
pub(super) async fn known(state: &State, user: &UserKey) -> Result<Arc<Resident>, Error> {
    let resident = here(state, user).await?;
    let Some(remote) = &state.remote else {
        return Ok(resident);
    };
    let limit = Duration::from_millis(state.config.store.ack_timeout_ms);
    let profile = remote.profile(user, limit).await?;
    let resident = (*resident).clone();
    Ok(Arc::new(Resident {
        profile,
        ..resident
    }))
}

/// Changes a profile; answers with it as it now is.
pub(super) async fn write(
    state: &State,
    memory: &MemoryPort,
    upsert: Upsert,
) -> Result<Upserted, Error> {
    if let Some(remote) = &state.remote {
        if upsert.on_version.is_some() {
            return Err(not_here());
        }
        return Ok(remote.put(&upsert.user, &upsert.slots, upsert.said).await?);
    }
    let asking = memory.ask(|reply| Command::Upsert(upsert.clone(), reply));
    written(state, asking).await
}

/// Has something written that has to do with turns to be read, or with quarantine.
async fn learning(graph: &Graph, user: &str, write: Write) -> Result<Written, Error> {
    let (user, write) = (UserKey::local(user), Arc::new(write));
    let command = |reply| Command::Extraction(user.clone(), write.clone(), reply);
    written(&graph.state, graph.memory.ask(command)).await
}

/// How an erase ended.
pub(super) enum Ended {
    /// All of it is done.
    Erased(Erased),
    /// It is going to be.
    Pending(Pending),
}

/// An erase that waits until the store is back.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Pending {
    /// `pending`
    status: &'static str,
    /// Write-backs that were waiting for the store, and are gone.
    spool: u64,
    /// Detached tasks that are gone, with their answers.
    tasks: u64,
}

/// Erases all of a user; with `on_version` only if their profile is at it.
pub(super) async fn erase(
    state: &State,
    memory: &MemoryPort,
    user: &str,
    on_version: Option<u64>,
    acting: &audit::Acting,
) -> Result<Ended, Error> {
    let key = UserKey::local(user);
    let ask = Ask::Erase(Arc::new(Erasure {
        user: key.clone(),
        on_version,
        asked_ms: None,
        deed: acting.deed(state, user, "erase all"),
    }));
    let (done, there) = match &state.remote {
        None => (private(memory, ask).await, 0),
        Some(_) if on_version.is_some() => return Err(not_here()),
        Some(remote) => {
            let memory = memory.clone();
            let here = async move { private(&memory, ask).await };
            remote.erase(&key, here).await?
        }
    };
    match done? {
        Done::Erased(mut erased) => {
            erased.profile += there;
            erased.tasks = state.tasks.erase(user);
            Ok(Ended::Erased(erased))
        }
        Done::ErasePending(spool) => Ok(Ended::Pending(Pending {
            status: "pending",
            spool,
            tasks: state.tasks.erase(user),
        })),
        _ => Err(Error::Crashed("memory")),
    }
}

/// Has something done that privacy asks for. It may take as long as a file is written anew.
async fn private(memory: &MemoryPort, ask: Ask) -> Result<Done, Error> {
    let asking = memory.ask(|reply| Command::Privacy(ask.clone(), reply));
    match timeout(PRIVATE, asking).await {
        Ok(answer) => answer.unwrap_or(Err(Error::StoreDown)),
        Err(_) => Err(Error::Timeout("the memory store")),
    }
}

/// A version is the remote memory's own.
fn not_here() -> Error {
    let detail = "cannot be honoured: the profile is kept by another server (memory.mcp)";
    Error::invalid("If-Match", detail)
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
