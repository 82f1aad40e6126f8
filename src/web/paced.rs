//! A stream of events that is read only as fast as its client takes it: while so many are unwritten
//! nothing more is asked for, and the backend waits in its turn.

use super::connection::Backlog;
use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    body::{BodySize, MessageBody},
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream::LocalBoxStream};
use std::{
    convert::Infallible,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

/// So many events may lie unwritten before a client: with the last read of the backend, which may
/// hold several, they are all that a client who reads nothing makes us keep.
pub const UNWRITTEN: usize = 32;

/// Whole events, and how many they are.
pub type Paced = (Bytes, usize);

struct Body {
    events: LocalBoxStream<'static, Paced>,
    /// `None`: there is no connection behind it.
    backlog: Option<Rc<Backlog>>,
}

/// Answers the request with these events.
pub fn answer(
    req: &HttpRequest,
    response: &mut HttpResponseBuilder,
    events: impl Stream<Item = Paced> + 'static,
) -> HttpResponse {
    response.body(Body {
        events: events.boxed_local(),
        backlog: req.conn_data::<Rc<Backlog>>().cloned(),
    })
}

impl MessageBody for Body {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Infallible>>> {
        let Body { events, backlog } = &mut *self;
        if let Some(backlog) = backlog {
            ready!(backlog.poll_below(UNWRITTEN, cx));
        }
        let Some((bytes, count)) = ready!(events.poll_next_unpin(cx)) else {
            return Poll::Ready(None);
        };
        if let Some(backlog) = backlog {
            backlog.add(count);
        }
        Poll::Ready(Some(Ok(bytes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::connection::Connection;
    use actix_http::HttpService;
    use actix_service::{Service, ServiceFactory, map_config};
    use actix_web::{App, dev::AppConfig, rt, web};
    use futures_util::stream;
    use std::{cell::Cell, time::Duration};
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    /// What lies between server and client holds so much.
    const WIRE: usize = 1_000;
    /// An event, and so much more for its chunk.
    const EVENT: usize = 100;

    /// The real server before a client, whose answer has an event ready whenever it is asked.
    async fn endless(asked: Rc<Cell<usize>>) -> DuplexStream {
        let handler = move |req: HttpRequest| {
            let asked = asked.clone();
            let events = stream::repeat_with(move || {
                asked.set(asked.get() + 1);
                (Bytes::from_static(&[b'x'; EVENT]), 1)
            });
            async move { answer(&req, &mut HttpResponse::Ok(), events) }
        };
        let app = App::new().default_service(web::to(handler));
        let http = HttpService::build()
            .on_connect_ext(|connection: &Connection<_>, data| {
                data.insert(connection.backlog());
            })
            .h1(map_config(app, |()| AppConfig::default()));
        let server = http.new_service(()).await.unwrap();
        let (mut client, wire) = duplex(WIRE);
        let served = server.call((Connection::over(wire, Duration::from_secs(60)), None));
        rt::spawn(served);
        client
            .write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            .await
            .unwrap();
        client
    }

    /// Until the server has done all it can.
    async fn settle() {
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
    }

    #[actix_web::test]
    async fn a_backend_is_read_32_events_ahead_of_its_client_and_no_more() {
        let asked = Rc::new(Cell::new(0));
        let mut client = endless(asked.clone()).await;
        settle().await;
        assert_eq!(asked.get(), UNWRITTEN, "the client reads nothing");
        let (mut read, mut events) = (vec![0; WIRE], 0);
        for _ in 0..500 {
            let n = client.read(&mut read).await.unwrap();
            events += read[..n].iter().filter(|byte| **byte == b'x').count();
            settle().await;
            // Behind what it has read are what is on the wire, and what is unwritten.
            let ahead = asked.get() - events / EVENT;
            assert!(ahead <= UNWRITTEN + WIRE / EVENT + 1, "{ahead} ahead");
        }
        assert!(
            asked.get() > 4 * UNWRITTEN,
            "and it goes on as the client reads"
        );
    }
}
