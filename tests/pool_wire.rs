//! How backends are spoken to, over real sockets: bytes pass through, a dropped answer closes its
//! connection, a connection that went stale is no failure, and each error has the right owner.

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
async fn each_failure_has_its_owner() {
    let json = "application/json";
    let openai =
        r#"{"error":{"message":"too long","type":"t","code":"context_length","param":"messages"}}"#;
    let key = r#"{"error":"bad key sk-own"}"#;
    for (status, kind, body, error, elsewhere) in [
        (
            400,
            json,
            openai,
            "the backend refused the request: too long",
            false,
        ),
        (
            404,
            "text/plain",
            "no such model",
            "the backend refused the request: no such model",
            true,
        ),
        (
            422,
            json,
            r#"{"detail":[{"msg":"bad"}]}"#,
            "the backend refused the request: bad",
            false,
        ),
        (
            429,
            json,
            r#"{"message":"slow"}"#,
            "the backend refused the request: slow",
            true,
        ),
        (
            401,
            json,
            key,
            "the backend failed: it refused our credentials; check its `api_key`",
            true,
        ),
        (
            403,
            json,
            key,
            "the backend failed: it refused our credentials; check its `api_key`",
            true,
        ),
        (
            500,
            json,
            r#"{"error":"boom"}"#,
            "the backend failed: it answered 500: boom",
            true,
        ),
        (
            502,
            "text/html",
            "<html>",
            "the backend failed: it answered 502",
            true,
        ),
        (
            307,
            "text/html",
            "",
            "the backend failed: it answered 307; redirects are not followed",
            true,
        ),
        (
            200,
            json,
            r#"{"error":"boom"}"#,
            "the backend failed: it answered with an error: boom",
            true,
        ),
        (
            200,
            json,
            r#"{"object":"error","message":"boom"}"#,
            "the backend failed: it answered with an error: boom",
            true,
        ),
        (
            200,
            "text/html",
            "<html>",
            "the backend failed: it answered with 'text/html'",
            true,
        ),
    ] {
        for stream in [true, false] {
            let rig = rig();
            rig.upstream
                .script(vec![Step::Write(http(status, kind, body))]);
            let failure = rig.fail(stream).await;
            assert_eq!(failure.error.to_string(), error);
            assert_eq!(failure.elsewhere, elsewhere, "{error}");
            let last = rig.pool.status()[0].last_error.clone().unwrap_or_default();
            assert!(!last.contains("boom") && !last.contains("sk-own"), "{last}");
        }
    }
    let rig = rig();
    rig.upstream
        .script(vec![Step::Write(http(400, json, openai))]);
    match rig.fail(true).await.error {
        Error::Refused {
            status,
            code,
            param,
            ..
        } => {
            assert_eq!(status, 400);
            assert_eq!(code.as_deref(), Some("context_length"));
            assert_eq!(param.as_deref(), Some("messages"));
        }
        other => panic!("{other:?}"),
    }
    // A refusal is the caller's, not the backend's.
    assert_eq!(rig.pool.status()[0].failed, 0);
}

#[actix_web::test]
async fn a_cut_answer_is_never_taken_for_a_whole_one() {
    let body = chat_whole("m", "a long answer").to_string();
    let half = &body[..body.len() / 2];
    let length = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{half}",
        body.len()
    );
    let cut: Vec<Vec<Step>> = vec![
        vec![Step::Write(length.into()), Step::Close],
        vec![
            head("application/json"),
            Step::Write(chunk(half)),
            Step::Close,
        ],
        vec![
            head("application/json"),
            Step::Write(chunk(half)),
            Step::Reset,
        ],
    ];
    for script in cut {
        let rig = rig();
        rig.upstream.script(script);
        let failure = rig.fail(false).await;
        assert!(matches!(failure.error, Error::Upstream(_)), "{failure:?}");
        assert_eq!(rig.pool.status()[0].failed, 1);
    }
    let rig = rig();
    let event = chunk("data: {}\n\n");
    rig.upstream.script(vec![
        head("text/event-stream"),
        Step::Write(event),
        Step::Reset,
    ]);
    let broken = all(rig.ask(true).await.unwrap()).await;
    assert!(matches!(broken, Err(Error::Upstream(_))), "{broken:?}");
}

#[actix_web::test]
async fn silence_ends() {
    let rig = rig_with(|pool| pool.first_token_timeout_s = 1);
    rig.upstream
        .script(vec![Step::Hang])
        .script(vec![head("text/event-stream"), Step::Hang]);
    let before_head = rig.fail(true).await.error;
    assert!(matches!(before_head, Error::Timeout("the first token")));
    match rig.ask(true).await {
        Ok(answer) => {
            let before_token = all(answer).await;
            assert!(matches!(
                before_token,
                Err(Error::Timeout("the first token"))
            ));
        }
        // A machine so slow that the head came late.
        Err(failure) => assert!(matches!(failure.error, Error::Timeout(_))),
    }
    rig.upstream.until(|log| log.closed.len() == 2).await;
    let rig = rig_with(|pool| pool.idle_timeout_s = 1);
    let event = Step::Write(chunk("data: {}\n\n"));
    rig.upstream
        .script(vec![head("text/event-stream"), event, Step::Hang]);
    let after_token = all(rig.ask(true).await.unwrap()).await;
    assert!(matches!(after_token, Err(Error::Timeout("the next token"))));
    rig.upstream.until(|log| log.closed.len() == 1).await;
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
