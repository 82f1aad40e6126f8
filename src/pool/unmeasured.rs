//! A connection whose answers may end with it. HTTP/1.1 lets a server leave out both the length
//! and the chunks of a body and close at its end; awc takes such a body for none, but reads it
//! where the answer is HTTP/1.0. So the head of such an answer is shown to it as one of HTTP/1.0.
//! Heads behind TLS are not seen here.

use actix_web::rt::net::{ActixStream, Ready, TcpStream};
use bytes::{Buf, BytesMut};
use memchr::memmem;
use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A head longer than this is passed on as it is.
const HEAD_BYTES: usize = 64 << 10;

/// How an answer that may be such a one begins.
const BEGINNING: &[u8] = b"HTTP/1.1 ";

/// See the file's head.
#[derive(Debug)]
pub(super) struct Unmeasured {
    io: TcpStream,
    /// A request has been written, and the head of its answer is not whole yet.
    awaits_head: bool,
    /// What was read of it.
    head: BytesMut,
}

impl Unmeasured {
    pub(super) fn new(io: TcpStream) -> Self {
        Unmeasured {
            io,
            awaits_head: false,
            head: BytesMut::new(),
        }
    }

    #[cfg(test)]
    pub(super) fn peer_addr(&self) -> std::net::SocketAddr {
        self.io.peer_addr().unwrap()
    }
}

/// Whether the head is as long as it has to be, to be passed on; and says there what awc can read.
fn is_whole(head: &mut [u8]) -> bool {
    let begins = head.len().min(BEGINNING.len());
    if head[..begins] != BEGINNING[..begins] || head.len() >= HEAD_BYTES {
        return true;
    }
    let Some(end) = memmem::find(head, b"\r\n\r\n") else {
        return false;
    };
    let (status, lines) = (&head[BEGINNING.len()..end], &head[..end]);
    let has_body = !(status.starts_with(b"1") || matches!(status.get(..3), Some(b"204" | b"304")));
    let named = |line: &[u8], name: &[u8]| {
        let start = line.trim_ascii_start().get(..name.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(name))
    };
    let is_measured = lines
        .split(|b| *b == b'\n')
        .any(|line| named(line, b"content-length") || named(line, b"transfer-encoding"));
    if has_body && !is_measured {
        head[BEGINNING.len() - 2] = b'0';
    }
    true
}

impl AsyncRead for Unmeasured {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while this.awaits_head {
            let mut piece = [0; 4096];
            let mut piece = ReadBuf::new(&mut piece);
            ready!(Pin::new(&mut this.io).poll_read(cx, &mut piece))?;
            this.head.extend_from_slice(piece.filled());
            this.awaits_head = !(piece.filled().is_empty() || is_whole(&mut this.head));
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

impl AsyncWrite for Unmeasured {
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

impl ActixStream for Unmeasured {
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
    async fn read(answers: &'static [&'static str]) -> Vec<String> {
        let here = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let io = TcpStream::connect(here.local_addr().unwrap()).await;
        let mut ours = Unmeasured::new(io.unwrap());
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
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            "HTTP/1.1 204 No Content\r\n\r\n",
            "HTTP/1.0 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
            "no HTTP at all",
        ];
        assert_eq!(read(MEASURED).await, MEASURED);
        let read = read(&["HTTP/1.1 200 OK\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"]).await;
        assert_eq!(
            read,
            ["HTTP/1.0 200 OK\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"]
        );
    }
}
