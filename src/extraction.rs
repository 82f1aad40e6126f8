//! The loop of extraction, one a process, beside the workers: it takes the user whose turns are
//! due, asks the model about them, and hands what is believed to the memory actor's queue. It has
//! the lowest priority there is: one call at a time, none while anybody waits for the backend, and
//! a call that is under way is dropped when somebody comes to wait. Whatever goes wrong, the turns
//! lie in the store until they are read or dead; a panic costs one round.

mod call;
mod flush;
mod standing;

pub use standing::{ExtractionHealth, Standing};

use crate::{
    actors::memory::MemoryPort,
    memory::UserKey,
    state::State,
    store::{
        Command, Spending,
        extraction::{self as stored, Write},
    },
};
use call::Caller;
use flush::failure;
use futures_util::FutureExt;
use standing::Current;
use std::{cell::Cell, panic::AssertUnwindSafe, sync::Arc, time::Duration};
use tokio::time::sleep;

/// After the store did not take or give what was asked of it, and after a crash.
const PAUSE: Duration = Duration::from_secs(1);
/// How often values whose time is over are looked for.
const SWEEP_MS: i64 = 60_000;
/// How often turns that another replica left behind are looked for.
const SEARCH_MS: i64 = 300_000;
/// Why turns failed over which it panicked.
const CRASHED: &str = "reading it crashed";

/// Runs until it is dropped. Must be on an actix runtime: it has connections of its own.
pub async fn run(state: Arc<State>, memory: MemoryPort) {
    let rules = state.store.rules();
    if !rules.extracts && !rules.any_ttl() {
        return;
    }
    // Claims of a life before are somebody else's.
    let name: Arc<str> = uuid::Uuid::now_v7().simple().to_string().into();
    let mut crashed = None;
    loop {
        let extractor = Extractor::new(&state, &memory, &name);
        let before = crashed.take();
        let work = async {
            if let Some(before) = before {
                extractor.survive(before).await;
            }
            extractor.work().await;
        };
        if AssertUnwindSafe(work).catch_unwind().await.is_err() {
            tracing::error!("extraction crashed; it goes on with what waits");
            crashed = state.extraction.crashed(CRASHED);
            sleep(PAUSE).await;
        }
    }
}

/// What is being read is left to the other replicas; the loop must have been dropped.
pub async fn leave(state: &State, memory: &MemoryPort) {
    let Some(Current { user, claim, .. }) = state.extraction.ends() else {
        return;
    };
    if let Some(claim) = claim {
        let unclaim = Arc::new(Write::Unclaim(claim));
        let command = |reply| Command::Extraction(user.clone(), unclaim.clone(), reply);
        drop(memory.ask(command).await);
    }
}

struct Extractor<'a> {
    state: &'a Arc<State>,
    memory: &'a MemoryPort,
    caller: Caller,
    /// Looks in a row that found no time for it.
    looks: Cell<u32>,
    /// Which replica this is, for claims.
    name: Arc<str>,
}

impl<'a> Extractor<'a> {
    fn new(state: &'a Arc<State>, memory: &'a MemoryPort, name: &Arc<str>) -> Self {
        Extractor {
            state,
            memory,
            caller: Caller::new(state),
            looks: Cell::new(0),
            name: name.clone(),
        }
    }

    /// Turns that it crashed over have failed like any others: those that always crash it would
    /// otherwise be asked about, and paid for, for ever.
    async fn survive(&self, crashed: Current) {
        let user = &crashed.user;
        if crashed.seqs.is_empty() {
            // Whoever crashed it is not the next one again.
            let later = self.state.store.rules().clock.now_ms() + PAUSE.as_millis() as i64;
            self.state.store.gathering().put_off(user, later);
            return;
        }
        let Current {
            seqs,
            attempts,
            spent,
            ..
        } = crashed;
        let write = failure(self.state, seqs, attempts, CRASHED, spent);
        if self.write(user, write).await.is_ok() {
            let _ = self.look_again(user, None).await;
        }
    }

    async fn work(&self) {
        let (rules, gathering) = (self.state.store.rules(), self.state.store.gathering());
        let clock = &rules.clock;
        let (mut sweep, mut search) = (0, 0);
        loop {
            let now = clock.now_ms();
            if rules.any_ttl() && sweep <= now {
                self.sweep(now).await;
                sweep = now + SWEEP_MS;
            }
            if rules.extracts && search <= now {
                search = match self.search().await {
                    true => now + SEARCH_MS,
                    false => now + PAUSE.as_millis() as i64,
                };
            }
            match gathering.next().filter(|_| rules.extracts) {
                Some((due, user)) if due <= now => {
                    self.state.extraction.begins(&user, now);
                    let went = self.flush(&user).await;
                    drop(self.state.extraction.ends());
                    if let Err(pause) = went {
                        sleep(pause).await;
                    }
                }
                next => {
                    let until = [
                        next.map_or(i64::MAX, |(due, _)| due),
                        if rules.any_ttl() { sweep } else { i64::MAX },
                        if rules.extracts { search } else { i64::MAX },
                    ];
                    let until = until.into_iter().min().unwrap_or(i64::MAX);
                    tokio::select! {
                        () = gathering.changed.notified() => {}
                        () = clock.sleep_until(until) => {}
                    }
                }
            }
        }
    }

    /// What is left of a user after a flush. A turn that is noted meanwhile is looked for again.
    async fn look_again(&self, user: &UserKey, flushed: Option<Arc<str>>) -> Result<(), Duration> {
        let (store, gathering) = (&self.state.store, self.state.store.gathering());
        loop {
            let before = gathering.of(user).unwrap_or_default();
            let of = user.clone();
            let reading =
                store.reading(move |db| async move { stored::waiting(&db, Some(&of)).await });
            let left = reading.await.map_err(|_| PAUSE)?.pop();
            let left = left.map(|(_, mut left)| {
                let other = before.conversation.clone();
                left.conversation = other.filter(|name| Some(name) != flushed.as_ref());
                left.noted = before.noted;
                left
            });
            if gathering.replace(user, before.noted, left) {
                return Ok(());
            }
        }
    }

    async fn is_over_its_cap(&self, user: &UserKey) -> Result<bool, Duration> {
        let cap = self.state.config.memory.extract.daily_tokens;
        if cap == 0 {
            return Ok(false);
        }
        let store = &self.state.store;
        let today = store.ledger(user, store.rules().clock.day()).await;
        let spent = today
            .map_err(|_| PAUSE)?
            .iter()
            .map(Spending::on_extraction)
            .sum::<i64>();
        Ok(spent.unsigned_abs() >= cap)
    }

    /// Finds who waits in the store: all at the start, later what others left behind.
    async fn search(&self) -> bool {
        let (store, gathering) = (&self.state.store, self.state.store.gathering());
        let reading = store.reading(|db| async move { stored::waiting(&db, None).await });
        let Ok(found) = reading.await else {
            return false;
        };
        for (user, waiting) in found {
            if gathering.of(&user).is_none() {
                gathering.replace(&user, 0, Some(waiting));
            }
        }
        true
    }

    /// Ends what was said too long ago, user by user.
    async fn sweep(&self, now_ms: i64) {
        let store = &self.state.store;
        let ttls: Vec<_> = store
            .rules()
            .ttls()
            .map(|(t, ms)| (t.to_owned(), now_ms - ms))
            .collect();
        let reading = store.reading(move |db| async move { stored::ended(&db, &ttls).await });
        for user in reading.await.unwrap_or_default() {
            let expire = Arc::new(Write::Expire);
            let command = |reply| Command::Extraction(user.clone(), expire.clone(), reply);
            drop(self.memory.ask(command).await);
        }
    }
}
