//! What was recalled comes back: a client that stores the request as it was sent, a user who
//! pastes it, a model that repeats it. None of it was said by anybody, so none of it is kept, and
//! nothing is ever learnt from it.

use super::tongue::is_heading;
use memchr::memmem;
use std::borrow::Cow;

/// Hexadecimal digits of a fence's tag.
const TAG: usize = super::blocks::TAG;

/// The text without the blocks that a rendering puts in.
pub fn without_recalled(text: &str) -> Cow<'_, str> {
    let mut rest = text;
    let mut out = String::new();
    while let Some((from, to)) = block(rest) {
        out.push_str(rest[..from].trim_end_matches([' ', '\n', '\r']));
        rest = rest[to..].trim_start_matches(['\n', '\r']);
        if !out.is_empty() && !rest.is_empty() {
            out.push_str("\n\n");
        }
    }
    match rest.len() == text.len() {
        true => text.into(),
        false => {
            out.push_str(rest);
            out.into()
        }
    }
}

/// Where the first block is, with the heading before it.
fn block(text: &str) -> Option<(usize, usize)> {
    let bytes = text.as_bytes();
    for at in memmem::find_iter(bytes, "<") {
        let Some(fence) = fence(&text[at + 1..]) else {
            continue;
        };
        let close = format!("</{fence}>");
        let inside = at + 1 + fence.len();
        if let Some(end) = memmem::find(&bytes[inside..], close.as_bytes()) {
            return Some((heading(text, at), inside + end + close.len()));
        }
    }
    None
}

/// `user_profile 0123456789ab`, if that is what begins here.
fn fence(text: &str) -> Option<&str> {
    let (name, rest) = text.split_once(' ')?;
    let named =
        (1..=32).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    let (tag, after) = rest.split_at_checked(TAG)?;
    let hex = tag.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    (named && hex && after.starts_with('>')).then(|| &text[..name.len() + 1 + TAG])
}

/// Where the line before the fence begins, if it is one that introduces a block.
fn heading(text: &str, fence: usize) -> usize {
    let before = text[..fence].trim_end_matches('\n');
    let line = before.rfind('\n').map_or(0, |at| at + 1);
    match is_heading(before[line..].trim()) {
        true => line,
        false => fence,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::tongue::written;

    #[test]
    fn what_was_put_in_is_taken_out() {
        let heading = written([]).memories;
        let block = format!(
            "{heading}\n<memories 0123456789ab>\n- 2026-01-01\n  user: my name is Eve\n</memories 0123456789ab>"
        );
        for (text, wanted) in [
            (format!("{block}\n\nhello"), "hello"),
            (format!("hello\n\n{block}"), "hello"),
            (
                format!("one\n{block}\ntwo\n\n{block}\n\nthree"),
                "one\n\ntwo\n\nthree",
            ),
            (block.replace("memories", "user_profile"), ""),
            ("<notes 0123456789ab>x</notes 0123456789ab> y".into(), " y"),
        ] {
            let text = without_recalled(&text).into_owned();
            assert_eq!(
                text.trim_start_matches(heading).trim_start(),
                wanted.trim_start()
            );
        }
    }

    #[test]
    fn what_only_looks_alike_stays() {
        for text in [
            "a < b and b > c",
            "<memories>\nmy name is Ada\n</memories>",
            "<memories 0123456789ab>\nnever closed",
            "<memories 0123456789xy>a</memories 0123456789xy>",
            "<div class=\"a\">你好</div>",
        ] {
            assert_eq!(without_recalled(text), text);
        }
    }
}
