//! A backend in Ollama's own dialect, over real sockets: the caller sees OpenAI's.

use crate::support::upstream::{Step, Upstream, chunk, head, http, ndjson, ollama_lines};
use bytes::Bytes;
use futures_util::StreamExt;
use serde_json::{Value, json};
use sundynix::{
    config::{BackendConfig, Config, DialectName},
    error::Error,
    pool::{Answer, Client, Failure, Lease, Pool, Request},
};

struct Rig {
    upstream: Upstream,
    client: Client,
    lease: Lease,
}

fn rig() -> Rig {
    let upstream = Upstream::start();
    let config = Config {
        backend: vec![BackendConfig {
            url: upstream.ollama(),
            dialect: Some(DialectName::Ollama),
            models: vec!["m".into()],
            ..BackendConfig::default()
        }],
        ..Config::default()
    };
    let pool = Pool::new(&config).unwrap();
    Rig {
        upstream,
        client: Client::new(),
        lease: pool.lease("m", &[]).unwrap().unwrap(),
    }
}

impl Rig {
    async fn ask(&self, stream: bool) -> Result<Answer, Failure> {
        let body = json!({"model": "alias", "stream": stream, "max_tokens": 5,
            "messages": [{"role": "user", "content": "hi"}],
            "stream_options": {"include_usage": true}});
        let request = Request {
            model: "m".into(),
            body: body.to_string().into(),
            unedited: None,
            stream,
            show_usage: false,
        };
        let opened = self.client.open(self.lease.backend(), &request).await;
        opened.map(|(answer, _)| answer)
    }
}

async fn all(answer: Answer) -> (String, Option<Error>) {
    let Answer::Stream(mut stream) = answer else {
        panic!("not a stream")
    };
    let mut all = Vec::new();
    while let Some(bytes) = stream.next().await {
        match bytes {
            Ok(bytes) => all.extend_from_slice(&bytes),
            Err(error) => return (String::from_utf8(all).unwrap(), Some(error)),
        }
    }
    (String::from_utf8(all).unwrap(), None)
}

#[actix_web::test]
async fn a_stream_and_a_whole_answer() {
    let rig = rig();
    let lines: String = ollama_lines("m", &["你", "好"])
        .iter()
        .map(|line| format!("{line}\n"))
        .collect();
    let split = vec![
        head("application/x-ndjson"),
        Step::Split(chunk(lines)),
        crate::support::upstream::end(),
    ];
    rig.upstream
        .script(ndjson(&ollama_lines("m", &["你", "好"])))
        .script(split);
    for _ in 0..2 {
        let (sse, error) = all(rig.ask(true).await.unwrap()).await;
        assert!(error.is_none());
        assert!(sse.ends_with("data: [DONE]\n\n"));
        let chunks: Vec<Value> = sse
            .split_terminator("\n\n")
            .filter_map(|event| serde_json::from_str(event.strip_prefix("data: ")?).ok())
            .collect();
        let text: String = chunks
            .iter()
            .filter_map(|c| c["choices"][0]["delta"]["content"].as_str())
            .collect();
        assert_eq!(text, "你好");
        assert_eq!(chunks.last().unwrap()["usage"]["total_tokens"], 7);
    }
    let Answer::Whole(whole) = rig.ask(false).await.unwrap() else {
        panic!("not whole")
    };
    let whole: Value = serde_json::from_slice(&whole).unwrap();
    assert_eq!(whole["choices"][0]["message"]["content"], "Hello");
    let log = rig.upstream.log();
    assert_eq!((log.accepted, log.requests.len()), (1, 3));
    let sent = log.requests[0].json();
    assert_eq!(log.requests[0].path, "/api/chat");
    assert_eq!(
        (&sent["model"], &sent["stream"]),
        (&json!("m"), &json!(true))
    );
    assert_eq!(sent["options"]["num_predict"], 5);
    assert_eq!(log.requests[2].json()["stream"], false);
}

#[actix_web::test]
async fn errors_wherever_they_come() {
    let rig = rig();
    let mut late = ollama_lines("m", &["a"]);
    late[1] = json!({"error": "out of memory"});
    rig.upstream
        .script(ndjson(&late))
        .script(vec![Step::Write(http(
            404,
            "application/json",
            r#"{"error":"model 'm' not found"}"#,
        ))])
        .script(ndjson(&ollama_lines("m", &["a", "b"])[..1]));
    let (sse, error) = all(rig.ask(true).await.unwrap()).await;
    assert!(sse.contains(r#""content":"a""#) && !sse.contains("[DONE]"));
    let error = error.unwrap().to_string();
    assert_eq!(
        error,
        "the backend failed: it answered with an error: out of memory"
    );
    match rig.ask(true).await.err().unwrap().error {
        Error::Refused {
            status: 404,
            message,
            ..
        } => assert_eq!(message, "model 'm' not found"),
        other => panic!("{other:?}"),
    }
    let (sse, cut) = all(rig.ask(true).await.unwrap()).await;
    assert!(matches!(cut, Some(Error::Upstream(_))) && !sse.contains("finish_reason\":\"stop"));
}

#[actix_web::test]
async fn a_dropped_answer_closes_its_connection() {
    let rig = rig();
    let line = format!("{}\n", ollama_lines("m", &["a"])[0]);
    rig.upstream.script(vec![
        head("application/x-ndjson"),
        Step::Write(chunk(line)),
        Step::Hang,
    ]);
    let Answer::Stream(mut stream) = rig.ask(true).await.unwrap() else {
        panic!("not a stream")
    };
    let first: Bytes = stream.next().await.unwrap().unwrap();
    assert!(first.starts_with(b"data: "));
    drop(stream);
    rig.upstream.until(|log| log.closed.len() == 1).await;
}
