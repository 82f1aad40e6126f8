//! Reading a user who is not here, within recall's time.

use crate::{
    memory::{Ranked, Resident, UserKey},
    prompt::RecallState,
    remote::Failure,
    state::State,
};
use std::{pin::pin, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

/// What was read of a user.
pub(super) enum Read {
    /// All, and what another server finds.
    Whole(Arc<Resident>, Vec<Ranked>),
    /// Who they are, without what they said.
    Profile(Arc<Resident>),
}

/// The user in time; where that is too short for all they said, who they are. What is late is read
/// to its end, for the next turn to find it here.
pub(super) async fn in_time(
    state: &State,
    user: &UserKey,
    query: Option<Arc<str>>,
    limit: Duration,
    by: Instant,
) -> Result<Read, RecallState> {
    let mut whole = pin!(timeout_at(by, read(state, user, query, limit)));
    let profile = async {
        sleep_until(by - limit / 3).await;
        timeout_at(by, state.store.profile(user)).await
    };
    let (whole, profile) = tokio::select! {
        whole = &mut whole => (whole, None),
        // It is kept elsewhere, and was asked for at once.
        profile = profile, if state.remote.is_none() => (whole.await, profile.ok()),
    };
    match (whole, profile) {
        (Ok(whole), _) => whole.map(|(resident, elsewhere)| Read::Whole(resident, elsewhere)),
        (Err(_), Some(Ok(resident))) => Ok(Read::Profile(resident)),
        _ => Err(RecallState::Timeout),
    }
}

/// The user from the store; where there is a remote memory, the profile from there, and what it
/// finds that was said. Its search adds to the rest, which does not wait for it to the last.
async fn read(
    state: &State,
    user: &UserKey,
    query: Option<Arc<str>>,
    limit: Duration,
) -> Result<(Arc<Resident>, Vec<Ranked>), RecallState> {
    let here = state.store.resident(user);
    let Some(remote) = &state.remote else {
        let here = here.await.map_err(|_| RecallState::Degraded)?;
        return Ok((here, Vec::new()));
    };
    let search = async {
        let Some(query) = query else {
            return Vec::new();
        };
        let limit = limit * 4 / 5;
        let searching = timeout(limit, remote.search(user, query, limit));
        searching.await.unwrap_or_default()
    };
    match tokio::join!(here, remote.profile(user, limit), search) {
        (Ok(here), Ok(profile), found) => {
            let resident = Resident {
                profile,
                ..(*here).clone()
            };
            Ok((Arc::new(resident), found))
        }
        (_, Err(Failure::Slow), _) => Err(RecallState::Timeout),
        _ => Err(RecallState::Degraded),
    }
}
