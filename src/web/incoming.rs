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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What of these reads would reach the relay: why it has not begun, or its events.
    fn read(reads: &[&[u8]]) -> Result<Vec<Bytes>, String> {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_time().build().unwrap();
        let reads = reads.iter().map(|read| Bytes::copy_from_slice(read));
        runtime.block_on(async {
            let mut incoming = Incoming::new(Streamed::of(reads.collect()));
            incoming.begin().await.map_err(|e| e.to_string())?;
            let mut all = Vec::new();
            while let Some(events) = incoming.next().await {
                let events = events.map_err(|e| e.to_string())?;
                let mut from = 0;
                for &end in &events.ends {
                    all.extend(data(&events.whole.slice(from..end)));
                    from = end;
                }
                incoming.recycle(events);
            }
            Ok(all)
        })
    }

    const ROLE: &str = r#"{"choices":[{"delta":{"role":"assistant","content":""}}]}"#;
    const TOKEN: &str = r#"{"choices":[{"delta":{"content":"中"}}]}"#;
    const STOP: &str = r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#;

    fn stream() -> impl Strategy<Value = Vec<u8>> {
        let event = |data: &str| format!("data: {data}\n\n");
        let pieces = vec![
            event(ROLE),
            event(TOKEN),
            event(STOP),
            event(r#"{"error":{"message":"boom"}}"#),
            event("[DONE]"),
            event("hello"),
            event("").replace('\n', "\r\n"),
            event(&TOKEN.replace(",", ",\ndata: ")),
            event(TOKEN).replace('\n', "\r"),
            ": ping\n\n".into(),
            "data: {\"choices\":[".into(),
            "\n".into(),
        ];
        let piece = prop::sample::select(pieces);
        prop::collection::vec(piece, 0..8).prop_map(|all| all.concat().into_bytes())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn however_it_is_cut_the_same_arrives(
            stream in stream(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        ) {
            let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
            cuts.extend([0, stream.len()]);
            cuts.sort_unstable();
            let reads: Vec<_> = cuts.windows(2).map(|w| &stream[w[0]..w[1]]).collect();
            let whole = read(&[&stream]);
            prop_assert_eq!(read(&reads), whole.clone());
            let bytes: Vec<_> = stream.chunks(1).collect();
            prop_assert_eq!(read(&bytes), whole);
        }
    }

    #[test]
    fn a_last_event_is_whole_or_nothing() {
        let whole = format!("data: {TOKEN}\n\ndata: {STOP}");
        assert_eq!(read(&[whole.as_bytes()]).unwrap(), [TOKEN, STOP]);
        let half = format!("data: {TOKEN}\n\ndata: {}", &STOP[..20]);
        assert_eq!(read(&[half.as_bytes()]).unwrap(), [TOKEN]);
    }

    #[test]
    fn what_never_begins_says_why() {
        for (stream, why) in [
            (String::new(), "without a finish reason"),
            (format!("data: {ROLE}\n\n"), "without a finish reason"),
            (
                format!("data: {ROLE}\n\ndata: [DONE]\n\n"),
                "without a finish reason",
            ),
            ("data: {\"error\":\"boom\"}\n\n".into(), "boom"),
            ("data: <html>\n\n".into(), "not a chat"),
        ] {
            let error = read(&[stream.as_bytes()]).unwrap_err();
            assert!(error.contains(why), "{stream}: {error}");
        }
    }
}
