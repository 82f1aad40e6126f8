//! Makes spellings of the same thing equal: case, full and half width, accents, ligatures,
//! traditional and simplified Chinese. What a reader takes for the same, search does too.

use std::{borrow::Cow, sync::LazyLock};
use unicode_normalization::{UnicodeNormalization, char::decompose_canonical};

/// The first of the common ideographs, where the table below begins.
const FIRST: u32 = 0x4E00;
/// How many of them there are.
const IDEOGRAPHS: usize = 0x5200;

/// Traditional characters, each followed by its simplified one (after Unicode's Unihan data).
static SIMPLIFIED: LazyLock<Vec<u16>> = LazyLock::new(|| {
    let mut table = vec![0; IDEOGRAPHS];
    for pair in include_str!("simplified.txt").split_whitespace() {
        let mut pair = pair.chars().map(|c| c as u32);
        if let (Some(from), Some(to)) = (pair.next(), pair.next())
            && let Some(place) = table.get_mut(from.wrapping_sub(FIRST) as usize)
        {
            *place = u16::try_from(to).unwrap_or_default();
        }
    }
    table
});

/// Composes what is written in parts (jamo, half-width kana) and widens or narrows to the usual
/// width. Most texts need none of it and come back as they are.
pub(super) fn compose(text: &str) -> Cow<'_, str> {
    if text.is_ascii() || text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.nfkc().collect())
}

/// Characters that composing never changes, whatever stands beside them.
fn is_plain(c: char) -> bool {
    matches!(c, '\0'..='\u{7F}' | '\u{3001}'..='\u{3096}' | '\u{30A1}'..='\u{30FE}'
        | '\u{4E00}'..='\u{9FFF}' | '\u{AC00}'..='\u{D7A3}' | '\u{2010}'..='\u{2023}')
}

/// The simplified form of a character, or itself.
pub(crate) fn simplified(c: char) -> char {
    let place = (c as u32).wrapping_sub(FIRST) as usize;
    let simple = SIMPLIFIED.get(place).copied().filter(|simple| *simple != 0);
    simple
        .and_then(|simple| char::from_u32(u32::from(simple)))
        .unwrap_or(c)
}

/// Hands out the folded form of one composed character: nothing, one or a few characters.
pub(super) fn fold(c: char, mut put: impl FnMut(char)) {
    if c.is_ascii() {
        put(c.to_ascii_lowercase());
    } else if (FIRST..FIRST + IDEOGRAPHS as u32).contains(&(c as u32)) {
        put(simplified(c));
    } else if matches!(c, '\u{3000}'..='\u{D7FF}') {
        put(c);
    } else {
        for lower in c.to_lowercase() {
            decompose_canonical(lower, |part| {
                if !unicode_normalization::char::is_combining_mark(part) {
                    put(part);
                }
            });
        }
    }
}

/// The folded form of a text.
pub(crate) fn folded(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for c in compose(text).chars() {
        fold(c, |c| folded.push(c));
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_the_same_become_equal() {
        for (a, b) in [
            ("ＡＢＣ１２", "abc12"),
            ("Café", "cafe"),
            ("Cafe\u{301}", "cafe"),
            ("ÅNGSTRÖM", "angstrom"),
            ("頁面路由", "页面路由"),
            ("ﾃﾞｰﾀ", "データ"),
            ("\u{1112}\u{1161}\u{11AB}글", "한글"),
            ("ﬁne", "fine"),
        ] {
            assert_eq!(folded(a), b);
        }
        assert_eq!(folded("が"), "が", "a voiced kana is a letter of its own");
    }
}
