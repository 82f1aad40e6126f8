//! An answer that comes bit by bit, with the clock that it is read by.

use super::timeouts::Patience;
use crate::error::Error;
use bytes::Bytes;
use futures_util::{Stream, stream::LocalBoxStream};
use std::{
    pin::Pin,
    task::{Context, Poll},
};

/// OpenAI SSE bytes, cut anywhere, whatever the dialect. Read to its end (`None`) it leaves its
/// connection to the next request; dropped before, it closes it at once.
pub struct Streamed {
    /// `None`: it has ended, or was given up.
    bytes: Option<LocalBoxStream<'static, Result<Bytes, Error>>>,
    patience: Patience,
}

impl Streamed {
    pub(super) fn new(
        bytes: impl Stream<Item = Result<Bytes, Error>> + 'static,
        patience: Patience,
    ) -> Self {
        Streamed {
            bytes: Some(Box::pin(bytes)),
            patience,
        }
    }

    /// These reads, for tests.
    #[cfg(test)]
    pub fn of(reads: Vec<Bytes>) -> Self {
        let never = tokio::time::Instant::now() + std::time::Duration::from_secs(3600);
        let patience = Patience::new(never, std::time::Duration::from_secs(3600), never);
        let reads = reads.into_iter().map(Ok);
        Streamed::new(futures_util::stream::iter(reads), patience)
    }

    /// The first content has come: from now on it is the time between two reads that counts.
    pub fn begun(&mut self) {
        self.patience.begun();
    }
}

impl Stream for Streamed {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Streamed { bytes, patience } = &mut *self;
        let Some(stream) = bytes else {
            return Poll::Ready(None);
        };
        let read = match stream.as_mut().poll_next(cx) {
            Poll::Ready(read) => {
                patience.came();
                read
            }
            Poll::Pending => Some(Err(std::task::ready!(patience.poll(cx)))),
        };
        if !matches!(read, Some(Ok(_))) {
            *bytes = None;
        }
        Poll::Ready(read)
    }
}
