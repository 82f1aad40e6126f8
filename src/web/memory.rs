//! `/api/v1/memory`: what is known of a user, as the user's own application reads, sets and erases
//! it. A profile is topic → key → value; its version is the `ETag`. What is set here is pinned:
//! only a later statement of the user's own changes it. A file a resource; what they share, and
//! what `/mcp` does as well, is here.

mod etag;
pub mod import;
pub mod jobs;
mod preferences;
pub mod profile;
pub mod quarantine;
pub mod search;
mod shown;

use super::fault::only;
use crate::{
    actors::memory::MemoryPort,
    error::Error,
    memory::{Profile, Resident, UserKey},
    state::State,
    store::{Command, Erased, Upsert},
};
use actix_web::web;
pub(super) use preferences::{Slots, slots};
pub(super) use shown::values;
pub use shown::{Detailed, Shown};
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;

/// The routes under `/api/v1`.
pub fn routes(app: &mut web::ServiceConfig) {
    let profile = web::resource("/memory")
        .get(profile::read)
        .put(profile::upsert)
        .patch(profile::upsert)
        .delete(profile::erase);
    let slot = web::resource("/memory/{topic}/{key}").delete(profile::remove);
    app.service(only("GET, PUT, PATCH, DELETE", profile))
        .configure(jobs::routes)
        .configure(quarantine::routes)
        .service(only("DELETE", slot))
        .service(only(
            "POST",
            web::resource("/memory/turns").post(import::import),
        ))
        .service(only(
            "POST",
            web::resource("/memory/search").post(search::search),
        ));
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
) -> Result<Profile, Error> {
    if let Some(remote) = &state.remote {
        if upsert.on_version.is_some() {
            let detail = "cannot be honoured: the profile is kept by another server (memory.mcp)";
            return Err(Error::invalid("If-Match", detail));
        }
        return Ok(remote.put(&upsert.user, &upsert.slots, upsert.said).await?);
    }
    let asking = memory.ask(|reply| Command::Upsert(upsert.clone(), reply));
    written(state, asking).await
}

/// Erases all of a user.
pub(super) async fn forget(
    state: &State,
    memory: &MemoryPort,
    user: UserKey,
) -> Result<Erased, Error> {
    let Some(remote) = &state.remote else {
        let asking = memory.ask(|reply| Command::Erase(user.clone(), reply));
        return written(state, asking).await;
    };
    let (memory, of) = (memory.clone(), user.clone());
    let here = async move { memory.ask(|reply| Command::Erase(of.clone(), reply)).await };
    let (here, there) = remote.erase(&user, here).await?;
    let mut erased = here.unwrap_or(Err(Error::StoreDown))?;
    erased.profile += there;
    Ok(erased)
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
