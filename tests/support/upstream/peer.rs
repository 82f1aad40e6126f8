//! The other side of a scripted backend's connection: its requests, and its end.

use super::Seen;
use bytes::BytesMut;
use tokio::{io::AsyncReadExt, net::tcp::OwnedReadHalf};

pub(super) struct Peer {
    pub(super) read: OwnedReadHalf,
    pub(super) buffer: BytesMut,
}

impl Peer {
    /// Resolves when the other side has closed; what it sends before is kept.
    pub(super) async fn closed(&mut self) {
        while let Ok(1..) = self.read.read_buf(&mut self.buffer).await {}
    }

    pub(super) async fn request(&mut self, connection: usize) -> Option<Seen> {
        let end = loop {
            if let Some(at) = self.buffer.windows(4).position(|w| w == b"\r\n\r\n") {
                break at + 4;
            }
            if !matches!(self.read.read_buf(&mut self.buffer).await, Ok(1..)) {
                return None;
            }
        };
        let head = self.buffer.split_to(end);
        let head = std::str::from_utf8(&head).unwrap();
        let mut lines = head.lines();
        let mut first = lines.next()?.split(' ');
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let length = headers.iter().find(|(name, _)| name == "content-length");
        let length = length.map_or(0, |(_, value)| value.parse().unwrap());
        while self.buffer.len() < length {
            if !matches!(self.read.read_buf(&mut self.buffer).await, Ok(1..)) {
                return None;
            }
        }
        Some(Seen {
            connection,
            method: first.next()?.to_owned(),
            path: first.next()?.to_owned(),
            headers,
            body: self.buffer.split_to(length).freeze(),
        })
    }
}
