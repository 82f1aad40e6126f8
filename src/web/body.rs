//! Bodies as they arrive: read whole, up to a limit and within a time. One that is too large gets
//! an answer that its sender can read: what is still coming is thrown away first, for a socket
//! closed on unread bytes resets, and the reset overtakes the answer.

use crate::error::Error;
use actix_web::{HttpRequest, http::header, web};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use std::time::Duration;
use tokio::time::timeout;

/// A body may take so long to arrive.
const BODY_TIME: Duration = Duration::from_secs(30);

/// Of a body that is refused, so much is read and thrown away, so that its sender gets to read
/// the answer instead of a reset.
const POLITE_BYTES: usize = 64 << 20;

/// Reads a body. One that came in one piece is not copied.
pub async fn read(
    req: &HttpRequest,
    mut payload: web::Payload,
    limit: usize,
) -> Result<Bytes, Error> {
    let too_large = Error::TooLarge {
        field: "the body",
        limit,
    };
    let declared = req.headers().get(header::CONTENT_LENGTH);
    let declared = declared.and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|n| n > limit) {
        discard(payload, 0).await;
        return Err(too_large);
    }
    let reading = async {
        let (mut whole, mut more) = (Bytes::new(), BytesMut::new());
        while let Some(piece) = payload.next().await {
            let cut = |_| Error::invalid("the body", "the body broke off; send it again");
            let piece = piece.map_err(cut)?;
            if whole.len() + more.len() + piece.len() > limit {
                return Ok(None);
            }
            if whole.is_empty() && more.is_empty() {
                whole = piece;
                continue;
            }
            if more.is_empty() {
                more.reserve(declared.unwrap_or(2 * (whole.len() + piece.len())));
                more.extend_from_slice(&std::mem::take(&mut whole));
            }
            more.extend_from_slice(&piece);
        }
        Ok(Some(if more.is_empty() {
            whole
        } else {
            more.freeze()
        }))
    };
    match timeout(BODY_TIME, reading).await {
        Ok(Ok(Some(body))) => Ok(body),
        Ok(Ok(None)) => {
            discard(payload, limit).await;
            Err(too_large)
        }
        Ok(Err(error)) => Err(error),
        Err(_) => Err(Error::invalid(
            "the body",
            "the body took too long to arrive",
        )),
    }
}

async fn discard(mut payload: web::Payload, already: usize) {
    let mut read = already;
    let reading = async {
        while let Some(Ok(piece)) = payload.next().await {
            read += piece.len();
            if read > POLITE_BYTES {
                break;
            }
        }
    };
    // Whoever is slower than that gets the reset.
    let _ = timeout(Duration::from_secs(5), reading).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::{fault::Fault, guard::guard};
    use actix_web::{App, HttpResponse, HttpServer, middleware::from_fn, rt};
    use std::net::SocketAddr;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpStream,
    };

    const LIMIT: usize = 64 << 10;

    async fn length(req: HttpRequest, payload: web::Payload) -> Result<HttpResponse, Fault> {
        let body = read(&req, payload, LIMIT).await.map_err(Fault::native)?;
        Ok(HttpResponse::Ok().body(body.len().to_string()))
    }

    fn server() -> SocketAddr {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = socket.local_addr().unwrap();
        let app = || {
            let app = App::new().wrap(from_fn(guard));
            app.route("/", web::post().to(length))
        };
        let server = HttpServer::new(app).workers(1).h1_allow_half_closed(false);
        rt::spawn(server.listen(socket).unwrap().disable_signals().run());
        addr
    }

    /// Sends head and body as a client does that reads only once it has sent everything.
    async fn send(head: &str, pieces: impl Iterator<Item = Vec<u8>>) -> String {
        let mut socket = TcpStream::connect(server()).await.unwrap();
        let head =
            format!("POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{head}\r\n\r\n");
        socket.write_all(head.as_bytes()).await.unwrap();
        for piece in pieces {
            socket.write_all(&piece).await.unwrap();
        }
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).await.unwrap();
        String::from_utf8(answer).unwrap()
    }

    fn megabytes(n: usize) -> impl Iterator<Item = Vec<u8>> {
        std::iter::repeat_n(vec![b'x'; 1 << 20], n)
    }

    #[actix_web::test]
    async fn a_body_far_too_large_gets_a_readable_answer() {
        let declared = "Content-Type: application/json\r\nContent-Length: 20971520";
        let answer = send(declared, megabytes(20)).await;
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
        assert!(answer.contains("larger than 65536 bytes"), "{answer}");
    }

    #[actix_web::test]
    async fn so_does_one_in_chunks() {
        let head = "Content-Type: application/json\r\nTransfer-Encoding: chunked";
        let chunk = |data: Vec<u8>| [b"100000\r\n", &data[..], b"\r\n"].concat();
        let pieces = megabytes(20).map(chunk).chain([b"0\r\n\r\n".to_vec()]);
        let answer = send(head, pieces).await;
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    }

    #[actix_web::test]
    async fn so_does_one_that_the_guard_refuses() {
        let head = "Content-Type: text/plain\r\nContent-Length: 20971520";
        let answer = send(head, megabytes(20)).await;
        assert!(answer.starts_with("HTTP/1.1 415 "), "{answer}");
        assert!(
            answer.contains("send the body as application/json"),
            "{answer}"
        );
    }

    #[actix_web::test]
    async fn up_to_the_limit_it_is_read() {
        for size in [0, 1, LIMIT] {
            let head = format!("Content-Type: application/json\r\nContent-Length: {size}");
            let pieces = vec![b'x'; size]
                .chunks(7_000)
                .map(<[u8]>::to_vec)
                .collect::<Vec<_>>();
            let answer = send(&head, pieces.into_iter()).await;
            assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
            assert!(answer.ends_with(&format!("\r\n\r\n{size}")), "{answer}");
        }
    }
}
