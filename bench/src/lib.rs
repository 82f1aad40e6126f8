//! What the mock upstream and the load generator agree on: the text of every answer, so that what
//! one sends the other can check, and the shape of an answer, which its model's name carries.

use std::time::Duration;

/// Token `i` of every answer is word `i % 64`, after a space (but the first): a gateway cannot
/// drop, repeat or reorder one unseen.
pub const WORDS: [&str; 64] = [
    "the", "a", "model", "of", "and", "to", "in", "is", "it", "that", "for", "was", "on", "are",
    "with", "as", "be", "this", "have", "from", "or", "one", "had", "by", "word", "but", "not",
    "what", "all", "were", "we", "when", "your", "can", "said", "there", "use", "an", "each",
    "which", "she", "do", "how", "their", "if", "will", "up", "other", "about", "out", "many",
    "then", "them", "these", "so", "some", "her", "would", "make", "like", "him", "into", "time",
    "has",
];

/// Adds token `i` of an answer.
pub fn push_token(text: &mut String, i: usize) {
    if i > 0 {
        text.push(' ');
    }
    text.push_str(WORDS[i % WORDS.len()]);
}

/// An answer of `tokens` tokens.
pub fn answer(tokens: usize) -> String {
    let mut text = String::new();
    (0..tokens).for_each(|i| push_token(&mut text, i));
    text
}

/// How long an answer is and how fast it comes: `mock-t100-p20` is 100 tokens, 20 ms apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// How many tokens.
    pub tokens: usize,
    /// Between two of them; none before the first.
    pub pause: Duration,
}

impl Shape {
    /// The shape that a model's name carries.
    pub fn of(model: &str) -> Option<Shape> {
        let (tokens, pause) = model.strip_prefix("mock-t")?.split_once("-p")?;
        Some(Shape {
            tokens: tokens.parse().ok()?,
            pause: Duration::from_millis(pause.parse().ok()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_name_is_a_shape() {
        let shape = Shape::of("mock-t100-p20").unwrap();
        assert_eq!((shape.tokens, shape.pause.as_millis()), (100, 20));
        assert_eq!(Shape::of("gpt-5"), None);
        assert_eq!(answer(3), "the a model");
    }
}
