//! What a sentence says beside the values of its statements: "I like stories" is no story.

use super::{
    Found,
    lexicon::{LEADS, listed},
    plain::Plain,
    sentence::Sentence,
    words::{Cursor, words},
};
use std::ops::Range;

/// One word of a sentence outside the values of its statements.
pub struct Said<'p> {
    /// Lower case.
    pub low: &'p str,
    /// Where it stands in the message.
    pub at: usize,
    /// It stands where an order stands: at the start, after "please", "can you", "to".
    pub orders: bool,
    /// It is the last word of its clause but two, or later.
    pub closes: bool,
}

/// Whether a place is within a value; the values stand in order.
fn valued(found: &[Found], at: usize) -> bool {
    let before = found.partition_point(|f| f.value.start <= at);
    before > 0 && found[before - 1].value.contains(&at)
}

/// Its words.
pub fn outside_values<'p>(plain: &'p Plain, sentence: &Sentence, found: &[Found]) -> Vec<Said<'p>> {
    const BEFORE_ORDERS: &str = "you please to and me us then now just kindly help also";
    let mut all = Vec::new();
    for clause in &sentence.clauses {
        let words = words(&plain.shadow, clause.clone());
        let mut c = Cursor::new(&words);
        c.eat_all(LEADS);
        let (first, last) = (c.next, words.len());
        let mut before = "";
        for (at, word) in words.iter().enumerate() {
            let orders = at == first || at == 0 || listed(BEFORE_ORDERS, before);
            before = word.low;
            if !valued(found, word.at.start) {
                all.push(Said {
                    low: word.low,
                    at: word.at.start,
                    orders,
                    closes: at + 3 >= last,
                });
            }
        }
    }
    all
}

/// The words between spaces, for phrases to be found in.
pub fn line(said: &[Said]) -> String {
    said.iter()
        .fold(String::from(" "), |line, w| line + w.low + " ")
}

/// The sentence in normal form, as long as it is, with the values blanked out.
pub fn without_values(plain: &Plain, range: Range<usize>, found: &[Found]) -> String {
    let mut out = String::with_capacity(range.len());
    for f in found {
        let from = range.start + out.len();
        out.push_str(plain.shadow.get(from..f.value.start).unwrap_or_default());
        out.extend(std::iter::repeat_n(' ', f.value.len()));
    }
    let from = range.start + out.len();
    out.push_str(plain.shadow.get(from..range.end).unwrap_or_default());
    out
}

/// Whether a line of words between spaces has one of these phrases between bars.
pub fn any(line: &str, phrases: &str) -> bool {
    let bytes = line.as_bytes();
    phrases.split('|').map(str::trim).any(|p| {
        let whole = |at: usize| bytes[at - 1] == b' ' && bytes[at + p.len()] == b' ';
        line.match_indices(p).any(|(at, _)| whole(at))
    })
}
