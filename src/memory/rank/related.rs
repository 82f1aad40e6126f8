//! What words have to do with each other: general knowledge of language, in a table anyone can
//! read. Somebody who asks for their "职业" once told of their "公司"; the words differ, the theme
//! is one. Chinese and English stand in one group, so that either finds the other.

use super::token::{self, Kind, Term};
use std::{collections::HashMap, sync::LazyLock};

/// The groups, one a line, and which of them each term is in.
pub(super) struct Related {
    pub(super) groups: Vec<Vec<Term>>,
    of: HashMap<Term, Vec<u16>>,
}

/// Read once.
pub(super) static RELATED: LazyLock<Related> = LazyLock::new(|| {
    let mut related = Related {
        groups: Vec::new(),
        of: HashMap::new(),
    };
    for line in include_str!("related.txt").lines() {
        let number = related.groups.len() as u16;
        let mut group: Vec<Term> = line.split_whitespace().flat_map(members).collect();
        group.sort_unstable();
        group.dedup();
        for &term in &group {
            related.of.entry(term).or_default().push(number);
        }
        related.groups.push(group);
    }
    related
});

impl Related {
    /// The groups a term is in.
    pub(super) fn of(&self, term: Term) -> &[u16] {
        self.of.get(&term).map_or(&[], Vec::as_slice)
    }
}

/// A word's terms: the pairs it is made of, where it is longer than a character.
fn members(word: &str) -> Vec<Term> {
    let mut terms = token::terms(word);
    if terms.len() > 1 {
        terms.retain(|&term| !matches!(token::kind(term), Kind::Char(_)));
    }
    terms
}
