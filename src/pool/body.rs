//! The body of a backend's answer, as it comes. Dropped before its end, it closes its connection,
//! for a backend goes on generating as long as somebody seems to listen; read to its end, it
//! leaves the connection to the next request.

use super::extras::{Extras, extras};
use crate::error::Error;
use awc::ClientResponse;
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use std::{
    pin::Pin,
    task::{Context, Poll},
};

/// See the file's head.
pub(super) struct Body {
    /// What its head says beyond it.
    pub(super) extras: Extras,
    /// `None`: at its end. It must not be polled again then, and an error must close it.
    response: Option<ClientResponse>,
}

impl Body {
    pub(super) fn new(response: ClientResponse) -> Self {
        Body {
            extras: extras(response.headers()),
            response: Some(response),
        }
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
}

impl Stream for Body {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(response) = &mut self.response else {
            return Poll::Ready(None);
        };
        let read = std::task::ready!(Pin::new(response).poll_next(cx));
        if !matches!(read, Some(Ok(_))) {
            self.response = None;
        }
        let broken = |_| Error::Upstream("it broke off in the middle of its answer".into());
        Poll::Ready(read.map(|read| read.map_err(broken)))
    }
}
