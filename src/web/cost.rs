//! What looking at a request and at a stream costs, without a network: run
//! `cargo test --release --lib web::cost -- --ignored --nocapture`.

use super::{
    chunk::{Event, Transcript, judge},
    frame::{Framer, data},
};
use crate::{
    chat::{ChatBody, Edits, Secret, news},
    memory::UserKey,
};
use bytes::Bytes;
use std::{hint::black_box, time::Instant};

/// Prints the best of some rounds: the others were disturbed.
fn report(what: &str, each: usize, mut round: impl FnMut()) {
    let time = |_| {
        let start = Instant::now();
        round();
        start.elapsed().as_nanos() / each as u128
    };
    let best = (0..200).map(time).min().unwrap_or_default();
    println!("{what}: {best} ns");
}

fn event(i: usize) -> String {
    let head = r#"data: {"id":"chatcmpl-00000000000000000000000000000abc","object":"chat.completion.chunk","created":1700000000,"model":"mock-t100-p0","choices":[{"index":0,"delta":{"content":""#;
    format!(
        "{head} w{:03}\"}},\"logprobs\":null,\"finish_reason\":null,\"token_ids\":null}}]}}\n\n",
        i % 1000
    )
}

#[test]
#[ignore = "a measurement"]
fn an_event() {
    for per_read in [1usize, 8] {
        let read = |r| -> String { (0..per_read).map(|i| event(r * per_read + i)).collect() };
        let reads: Vec<Bytes> = (0..512 / per_read).map(|r| Bytes::from(read(r))).collect();
        report(&format!("cut, {per_read} a read"), 512, || {
            let (mut framer, mut ends) = (Framer::default(), Vec::new());
            for read in &reads {
                ends.clear();
                black_box(framer.feed(read.clone(), &mut ends).ok());
            }
        });
        for keep in [false, true] {
            let what = if keep {
                "cut, judge and keep"
            } else {
                "cut and judge"
            };
            report(&format!("{what}, {per_read} a read"), 512, || {
                black_box(relay(&reads, keep));
            });
        }
    }
}

fn relay(reads: &[Bytes], keep: bool) -> String {
    let (mut framer, mut ends) = (Framer::default(), Vec::new());
    let mut transcript = Transcript::default();
    for read in reads {
        ends.clear();
        let whole = framer.feed(read.clone(), &mut ends).unwrap_or_default();
        let mut from = 0;
        for &end in &ends {
            let data = data(&whole.slice(from..end)).unwrap_or_default();
            if matches!(judge(&data), Event::Plain) && keep {
                transcript.note(data);
            }
            from = end;
        }
    }
    transcript.take()
}

#[test]
#[ignore = "a measurement"]
fn a_request() {
    let said = "what a user says, in some forty words ".repeat(6);
    let body = serde_json::json!({
        "model": "m", "temperature": 0.7, "max_tokens": 128, "stream": true,
        "messages": [
            {"role": "system", "content": "You are a helpful assistant."},
            {"role": "user", "content": said},
        ],
    });
    let body = Bytes::from(body.to_string());
    let read = || ChatBody::parse(body.clone()).expect("a chat request");
    report("read a request", 100, || {
        (0..100).for_each(|_| drop(black_box(read())));
    });
    let (chat, user) = (read(), UserKey::local("bench-00000001"));
    let secret = Secret([7; 32]);
    report("find out what is new", 100, || {
        (0..100).for_each(|_| drop(black_box(news(&secret, &user, None, &chat))));
    });
    let profile = "- language: English\n- tone: concise\n".repeat(4);
    report("put two texts in", 100, || {
        for _ in 0..100 {
            let mut edits = Edits::default();
            edits.append(&chat, &chat.messages[0].content, &profile);
            edits.prepend(&chat, &chat.messages[1].content, &profile);
            black_box(edits.apply(&chat.bytes));
        }
    });
}
