//! The body of a backend's answer, as it comes: watched for silence, ended once, and counted
//! against the backend where it breaks. Dropped before its end, it closes its connection, for a
//! backend goes on generating as long as somebody seems to listen; read to its end, it leaves the
//! connection to the next request.

use super::{
    Backend,
    backend::Seen,
    extras::{Extras, extras},
};
use crate::error::Error;
use awc::ClientResponse;
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::{Instant, Sleep, sleep_until};

/// See the file's head.
pub(super) struct Body {
    /// What its head says beyond it.
    pub(super) extras: Extras,
    /// `None`: at its end. It must not be polled again then, and an error must close it.
    response: Option<ClientResponse>,
    /// May lie before the true end of patience, and is put off then: a timer costs more to move
    /// than to look at, and there are many tokens.
    alarm: Pin<Box<Sleep>>,
    /// When bytes last came; `None`: the first are still awaited.
    last: Option<Instant>,
    idle: Duration,
    /// Whom a break is counted against; `None`: whoever reads it sees to that.
    blame: Option<Arc<Seen>>,
}

impl Body {
    /// The first bytes are waited for until `first`, any more for `idle` each.
    pub(super) fn new(response: ClientResponse, first: Instant, idle: Duration) -> Self {
        Body {
            extras: extras(response.headers()),
            response: Some(response),
            alarm: Box::pin(sleep_until(first)),
            last: None,
            idle,
            blame: None,
        }
    }

    /// Handed out as a stream: a break is counted where it happens.
    pub(super) fn counted(mut self, backend: &Backend) -> Self {
        self.blame = Some(backend.seen.clone());
        self
    }

    /// The rest, up to `most` bytes; what goes on longer is cut off there.
    pub(super) async fn read(mut self, most: usize) -> Result<Bytes, Error> {
        let Some(first) = self.next().await.transpose()? else {
            return Ok(Bytes::new());
        };
        let Some(second) = self.next().await.transpose()? else {
            return Ok(first);
        };
        let mut all = BytesMut::from(first);
        all.extend_from_slice(&second);
        while all.len() < most {
            match self.next().await {
                Some(more) => all.extend_from_slice(&more?),
                None => break,
            }
        }
        Ok(all.freeze())
    }

    fn end(&mut self, error: Error) -> Poll<Option<Result<Bytes, Error>>> {
        self.response = None;
        self.blame.iter().for_each(|seen| seen.failed(&error));
        Poll::Ready(Some(Err(error)))
    }
}

impl Stream for Body {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(response) = &mut self.response else {
            return Poll::Ready(None);
        };
        match Pin::new(response).poll_next(cx) {
            Poll::Ready(Some(Ok(bytes))) => {
                let now = Instant::now();
                if self.last.replace(now).is_none() {
                    let due = now + self.idle;
                    self.alarm.as_mut().reset(due);
                }
                Poll::Ready(Some(Ok(bytes)))
            }
            Poll::Ready(Some(Err(_))) => {
                let error = Error::Upstream("it broke off in the middle of its answer".into());
                self.end(error)
            }
            Poll::Ready(None) => {
                self.response = None;
                Poll::Ready(None)
            }
            Poll::Pending => {
                while self.alarm.as_mut().poll(cx).is_ready() {
                    let due = self.last.map(|last| last + self.idle);
                    match due.filter(|due| *due > Instant::now()) {
                        Some(due) => self.alarm.as_mut().reset(due),
                        None if self.last.is_none() => {
                            return self.end(Error::Timeout("the first token"));
                        }
                        None => return self.end(Error::Timeout("the next token")),
                    }
                }
                Poll::Pending
            }
        }
    }
}
