use super::*;
use proptest::prelude::*;

fn lines() -> String {
    let message = |m: Value| json!({"model": "m", "created_at": "x", "message": m, "done": false});
    let call = json!({"function": {"name": "f", "arguments": {"城市": "上海", "n": 1.0}}});
    let all = [
        message(json!({"role": "assistant", "content": "", "thinking": "hm\n"})),
        message(json!({"role": "assistant", "content": "你好 \u{1F600}\u{2028}"})),
        message(json!({"role": "assistant", "content": "", "tool_calls": [call, call]})),
        json!({"model": "m", "message": {"role": "assistant", "content": ""}, "done": true,
            "done_reason": "stop", "prompt_eval_count": 5, "eval_count": 7}),
    ];
    all.iter().map(|line| format!("{line}\n")).collect()
}

fn translate(parts: &[&[u8]]) -> Result<Vec<Value>, Error> {
    let mut translator = Translator::new(Chunks::new("m"), true);
    let mut out = BytesMut::new();
    for part in parts {
        translator.feed(part, &mut out)?;
    }
    translator.end(&mut out)?;
    let sse = String::from_utf8(out.to_vec()).unwrap();
    let events: Vec<_> = sse.split_terminator("\n\n").collect();
    assert_eq!(*events.last().unwrap(), "data: [DONE]");
    let chunk = |event: &&str| {
        let mut chunk: Value = serde_json::from_str(event.strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!(chunk["object"], "chat.completion.chunk");
        assert!(chunk["id"].as_str().unwrap().starts_with("chatcmpl-"));
        // Made up anew each time.
        if let Some(call) = chunk.pointer_mut("/choices/0/delta/tool_calls/0") {
            assert!(call["id"].as_str().unwrap().starts_with("call_"));
            call["id"] = Value::Null;
        }
        match chunk["choices"].get(0) {
            Some(choice) => choice.clone(),
            None => chunk["usage"].clone(),
        }
    };
    Ok(events[..events.len() - 1].iter().map(chunk).collect())
}

fn expected() -> Vec<Value> {
    let delta = |delta: Value| json!({"index": 0, "delta": delta, "finish_reason": null});
    let call = |at: usize| {
        let arguments = r#"{"n":1.0,"城市":"上海"}"#;
        delta(
            json!({"tool_calls": [{"index": at, "id": null, "type": "function",
            "function": {"name": "f", "arguments": arguments}}]}),
        )
    };
    vec![
        delta(json!({"role": "assistant", "content": ""})),
        delta(json!({"reasoning_content": "hm\n"})),
        delta(json!({"content": "你好 \u{1F600}\u{2028}"})),
        call(0),
        call(1),
        json!({"index": 0, "delta": {}, "finish_reason": "tool_calls"}),
        json!({"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}),
    ]
}

#[test]
fn lines_become_chunks() {
    assert_eq!(translate(&[lines().as_bytes()]).unwrap(), expected());
}

proptest! {
    #[test]
    fn wherever_they_are_cut(cuts in prop::collection::vec(0usize..1000, 0..12)) {
        let lines = lines().into_bytes();
        let mut cuts: Vec<_> = cuts.into_iter().map(|c| c % (lines.len() + 1)).collect();
        cuts.extend([0, lines.len()]);
        cuts.sort_unstable();
        let parts: Vec<_> = cuts.windows(2).map(|w| &lines[w[0]..w[1]]).collect();
        prop_assert_eq!(translate(&parts).unwrap(), expected());
    }
}

#[test]
fn byte_by_byte() {
    let lines = lines();
    let bytes: Vec<_> = lines.as_bytes().chunks(1).collect();
    assert_eq!(translate(&bytes).unwrap(), expected());
}

#[test]
fn errors_and_ends() {
    let said = |body: &str| translate(&[body.as_bytes()]).unwrap_err().to_string();
    let token = r#"{"message":{"content":"a"},"done":false}"#;
    assert_eq!(
        said(&format!("{token}\n{{\"error\":\"out of memory\"}}\n")),
        "the backend failed: it answered with an error: out of memory"
    );
    let broke_off = "the backend failed: it broke off in the middle of its answer";
    assert_eq!(said(&format!("{token}\n")), broke_off);
    assert_eq!(said(""), broke_off);
    assert!(said("<html>\n").contains("not Ollama's dialect"));
    let length = r#"{"message":{"content":"a"},"done":true,"done_reason":"length"}"#;
    let chunks = translate(&[length.as_bytes(), b"\n{\"late\":1}\n"]).unwrap();
    assert_eq!(chunks[2]["finish_reason"], "length");
}

#[test]
fn a_whole_answer() {
    let body = json!({"model": "m", "message": {"role": "assistant", "content": "",
        "thinking": "hm", "tool_calls": [{"id": "c1", "function": {"name": "f",
        "arguments": {"a": 1}}}]}, "done": true, "done_reason": "stop",
        "prompt_eval_count": 3, "eval_count": 4});
    let whole = whole(&Chunks::new("m"), body.to_string().as_bytes()).unwrap();
    let whole: Value = serde_json::from_slice(&whole).unwrap();
    assert_eq!(whole["object"], "chat.completion");
    assert_eq!(
        whole["choices"][0]["message"],
        json!({"role": "assistant", "content": null, "reasoning_content": "hm",
            "tool_calls": [{"id": "c1", "type": "function",
                "function": {"name": "f", "arguments": "{\"a\":1}"}}]})
    );
    assert_eq!(whole["choices"][0]["finish_reason"], "tool_calls");
    assert_eq!(whole["usage"]["total_tokens"], 7);
}

/// Lines that an Ollama sends, and some that none does.
fn soup() -> impl Strategy<Value = Vec<u8>> {
    let mut pieces: Vec<String> = lines().lines().map(|line| format!("{line}\n")).collect();
    pieces.extend([
        "{\"message\":{\"content\":\"a\"}}\r\n".into(),
        "{\"error\":\"out of memory\"}\n".into(),
        "{\"error\":null,\"message\":null}\n".into(),
        "\n \n".into(),
        "{\"message\":".into(),
        "{}\n".into(),
        "中".into(),
    ]);
    let piece = prop_oneof![
        8 => prop::sample::select(pieces).prop_map(String::into_bytes),
        1 => any::<u8>().prop_map(|byte| vec![byte]),
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn whatever_comes_however_it_is_cut(
        soup in soup(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..9),
    ) {
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(soup.len() + 1)).collect();
        cuts.extend([0, soup.len()]);
        cuts.sort_unstable();
        let parts: Vec<_> = cuts.windows(2).map(|w| &soup[w[0]..w[1]]).collect();
        let said = |parts: &[&[u8]]| translate(parts).map_err(|e| e.to_string());
        prop_assert_eq!(said(&parts), said(&[&soup]));
        let _ = whole(&Chunks::new("m"), &soup);
    }
}
