//! A clause of a language whose verb comes last, as Japanese and Korean are: whoever speaks, the
//! value, and an ending that says what the value is.

use super::{
    Found, What,
    plain::{Plain, QUOTED},
};
use std::ops::Range;

/// What the words before an ending are.
#[derive(Clone, Copy)]
pub enum Kind {
    /// A topic's value under a key.
    Fact(&'static str, &'static str),
    Age,
    Allergy,
    Taste,
    Trade,
}

/// Endings that say the same, and what the words before them are.
pub type Ending = (&'static str, Kind);

/// A clause that asks nothing and quotes nobody.
pub struct Clause<'a> {
    /// Without the word for whoever speaks.
    pub body: &'a str,
    /// That word was there.
    pub said: bool,
    place: Range<usize>,
}

impl<'a> Clause<'a> {
    /// The clause, where it has the language's `letter`s and does not end with its question `mark`;
    /// `i`: the words for whoever speaks.
    pub fn of(
        message: &'a Plain,
        place: Range<usize>,
        letter: fn(char) -> bool,
        mark: char,
        i: &[&str],
    ) -> Option<Self> {
        let whole = message.text.get(place.clone())?;
        let quotes = message.shadow[place.clone()].contains(QUOTED);
        if !whole.chars().any(letter) || quotes || whole.ends_with(mark) {
            return None;
        }
        let after = i.iter().find_map(|i| whole.strip_prefix(i));
        Some(Clause {
            body: after.unwrap_or(whole),
            said: after.is_some(),
            place,
        })
    }

    /// What is stated by `len` bytes of the body.
    pub fn found(&self, skip: usize, len: usize, what: What) -> Option<Found> {
        let from = self.place.end - self.body.len() + skip;
        Some(Found {
            quote: self.place.clone(),
            value: from..from + len,
            what,
            open: false,
        })
    }

    /// The language, its `particle`, a verb of answering, and what may follow that: how long the
    /// language is.
    pub fn asks_for(
        &self,
        languages: &[&str],
        particle: &str,
        verbs: &[&str],
        may_end: &[&str],
    ) -> Option<usize> {
        let language = languages.iter().find(|language| {
            let rest = self.body.strip_prefix(**language);
            let rest = rest.and_then(|rest| rest.strip_prefix(particle));
            let rest = rest.and_then(|rest| verbs.iter().find_map(|v| rest.strip_prefix(v)));
            rest.is_some_and(|rest| may_end.contains(&rest))
        })?;
        Some(language.len())
    }

    /// The words before the first of the endings that is there, it, and what they are.
    pub fn ending(&self, endings: &'static [Ending]) -> Option<(&'a str, &'static str, Kind)> {
        endings.iter().find_map(|(endings, kind)| {
            let mut endings = endings.split('|');
            endings.find_map(|end| Some((self.body.strip_suffix(end)?, end, *kind)))
        })
    }
}

/// Whether a text has any of the words, which stand apart in a list.
pub fn has_any(text: &str, words: &str) -> bool {
    words
        .split_ascii_whitespace()
        .any(|word| text.contains(word))
}
