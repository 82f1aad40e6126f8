//! The words behind a disguise: what a reader, and a model, takes for the same letters.

use super::rank::simplified;

/// In lower case and on one line, without what makes the same words look different.
pub fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let c = match c {
            '\u{FF01}'..='\u{FF5E}' if !matches!(c, '：' | '，' | '；' | '！' | '？') => {
                char::from_u32(c as u32 - 0xFEE0).unwrap_or(c)
            }
            '\u{200B}'..='\u{200F}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{AD}' => continue,
            '’' | '‘' => '\'',
            // Cyrillic and Greek letters that pass for Latin ones
            'а' | 'А' | 'α' => 'a',
            'е' | 'Е' | 'ε' => 'e',
            'о' | 'О' | 'ο' | 'Ο' => 'o',
            'р' | 'Р' | 'ρ' => 'p',
            'с' | 'С' => 'c',
            'у' | 'У' => 'y',
            'х' | 'Х' => 'x',
            'і' | 'І' | 'ι' => 'i',
            'ѕ' | 'Ѕ' => 's',
            'ո' => 'n',
            c if c.is_whitespace() || c.is_control() => ' ',
            c => simplified(c),
        };
        if c == ' ' && out.ends_with(' ') {
            continue;
        }
        out.extend(c.to_lowercase());
    }
    out
}

/// Digits and signs that stand for letters.
const STAND_INS: &[(char, char)] = &[
    ('0', 'o'),
    ('1', 'i'),
    ('3', 'e'),
    ('4', 'a'),
    ('5', 's'),
    ('7', 't'),
    ('@', 'a'),
    ('$', 's'),
];

/// So many letters apart are a word that is spelt out.
const SPELT: usize = 4;

/// What a plain text may hide besides: words with digits for letters, and ones spelt out.
pub fn undisguised(plain: &str) -> Vec<String> {
    let read = [with_letters(plain), joined(plain)];
    read.into_iter().filter(|text| text != plain).collect()
}

/// `1gn0re` is `ignore`; a number by itself stays one.
fn with_letters(plain: &str) -> String {
    let words = plain.split(' ').map(|word| {
        if !word.contains(|c: char| c.is_ascii_alphabetic()) {
            return word.to_owned();
        }
        let letter = |c| STAND_INS.iter().find(|(from, _)| *from == c);
        word.chars()
            .map(|c| letter(c).map_or(c, |(_, to)| *to))
            .collect()
    });
    words.collect::<Vec<String>>().join(" ")
}

/// `i g n o r e` and `i.g.n.o.r.e` are `ignore`.
fn joined(plain: &str) -> String {
    let apart = |c: char| matches!(c, ' ' | '.' | '_' | '*' | '-');
    let mut out = String::with_capacity(plain.len());
    let mut rest = plain;
    while !rest.is_empty() {
        let mut letters = String::new();
        let mut after = rest;
        while let Some(c) = after.chars().next().filter(char::is_ascii_alphabetic) {
            let next = &after[1..];
            let ends = next.is_empty() || next.starts_with(apart);
            if !ends {
                break;
            }
            letters.push(c);
            after = next.strip_prefix(apart).unwrap_or(next);
        }
        if letters.len() >= SPELT {
            out.push_str(&letters);
            out.push(' ');
            rest = after;
        }
        // To the end of this word.
        let word = rest.find(apart).map_or(rest.len(), |at| at + 1);
        out.push_str(&rest[..word]);
        rest = &rest[word..];
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disguises_are_seen_through() {
        assert_eq!(plain("ＩＧＮＯＲＥ\tthe\u{200B} Аbove"), "ignore the above");
        assert_eq!(plain("無視規則"), "无视规则");
        assert_eq!(undisguised("1gn0re all"), ["ignore all"]);
        assert_eq!(undisguised("i g n o r e all"), ["ignore all"]);
        assert_eq!(undisguised("please i.g.n.o.r.e it"), ["please ignore it"]);
        assert!(undisguised("a cup of tea at 10 in b c").is_empty());
        assert!(undisguised("").is_empty());
    }
}
