//! Whom a quote is about. A model that reads "my brother lives in Oslo" may note Oslo as the
//! user's own city; nothing that identifies the user is believed from words about somebody else.

use crate::memory::is_wide;

/// The topic that says who the user is.
const IDENTITY: &str = "identity";

/// Whoever a user may speak of, as a word of the quote or of the slot's key.
const OTHERS: &[&str] = &[
    "brother",
    "sister",
    "sibling",
    "mother",
    "father",
    "mom",
    "mum",
    "dad",
    "parents",
    "wife",
    "husband",
    "spouse",
    "partner",
    "girlfriend",
    "boyfriend",
    "fiance",
    "fiancee",
    "son",
    "daughter",
    "kid",
    "kids",
    "child",
    "children",
    "cousin",
    "aunt",
    "uncle",
    "niece",
    "nephew",
    "grandmother",
    "grandfather",
    "grandma",
    "grandpa",
    "friend",
    "friends",
    "boss",
    "manager",
    "colleague",
    "coworker",
    "neighbor",
    "neighbour",
    "roommate",
    "flatmate",
    "teacher",
    "he",
    "she",
    "they",
];

/// The same in Chinese, at the head of a quote.
const OTHERS_ZH: &[&str] = &[
    "哥哥",
    "弟弟",
    "姐姐",
    "妹妹",
    "妈妈",
    "爸爸",
    "妈",
    "爸",
    "父亲",
    "母亲",
    "父母",
    "妻子",
    "老婆",
    "太太",
    "丈夫",
    "老公",
    "先生",
    "女朋友",
    "男朋友",
    "女友",
    "男友",
    "儿子",
    "女儿",
    "孩子",
    "表哥",
    "表弟",
    "表姐",
    "表妹",
    "叔叔",
    "阿姨",
    "爷爷",
    "奶奶",
    "外公",
    "外婆",
    "朋友",
    "同事",
    "老板",
    "上司",
    "邻居",
    "室友",
    "同学",
    "老师",
];

/// Whether words that identify somebody identify somebody else than the user.
pub(super) fn is_about_another(topic: &str, key: &str, quote: &str) -> bool {
    let named = |text: &str| words(text).any(|word| OTHERS.contains(&&*word));
    if topic != IDENTITY || named(key) || OTHERS_ZH.iter().any(|other| key.contains(other)) {
        return false;
    }
    if quote.chars().any(is_wide) {
        return about_another_zh(quote);
    }
    let of_oneself =
        |word: String| ["i", "i'm", "i've", "i'd", "i'll", "me", "we", "we're"].contains(&&*word);
    named(quote) && !words(quote).any(of_oneself)
}

/// 我哥哥…, 我的朋友…, 他…; but not 我和哥哥….
fn about_another_zh(quote: &str) -> bool {
    let begins = |text: &str| OTHERS_ZH.iter().any(|other| text.starts_with(other));
    if ["他", "她"].iter().any(|other| quote.starts_with(other)) {
        return true;
    }
    let of_mine = quote.strip_prefix('我').unwrap_or(quote);
    let rest = of_mine.strip_prefix('的').unwrap_or(of_mine);
    // 我妈妈和我: both.
    begins(rest) && !rest.contains('我')
}

fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_alphanumeric() && c != '\'' && c != '’')
        .filter(|word| !word.is_empty())
        .map(|word| {
            let word = word.to_lowercase().replace('’', "'");
            word.strip_suffix("'s").map_or(word.clone(), str::to_owned)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_identifies_others_is_told_from_what_identifies_the_user() {
        for (key, quote, another) in [
            ("city", "My brother lives in Oslo", true),
            ("occupation", "he is a nurse", true),
            ("name", "my wife's name is Eve", true),
            ("name", "my name is Bob", false),
            ("city", "my sister and I live in Oslo", false),
            ("city", "I live with my brother in Oslo", false),
            ("brother-city", "My brother lives in Oslo", false),
            ("occupation", "works as a nurse", false),
            ("location", "我哥哥住在上海", true),
            ("location", "我的朋友住在上海", true),
            ("location", "她住在上海", true),
            ("location", "我和哥哥住在上海", false),
            ("location", "我妈妈和我住在上海", false),
            ("location", "我住在上海", false),
            ("哥哥的城市", "我哥哥住在上海", false),
            ("name", "老师们都叫我小王", false),
        ] {
            assert_eq!(is_about_another(IDENTITY, key, quote), another, "{quote}");
        }
        assert!(!is_about_another("family", "brother", "he is a nurse"));
    }
}
