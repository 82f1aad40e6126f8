use super::*;
use crate::chat::Edits;
use proptest::prelude::*;

fn parse(body: &str) -> Result<ChatBody, Error> {
    ChatBody::parse(Bytes::copy_from_slice(body.as_bytes()))
}

fn at(body: &ChatBody, span: &Range<usize>) -> String {
    String::from_utf8(body.bytes[span.clone()].to_vec()).unwrap()
}

/// The field and the detail of a body that is refused.
fn refused(body: &[u8]) -> (String, String) {
    let error = ChatBody::parse(Bytes::copy_from_slice(body)).err().unwrap();
    assert_eq!(error.status(), 400);
    (error.field().unwrap().to_owned(), error.to_string())
}

#[test]
fn spans_point_at_what_came() {
    let body = parse(
        r#" {"x":{"messages":1}, "mod\u0065l" : "a\"b", "messages" : [ {"role":"developer","content":"sys"},
        {"content":[{"type":"text","text":"hi"}],"role":"user","name":"n"},
        {"role":"assistant","content":null,"tool_calls":[]}, {"role":"tool","content":""}, {"role":"assistant","tool_calls":[1]} ],
        "stream": true, "stream_options": {"include_usage": true, "z": 1} } "#,
    )
    .unwrap();
    let (model, span) = body.model.clone().unwrap();
    assert_eq!(
        (model.as_str(), at(&body, &span).as_str()),
        ("a\"b", r#""a\"b""#)
    );
    assert!(body.stream && body.include_usage);
    assert_eq!(&body.bytes[..body.head], b" {");
    assert_eq!(body.bytes[body.inside.start - 1], b'[');
    assert_eq!(body.bytes[body.inside.end], b']');
    let roles: Vec<_> = body.messages.iter().map(|m| m.role).collect();
    use Role::*;
    assert_eq!(roles, [System, User, Assistant, Other, Assistant]);
    assert!(matches!(&body.messages[0].content, Content::Text(s) if at(&body, s) == r#""sys""#));
    assert!(
        matches!(&body.messages[1].content, Content::Parts(s) if at(&body, s).starts_with('['))
    );
    assert!(matches!(&body.messages[2].content, Content::Null(s) if at(&body, s) == "null"));
    assert_eq!(body.messages[4].content, Content::None);
}

#[test]
fn what_is_wrong_is_named_and_never_quoted() {
    let m = |messages: &str| format!(r#"{{"messages":{messages}}}"#);
    for (body, field) in [
        ("".into(), "body"),
        ("secret".into(), "body"),
        ("\"secret\"".into(), "body"),
        ("[1,2]".into(), "body"),
        (r#"{"messages":["#.into(), "body"),
        (
            r#"{"messages":[{"role":"user","content":"hi"}]} secret"#.into(),
            "body",
        ),
        ("\u{FEFF}{}".into(), "body"),
        ("{}".into(), "messages"),
        (m("null"), "messages"),
        (m("{}"), "messages"),
        (m("[]"), "messages"),
        (m(r#"["secret"]"#), "messages[0]"),
        (m(r#"[["user","secret"]]"#), "messages[0]"),
        (
            m(r#"[{"role":"user","content":""},{"content":"x"}]"#),
            "messages[1].role",
        ),
        (m(r#"[{"role":null,"content":"x"}]"#), "messages[0].role"),
        (
            m(r#"[{"role":{"secret":1},"content":"x"}]"#),
            "messages[0].role",
        ),
        (m(r#"[{"role":"user"}]"#), "messages[0].content"),
        (m(r#"[{"role":"assistant"}]"#), "messages[0].content"),
        (
            m(r#"[{"role":"user","content":{"secret":1}}]"#),
            "messages[0].content",
        ),
        (
            m(r#"[{"role":"user","content":true}]"#),
            "messages[0].content",
        ),
        (
            m(r#"[{"role":"user","content":"a","content":"b"}]"#),
            "messages[0].content",
        ),
        (r#"{"messages":[],"messages":[]}"#.into(), "messages"),
        (
            r#"{"model":null,"messages":[{"role":"user","content":""}]}"#.into(),
            "model",
        ),
        (
            r#"{"model":["secret"],"messages":[{"role":"user","content":""}]}"#.into(),
            "model",
        ),
        (
            r#"{"stream":"secret","messages":[{"role":"user","content":""}]}"#.into(),
            "stream",
        ),
    ] {
        let (named, detail) = refused(body.as_bytes());
        assert_eq!(named, field, "{body}: {detail}");
        assert!(!detail.contains("secret"), "{detail}");
    }
    assert_eq!(
        refused(b"{\"messages\":\n  oh}").1,
        "the body is not JSON (line 2, column 3)"
    );
    assert_eq!(
        refused(b"{\"x\":\"\xff\"}").1,
        "the body is not UTF-8 (at byte 6)"
    );
    assert!(parse(r#"{"stream":null,"messages":[{"role":"x","content":[]}]}"#).is_ok());
}

#[test]
fn texts_are_unescaped_and_media_are_named() {
    let body = parse(
        r#"{"messages":[{"role":"user","content":"a\n\u4f60\ud83d\ude00 \ud83d."},
        {"role":"user","content":["bare",{"type":"text","text":"t"},{"type":"image_url","image_url":{"url":"data:x"}},
          {"type":"input_audio"},{"type":"file","file":{}},{"type":"tool_result","text":"no"},{"type":"text","text":7},{"text":"u"},9]},
        {"role":"user","content":[]},{"role":"user","content":null}]}"#,
    )
    .unwrap();
    let texts: Vec<_> = body.messages.iter().map(|m| body.text_of(m)).collect();
    let wanted = "a\n你😀 ";
    assert!(
        texts[0].starts_with(wanted) && texts[0].ends_with("\u{FFFD}."),
        "{}",
        texts[0]
    );
    assert_eq!(texts[1], "bare\nt\n[image]\n[file]\n[file]\nu");
    assert_eq!(&texts[2..], ["", ""]);
}

/// Prints rather than asserts, for machines differ: `cargo test --release … -- --ignored`.
#[test]
#[ignore = "a measurement"]
fn how_long_a_large_request_takes() {
    let said = "The quick brown fox said \\\"hello\\\" and 你好世界 to nobody.\\n".repeat(8);
    let one = format!(r#"{{"role":"user","content":"{said}"}}"#);
    let list = vec![one.clone(); 100 * 1024 / one.len()].join(",");
    let bytes = Bytes::from(format!(r#"{{"model":"m","messages":[{list}]}}"#));
    let (start, runs) = (std::time::Instant::now(), 1_000);
    for _ in 0..runs {
        std::hint::black_box(ChatBody::parse(bytes.clone()).unwrap());
    }
    println!(
        "{} bytes: {:?} a parse",
        bytes.len(),
        start.elapsed() / runs
    );
}

/// A request with some bytes of it changed, left out or put in.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let whole = r#"{"model":"m","stream":true,"stream_options":{"include_usage":false},"messages":[
        {"role":"system","content":"a\ud83d\ude00"},{"role":"user","content":[{"type":"text","text":"中"},
        {"type":"image_url","image_url":{"url":"data:,x"}}]},{"role":"assistant","content":null,
        "tool_calls":[{"id":"c"}]},{"role":"tool","content":"x"}]}"#;
    let change = (
        any::<prop::sample::Index>(),
        0..3u8,
        any::<u8>(),
        any::<bool>(),
    );
    prop::collection::vec(change, 0..6).prop_map(move |changes| {
        let mut bytes = whole.as_bytes().to_vec();
        for (at, what, byte, mark) in changes {
            let marks = b"{}[]\",:\\n0";
            let byte = if mark {
                marks[usize::from(byte) % marks.len()]
            } else {
                byte
            };
            match (what, at.index(bytes.len())) {
                (0, at) => bytes[at] = byte,
                (1, at) => drop(bytes.remove(at)),
                (_, at) => bytes.insert(at, byte),
            }
        }
        bytes
    })
}

proptest! {
    #[test]
    fn whatever_comes_is_read_or_refused(bytes in mutated()) {
        let Ok(body) = ChatBody::parse(bytes.into()) else { return Ok(()) };
        let mut edits = Edits::default();
        edits.usage(&body);
        edits.model(&body, "other");
        for message in &body.messages {
            body.text_of(message);
            edits.append(&body, &message.content, "x");
        }
        let edited = edits.apply(&body.bytes);
        let edited = ChatBody::parse(edited).expect("still a request");
        prop_assert_eq!(edited.model.unwrap().0, "other");
    }
}
