//! Heads that HTTP/1.1 allows and that few servers write.

use super::*;

fn write(text: String) -> Step {
    Step::Write(text.into())
}

#[actix_web::test]
async fn an_answer_that_ends_with_its_connection_is_read_to_its_end() {
    let rig = rig();
    let events: String = chat_events("m", &["a", "b"])
        .iter()
        .map(|event| format!("data: {event}\n\n"))
        .collect();
    let events = events + "data: [DONE]\n\n";
    let line_ends = ["\r\n", "\n"];
    for line_end in line_ends {
        let head = ["HTTP/1.1 200 OK", "Content-Type: text/event-stream", "", ""].join(line_end);
        let script = vec![write(head), write(events.clone()), Step::Close];
        rig.upstream.script(script);
        let read = all(rig.ask(true).await.unwrap()).await.unwrap();
        assert_eq!(String::from_utf8(read).unwrap(), events);
    }
    let whole_answer = chat_whole("m", "x").to_string();
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n";
    rig.upstream
        .script(vec![write(format!("{head}{whole_answer}")), Step::Close]);
    assert_eq!(whole(rig.ask(false).await.unwrap()), whole_answer);
    assert_eq!(rig.upstream.log().accepted, line_ends.len() + 1);
}

/// Taken for the answer, it would leave the real one to whoever has the connection next.
#[actix_web::test]
async fn interim_answers_are_not_the_answer() {
    let rig = rig();
    for name in ["first", "second"] {
        let early = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n";
        rig.upstream.script(vec![
            Step::Split(early.into()),
            Step::Write(ok(&chat_whole("m", name))),
        ]);
        let answer = whole(rig.ask(false).await.unwrap());
        assert_eq!(answer, chat_whole("m", name).to_string());
    }
    assert_eq!(rig.upstream.log().accepted, 1);
}
