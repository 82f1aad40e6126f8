//! What words have to do with each other: general knowledge of language, in a table anyone can
//! read. Somebody who asks for their 职业 once told of their 公司; the words differ, the theme is
//! one. Chinese and English stand side by side, so that either finds the other.

use super::token::{self, Kind, Term};
use std::{collections::HashMap, sync::LazyLock};

/// A theme, by its number.
pub(super) type Theme = u16;

/// One word of a theme.
pub(super) struct Member {
    /// As it is indexed.
    pub(super) term: Term,
    /// Only one character: it may mean something else.
    pub(super) short: bool,
}

/// The table.
pub(super) struct Themes {
    members: Vec<Vec<Member>>,
    of: HashMap<Term, Vec<Theme>>,
}

/// One theme a line; read once. The last line holds the words that say when.
pub(super) static THEMES: LazyLock<Themes> = LazyLock::new(|| {
    let mut themes = Themes {
        members: Vec::new(),
        of: HashMap::new(),
    };
    for (number, line) in (0..).zip(include_str!("themes.txt").lines()) {
        let mut terms: Vec<Term> = line.split_whitespace().flat_map(word).collect();
        terms.sort_unstable();
        terms.dedup();
        for &term in &terms {
            themes.of.entry(term).or_default().push(number);
        }
        let members = terms.into_iter().map(|term| Member {
            term,
            short: matches!(token::kind(term), Kind::Char(_)),
        });
        themes.members.push(members.collect());
    }
    themes
});

impl Themes {
    /// Those that a term belongs to.
    pub(super) fn of(&self, term: Term) -> &[Theme] {
        self.of.get(&term).map_or(&[], Vec::as_slice)
    }

    /// The words of one.
    pub(super) fn members(&self, theme: Theme) -> &[Member] {
        self.members
            .get(usize::from(theme))
            .map_or(&[], Vec::as_slice)
    }

    /// The words that say when something was.
    pub(super) fn time(&self) -> Theme {
        self.members.len().saturating_sub(1) as Theme
    }
}

/// A word's terms: the pairs it is made of, where it is longer than a character.
fn word(word: &str) -> Vec<Term> {
    let mut terms = token::terms(word);
    if terms.len() > 1 {
        terms.retain(|&term| !matches!(token::kind(term), Kind::Char(_)));
    }
    terms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_one_theme_meet() {
        let themes = |word| {
            let term = token::terms(word).pop().unwrap();
            THEMES.of(term).to_vec()
        };
        for (a, b) in [
            ("职业", "公司"),
            ("老婆", "配偶"),
            ("宠物", "cat"),
            ("jobs", "career"),
        ] {
            assert!(
                themes(a).iter().any(|theme| themes(b).contains(theme)),
                "{a} {b}"
            );
        }
        assert!(themes("昨天").contains(&THEMES.time()));
        assert!(themes("qwerty").is_empty());
    }
}
