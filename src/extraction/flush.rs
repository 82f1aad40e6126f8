//! One flush: a user's turns are claimed, read by the model and written, or have failed.

use super::{Extractor, PAUSE, call::Called, standing::most_attempts};
use crate::{
    memory::{
        Fact, UserKey,
        extract::{FlushTurn, Spent, check},
        suspicious,
    },
    remote::Failure,
    state::State,
    store::{
        Command,
        extraction::{self as stored, Claim, Learned, Write, Written},
    },
};
use std::{sync::Arc, time::Duration};
use tokio::time::sleep;

/// Before another look at a backend that is busy or away: doubles up to sixteen times that.
const LOOK: Duration = Duration::from_millis(250);
/// So often the remote memory may refuse what was read.
const REFUSALS: u32 = 5;
/// The longest pause after failures.
const LONGEST_MS: i64 = 3_600_000;
/// A claim holds for both calls and so much longer, for what is before and after them.
const AROUND_S: u64 = 5;
/// Before another look at turns that another replica has claimed.
const CLAIMED_MS: i64 = 5_000;

impl Extractor<'_> {
    /// Reads a user's turns. Fails with a pause where nothing can be done for anybody just now.
    pub(super) async fn flush(&self, user: &UserKey) -> Result<(), Duration> {
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
        let place = self.caller.place().map_err(|why| self.later(why))?;
        let claim = match self.claim(user, &turns).await? {
            Claimed::Ours(claim) => claim,
            Claimed::Others => {
                gathering.put_off(user, clock.now_ms() + CLAIMED_MS);
                return Ok(());
            }
        };
        state.extraction.asks(&turns, claim.clone());
        let called = self.caller.read(place, user, known, &turns).await;
        if let Called::Read(_, spent) | Called::Bad(_, spent) = &called {
            state.extraction.asked(*spent);
        }
        let write = match called {
            Called::Later(why) => {
                if let Some(claim) = claim {
                    self.write(user, Write::Unclaim(claim)).await?;
                }
                return Err(self.later(why));
            }
            Called::Read(items, spent) => {
                let facts = check(items, &turns, state.store.rules(), known);
                Write::Learn(Learned {
                    seqs: seqs(&turns),
                    facts: self.tell(user, resident.epoch_ms, facts).await,
                    spent,
                })
            }
            Called::Bad(error, spent) => {
                state.extraction.failed(&error);
                failure(state, seqs(&turns), most_attempts(&turns), &error, spent)
            }
        };
        self.looks.set(0);
        let failed = matches!(write, Write::Fail { .. });
        let going_on = turns.last().map(|turn| turn.conversation.clone());
        self.write(user, write).await?;
        match failed {
            true => tracing::warn!(turns = turns.len(), "turns could not be read"),
            false => state.extraction.read(turns.len()),
        }
        self.look_again(user, going_on).await
    }

    pub(super) async fn write(&self, user: &UserKey, write: Write) -> Result<Written, Duration> {
        let write = Arc::new(write);
        let command = |reply| Command::Extraction(user.clone(), write.clone(), reply);
        let written = self.memory.ask(command).await;
        written.and_then(Result::ok).ok_or(PAUSE)
    }

    /// What is waited for is shown; the pause before the next look.
    fn later(&self, why: &'static str) -> Duration {
        self.state.extraction.waits(why);
        let looks = self.looks.get();
        self.looks.set((looks + 1).min(4));
        LOOK * 2_u32.pow(looks)
    }

    /// Where replicas share a database, one of them reads a user's turns at a time.
    async fn claim(&self, user: &UserKey, turns: &[FlushTurn]) -> Result<Claimed, Duration> {
        let store = &self.state.store;
        if store.owns_cache() {
            return Ok(Claimed::Ours(None));
        }
        let calls = self.state.config.memory.extract.timeout_s.saturating_mul(2);
        let lease_ms = calls.saturating_add(AROUND_S).saturating_mul(1_000);
        let lease_ms = i64::try_from(lease_ms).unwrap_or(LONGEST_MS);
        let claim = Claim {
            seqs: seqs(turns),
            by: self.name.clone(),
            until_ms: store.rules().clock.now_ms().saturating_add(lease_ms),
        };
        let written = self.write(user, Write::Claim(claim.clone())).await?;
        Ok(match written.count {
            0 => Claimed::Others,
            _ => Claimed::Ours(Some(claim)),
        })
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
}

/// Whose the turns of a flush are.
enum Claimed {
    /// Ours; claimed where anybody else could read them.
    Ours(Option<Claim>),
    /// Another replica reads the user's turns, or has read some of these.
    Others,
}

/// What is written of turns that came to nothing. Pauses grow with each failure of the turn that
/// failed most.
pub(super) fn failure(
    state: &State,
    seqs: Vec<i64>,
    attempts: i64,
    error: &str,
    spent: Spent,
) -> Write {
    let config = &state.config.memory.extract;
    let first = i64::try_from(config.retry_s.saturating_mul(1_000)).unwrap_or(LONGEST_MS);
    let pause = first.saturating_mul(4_i64.saturating_pow(attempts.clamp(0, 16) as u32));
    Write::Fail {
        seqs,
        error: error.to_owned(),
        next_at_ms: state.store.rules().clock.now_ms() + pause.min(LONGEST_MS),
        most: config.max_attempts.into(),
        spent,
    }
}

fn seqs(turns: &[FlushTurn]) -> Vec<i64> {
    turns.iter().map(|turn| turn.seq).collect()
}
