//! What of a text is kept: at most 16 KiB, head and tail, cut between characters; without what
//! recall had put into it, and without secrets.

use super::masked;
use crate::prompt::without_recalled;
use std::borrow::Cow;

/// How much of each side of a turn is kept.
pub const KEPT_BYTES: usize = 16 * 1024;

const GAP: &str = "\n[…]\n";

/// The text as it is kept.
pub fn kept(text: &str) -> String {
    let text = without_recalled(text);
    let cut = cut(&text);
    match masked(&cut) {
        Cow::Borrowed(_) => cut.into_owned(),
        Cow::Owned(masked) => self::cut(&masked).into_owned(),
    }
}

fn cut(text: &str) -> Cow<'_, str> {
    if text.len() <= KEPT_BYTES {
        return text.into();
    }
    let half = (KEPT_BYTES - GAP.len()) / 2;
    let head = text.floor_char_boundary(half);
    let tail = text.ceil_char_boundary(text.len() - half);
    [&text[..head], GAP, &text[tail..]].concat().into()
}

/// A text that arrives in pieces, kept as [`kept`] would, without holding all of it.
#[derive(Default)]
pub struct KeptText {
    head: String,
    tail: String,
    /// Something between head and tail was let go.
    cut: bool,
}

impl KeptText {
    /// The next piece.
    pub fn push(&mut self, piece: &str) {
        let room = match self.tail.is_empty() {
            true => piece.floor_char_boundary(KEPT_BYTES - self.head.len()),
            false => 0,
        };
        self.head.push_str(&piece[..room]);
        self.tail.push_str(&piece[room..]);
        if self.tail.len() > 4 * KEPT_BYTES {
            let from = self.tail.ceil_char_boundary(self.tail.len() - KEPT_BYTES);
            self.tail.drain(..from);
            self.cut = true;
        }
    }

    /// What is kept of all pieces.
    pub fn finish(self) -> String {
        let gap = if self.cut { GAP } else { "" };
        kept(&[&self.head, gap, &self.tail].concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_keeps_head_and_tail() {
        assert_eq!(kept("short"), "short");
        let long = format!("开始{}结束", "字".repeat(10_000));
        let cut = kept(&long);
        assert!(cut.len() <= KEPT_BYTES);
        assert!(cut.starts_with("开始") && cut.ends_with("结束") && cut.contains("[…]"));
    }

    #[test]
    fn secrets_and_what_was_recalled_are_not_kept() {
        let block = "<memories 0123456789ab>\n  user: my name is Eve\n</memories 0123456789ab>";
        let text = format!("{block}\n\nmy password is hunter2");
        assert_eq!(kept(&text), "my password is [masked]");
        let long = format!("{} pwd=x12", "密码：x12 ".repeat(4_000));
        let once = kept(&long);
        assert!(once.len() <= KEPT_BYTES && !once.contains("：x12"));
    }

    #[test]
    fn a_private_key_is_not_kept_in_part() {
        let line = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\n";
        for before in [3_000, 4_100, 6_000] {
            let key = [
                "-----BEGIN PRIVATE KEY-----\n",
                &line.repeat(140),
                "-----END PRIVATE KEY-----",
            ];
            let text = format!("{}{} ok?", "a ".repeat(before), key.concat());
            let kept = kept(&text);
            assert!(
                !kept.contains("MII") && !kept.contains("Us8cKj"),
                "{before}: {kept}"
            );
            assert!(kept.ends_with("[masked] ok?"));
        }
    }

    #[test]
    fn pieces_are_kept_as_the_whole_would_be() {
        for times in [1, 3_000, 200_000] {
            let mut pieces = KeptText::default();
            pieces.push("开始");
            (0..times).for_each(|_| pieces.push("字"));
            pieces.push("结束");
            let whole = format!("开始{}结束", "字".repeat(times));
            assert_eq!(pieces.finish(), kept(&whole));
        }
    }
}
