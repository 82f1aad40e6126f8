//! The relay of one answer, on the worker that owns the connection: whole events go through as
//! slices of what came, the transcript is noted beside them, and when the upstream has ended the
//! turn is written back before the end is told. Hanging up drops the relay: the upstream closes,
//! the lease goes back, and what was sent so far is kept as a partial turn.

use super::{
    attempts::{Failed, Opened, Route},
    chunk::{Chunk, Event, Transcript, judge},
    exchange::{Outcome, Piece},
    frame::data,
    incoming::{Events, Incoming, unfinished},
    unwritten::{Kept, Unwritten},
};
use crate::{actors::memory::MemoryPort, error::Error, pool::Lease, turn::Seat};
use bytes::{Bytes, BytesMut};
use std::{collections::VecDeque, pin::Pin, time::Duration};
use tokio::time::{Instant, Interval, MissedTickBehavior, Sleep, interval_at, sleep_until};

/// A silent connection gets a sign of life this often.
pub const PING: Duration = Duration::from_secs(15);

/// How long the end of an upstream's answer may trail its `[DONE]`.
const LINGER: Duration = Duration::from_millis(100);

/// One answer on its way.
pub struct Relay {
    incoming: Incoming,
    /// Native pieces that a read brought and nobody has taken yet.
    ready: VecDeque<Piece>,
    transcript: Transcript,
    finish_reason: Option<String>,
    usage: Option<Bytes>,
    /// Whether the caller asked for the usage chunk.
    show_usage: bool,
    /// The backend's own `[DONE]` has come; it is told once the turn is durable.
    done: bool,
    /// What went wrong, told after the events that came before it.
    failed: Option<Error>,
    /// Whether each text is wanted by itself (native), or the events as they are.
    native: bool,
    quiet: bool,
    ping: Interval,
    deadline: Pin<Box<Sleep>>,
    turn: Unwritten,
    route: Route,
    /// Given back as soon as the upstream has ended: a slow store must not hold a backend.
    lease: Option<Lease>,
    _seat: Option<Seat>,
}

/// What a pass-through surface does next.
pub enum Part {
    /// Whole events, as they came, and how many at most.
    Events(Bytes, usize),
    /// A sign of life is due.
    Quiet,
    /// All came; the turn is durable, or is said not to be.
    End(Kept),
    /// It broke off.
    Failed(Failed),
}

impl Relay {
    /// A relay of native pieces.
    pub fn native(opened: Opened<Incoming>, memory: MemoryPort) -> Self {
        Relay::new(opened, memory, true)
    }

    /// A relay of events as they come.
    pub fn verbatim(opened: Opened<Incoming>, memory: MemoryPort) -> Self {
        Relay::new(opened, memory, false)
    }

    fn new(opened: Opened<Incoming>, memory: MemoryPort, native: bool) -> Self {
        let route = opened.route();
        let call = opened.call;
        let mut ping = interval_at(Instant::now() + PING, PING);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Relay {
            incoming: opened.answer,
            ready: VecDeque::new(),
            transcript: Transcript::default(),
            finish_reason: None,
            usage: None,
            show_usage: call.request.show_usage,
            done: false,
            failed: None,
            native,
            quiet: true,
            ping,
            deadline: Box::pin(sleep_until(call.case.deadline.into())),
            route,
            turn: Unwritten::new(call.case, call.said, memory),
            lease: Some(call.lease),
            _seat: call.seat,
        }
    }

    /// The next piece of a native answer.
    pub async fn piece(&mut self) -> Piece {
        loop {
            if let Some(piece) = self.ready.pop_front() {
                return piece;
            }
            match self.part().await {
                Part::Events(..) => {}
                Part::Quiet => return Piece::Quiet,
                Part::Failed(error) => return Piece::Failed(error),
                Part::End(memory) => {
                    return Piece::Done(Outcome {
                        finish_reason: self.finish_reason.take().unwrap_or_default(),
                        usage: self.usage.take(),
                        turn_id: self.turn.id(),
                        memory,
                        route: self.route.clone(),
                    });
                }
            }
        }
    }

    /// The next part of an answer that passes through.
    pub async fn part(&mut self) -> Part {
        loop {
            if let Some(error) = self.failed.take() {
                return self.fail(error);
            }
            if self.done {
                return self.end().await;
            }
            let read = tokio::select! {
                biased;
                read = self.incoming.next() => read,
                _ = self.ping.tick() => {
                    if std::mem::replace(&mut self.quiet, true) {
                        return Part::Quiet;
                    }
                    continue;
                }
                () = &mut self.deadline => Some(Err(Error::Timeout("the answer"))),
            };
            let (seen, count) = match read {
                Some(Ok(events)) => {
                    let seen = (self.look(&events), events.ends.len());
                    self.incoming.recycle(events);
                    seen
                }
                Some(Err(error)) => return self.fail(error),
                None => return self.end().await,
            };
            if !seen.is_empty() || !self.ready.is_empty() {
                self.quiet = false;
                return Part::Events(seen, count);
            }
        }
    }

    /// Looks at whole events, and returns those that are to be forwarded: nearly always one slice.
    fn look(&mut self, events: &Events) -> Bytes {
        let whole = &events.whole;
        let (mut from, mut left_out) = (0, None);
        for &end in &events.ends {
            if let Some(data) = data(&whole.slice(from..end)) {
                let told = match judge(&data) {
                    Event::Done => {
                        self.done = true;
                        break;
                    }
                    Event::Notable => self.read(&data),
                    Event::Plain => true,
                };
                if self.failed.is_some() {
                    break;
                }
                match told {
                    true => self.note(data),
                    false => left_out = Some(from..end),
                }
            }
            from = end;
        }
        match left_out {
            _ if self.native => Bytes::new(),
            None => whole.slice(..from),
            Some(gap) => {
                let mut told = BytesMut::from(&whole[..gap.start]);
                told.extend_from_slice(&whole[gap.end..from]);
                told.freeze()
            }
        }
    }

    /// What the caller gets to see goes into the transcript.
    fn note(&mut self, data: Bytes) {
        if !self.native {
            self.transcript.note(data);
            return;
        }
        let text = Chunk::read(&data).and_then(|c| c.text().map(|t| t.into_owned()));
        if let Some(text) = text.filter(|t| !t.is_empty()) {
            self.transcript.say(&text);
            self.ready.push_back(Piece::Text(text));
        }
    }

    /// Reads an event of note. Whether the caller is to see it: a chunk of usage alone only who
    /// asked for it, for it was we who asked for the others.
    fn read(&mut self, data: &[u8]) -> bool {
        let Some(chunk) = Chunk::read(data) else {
            return true;
        };
        self.failed = chunk.failure().map(Error::Upstream);
        if let Some(reason) = chunk.finish_reason() {
            self.finish_reason = Some(reason.to_owned());
        }
        if let Some(usage) = chunk.usage {
            self.usage = Some(Bytes::copy_from_slice(usage.get().as_bytes()));
        }
        self.show_usage || !chunk.only_usage()
    }

    /// The upstream has ended: gives the backend back, writes the turn back, tells how that went.
    async fn end(&mut self) -> Part {
        if self.finish_reason.is_none() {
            return self.fail(unfinished());
        }
        if let Some(mut lease) = self.lease.take() {
            lease.good();
        }
        let reason = self.finish_reason.as_deref().unwrap_or_default();
        self.turn
            .report(&self.route, Ok(reason), self.usage.as_deref());
        let answer = self.transcript.take();
        // A connection is used again only if its end was read, which is nearly always there by now.
        let rest = tokio::time::timeout(LINGER, self.incoming.drain());
        let (kept, _) = tokio::join!(self.turn.keep(answer), rest);
        Part::End(kept)
    }

    fn fail(&mut self, error: Error) -> Part {
        self.incoming.close();
        if let Some(mut lease) = self.lease.take() {
            lease.broke(&error);
        }
        self.turn
            .report(&self.route, Err(&error), self.usage.as_deref());
        self.keep_partial();
        Part::Failed(Failed {
            error,
            route: Some(self.route.clone()),
            retry_after: None,
        })
    }

    /// What was sent is kept, even though nobody waits for the ack.
    fn keep_partial(&mut self) {
        let answer = self.transcript.take();
        if !answer.is_empty() {
            self.turn.keep_partial(answer);
        }
    }
}

/// Hanging up.
impl Drop for Relay {
    fn drop(&mut self) {
        self.keep_partial();
    }
}
