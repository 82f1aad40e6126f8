//! Sentences and their clauses, as byte ranges of a message. A statement stands at the start of a
//! clause; what kind of sentence it is in decides whether it is one.

use super::{normal::is_han, plain::Plain};
use std::ops::Range;

/// How a sentence ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// A full stop, an exclamation mark, a semicolon, the end of a line.
    Stop,
    /// A question mark.
    Question,
    /// A colon: what follows is introduced, not said.
    Colon,
}

/// One sentence.
#[derive(Debug)]
pub struct Sentence {
    /// Its clauses, between commas, dashes and brackets.
    pub clauses: Vec<Range<usize>>,
    /// How it ends.
    pub end: End,
    /// The line it stands on, blank ones not counted.
    pub line: usize,
    /// The line is an item of a list.
    pub item: bool,
}

impl Sentence {
    /// From its first to its last byte.
    pub fn range(&self) -> Range<usize> {
        match (self.clauses.first(), self.clauses.last()) {
            (Some(first), Some(last)) => first.start..last.end,
            _ => 0..0,
        }
    }
}

/// What a character does to the sentence it stands in.
enum Cut {
    Sentence(End),
    Clause,
    No,
}

/// The sentences of a message, and how many lines they stand on.
pub fn sentences(plain: &Plain) -> (Vec<Sentence>, usize) {
    let (mut all, mut at, mut count) = (Vec::new(), 0, 0);
    for line in plain.shadow.split_inclusive('\n') {
        let (from, to) = (at, at + line.trim_end().len());
        at += line.len();
        let body = line.trim();
        if body.chars().any(char::is_alphanumeric) {
            let start = from + line.len() - line.trim_start().len() + bullet(body);
            let item = bullet(body) > 0;
            let first = all.len();
            split(&plain.shadow, start..to.max(start), &mut all);
            all[first..].iter_mut().for_each(|s| {
                s.line = count;
                s.item = item;
            });
            count += 1;
        }
    }
    (all, count)
}

/// The length of `- `, `* `, `1. ` and the like.
fn bullet(line: &str) -> usize {
    let mark = line.trim_start_matches(|c: char| c.is_ascii_digit());
    let rest = if mark.len() < line.len() {
        mark.strip_prefix(['.', ')', '、', '）'])
    } else {
        line.strip_prefix(['-', '*', '•', '·'])
    };
    match rest {
        Some(rest) if rest.starts_with([' ', '\t']) || line.contains(['、', '）']) => {
            line.len() - rest.trim_start().len()
        }
        _ => 0,
    }
}

fn split(shadow: &str, line: Range<usize>, all: &mut Vec<Sentence>) {
    let mut clauses = Vec::new();
    let mut start = line.start;
    let mut pending: Option<End> = None;
    let close = |clauses: &mut Vec<Range<usize>>, end, all: &mut Vec<Sentence>| {
        if !clauses.is_empty() {
            all.push(Sentence {
                clauses: std::mem::take(clauses),
                end,
                line: 0,
                item: false,
            });
        }
    };
    let clause = |clauses: &mut Vec<Range<usize>>, from: usize, to: usize| {
        let words = &shadow[from..to];
        let left = from + words.len() - words.trim_start().len();
        if !words.trim().is_empty() {
            clauses.push(left..left + words.trim().len());
        }
    };
    for (offset, c) in shadow[line.clone()].char_indices() {
        let at = line.start + offset;
        match cut(shadow, &line, at, c) {
            Cut::Sentence(end) => {
                clause(&mut clauses, start, at);
                start = at + c.len_utf8();
                // `?!`, `。」`: the strongest of a run counts.
                pending = match (pending, end) {
                    (Some(End::Question), _) | (_, End::Question) => Some(End::Question),
                    (_, end) => Some(end),
                };
            }
            Cut::Clause => {
                if let Some(end) = pending.take() {
                    close(&mut clauses, end, all);
                }
                clause(&mut clauses, start, at);
                start = at + c.len_utf8();
            }
            Cut::No => {
                if !c.is_whitespace()
                    && let Some(end) = pending.take()
                {
                    close(&mut clauses, end, all);
                }
            }
        }
    }
    clause(&mut clauses, start, line.end);
    close(&mut clauses, pending.unwrap_or(End::Stop), all);
}

fn cut(shadow: &str, line: &Range<usize>, at: usize, c: char) -> Cut {
    let before = || shadow[line.start..at].chars().next_back();
    let after = || shadow[at + c.len_utf8()..line.end].chars().next();
    let gap_after = || after().is_none_or(|c| c.is_whitespace() || is_han(c) || c < ' ');
    match c {
        '?' | '？' | '¿' | '⁇' | '⁉' => Cut::Sentence(End::Question),
        '。' | '！' | '!' | '；' | ';' | '…' | '．' | '｡' => Cut::Sentence(End::Stop),
        '：' => Cut::Sentence(End::Colon),
        ':' if gap_after() => Cut::Sentence(End::Colon),
        '.' if after() == Some('.') || (gap_after() && !abbreviated(&shadow[line.start..at])) => {
            Cut::Sentence(End::Stop)
        }
        ',' if !(before().is_some_and(|c| c.is_ascii_digit())
            && after().is_some_and(|c| c.is_ascii_digit())) =>
        {
            Cut::Clause
        }
        '，' | '､' | '(' | ')' | '（' | '）' | '—' | '–' | '～' | '[' | ']' | '【' | '】' | '|' => {
            Cut::Clause
        }
        '-' | '~' | '/' if before() == Some(' ') && gap_after() => Cut::Clause,
        // Chinese typed with gaps for commas.
        ' ' | '\u{3000}' if before().is_some_and(is_han) && after().is_some_and(is_han) => {
            Cut::Clause
        }
        _ => Cut::No,
    }
}

/// Whether the full stop after these words belongs to a word.
fn abbreviated(before: &str) -> bool {
    const SHORT: &[&str] = &[
        "dr", "mr", "mrs", "ms", "st", "prof", "jr", "sr", "vs", "e.g", "i.e", "no", "approx", "mt",
    ];
    let word = before.rsplit([' ', '\u{3000}']).next().unwrap_or("");
    let initial = word.len() == 1 && word.bytes().all(|b| b.is_ascii_alphabetic() && b != b'i');
    initial || SHORT.contains(&word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Vec<(Vec<&str>, End)> {
        let plain = Plain::of(text).expect("no document");
        let (all, _) = sentences(&plain);
        all.iter()
            .map(|s| (s.clauses.iter().map(|c| &text[c.clone()]).collect(), s.end))
            .collect()
    }

    #[test]
    fn sentences_and_clauses() {
        use End::*;
        assert_eq!(
            split("Hi! I'm J. R. Smith, ok?!"),
            [
                (vec!["Hi"], Stop),
                (vec!["I'm J. R. Smith", "ok"], Question),
            ]
        );
        assert_eq!(
            split("- a@b.org. 1,000"),
            [(vec!["a@b.org"], Stop), (vec!["1,000"], Stop)]
        );
        assert_eq!(
            split("我叫小明，你呢？我爱茶。"),
            [(vec!["我叫小明", "你呢"], Question), (vec!["我爱茶"], Stop),]
        );
        assert_eq!(
            split("he said: hi\nnote：好 的"),
            [
                (vec!["he said"], Colon),
                (vec!["hi"], Stop),
                (vec!["note"], Colon),
                (vec!["好", "的"], Stop),
            ]
        );
    }
}
