//! A connection that shows awc the heads of answers so that it can read them. Two things that
//! HTTP/1.1 allows it cannot:
//!
//! * A body without length and chunks, which ends with its connection: awc takes it for none, but
//!   reads it where the answer is HTTP/1.0. So the head is shown as one of HTTP/1.0.
//! * Interim answers (100, 102, 103) before the real one: awc takes them for the answer, and gives
//!   the connection to the next request, which would get this one's. So they are left out.
//!
//! Heads behind TLS are not seen here.

use actix_web::rt::net::{ActixStream, Ready, TcpStream};
use bytes::{Buf, BytesMut};
use memchr::memchr_iter;
use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A head longer than this is passed on as it is.
const HEAD_BYTES: usize = 64 << 10;

/// How an answer begins whose head may have to be changed.
const BEGINNING: &[u8] = b"HTTP/1.1 ";

/// See the file's head.
#[derive(Debug)]
pub(super) struct Heads {
    io: TcpStream,
    /// A request has been written, and the head of its answer is not whole yet.
    awaits_head: bool,
    /// What was read of it.
    head: BytesMut,
}

impl Heads {
    pub(super) fn new(io: TcpStream) -> Self {
        Heads {
            io,
            awaits_head: false,
            head: BytesMut::new(),
        }
    }

    #[cfg(test)]
    pub(super) fn peer_addr(&self) -> std::net::SocketAddr {
        self.io.peer_addr().unwrap()
    }

    /// Whether a whole head is there, or none that is ours to change; and mends it.
    fn is_whole(&mut self) -> bool {
        loop {
            let begins = self.head.len().min(BEGINNING.len());
            if self.head[..begins] != BEGINNING[..begins] || self.head.len() >= HEAD_BYTES {
                return true;
            }
            let Some(end) = end(&self.head) else {
                return false;
            };
            match &self.head[BEGINNING.len()..end] {
                // The one interim answer that is the last in HTTP.
                [b'1', b'0', b'1', ..] | [b'2', b'0', b'4', ..] | [b'3', b'0', b'4', ..] => {}
                [b'1', ..] => {
                    self.head.advance(end);
                    continue;
                }
                lines if !is_measured(lines) => self.head[BEGINNING.len() - 2] = b'0',
                _ => {}
            }
            return true;
        }
    }
}

/// Whether the head is whole, and awc reads it as it is.
fn needs_nothing(head: &[u8]) -> bool {
    let Some(lines) = head
        .strip_prefix(BEGINNING)
        .filter(|s| !s.starts_with(b"1"))
    else {
        return false;
    };
    end(lines).is_some_and(|end| is_measured(&lines[..end]))
}

/// Where the head ends; awc takes bare line feeds too.
fn end(head: &[u8]) -> Option<usize> {
    memchr_iter(b'\n', head).find_map(|at| match head[at + 1..] {
        [b'\n', ..] => Some(at + 2),
        [b'\r', b'\n', ..] => Some(at + 3),
        _ => None,
    })
}

/// Whether a head says where its body ends.
fn is_measured(head: &[u8]) -> bool {
    head.split(|b| *b == b'\n').any(|line| {
        let mut parts = line.splitn(2, |b| *b == b':').map(<[u8]>::trim_ascii);
        let (name, value) = (parts.next(), parts.next());
        let is = |wanted: &[u8]| name.is_some_and(|name| name.eq_ignore_ascii_case(wanted));
        let plain = value.is_some_and(|value| value.eq_ignore_ascii_case(b"identity"));
        is(b"content-length") || is(b"transfer-encoding") && !plain
    })
}

impl AsyncRead for Heads {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.awaits_head && this.head.is_empty() {
            let before = out.filled().len();
            ready!(Pin::new(&mut this.io).poll_read(cx, out))?;
            let piece = &out.filled()[before..];
            // Nearly always: it goes where it was to go, and nothing is copied.
            if piece.is_empty() || needs_nothing(piece) {
                this.awaits_head = false;
                return Poll::Ready(Ok(()));
            }
            this.head.extend_from_slice(piece);
            out.set_filled(before);
            this.awaits_head = !this.is_whole();
        }
        while this.awaits_head {
            let mut piece = [0; 4096];
            let mut piece = ReadBuf::new(&mut piece);
            ready!(Pin::new(&mut this.io).poll_read(cx, &mut piece))?;
            this.head.extend_from_slice(piece.filled());
            this.awaits_head = !(piece.filled().is_empty() || this.is_whole());
        }
        if this.head.is_empty() {
            return Pin::new(&mut this.io).poll_read(cx, out);
        }
        let fits = this.head.len().min(out.remaining());
        out.put_slice(&this.head[..fits]);
        this.head.advance(fits);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Heads {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.awaits_head |= this.head.is_empty();
        Pin::new(&mut this.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.awaits_head |= this.head.is_empty();
        Pin::new(&mut this.io).poll_write_vectored(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}

impl ActixStream for Heads {
    fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        if !self.head.is_empty() && !self.awaits_head {
            return Poll::Ready(Ok(Ready::READABLE));
        }
        ActixStream::poll_read_ready(&self.io, cx)
    }

    fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        ActixStream::poll_write_ready(&self.io, cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    /// What is read of answers that come byte by byte.
    async fn read(answers: &[&str]) -> Vec<String> {
        let here = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let io = TcpStream::connect(here.local_addr().unwrap()).await;
        let mut ours = Heads::new(io.unwrap());
        let (mut theirs, _) = here.accept().await.unwrap();
        theirs.set_nodelay(true).unwrap();
        let mut read = Vec::new();
        for answer in answers {
            ours.write_all(b"x").await.unwrap();
            let send = async {
                for byte in answer.bytes() {
                    theirs.write_all(&[byte]).await.unwrap();
                    tokio::task::yield_now().await;
                }
            };
            let mut got = vec![0; answer.len()];
            let (_, whole) = tokio::join!(send, ours.read_exact(&mut got));
            whole.unwrap();
            read.push(String::from_utf8(got).unwrap());
        }
        read
    }

    #[actix_web::test]
    async fn only_a_body_without_a_measure_is_shown_as_one_that_ends_with_its_connection() {
        const MEASURED: &[&str] = &[
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
            "HTTP/1.1 200 OK\nContent-Length : 2\n\nok",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            "HTTP/1.1 204 No Content\r\n\r\n",
            "HTTP/1.1 101 Switching Protocols\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n",
            "HTTP/1.0 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
            "no HTTP at all",
        ];
        assert_eq!(read(MEASURED).await, MEASURED);
        for rest in [
            "A: b\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
            "Content-Length-Before: 9\r\n\r\ncontent-length: 1\r\n",
            "Transfer-Encoding: identity\r\n\r\nok",
            "Connection: keep-alive\n\nok\r\n\r\n",
        ] {
            let answer = format!("HTTP/1.1 200 OK\r\n{rest}").leak();
            let shown = format!("HTTP/1.0 200 OK\r\n{rest}");
            assert_eq!(read(&[answer]).await, [shown]);
        }
    }
}
