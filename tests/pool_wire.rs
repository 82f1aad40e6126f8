//! How backends are spoken to, over real sockets: bytes pass through, a dropped answer closes its
//! connection, a connection that went stale is no failure, and each error has the right owner.

mod failures;
mod heads;

use crate::support::upstream::{
    Gate, Step, Upstream, chat_events, chat_whole, chunk, chunked, end, head, http, ok, sse,
};
use bytes::Bytes;
use futures_util::StreamExt;
use serde_json::json;
use std::sync::Arc;
use sundynix::{
    config::{BackendConfig, Config, PoolConfig},
    error::Error,
    pool::{Answer, Client, Failure, Lease, Pool, Request},
};

struct Rig {
    upstream: Upstream,
    pool: Arc<Pool>,
    client: Client,
    lease: Lease,
}

fn rig() -> Rig {
    rig_with(|_| {})
}

/// A pool of one scripted backend, and a lease of it.
fn rig_with(set: impl FnOnce(&mut PoolConfig)) -> Rig {
    let upstream = Upstream::start();
    let mut config = Config {
        backend: vec![BackendConfig {
            url: upstream.openai(),
            models: vec!["m".into()],
            api_key: "sk-own".into(),
            ..BackendConfig::default()
        }],
        ..Config::default()
    };
    set(&mut config.pool);
    let pool = Pool::new(&config).unwrap();
    Rig {
        upstream,
        client: Client::new(),
        lease: pool.lease("m", &[]).unwrap().unwrap(),
        pool,
    }
}

impl Rig {
    async fn ask(&self, stream: bool) -> Result<Answer, Failure> {
        let request = Request {
            model: "m".into(),
            body: json!({"model": "m", "messages": [], "stream": stream})
                .to_string()
                .into(),
            unedited: None,
            stream,
            show_usage: false,
        };
        let opened = self.client.open(self.lease.backend(), &request).await;
        opened.map(|(answer, _)| answer)
    }

    async fn fail(&self, stream: bool) -> Failure {
        self.ask(stream).await.err().expect("a failure")
    }
}

fn whole(answer: Answer) -> Bytes {
    match answer {
        Answer::Whole(bytes) => bytes,
        Answer::Stream(_) => panic!("a stream"),
    }
}

async fn all(answer: Answer) -> Result<Vec<u8>, Error> {
    let Answer::Stream(mut stream) = answer else {
        panic!("not a stream")
    };
    let mut all = Vec::new();
    while let Some(bytes) = stream.next().await {
        all.extend_from_slice(&bytes?);
        stream.begun();
    }
    // Ended, it may be polled again.
    assert!(stream.next().await.is_none());
    Ok(all)
}

#[actix_web::test]
async fn bytes_pass_through_and_the_connection_is_used_again() {
    let rig = rig();
    let odd = "data: {\"a\":1 , \"b\":\"\u{1F600}中\"}\r\n\r\n: note\n\ndata: [DONE]\n\n";
    rig.upstream
        .script(chunked(
            "text/event-stream; charset=utf-8",
            &[odd.to_owned()],
        ))
        .script(vec![
            head("text/event-stream"),
            Step::Split(chunk(odd)),
            end(),
        ])
        .script(vec![Step::Write(ok(&chat_whole("m", "x")))]);
    assert_eq!(
        all(rig.ask(true).await.unwrap()).await.unwrap(),
        odd.as_bytes()
    );
    assert_eq!(
        all(rig.ask(true).await.unwrap()).await.unwrap(),
        odd.as_bytes()
    );
    let text = whole(rig.ask(false).await.unwrap());
    assert_eq!(text, chat_whole("m", "x").to_string());
    let log = rig.upstream.log();
    assert_eq!((log.accepted, log.requests.len()), (1, 3));
    let mut headers: Vec<_> = log.requests[0]
        .headers
        .iter()
        .map(|(n, _)| n.as_str())
        .collect();
    headers.sort_unstable();
    // The HTTP library dates every message.
    let expected = [
        "authorization",
        "content-length",
        "content-type",
        "date",
        "host",
    ];
    assert_eq!(headers, expected);
    assert_eq!(
        log.requests[0].header("authorization"),
        Some("Bearer sk-own")
    );
    assert_eq!(rig.pool.status()[0].served, 3);
    assert_eq!(rig.pool.status()[0].failed, 0);
}

#[actix_web::test]
async fn a_dropped_answer_closes_its_connection() {
    let rig = rig();
    let hang = vec![
        head("text/event-stream"),
        Step::Write(chunk("data: {}\n\n")),
        Step::Hang,
    ];
    rig.upstream.script(hang).script(vec![Step::Hang]);
    // In the middle of the body.
    let Answer::Stream(mut stream) = rig.ask(true).await.unwrap() else {
        panic!("not a stream")
    };
    stream.next().await.unwrap().unwrap();
    assert!(rig.upstream.log().closed.is_empty());
    drop(stream);
    rig.upstream.until(|log| log.closed.len() == 1).await;
    // Before the head.
    {
        let ask = rig.ask(true);
        tokio::pin!(ask);
        let hangs = rig.upstream.until(|log| log.paused == 2);
        tokio::select! {
            _ = &mut ask => panic!("an answer"),
            _ = hangs => {}
        }
    }
    let log = rig.upstream.until(|log| log.closed.len() == 2).await;
    assert_eq!(log.accepted, 2);
    assert_eq!(rig.pool.status()[0].failed, 0);
}

#[actix_web::test]
async fn a_stale_connection_is_no_failure_but_a_fresh_one_is() {
    for gone in [Step::Close, Step::Reset] {
        let rig = rig();
        rig.upstream
            .script(vec![Step::Write(ok(&chat_whole("m", "x")))])
            .script(vec![gone.clone()]);
        whole(rig.ask(false).await.unwrap());
        whole(rig.ask(false).await.unwrap());
        let log = rig.upstream.log();
        assert_eq!((log.accepted, log.requests.len()), (2, 3));
        assert_eq!(rig.pool.status()[0].failed, 0);
    }
    for gone in [Step::Close, Step::Reset] {
        let rig = rig();
        rig.upstream.script(vec![gone]);
        let failure = rig.fail(true).await;
        assert!(failure.elsewhere);
        assert!(matches!(failure.error, Error::Upstream(_)), "{failure:?}");
        assert_eq!(rig.upstream.log().requests.len(), 1);
        assert_eq!(rig.pool.status()[0].failed, 1);
    }
}

#[actix_web::test]
async fn a_connection_closed_while_idle_is_not_tried() {
    let rig = rig();
    let answer = Step::Write(ok(&chat_whole("m", "x")));
    let gate = Gate::new();
    rig.upstream
        .script(vec![answer, Step::Pause(gate.clone()), Step::Close]);
    whole(rig.ask(false).await.unwrap());
    gate.open(1);
    whole(rig.ask(false).await.unwrap());
    assert_eq!(rig.upstream.log().accepted, 2);
}

#[actix_web::test]
async fn nobody_listens() {
    let mut config = Config {
        backend: vec![BackendConfig {
            url: format!("http://{}", Upstream::refusing()),
            models: vec!["m".into()],
            ..BackendConfig::default()
        }],
        ..Config::default()
    };
    config.pool.connect_timeout_ms = 1_000;
    let pool = Pool::new(&config).unwrap();
    let lease = pool.lease("m", &[]).unwrap().unwrap();
    let request = Request {
        model: "m".into(),
        body: Bytes::from_static(b"{}"),
        unedited: None,
        stream: true,
        show_usage: false,
    };
    let opened = Client::new().open(lease.backend(), &request).await;
    let failure = opened.err().unwrap();
    assert!(failure.elsewhere);
    let error = failure.error.to_string();
    assert_eq!(
        error,
        "the backend failed: it cannot be reached (connection refused)"
    );
}

#[actix_web::test]
async fn many_streams_at_once() {
    let rig = rig();
    rig.upstream
        .always(sse(&chat_events("m", &["a", "b", "c"])));
    let asks = (0..200).map(|_| async { all(rig.ask(true).await.unwrap()).await.unwrap() });
    let answers = futures_util::future::join_all(asks).await;
    assert!(answers.iter().all(|a| a.ends_with(b"data: [DONE]\n\n")));
}
