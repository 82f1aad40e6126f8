//! A proxy before a real backend that notes what it is asked and what it answers, and can break
//! the connection in the middle of an answer, as networks do.

use super::http::NET;
use serde_json::Value;
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// A running proxy; it ends with the tests.
pub struct Tap {
    /// Where it listens.
    pub addr: SocketAddr,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    chats: Vec<Value>,
    answered: Vec<u8>,
    cuts: Vec<&'static str>,
}

impl Tap {
    /// One before the server of this URL.
    pub async fn before(url: &str) -> Tap {
        let authority = url.split('/').nth(2).unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let listener = listener.into_std().unwrap();
        let noting = seen.clone();
        NET.spawn(async move {
            let listener = TcpListener::from_std(listener).unwrap();
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&authority).await.unwrap();
                tokio::spawn(carry(client, server, noting.clone()));
            }
        });
        Tap { addr, seen }
    }

    /// The base URL in the OpenAI dialect.
    pub fn openai(&self) -> String {
        format!("http://{}/v1", self.addr)
    }

    /// The bodies of all that was posted, in order. llama.cpp closes the connection right behind
    /// each stream without a word before: what is sent into that is sent again, and counts once.
    pub fn chats(&self) -> Vec<Value> {
        let mut chats = self.seen.lock().unwrap().chats.clone();
        chats.dedup();
        chats
    }

    /// All that was answered, as it came over the wire.
    pub fn answered(&self) -> String {
        String::from_utf8(self.seen.lock().unwrap().answered.clone()).unwrap()
    }

    /// The next answer that has these bytes in one read is cut off behind that read; called
    /// again, so is the one after it.
    pub fn cut_after(&self, bytes: &'static str) {
        self.seen.lock().unwrap().cuts.push(bytes);
    }
}

async fn carry(client: TcpStream, server: TcpStream, seen: Arc<Mutex<Seen>>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let noting = seen.clone();
    let asking = async move {
        let (mut chunk, mut asked) = ([0; 16384], Vec::new());
        while let Ok(n @ 1..) = from_client.read(&mut chunk).await {
            asked.extend_from_slice(&chunk[..n]);
            while let Some(request) = take_request(&mut asked) {
                // A `GET` has no body.
                if let Ok(chat) = serde_json::from_slice(&request) {
                    noting.lock().unwrap().chats.push(chat);
                }
            }
            if to_server.write_all(&chunk[..n]).await.is_err() {
                return;
            }
        }
    };
    let answering = async move {
        let mut chunk = [0; 16384];
        while let Ok(n @ 1..) = from_server.read(&mut chunk).await {
            let read = &chunk[..n];
            let cut = {
                let mut seen = seen.lock().unwrap();
                seen.answered.extend_from_slice(read);
                let found = |cut: &&str| memchr::memmem::find(read, cut.as_bytes()).is_some();
                let cut = seen.cuts.last().is_some_and(found);
                if cut {
                    seen.cuts.pop();
                }
                cut
            };
            if to_client.write_all(read).await.is_err() || cut {
                return;
            }
        }
    };
    // Whichever side ends, ends both.
    tokio::select! {
        () = asking => {}
        () = answering => {}
    }
}

/// The body of the first request, once it is whole.
fn take_request(asked: &mut Vec<u8>) -> Option<Vec<u8>> {
    let end = memchr::memmem::find(asked, b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&asked[..end]).to_ascii_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"));
    let length: usize = length.map_or(0, |length| length.trim().parse().unwrap());
    (asked.len() >= end + length).then(|| asked.drain(..end + length).skip(end).collect())
}
