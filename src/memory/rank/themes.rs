//! What words have to do with each other: general knowledge of language, in a table anyone can
//! read. Somebody who asks for their 职业 once told of their 公司; the words differ, the theme is
//! one. Chinese and English stand side by side, so that either finds the other.

use super::token::{self, Kind, Term, TermMap};
use std::sync::LazyLock;

/// The table.
pub(super) struct Themes {
    /// The terms of the themes that each term belongs to.
    of: TermMap<Vec<Term>>,
    /// The words that say when something was.
    pub(super) time: Term,
}

/// One theme a line. A word of three characters or more counts by each pair in it, so those whose
/// pairs mean something else stand there as the pair that does not.
const FILES: [&str; 12] = [
    include_str!("themes/basics.txt"),
    include_str!("themes/body.txt"),
    include_str!("themes/people.txt"),
    include_str!("themes/work.txt"),
    include_str!("themes/home.txt"),
    include_str!("themes/food.txt"),
    include_str!("themes/travel.txt"),
    include_str!("themes/health.txt"),
    include_str!("themes/money.txt"),
    include_str!("themes/self.txt"),
    include_str!("themes/things.txt"),
    include_str!("themes/when.txt"),
];

/// Read once. The last line holds the words that say when.
pub(super) static THEMES: LazyLock<Themes> = LazyLock::new(|| {
    let mut of = TermMap::<Vec<Term>>::default();
    let mut time = 0;
    for (number, line) in (0..).zip(FILES.iter().flat_map(|file| file.lines())) {
        time = token::theme_term(number);
        for term in line.split_whitespace().flat_map(word) {
            let themes = of.entry(term).or_default();
            if themes.last() != Some(&time) {
                themes.push(time);
            }
        }
    }
    Themes { of, time }
});

impl Themes {
    /// Those that a term belongs to.
    pub(super) fn of(&self, term: Term) -> &[Term] {
        self.of.get(&term).map_or(&[], Vec::as_slice)
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
        assert!(themes("昨天").contains(&THEMES.time));
        assert!(themes("qwerty").is_empty());
    }
}
