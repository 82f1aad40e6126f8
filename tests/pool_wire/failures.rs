//! Each failure has its owner, and what is cut or silent is a failure.

use super::*;

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
