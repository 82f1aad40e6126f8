//! The loop of extraction, one a process, beside the workers: it takes the user whose turns are
//! due, asks the model about them, and hands what is believed to the memory actor's queue. It has
//! the lowest priority there is: one call at a time, none while anybody waits for the backend, and
//! a call that is under way is dropped when somebody comes to wait. Whatever goes wrong, the turns
//! lie in the store until they are read or dead; a panic costs one round.

mod call;
mod standing;

pub use standing::{ExtractionHealth, Standing};

use crate::{
    actors::memory::MemoryPort,
    memory::{
        Fact, UserKey,
        extract::{FlushTurn, Spent, check},
        suspicious,
    },
    remote::Failure,
    state::State,
    store::{
        Command,
        extraction::{self as stored, Learned, Write},
    },
};
use call::{Called, Caller};
use futures_util::FutureExt;
use std::{cell::Cell, panic::AssertUnwindSafe, sync::Arc, time::Duration};
use tokio::time::sleep;

/// Before another look at a backend that is busy or away: doubles up to sixteen times that.
const LOOK: Duration = Duration::from_millis(250);
/// After the store did not take or give what was asked of it, and after a crash.
const PAUSE: Duration = Duration::from_secs(1);
/// So often the remote memory may refuse what was read.
const REFUSALS: u32 = 5;
/// The longest pause after failures.
const LONGEST_MS: i64 = 3_600_000;
/// How often values whose time is over are looked for.
const SWEEP_MS: i64 = 60_000;
/// How often turns that another replica left behind are looked for.
const SEARCH_MS: i64 = 300_000;

/// Runs until it is dropped. Must be on an actix runtime: it has connections of its own.
pub async fn run(state: Arc<State>, memory: MemoryPort) {
    let rules = state.store.rules();
    if !rules.extracts && !rules.any_ttl() {
        return;
    }
    loop {
        let extractor = Extractor::new(&state, &memory);
        let work = AssertUnwindSafe(extractor.work()).catch_unwind().await;
        if work.is_err() {
            tracing::error!("extraction crashed; it goes on with what waits");
            let user = state.extraction.crashed();
            let later = rules.clock.now_ms() + PAUSE.as_millis() as i64;
            // Whoever crashed it is not the next one again.
            user.iter().for_each(|user| {
                state.store.gathering().put_off(user, later);
            });
            sleep(PAUSE).await;
        }
    }
}

struct Extractor<'a> {
    state: &'a Arc<State>,
    memory: &'a MemoryPort,
    caller: Caller,
    /// Looks in a row that found no time for it.
    looks: Cell<u32>,
}

impl<'a> Extractor<'a> {
    fn new(state: &'a Arc<State>, memory: &'a MemoryPort) -> Self {
        Extractor {
            state,
            memory,
            caller: Caller::new(state),
            looks: Cell::new(0),
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
                    self.state.extraction.ends();
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

    /// Reads a user's turns. Fails with a pause where nothing can be done for anybody just now.
    async fn flush(&self, user: &UserKey) -> Result<(), Duration> {
        let (state, gathering) = (self.state, self.state.store.gathering());
        let clock = &state.store.rules().clock;
        if self.is_over_its_cap(user).await? {
            gathering.put_off(user, clock.tomorrow_ms());
            return Ok(());
        }
        let turns = self.turns(user).await?;
        if turns.is_empty() {
            return self.look_again(user, None).await;
        }
        let Ok(resident) = state.store.resident(user).await else {
            return Err(PAUSE);
        };
        let known = match &state.remote {
            None => &resident.profile,
            // It is asked before the model is: there is nothing to be done without it.
            Some(remote) => {
                let limit = Duration::from_millis(state.config.memory.mcp.timeout_ms);
                &remote.profile(user, limit).await.map_err(|_| PAUSE)?
            }
        };
        let write = match self.caller.read(user, known, &turns).await {
            Called::Later(why) => {
                state.extraction.waits(why);
                let looks = self.looks.get();
                self.looks.set((looks + 1).min(4));
                return Err(LOOK * 2_u32.pow(looks));
            }
            Called::Read(items, spent) => {
                let facts = check(items, &turns, state.store.rules(), known);
                Write::Learn(Learned {
                    seqs: seqs(&turns),
                    facts: self.tell(user, resident.epoch_ms, facts).await,
                    spent,
                })
            }
            Called::Bad(error, spent) => self.failed(&turns, error, spent),
        };
        self.looks.set(0);
        let failed = matches!(write, Write::Fail { .. });
        let going_on = turns.last().map(|turn| turn.conversation.clone());
        let write = Arc::new(write);
        let command = |reply| Command::Extraction(user.clone(), write.clone(), reply);
        match self.memory.ask(command).await {
            Some(Ok(_)) if failed => {
                tracing::warn!(turns = turns.len(), "turns could not be read");
            }
            Some(Ok(_)) => state.extraction.read(turns.len()),
            _ => return Err(PAUSE),
        }
        self.look_again(user, going_on).await
    }

    /// Where another server keeps the profiles it is told, until it has taken it: asking the model
    /// again would cost more. What is left is for quarantine.
    async fn tell(&self, user: &UserKey, epoch_ms: i64, facts: Vec<Fact>) -> Vec<Fact> {
        let Some(remote) = &self.state.remote else {
            return facts;
        };
        let mut refused = 0;
        loop {
            let (store, of) = (self.state.store.clone(), user.clone());
            let still = async move {
                let now = store.resident(&of).await;
                now.is_ok_and(|now| now.epoch_ms == epoch_ms)
            };
            match remote.learn(user, facts.clone(), still).await {
                Ok(()) => break,
                Err(Failure::Refused) => refused += 1,
                Err(_) => {}
            }
            if refused >= REFUSALS {
                tracing::error!("the remote memory refuses what a model read in some turns");
                break;
            }
            sleep(PAUSE).await;
        }
        let held = |fact: &Fact| {
            fact.value
                .as_deref()
                .is_some_and(|v| suspicious(v).is_some())
        };
        facts.into_iter().filter(held).collect()
    }

    /// Pauses grow with each failure of the turn that failed most.
    fn failed(&self, turns: &[FlushTurn], error: String, spent: Spent) -> Write {
        let (state, config) = (self.state, &self.state.config.memory.extract);
        state.extraction.failed(&error);
        let attempts = turns.iter().map(|turn| turn.attempts).max().unwrap_or(0);
        let first = i64::try_from(config.retry_s.saturating_mul(1_000)).unwrap_or(LONGEST_MS);
        let pause = first.saturating_mul(4_i64.saturating_pow(attempts.clamp(0, 16) as u32));
        Write::Fail {
            seqs: seqs(turns),
            error,
            next_at_ms: state.store.rules().clock.now_ms() + pause.min(LONGEST_MS),
            most: config.max_attempts.into(),
            spent,
        }
    }

    /// What is to be read now: all that waits, or, where a conversation has only just begun, what
    /// came before it.
    async fn turns(&self, user: &UserKey) -> Result<Vec<FlushTurn>, Duration> {
        let config = &self.state.config.memory.extract;
        let (store, user) = (&self.state.store, user.clone());
        let now = store.rules().clock.now_ms();
        let gathered = store.gathering().of(&user).unwrap_or_default();
        let idle = i64::try_from(config.idle_s.saturating_mul(1_000)).unwrap_or(i64::MAX);
        let only_ended = gathered.ended
            && gathered.tokens < config.flush_tokens
            && gathered.last_ms.saturating_add(idle) > now;
        let going_on = gathered.conversation.filter(|_| only_ended);
        let tokens = config.flush_tokens;
        let read = store.reading(move |db| async move {
            stored::flush(&db, &user, tokens, going_on.as_deref()).await
        });
        read.await.map_err(|_| PAUSE)
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
        let (store, user) = (&self.state.store, user.clone());
        let day = store.rules().clock.day();
        let reading = store.reading(move |db| async move { stored::ledger(&db, &user, day).await });
        let spent = reading.await.map_err(|_| PAUSE)?;
        let spent = spent
            .iter()
            .map(|day| day.prompt_tokens + day.completion_tokens);
        Ok(spent.sum::<i64>().unsigned_abs() >= cap)
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

fn seqs(turns: &[FlushTurn]) -> Vec<i64> {
    turns.iter().map(|turn| turn.seq).collect()
}
