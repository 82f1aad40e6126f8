//! The words of an English clause, contractions taken apart ("I'm", "im", "don't", "dont"), and a
//! cursor that patterns walk along them.

use super::plain::{CODE, QUOTED};
use std::ops::Range;

/// One word.
#[derive(Debug)]
pub struct Word<'p> {
    /// Lower case, apostrophes typed as `'`.
    pub low: &'p str,
    /// Where it stands in the message.
    pub at: Range<usize>,
}

/// Contractions and what they say. Those typed without an apostrophe are words of their own here.
const CONTRACTIONS: &[(&str, &[&str])] = &[
    ("i'm", &["i", "am"]),
    ("im", &["i", "am"]),
    ("i've", &["i", "have"]),
    ("ive", &["i", "have"]),
    ("i'd", &["i", "would"]),
    ("i'll", &["i", "will"]),
    ("name's", &["name", "is"]),
    ("birthday's", &["birthday", "is"]),
    ("email's", &["email", "is"]),
    ("that's", &["that", "is"]),
    ("what's", &["what", "is"]),
    ("whats", &["what", "is"]),
    ("let's", &["let", "us"]),
    ("lets", &["let", "us"]),
    ("you're", &["you", "are"]),
    ("youre", &["you", "are"]),
    ("you'll", &["you", "will"]),
    ("don't", &["do", "not"]),
    ("dont", &["do", "not"]),
    ("doesn't", &["does", "not"]),
    ("isn't", &["is", "not"]),
    ("isnt", &["is", "not"]),
    ("aren't", &["are", "not"]),
    ("can't", &["can", "not"]),
    ("cant", &["can", "not"]),
    ("cannot", &["can", "not"]),
    ("won't", &["will", "not"]),
    ("favorite", &["favourite"]),
    ("favorites", &["favourite"]),
    ("favourites", &["favourite"]),
];

/// The words of a range of the normal form.
pub fn words(shadow: &str, range: Range<usize>) -> Vec<Word<'_>> {
    let clause = &shadow[range.clone()];
    let mut all = Vec::with_capacity(12);
    let base = clause.as_ptr() as usize;
    for run in clause.split_whitespace() {
        let word = run.trim_matches(|c: char| {
            !(c.is_alphanumeric() || matches!(c, '+' | '#' | '%' | '°' | '$' | CODE | QUOTED))
        });
        if word.is_empty() {
            continue;
        }
        let from = range.start + word.as_ptr() as usize - base;
        let at = from..from + word.len();
        match CONTRACTIONS.iter().find(|(short, _)| same(short, word)) {
            Some((_, long)) => all.extend(long.iter().map(|low| Word {
                low,
                at: at.clone(),
            })),
            None => all.push(Word { low: word, at }),
        }
    }
    all
}

/// Equal but for the shape of the apostrophe.
fn same(plain: &str, word: &str) -> bool {
    let straight = |c| {
        if matches!(c, '’' | '‘' | '`' | '´') {
            '\''
        } else {
            c
        }
    };
    plain.chars().eq(word.chars().map(straight))
}

/// A place among words.
#[derive(Clone, Copy)]
pub struct Cursor<'w, 'p> {
    /// All of them.
    pub words: &'w [Word<'p>],
    /// The next one.
    pub next: usize,
}

impl<'w, 'p> Cursor<'w, 'p> {
    /// Before the first word.
    pub fn new(words: &'w [Word<'p>]) -> Self {
        Cursor { words, next: 0 }
    }

    /// The words not walked yet.
    pub fn rest(&self) -> &'w [Word<'p>] {
        &self.words[self.next..]
    }

    /// The next word, or nothing.
    pub fn peek(&self) -> &'p str {
        self.rest().first().map_or("", |w| w.low)
    }

    /// Walks past these words, if they come next.
    pub fn eat(&mut self, phrase: &str) -> bool {
        let mut at = self.next;
        for want in phrase.split(' ') {
            if self.words.get(at).is_none_or(|w| w.low != want) {
                return false;
            }
            at += 1;
        }
        self.next = at;
        true
    }

    /// Walks past the longest of these phrases (between bars) that comes next; says which.
    pub fn eat_any(&mut self, phrases: &'static str) -> Option<&'static str> {
        let next = |p: &&str| {
            let mut tried = *self;
            tried.eat(p)
        };
        let longest = phrases.split('|').filter(next).max_by_key(|p| p.len())?;
        self.eat(longest).then_some(longest)
    }

    /// Walks past as many of these as come.
    pub fn eat_all(&mut self, phrases: &'static str) {
        while self.eat_any(phrases).is_some() {}
    }

    /// Steps over `count` words.
    pub fn skip(&mut self, count: usize) {
        self.next = (self.next + count).min(self.words.len());
    }
}
