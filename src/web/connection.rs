//! A client's connection, for clients that do not read. It knows how much of what it was given is
//! still unwritten, so that a stream is read from its backend only as fast as its client takes it
//! (`paced.rs`); and a client that has taken nothing for a while is dropped, and with it the
//! stream, the upstream and the lease.

use actix_web::rt::net::TcpStream;
use std::{
    cell::Cell,
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

/// So much may lie unsent in a socket; more waits where it can be seen and counted.
#[cfg(target_os = "linux")]
const UNSENT: u32 = 16 << 10;

/// See the file's head.
pub struct Connection<S = TcpStream> {
    socket: S,
    /// It may take nothing for so long.
    patience: Duration,
    /// Runs while it takes nothing.
    stalled: Option<Pin<Box<Sleep>>>,
    backlog: Rc<Backlog>,
}

/// What the HTTP server holds for a client who has not taken it yet.
#[derive(Default)]
pub struct Backlog {
    /// Events; those of a write that was taken in part still count.
    events: Cell<usize>,
    /// Who waits for them to be written.
    waits: Cell<Option<Waker>>,
}

impl Backlog {
    /// So many more will be written.
    pub fn add(&self, events: usize) {
        self.events.set(self.events.get() + events);
    }

    /// Waits while there are so many, or more.
    pub fn poll_below(&self, most: usize, cx: &Context<'_>) -> Poll<()> {
        if self.events.get() < most {
            return Poll::Ready(());
        }
        self.waits.set(Some(cx.waker().clone()));
        Poll::Pending
    }

    fn written(&self) {
        self.events.set(0);
        if let Some(waits) = self.waits.take() {
            waits.wake();
        }
    }
}

impl Connection {
    /// One that has just been accepted.
    pub fn new(socket: TcpStream, patience: Duration) -> Self {
        #[cfg(target_os = "linux")]
        {
            let socket = socket2::SockRef::from(&socket);
            // A kernel without them serves all the same. The first sees clients that are gone
            // without a word while what they were sent still fits into the socket.
            let _ = socket.set_tcp_user_timeout(Some(patience));
            let _ = socket.set_tcp_notsent_lowat(UNSENT);
        }
        Connection::over(socket, patience)
    }
}

impl<S> Connection<S> {
    /// One over any transport.
    pub fn over(socket: S, patience: Duration) -> Self {
        Connection {
            socket,
            patience,
            stalled: None,
            backlog: Rc::default(),
        }
    }

    /// What waits to be written to it.
    pub fn backlog(&self) -> Rc<Backlog> {
        self.backlog.clone()
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Connection<S> {
    /// The HTTP server tries all it holds at once: what is taken whole leaves nothing behind.
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        all: &[u8],
    ) -> Poll<io::Result<usize>> {
        let Connection {
            socket,
            patience,
            stalled,
            backlog,
        } = &mut *self;
        match Pin::new(socket).poll_write(cx, all) {
            Poll::Ready(Ok(taken)) => {
                *stalled = None;
                if taken == all.len() {
                    backlog.written();
                }
                Poll::Ready(Ok(taken))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                let since = stalled.get_or_insert_with(|| Box::pin(sleep(*patience)));
                ready!(since.as_mut().poll(cx));
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Connection<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(cx, buf)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    const PATIENCE: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_is_dropped_and_who_takes_a_little_is_not() {
        let (mut client, server) = duplex(100);
        let mut server = Connection::over(server, PATIENCE);
        let writes = tokio::task::LocalSet::new();
        let written = writes.run_until(async {
            let written =
                tokio::task::spawn_local(async move { server.write_all(&[0; 400]).await });
            for _ in 0..3 {
                tokio::time::sleep(PATIENCE - Duration::from_secs(1)).await;
                assert!(!written.is_finished());
                client.read_exact(&mut [0; 50]).await.unwrap();
            }
            written.await.unwrap()
        });
        assert_eq!(written.await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn what_is_taken_in_part_still_waits() {
        let (mut client, server) = duplex(100);
        let mut server = Connection::over(server, PATIENCE);
        let backlog = server.backlog();
        let below = || {
            futures_util::FutureExt::now_or_never(std::future::poll_fn(|cx| {
                backlog.poll_below(2, cx)
            }))
        };
        backlog.add(1);
        assert!(below().is_some());
        backlog.add(1);
        assert!(below().is_none());
        assert_eq!(server.write(&[0; 150]).await.unwrap(), 100);
        assert!(below().is_none());
        client.read_exact(&mut [0; 100]).await.unwrap();
        server.write_all(&[0; 50]).await.unwrap();
        assert!(below().is_some());
    }
}
