//! Supervision that survives a panic. `actix::Supervisor` restarts an actor that stopped, but a
//! panic kills it and every `Addr` to it. Here a small future owns the actor's `ContextFut`, polls
//! it inside `catch_unwind`, and restarts it in place: mailbox and addresses outlive the crash.
//! Past OTP's restart intensity the replica is down: it keeps reading its mailbox, but only to
//! hand the turns to a sibling.

mod hook;
mod roster;
mod vitals;

pub use hook::{catch_quietly, log_panics};
pub use roster::{Poke, Roster};
pub use vitals::{Health, Histogram, State, Vitals};

use crate::turn::{Siblings, Stage, Turn};
use actix::{
    dev::{ContextFut, channel},
    prelude::*,
};
use std::{
    collections::VecDeque,
    future::Future,
    pin::Pin,
    sync::{Arc, OnceLock, atomic::Ordering::Relaxed},
    task::Poll,
    time::{Duration, Instant},
};
use tokio::time::{Interval, MissedTickBehavior, Sleep};

/// How often a healthy actor says that its thread still turns.
const BEAT: Duration = Duration::from_secs(1);

/// The longest pause before a restart.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// How many restarts within which window before a replica is given up (OTP's restart intensity).
#[derive(Clone, Copy, Debug)]
pub struct Intensity {
    /// So many restarts are allowed …
    pub max: usize,
    /// … within this window.
    pub within: Duration,
    /// The pause before the second restart of a window; each further one waits twice as long.
    pub pause: Duration,
}

/// What an actor holds of its own place: its vitals, and the replicas that take over when it is
/// down. `serve` is the first line of each handler.
pub struct Post<S: Stage> {
    // Filled once the actor has started; the actor itself is made with the post in hand.
    own: Arc<OnceLock<Recipient<Turn<S>>>>,
    vitals: Arc<Vitals>,
    siblings: Arc<Siblings<S>>,
}

impl<S: Stage> Clone for Post<S> {
    fn clone(&self) -> Self {
        Post {
            own: self.own.clone(),
            vitals: self.vitals.clone(),
            siblings: self.siblings.clone(),
        }
    }
}

impl<S: Stage> Post<S> {
    /// A place for one replica.
    pub fn new(vitals: Arc<Vitals>, siblings: Arc<Siblings<S>>) -> Self {
        Post {
            own: Arc::default(),
            vitals,
            siblings,
        }
    }

    /// The replica has started and can be reached at `to`.
    pub fn open(&self, to: Recipient<Turn<S>>) {
        self.siblings.join(to.clone(), self.vitals.clone());
        let _ = self.own.set(to);
    }

    /// What ops see of this replica.
    pub fn vitals(&self) -> &Arc<Vitals> {
        &self.vitals
    }

    /// Where a turn for this node goes now: here, else to any sibling that is up.
    pub fn pick(&self) -> Option<(Recipient<Turn<S>>, Arc<Vitals>)> {
        match self.own.get() {
            Some(own) if !self.vitals.is_down() => Some((own.clone(), self.vitals.clone())),
            _ => self.siblings.up(),
        }
    }

    /// Handles a turn that has arrived, or hands it to a sibling if this replica has been given up.
    pub fn serve(&self, turn: Turn<S>, handle: impl FnOnce(Turn<S>)) {
        if self.vitals.is_down() {
            return crate::turn::Port::to(self.clone()).push(turn);
        }
        if !turn.wanted() {
            return; // the caller has gone: the drop gives everything back
        }
        let start = Instant::now();
        let span = turn.case.span.clone();
        span.in_scope(|| handle(turn));
        self.vitals.handled(start.elapsed());
    }
}

/// Starts `make`'s actor on the current arbiter, supervised, and returns its address.
pub fn supervise<A, F>(intensity: Intensity, vitals: Arc<Vitals>, make: F) -> Addr<A>
where
    A: Supervised + Actor<Context = Context<A>>,
    F: FnOnce() -> A,
{
    let (tx, rx) = channel::channel(1024);
    let actor = Context::with_receiver(rx).into_future(make());
    let mut beat = tokio::time::interval(BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Skip);
    vitals.set(State::Up);
    actix::spawn(Supervise {
        actor,
        intensity,
        failures: VecDeque::new(),
        pause: None,
        beat,
        vitals,
    });
    Addr::new(tx)
}

struct Supervise<A: Supervised + Actor<Context = Context<A>>> {
    actor: ContextFut<A, Context<A>>,
    intensity: Intensity,
    /// When it failed, within the window.
    failures: VecDeque<Instant>,
    /// The rest before the next restart; mail waits meanwhile.
    pause: Option<Pin<Box<Sleep>>>,
    beat: Interval,
    vitals: Arc<Vitals>,
}

/// What one poll of the actor came to.
enum Outcome {
    Pending,
    Stopped,
    Panicked(String),
}

impl<A: Supervised + Actor<Context = Context<A>>> Supervise<A> {
    fn poll_actor(&mut self, cx: &mut std::task::Context<'_>) -> Outcome {
        match catch_quietly(|| Pin::new(&mut self.actor).poll(cx)) {
            Ok(Poll::Pending) => Outcome::Pending,
            Ok(Poll::Ready(())) => Outcome::Stopped,
            Err(place) => Outcome::Panicked(place),
        }
    }

    /// Restarts until `restarting()` itself comes through, or nobody holds an address any more.
    fn revive(&mut self, mut cause: Cause) -> bool {
        loop {
            match catch_quietly(|| self.actor.restart()) {
                Ok(true) => {
                    self.count(&cause);
                    return true;
                }
                // An actor that nobody can reach any more has ended; that is no failure.
                Ok(false) => return false,
                Err(place) => {
                    self.count(&cause);
                    cause = Cause::Panic(place);
                }
            }
            // A `restarting()` that always panics must not spin: give up on the replica.
            if self.vitals.is_down() {
                return true;
            }
        }
    }

    /// Books one failure and decides what it means.
    fn count(&mut self, cause: &Cause) {
        self.vitals.failed(cause);
        if self.vitals.is_down() {
            return;
        }
        let now = Instant::now();
        let within = self.intensity.within;
        self.failures.push_back(now);
        self.failures.retain(|&at| now - at <= within);
        let failures = self.failures.len();
        if failures > self.intensity.max {
            self.vitals.set(State::Down);
            tracing::error!(
                node = self.vitals.node,
                worker = self.vitals.worker,
                failures,
                "actor is down: more restarts than its intensity allows"
            );
            return;
        }
        // The first restart is at once: a lone poisoned turn should delay nobody.
        let doublings = u32::try_from(failures.saturating_sub(2))
            .unwrap_or(u32::MAX)
            .min(16);
        let pause = (self.intensity.pause * 2u32.pow(doublings)).min(LONGEST_PAUSE);
        if failures > 1 && !pause.is_zero() {
            self.vitals.set(State::Restarting);
            self.pause = Some(Box::pin(tokio::time::sleep(pause)));
        }
    }
}

/// Why an actor was restarted.
pub enum Cause {
    /// It stopped (`ctx.stop()`).
    Stop,
    /// It panicked, and where; the payload is not kept, for it may quote a prompt.
    Panic(String),
}

impl<A: Supervised + Actor<Context = Context<A>>> Future for Supervise<A> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        this.vitals.beat();
        while this.beat.poll_tick(cx).is_ready() {}
        loop {
            if let Some(pause) = &mut this.pause {
                if pause.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                this.pause = None;
                this.vitals.set(State::Up);
            }
            let cause = match this.poll_actor(cx) {
                Outcome::Pending => return Poll::Pending,
                Outcome::Stopped => Cause::Stop,
                Outcome::Panicked(place) => Cause::Panic(place),
            };
            if !this.revive(cause) {
                this.vitals.state.store(State::Gone as u8, Relaxed);
                return Poll::Ready(());
            }
        }
    }
}
