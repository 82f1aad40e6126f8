//! A backend's stream as whole events, read no faster than they are taken. Before its first
//! content nothing of it is handed out: what came until then is held, and given up with it if it
//! fails, so that another backend can be asked.

use super::{
    content::{First, first},
    frame::{Framer, data},
};
use crate::{error::Error, pool::Streamed};
use bytes::Bytes;
use futures_util::StreamExt;
use serde::de::IgnoredAny;
use std::collections::VecDeque;

/// More than this is not held: a backend that says nothing at such length has begun, in its way.
const HELD: usize = 256 << 10;

/// Whole events: one slice, and where each of them ends.
#[derive(Default)]
pub struct Events {
    /// The bytes.
    pub whole: Bytes,
    /// The ends.
    pub ends: Vec<usize>,
}

/// See the file's head.
pub struct Incoming {
    /// Gone once it has ended or failed.
    upstream: Option<Streamed>,
    framer: Framer,
    /// What came before and with the first content.
    held: VecDeque<Events>,
    /// Kept for its capacity.
    ends: Vec<usize>,
}

impl Incoming {
    /// A stream whose head was good.
    pub fn new(answer: Streamed) -> Self {
        Incoming {
            upstream: Some(answer),
            framer: Framer::default(),
            held: VecDeque::new(),
            ends: Vec::new(),
        }
    }

    /// Reads up to the first content, or says why there is none.
    pub async fn begin(&mut self) -> Result<(), Error> {
        let mut held = 0;
        loop {
            let events = self.read().await.unwrap_or_else(|| Err(unfinished()))?;
            held += events.whole.len();
            let begun = has_begun(&events)? || held > HELD;
            self.held.push_back(events);
            if begun {
                self.upstream.iter_mut().for_each(Streamed::begun);
                return Ok(());
            }
        }
    }

    /// The next events; `None` at the end. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Result<Events, Error>> {
        match self.held.pop_front() {
            Some(events) => Some(Ok(events)),
            None => self.read().await,
        }
    }

    /// Takes back what `next` gave, for its capacity.
    pub fn recycle(&mut self, events: Events) {
        self.ends = events.ends;
    }

    /// Closes it.
    pub fn close(&mut self) {
        self.upstream = None;
    }

    /// Reads what is left, so that its connection is used again.
    pub async fn drain(&mut self) {
        if let Some(mut upstream) = self.upstream.take() {
            while let Some(Ok(_)) = upstream.next().await {}
        }
    }

    async fn read(&mut self) -> Option<Result<Events, Error>> {
        loop {
            let Some(read) = self.upstream.as_mut()?.next().await else {
                self.close();
                return self.rest().map(Ok);
            };
            let mut ends = std::mem::take(&mut self.ends);
            ends.clear();
            let fed = read.and_then(|bytes| {
                let endless = |_| Error::Upstream("it sent an event without end".into());
                self.framer.feed(bytes, &mut ends).map_err(endless)
            });
            match fed {
                Ok(whole) if whole.is_empty() => self.ends = ends,
                Ok(whole) => return Some(Ok(Events { whole, ends })),
                Err(error) => {
                    self.close();
                    return Some(Err(error));
                }
            }
        }
    }

    /// A last event may lack its blank line; one that lacks more is half an event, and is dropped.
    fn rest(&mut self) -> Option<Events> {
        let rest = self.framer.finish()?;
        let said = data(&rest)?;
        let whole =
            said.trim_ascii() == b"[DONE]" || serde_json::from_slice::<IgnoredAny>(&said).is_ok();
        whole.then(|| {
            let whole: Bytes = [&rest[..], b"\n\n"].concat().into();
            let ends = vec![whole.len()];
            Events { whole, ends }
        })
    }
}

/// It ended as no answer ends.
pub fn unfinished() -> Error {
    Error::Upstream("it ended its answer without a finish reason".into())
}

fn has_begun(events: &Events) -> Result<bool, Error> {
    let mut from = 0;
    for &end in &events.ends {
        let data = data(&events.whole.slice(from..end));
        from = end;
        // Comments are signs of life, no more.
        let Some(data) = data.filter(|data| !data.is_empty()) else {
            continue;
        };
        if data.trim_ascii() == b"[DONE]" {
            return Err(unfinished());
        }
        match first(&data) {
            First::Nothing => {}
            First::Content => return Ok(true),
            First::Failed(why) => return Err(Error::Upstream(why)),
        }
    }
    Ok(false)
}
