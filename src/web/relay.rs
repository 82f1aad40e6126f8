//! The relay of one answer, on the worker that owns the connection: whole events go through as
//! slices of what came, the transcript is noted beside them, and when the upstream has ended the
//! turn is written back before the end is told. Hanging up drops the relay: the upstream closes,
//! the lease goes back, and what was sent so far is kept as a partial turn.

use super::{
    chunk::{Chunk, Event, Transcript, error_message, judge},
    exchange::{Kept, Opened, Outcome, Piece},
    frame::{Framer, data},
};
use crate::{
    actors::memory::MemoryPort,
    error::Error,
    memory::{Ack, MemoryMode, Said, TurnStatus, Writeback, kept},
    pool::{Answer, Lease},
    store::Command,
    turn::{Case, Seat},
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use std::{collections::VecDeque, pin::Pin, sync::Arc, time::Duration};
use tokio::{
    sync::oneshot,
    time::{Instant, Interval, MissedTickBehavior, Sleep, interval_at, sleep_until},
};

/// A silent connection gets a sign of life this often.
const PING: Duration = Duration::from_secs(15);

/// How long the end of an upstream's answer may trail its `[DONE]`.
const LINGER: Duration = Duration::from_millis(100);

type Upstream = Pin<Box<dyn Stream<Item = Result<Bytes, Error>>>>;

/// One answer on its way.
pub struct Relay {
    /// Gone once the upstream has ended.
    upstream: Option<Upstream>,
    framer: Framer,
    /// Native pieces that a read brought and nobody has taken yet.
    ready: VecDeque<Piece>,
    transcript: Transcript,
    finish_reason: Option<String>,
    usage: Option<Bytes>,
    /// The backend's own `[DONE]` has come; it is told once the turn is durable.
    done: bool,
    /// What went wrong, told after the events that came before it.
    failed: Option<Error>,
    /// Ends of events; kept for its capacity.
    ends: Vec<usize>,
    /// Whether each text is wanted by itself (native), or the events as they are.
    native: bool,
    quiet: bool,
    ping: Interval,
    deadline: Pin<Box<Sleep>>,
    turn: Unwritten,
    backend: Arc<str>,
    /// Given back as soon as the upstream has ended: a slow store must not hold a backend.
    lease: Option<Lease>,
    _seat: Option<Seat>,
}

/// What a pass-through surface does next.
pub enum Part {
    /// Whole events, as they came.
    Events(Bytes),
    /// A sign of life is due.
    Quiet,
    /// All came; the turn is durable, or is said not to be.
    End(Kept),
    /// It broke off.
    Failed(Error),
}

impl Relay {
    /// A relay of native pieces.
    pub fn native(opened: Opened, memory: MemoryPort) -> Self {
        Relay::new(opened, memory, true)
    }

    /// A relay of events as they come.
    pub fn verbatim(opened: Opened, memory: MemoryPort) -> Self {
        Relay::new(opened, memory, false)
    }

    fn new(opened: Opened, memory: MemoryPort, native: bool) -> Self {
        let Opened { call, answer, .. } = opened;
        let upstream = match answer {
            Answer::Stream(upstream) => upstream,
            // A backend that does not stream when asked to: its answer is one event.
            Answer::Whole(body) => {
                let event = [b"data: ", &body[..], b"\n\ndata: [DONE]\n\n"].concat();
                futures_util::stream::iter([Ok(event.into())]).boxed_local()
            }
        };
        let mut ping = interval_at(Instant::now() + PING, PING);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Relay {
            upstream: Some(upstream),
            framer: Framer::default(),
            ready: VecDeque::new(),
            transcript: Transcript::default(),
            finish_reason: None,
            usage: None,
            done: false,
            failed: None,
            ends: Vec::new(),
            native,
            quiet: true,
            ping,
            deadline: Box::pin(sleep_until(call.case.deadline.into())),
            backend: call.lease.backend().name.clone(),
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
                Part::Events(_) => {}
                Part::Quiet => return Piece::Quiet,
                Part::Failed(error) => return Piece::Failed(error),
                Part::End(memory) => {
                    return Piece::Done(Outcome {
                        finish_reason: self.finish_reason.take().unwrap_or_default(),
                        usage: self.usage.take(),
                        turn_id: self.turn.id(),
                        memory,
                        backend: self.backend.clone(),
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
            let upstream = match &mut self.upstream {
                Some(upstream) if !self.done => upstream,
                _ => return self.end().await,
            };
            let read = tokio::select! {
                biased;
                read = upstream.next() => read,
                _ = self.ping.tick() => {
                    if std::mem::replace(&mut self.quiet, true) {
                        return Part::Quiet;
                    }
                    continue;
                }
                () = &mut self.deadline => Some(Err(Error::Timeout("the answer"))),
            };
            let events = match read {
                Some(Ok(bytes)) => self.take(bytes),
                Some(Err(error)) => {
                    self.failed = Some(error);
                    Bytes::new()
                }
                None => {
                    self.upstream = None;
                    let last = self.framer.finish().unwrap_or_default();
                    let end = [last.len()];
                    self.look(last, &end)
                }
            };
            if !events.is_empty() || !self.ready.is_empty() {
                self.quiet = false;
                return Part::Events(events);
            }
        }
    }

    /// Takes a read: returns what of it is to be forwarded.
    fn take(&mut self, read: Bytes) -> Bytes {
        let mut ends = std::mem::take(&mut self.ends);
        ends.clear();
        let events = match self.framer.feed(read, &mut ends) {
            Ok(whole) => self.look(whole, &ends),
            Err(_) => {
                self.failed = Some(Error::Upstream("it sent an event without end".into()));
                Bytes::new()
            }
        };
        self.ends = ends;
        events
    }

    /// Looks at whole events, and returns the slice of those that are to be forwarded.
    fn look(&mut self, whole: Bytes, ends: &[usize]) -> Bytes {
        let mut from = 0;
        for &end in ends {
            if let Some(data) = data(&whole.slice(from..end)) {
                match judge(&data) {
                    Event::Done => {
                        self.done = true;
                        break;
                    }
                    Event::Notable => self.read(&data),
                    Event::Plain => {}
                }
                if self.failed.is_some() {
                    break;
                }
                self.note(data);
            }
            from = end;
        }
        match self.native {
            true => Bytes::new(),
            false => whole.slice(..from),
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

    fn read(&mut self, data: &[u8]) {
        let Some(chunk) = Chunk::read(data) else {
            return;
        };
        if let Some(error) = chunk.error {
            self.failed = Some(Error::Upstream(error_message(error)));
        }
        if let Some(reason) = chunk.finish_reason() {
            self.finish_reason = Some(reason.to_owned());
        }
        if let Some(usage) = chunk.usage {
            self.usage = Some(Bytes::copy_from_slice(usage.get().as_bytes()));
        }
    }

    /// The upstream has ended: gives the backend back, writes the turn back, tells how that went.
    async fn end(&mut self) -> Part {
        if self.finish_reason.is_none() {
            return self.fail(Error::Upstream(
                "it ended its answer without a finish reason".into(),
            ));
        }
        if let Some(mut lease) = self.lease.take() {
            lease.good();
        }
        let answer = self.transcript.take();
        // A connection is used again only if its end was read, which is nearly always there by now.
        let upstream = self.upstream.take();
        let rest = tokio::time::timeout(LINGER, async {
            if let Some(mut upstream) = upstream {
                while let Some(Ok(_)) = upstream.next().await {}
            }
        });
        let (kept, _) = tokio::join!(self.turn.keep(answer), rest);
        Part::End(kept)
    }

    fn fail(&mut self, error: Error) -> Part {
        self.upstream = None;
        if let Some(mut lease) = self.lease.take() {
            lease.failed(&error);
        }
        self.keep_partial();
        Part::Failed(error)
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

/// A turn that has not been written back yet; it is, at most once.
pub struct Unwritten {
    case: Case,
    said: Option<Said>,
    memory: MemoryPort,
    /// The id it was kept under, where the store gave it another.
    kept_as: Option<Arc<str>>,
}

impl Unwritten {
    /// The turn of a case.
    pub fn new(case: Case, said: Option<Said>, memory: MemoryPort) -> Self {
        Unwritten {
            case,
            said,
            memory,
            kept_as: None,
        }
    }

    /// The turn's id.
    pub fn id(&self) -> Arc<str> {
        self.kept_as.as_ref().unwrap_or(&self.case.turn).clone()
    }

    /// Writes the whole answer back and waits until it is durable, or is not going to be.
    pub async fn keep(&mut self, answer: String) -> Kept {
        let Some(writeback) = self.writeback(answer, TurnStatus::Complete) else {
            return Kept::Off;
        };
        match self.memory.keep(Arc::new(writeback)).await {
            Ack::Recorded(id) => {
                self.kept_as = Some(id);
                Kept::Recorded
            }
            Ack::Spooled => Kept::Degraded,
            Ack::Off => Kept::Off,
        }
    }

    /// Writes back what there is of it; nobody waits.
    pub fn keep_partial(&mut self, answer: String) {
        if let Some(writeback) = self.writeback(answer, TurnStatus::Partial) {
            let (ack, _nobody) = oneshot::channel();
            self.memory.send(Command::Keep(Arc::new(writeback), ack));
        }
    }

    fn writeback(&mut self, answer: String, status: TurnStatus) -> Option<Writeback> {
        let said = self.said.take()?;
        let user = self.case.user.clone()?;
        (self.case.mode == MemoryMode::On).then(|| Writeback {
            user,
            turn: self.case.turn.clone(),
            conversation: said.conversation,
            query: said.query,
            answer: kept(&answer),
            status,
            began_ms: self.case.began_ms,
        })
    }
}
