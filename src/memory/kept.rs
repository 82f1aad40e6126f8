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
}
