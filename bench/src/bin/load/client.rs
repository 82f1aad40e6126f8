//! One keep-alive HTTP/1.1 connection, and the body of an answer as it comes off it.

use bytes::{Buf, BytesMut};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// A connection with what was read ahead.
pub struct Connection {
    socket: TcpStream,
    input: BytesMut,
}

/// The head of an answer.
pub struct Head {
    /// The HTTP status.
    pub status: u16,
    /// How the body ends.
    pub body: Body,
    /// The server closes after it.
    pub close: bool,
}

/// Where a body's decoding stands.
pub enum Body {
    /// So many bytes are to come.
    Fixed(usize),
    /// A chunk's size line is to come.
    Size,
    /// So many bytes of a chunk, and its line end, are to come.
    Chunk(usize),
    /// The lines after the last chunk.
    Trailer,
}

impl Connection {
    /// A new one.
    pub async fn open(address: &str) -> Result<Connection, String> {
        let socket = TcpStream::connect(address).await.map_err(text)?;
        socket.set_nodelay(true).map_err(text)?;
        let input = BytesMut::with_capacity(8192);
        Ok(Connection { socket, input })
    }

    /// Sends a request.
    pub async fn send(&mut self, request: &[u8]) -> Result<(), String> {
        self.socket.write_all(request).await.map_err(text)
    }

    /// Reads on.
    pub async fn fill(&mut self) -> Result<(), String> {
        self.input.reserve(4096);
        match self.socket.read_buf(&mut self.input).await {
            Ok(0) => Err("closed before the end".into()),
            Ok(_) => Ok(()),
            Err(error) => Err(text(error)),
        }
    }

    /// The head of the next answer.
    pub async fn head(&mut self) -> Result<Head, String> {
        loop {
            let mut headers = [httparse::EMPTY_HEADER; 64];
            let mut parsed = httparse::Response::new(&mut headers);
            if let httparse::Status::Complete(length) = parsed.parse(&self.input).map_err(text)? {
                let status = parsed.code.unwrap_or(0);
                let find = |name: &str| {
                    let header = parsed
                        .headers
                        .iter()
                        .find(|h| h.name.eq_ignore_ascii_case(name));
                    header.and_then(|h| std::str::from_utf8(h.value).ok())
                };
                let body = match find("content-length") {
                    Some(n) => Body::Fixed(n.trim().parse().map_err(text)?),
                    None if find("transfer-encoding") == Some("chunked") => Body::Size,
                    None => return Err("neither a length nor chunks".into()),
                };
                let close = find("connection").is_some_and(|c| c.eq_ignore_ascii_case("close"));
                self.input.advance(length);
                return Ok(Head {
                    status,
                    body,
                    close,
                });
            }
            self.fill().await?;
        }
    }

    /// Moves what is read of the body to `out`; true at its end.
    pub fn decode(&mut self, body: &mut Body, out: &mut Vec<u8>) -> Result<bool, String> {
        loop {
            match body {
                Body::Fixed(left) => {
                    let n = (*left).min(self.input.len());
                    out.extend_from_slice(&self.input[..n]);
                    self.input.advance(n);
                    *left -= n;
                    return Ok(*left == 0);
                }
                Body::Chunk(left) => {
                    let n = (*left).min(self.input.len());
                    out.extend_from_slice(&self.input[..n]);
                    self.input.advance(n);
                    *left -= n;
                    if *left > 0 || self.input.len() < 2 {
                        return Ok(false);
                    }
                    self.input.advance(2);
                    *body = Body::Size;
                }
                Body::Size | Body::Trailer => {
                    let Some(end) = memchr::memchr(b'\n', &self.input) else {
                        return Ok(false);
                    };
                    let line = self.input.split_to(end + 1);
                    let line = std::str::from_utf8(&line).map_err(text)?.trim();
                    *body = match (&body, line) {
                        (Body::Trailer, "") => return Ok(true),
                        (Body::Trailer, _) => Body::Trailer,
                        _ => match usize::from_str_radix(line, 16).map_err(text)? {
                            0 => Body::Trailer,
                            n => Body::Chunk(n),
                        },
                    };
                }
            }
        }
    }
}

fn text(error: impl ToString) -> String {
    error.to_string()
}
