//! Tells the remote memory what turns taught, in their order for each user, until it has taken
//! it. A turn told twice is the same turn there, so that a crash between its answer and our note of
//! it does no harm.

use super::{Failure, Inner, Preferences, set};
use crate::{
    actors::memory::MemoryPort,
    memory::{Fact, Op, Profile, Untold, UserKey},
    store::{Command, Delivered},
};
use futures_util::{StreamExt, stream};
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep_until};

/// Users told at once.
const USERS: usize = 8;
/// Refused so often a turn is put aside as dead.
const TRIES: u32 = 6;
/// Before a user is tried again; a refusal doubles it each time.
const PAUSE: Duration = Duration::from_millis(500);

/// How often a user was refused, and when they are next.
type Late = BTreeMap<UserKey, (u32, Instant)>;

/// Goes on for ever.
pub async fn deliver(inner: Arc<Inner>, memory: MemoryPort) {
    let mut late = Late::new();
    loop {
        inner.link.up().await;
        let now = Instant::now();
        let mut due = inner.undelivered.waiting();
        late.retain(|user, _| due.binary_search(user).is_ok());
        due.retain(|user| late.get(user).is_none_or(|(_, at)| *at <= now));
        if due.is_empty() {
            let next = late.values().map(|(_, at)| *at).min();
            tokio::select! {
                () = inner.undelivered.more.notified() => {}
                () = sleep_until(next.unwrap_or(now)), if next.is_some() => {}
            }
            continue;
        }
        let telling = due.into_iter().map(|user| {
            let (inner, memory, tries) = (&inner, &memory, late.get(&user).map_or(0, |l| l.0));
            async move { (inner.tell(memory, &user, tries).await, user) }
        });
        let told: Vec<_> = stream::iter(telling)
            .buffer_unordered(USERS)
            .collect()
            .await;
        for (told, user) in told {
            match told {
                Ok(()) => late.remove(&user),
                Err(tries) => late.insert(user, (tries, Instant::now() + PAUSE * (1 << tries))),
            };
        }
    }
}

impl Inner {
    /// Tells all that waits of one user; `tries`: how often the first of it was refused. Where it
    /// stops, how often that turn was: each has its own number, or one would be dead by another's.
    async fn tell(&self, memory: &MemoryPort, user: &UserKey, mut tries: u32) -> Result<(), u32> {
        let _open = self.gate.read().await;
        for untold in self.undelivered.of(user) {
            let dead = match self.tell_turn(user, &untold).await {
                Ok(()) => false,
                Err(Failure::Refused) if tries + 1 < TRIES => return Err(tries + 1),
                Err(Failure::Refused) => true,
                Err(Failure::Unreachable | Failure::Slow) => return Err(tries),
            };
            if dead {
                tracing::error!("the remote memory refuses what a turn taught: put aside as dead");
            }
            let delivered = Delivered {
                user: user.clone(),
                turn: untold.turn.clone(),
                dead,
            };
            let noting = memory.ask(|reply| Command::Delivered(delivered.clone(), reply));
            // With the store down it is told again later, which changes nothing there.
            noting.await.and_then(Result::ok).ok_or(tries)?;
            tries = 0;
        }
        Ok(())
    }

    async fn tell_turn(&self, user: &UserKey, untold: &Untold) -> Result<(), Failure> {
        // What is to be forgotten is said in words: which values are meant, their owner knows.
        let forgets = |s: &crate::memory::Statement| matches!(s.op, Op::Forget { .. });
        let mut profile = match untold.said.iter().any(forgets) {
            true => self.profile(user, self.limit()).await?,
            false => Profile::default(),
        };
        let mut preferences = Preferences::new();
        for said in &*untold.said {
            let said = std::slice::from_ref(said);
            let applied = (self.rules).apply(&mut profile, &untold.turn, untold.at_ms, said);
            for change in applied.changes {
                let value = change.after.value.map_or(Value::Null, Value::String);
                set(&mut preferences, &change.at.0, &change.at.1, value);
            }
        }
        if preferences.is_empty() {
            return Ok(());
        }
        let turn = Some((&*untold.turn, untold.at_ms));
        self.upsert(user, preferences, turn).await.map(drop)
    }

    /// Facts, turn by turn, as far as they change what is known there.
    pub(super) async fn learn(&self, user: &UserKey, facts: Vec<Fact>) -> Result<(), Failure> {
        let mut profile = self.profile(user, self.limit()).await?;
        for facts in facts.chunk_by(|a, b| a.turn == b.turn) {
            let Some(Fact { turn, at_ms, .. }) = facts.first() else {
                continue;
            };
            let mut preferences = Preferences::new();
            for change in self.rules.learn(&mut profile, facts.to_vec()).changes {
                let value = change.after.value.map_or(Value::Null, Value::String);
                set(&mut preferences, &change.at.0, &change.at.1, value);
            }
            if !preferences.is_empty() {
                self.upsert(user, preferences, Some((turn, *at_ms))).await?;
            }
        }
        Ok(())
    }
}
