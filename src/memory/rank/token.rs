//! Text to terms. English words are stemmed; scripts written without spaces (Chinese, Japanese,
//! and Korean, whose particles stick to the word) give every character and every pair of
//! neighbours: no dictionary to miss a name with, and 路由 is found in 页面路由.

use super::{fold, stem};
use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasherDefault, Hasher},
    sync::LazyLock,
};

/// A term, as a number: what kind it is in the upper two bits, what it is in the others.
pub(super) type Term = u64;

/// Terms as keys: one multiplication spreads them.
pub(super) type TermMap<V> = HashMap<Term, V, BuildHasherDefault<TermHasher>>;

#[derive(Clone, Copy, Default)]
pub(super) struct TermHasher(u64);

impl Hasher for TermHasher {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(self.0 ^ u64::from(byte));
        }
    }

    fn write_u64(&mut self, term: u64) {
        let spread = term.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 = spread ^ spread >> 32;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

const KIND: u32 = 62;
const CHAR: u64 = 1 << KIND;
const PAIR: u64 = 2 << KIND;
const WORD: u64 = 3 << KIND;

/// What a term is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// One character of a script without spaces.
    Char(char),
    /// Two of them side by side.
    Pair(char, char),
    /// A word of a script with spaces, or a number.
    Word,
    /// Any word of a theme.
    Theme,
}

/// What kind a term is.
pub(super) fn kind(term: Term) -> Kind {
    let unpack = |bits: u64| char::from_u32((bits & 0x1F_FFFF) as u32).unwrap_or_default();
    match term & WORD {
        CHAR => Kind::Char(unpack(term)),
        PAIR => Kind::Pair(unpack(term >> 21), unpack(term)),
        WORD => Kind::Word,
        _ => Kind::Theme,
    }
}

/// A character's term.
pub(super) fn char_term(c: char) -> Term {
    CHAR | u64::from(c as u32)
}

/// A pair's term.
pub(super) fn pair_term(a: char, b: char) -> Term {
    PAIR | u64::from(a as u32) << 21 | u64::from(b as u32)
}

/// The term that stands for all words of a theme.
pub(super) fn theme_term(theme: u16) -> Term {
    u64::from(theme)
}

/// The term of a stemmed word.
pub(super) fn word_term(word: &str) -> Term {
    let mut hash = 0xCBF2_9CE4_8422_2325_u64;
    for byte in word.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
    }
    hash | WORD
}

/// The terms of a text, in order.
pub(super) fn terms(text: &str) -> Vec<Term> {
    let mut tokens = Tokens::default();
    for c in fold::compose(text).chars() {
        fold::fold(c, |folded| tokens.take(folded));
    }
    tokens.end_word();
    tokens.terms
}

#[derive(Default)]
struct Tokens {
    terms: Vec<Term>,
    /// The word being read.
    word: String,
    /// An apostrophe was seen: what follows up to the word's end is read apart.
    tail: Option<String>,
    /// The character before, if it belongs to a script without spaces.
    before: Option<char>,
}

impl Tokens {
    fn take(&mut self, c: char) {
        if is_dense(c) {
            self.end_word();
            self.terms.push(char_term(c));
            if let Some(before) = self.before.replace(c) {
                self.terms.push(pair_term(before, c));
            }
            return;
        }
        self.before = None;
        if c.is_alphanumeric() {
            match &mut self.tail {
                Some(tail) => tail.push(c),
                None => self.word.push(c),
            }
        } else if matches!(c, '\'' | '’') && !self.word.is_empty() && self.tail.is_none() {
            self.tail = Some(String::new());
        } else {
            self.end_word();
        }
    }

    /// "Anna's" is Anna, "don't" is a stop word, "O'Brien" is one name.
    fn end_word(&mut self) {
        let tail = self.tail.take();
        if self.word.is_empty() {
            return;
        }
        match tail.as_deref() {
            Some("t") if self.word.ends_with('n') => return self.word.clear(),
            Some(tail) if tail.len() > 2 => self.word.push_str(tail),
            _ => {}
        }
        let letter = self.word.len() == 1 && self.word.as_bytes()[0].is_ascii_alphabetic();
        let term = word_term(&self.word);
        if !letter && !STOP_WORDS.contains(&term) {
            let stemmed = stem::stem(&mut self.word, term);
            self.terms
                .push(if stemmed { word_term(&self.word) } else { term });
        }
        self.word.clear();
    }
}

/// Characters of scripts that are not, or not only, divided by spaces.
pub(super) fn is_dense(c: char) -> bool {
    matches!(c, '\u{3005}'..='\u{3007}' | '\u{3041}'..='\u{3096}' | '\u{30A1}'..='\u{30FF}'
        | '\u{3400}'..='\u{9FFF}' | '\u{AC00}'..='\u{D7A3}' | '\u{F900}'..='\u{FAFF}'
        | '\u{20000}'..='\u{3FFFF}' | '\u{0E01}'..='\u{0E30}')
}

/// English words that say how, not what.
static STOP_WORDS: LazyLock<HashSet<Term, BuildHasherDefault<TermHasher>>> = LazyLock::new(|| {
    "the an and or but nor if then than so as of at by for with about into to from in \
        on off out up down over under again too very just also only both each some any \
        all more most other such own same no not yes oh hey hi hello wow yeah hmm me my \
        mine myself we our ours us you your yours he him his she her hers it its they \
        them their theirs this that these those what which who whom whose when where why \
        how be am is are was were been being have has had having do does did doing done \
        can could will would shall should may might must ll ve re im there here because \
        while during before after between through until ever go goes gonna really like \
        get got let well lot lots much many thing things"
        .split(' ')
        .map(word_term)
        .collect()
});

/// Chinese and Japanese characters that carry grammar rather than meaning.
pub(super) fn is_function(c: char) -> bool {
    matches!(c, '\u{3041}'..='\u{3096}' | 'ー') || FUNCTION.contains(c)
}

const FUNCTION: &str = "的了是我你您他她它们们在有和与就不都也很吗呢吧啊呀哦嗯这那哪什么么怎样谁几一个\
    些之而且或被把给对从到着过得地会能可以要想让还又再只才所为因但如果然后没去来说上下里中";

#[cfg(test)]
mod tests {
    use super::*;

    fn word(word: &str) -> Term {
        word_term(word)
    }

    #[test]
    fn scripts_without_spaces_give_characters_and_pairs() {
        let expected = [char_term('路'), char_term('由'), pair_term('路', '由')];
        assert_eq!(terms("路由"), expected);
        let page = terms("頁面路由");
        assert!(expected.iter().all(|term| page.contains(term)));
        assert!(terms("データを").contains(&pair_term('デ', 'ー')));
        assert!(terms("학교에서").contains(&pair_term('학', '교')));
    }

    #[test]
    fn a_gap_ends_a_pair() {
        assert!(!terms("路 由").contains(&pair_term('路', '由')));
        assert!(!terms("路，由").contains(&pair_term('路', '由')));
    }

    #[test]
    fn scripts_mix() {
        let mixed = terms("我用Rust写API，２０２５年🎉");
        for term in [word("rust"), word("api"), word("2025"), char_term('写')] {
            assert!(mixed.contains(&term));
        }
        assert!(terms("🎉👨‍👩‍👧 … !!").is_empty());
    }

    #[test]
    fn english_is_stemmed_and_its_little_words_left_out() {
        assert_eq!(terms("What did you buy?"), [word("buy")]);
        assert_eq!(
            terms("I bought Anna's CAFÉS"),
            [word("buy"), word("anna"), word("cafe")]
        );
        assert!(terms("don't").is_empty());
        assert_eq!(terms("O’Brien"), [word("obrien")]);
        assert_eq!(terms("Привет мир").len(), 2);
    }

    #[test]
    fn a_term_says_what_it_is() {
        assert_eq!(kind(char_term('路')), Kind::Char('路'));
        assert_eq!(kind(pair_term('𠮷', '由')), Kind::Pair('𠮷', '由'));
        assert_eq!(kind(word("rust")), Kind::Word);
    }
}
