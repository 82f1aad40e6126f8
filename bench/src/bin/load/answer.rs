//! Reading one answer and checking all of it: status, text token by token, usage and `[DONE]`.

use crate::{
    Tally,
    client::{Body, Connection},
    job::{Mode, Plan},
};
use bench::WORDS;
use serde::Deserialize;
use std::{borrow::Cow, cell::RefCell, time::Instant};

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    choices: Vec<Choice<'a>>,
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    /// `delta` in a stream, else `message`.
    #[serde(borrow, alias = "message")]
    delta: Message<'a>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    content: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Usage {
    prompt_tokens: u64,
    completion_tokens: u64,
}

/// Sends one request and reads its answer; false: the connection is used up.
pub async fn ask(
    plan: &Plan,
    tally: &RefCell<Tally>,
    connection: &mut Connection,
) -> Result<bool, String> {
    let begun = Instant::now();
    connection.send(&plan.request()).await?;
    let mut head = connection.head().await?;
    let mut data = Vec::new();
    if head.status != 200 || plan.job.mode == Mode::Chat {
        while !connection.decode(&mut head.body, &mut data)? {
            connection.fill().await?;
        }
        if head.status != 200 {
            let said = String::from_utf8_lossy(&data);
            return Err(format!("status {}: {said}", head.status));
        }
        whole(plan, &data)?;
        tally.borrow_mut().tokens += plan.tokens as u64;
    } else {
        stream(plan, tally, connection, &mut head.body, begun).await?;
    }
    tally.borrow_mut().answered(begun.elapsed());
    Ok(!head.close)
}

fn whole(plan: &Plan, data: &[u8]) -> Result<(), String> {
    let answer = parse(data)?;
    let text = answer
        .choices
        .first()
        .and_then(|c| c.delta.content.as_deref());
    if text != Some(&plan.text) {
        return Err(format!("another text: {text:?}"));
    }
    check(plan, answer.usage)
}

fn check(plan: &Plan, usage: Option<Usage>) -> Result<(), String> {
    let usage = usage.ok_or("no usage")?;
    if usage.completion_tokens != plan.tokens as u64 {
        return Err(format!("usage says {} tokens", usage.completion_tokens));
    }
    let (prompt, ours) = (usage.prompt_tokens, plan.prompt);
    if prompt < ours || (prompt > ours) != plan.job.grows {
        return Err(format!("a prompt of {prompt} tokens, and ours has {ours}"));
    }
    Ok(())
}

fn parse(data: &[u8]) -> Result<Answer<'_>, String> {
    serde_json::from_slice(data).map_err(|e| format!("{e}: {}", String::from_utf8_lossy(data)))
}

/// What of a stream has come.
#[derive(Default)]
struct Heard {
    tokens: usize,
    bytes: usize,
    usage: Option<Usage>,
    done: bool,
}

async fn stream(
    plan: &Plan,
    tally: &RefCell<Tally>,
    connection: &mut Connection,
    body: &mut Body,
    begun: Instant,
) -> Result<(), String> {
    let (mut data, mut heard, mut last) = (Vec::new(), Heard::default(), begun);
    loop {
        let end = connection.decode(body, &mut data)?;
        let (now, mut from) = (Instant::now(), 0);
        while let Some(n) = memchr::memchr(b'\n', &data[from..]) {
            let line = &data[from..from + n];
            from += n + 1;
            // Anything else is a comment or a blank line.
            let Some(event) = line.strip_prefix(b"data: ") else {
                continue;
            };
            let before = heard.tokens;
            listen(plan, &mut heard, event)?;
            if heard.tokens > before {
                tally.borrow_mut().token(before == 0, now - last);
                last = now;
            }
        }
        data.drain(..from);
        if end {
            break;
        }
        connection.fill().await?;
    }
    if heard.bytes != plan.text.len() || !heard.done {
        let (bytes, done) = (heard.bytes, heard.done);
        return Err(format!("ended after {bytes} bytes of text, [DONE]: {done}"));
    }
    check(plan, heard.usage)
}

fn listen(plan: &Plan, heard: &mut Heard, event: &[u8]) -> Result<(), String> {
    if heard.done {
        return Err("an event after [DONE]".into());
    }
    if event == b"[DONE]" {
        heard.done = true;
        return Ok(());
    }
    let answer = parse(event)?;
    heard.usage = answer.usage.or(heard.usage.take());
    let text = answer
        .choices
        .first()
        .and_then(|c| c.delta.content.as_deref());
    let Some(text) = text.filter(|t| !t.is_empty()) else {
        return Ok(());
    };
    let expected = match plan.job.mode {
        Mode::Hold => text.trim_start() == WORDS[heard.tokens % WORDS.len()],
        _ => plan.text[heard.bytes..].starts_with(text),
    };
    if !expected {
        return Err(format!("token {} is {text:?}", heard.tokens));
    }
    heard.bytes += text.len();
    heard.tokens += 1;
    Ok(())
}
