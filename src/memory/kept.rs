//! What of a text is kept: at most 16 KiB, head and tail, cut between characters.

/// How much of each side of a turn is kept.
pub const KEPT_BYTES: usize = 16 * 1024;

const GAP: &str = "\n[…]\n";

/// The text as it is kept.
pub fn kept(text: &str) -> String {
    if text.len() <= KEPT_BYTES {
        return text.to_owned();
    }
    let half = (KEPT_BYTES - GAP.len()) / 2;
    let head = text.floor_char_boundary(half);
    let tail = text.ceil_char_boundary(text.len() - half);
    [&text[..head], GAP, &text[tail..]].concat()
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
