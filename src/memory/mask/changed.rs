//! Passwords told as a change: "it was … and is now …", from one to another. The second stands behind
//! the first and not behind the word, so that no rule of one secret finds it.

use super::{MASKED, is_made};
use regex::Regex;
use std::{borrow::Cow, sync::LazyLock};

/// So far behind the word, or the password before, another may stand, in bytes.
const REACH: usize = 60;

/// The word, a secret that is gone already, or what may be one behind a word that leads to it.
const PARTS: &str = concat!(
    r"(?<word>(?i-u:password|passwd|passphrase|passcode|pwd)|密码|密碼|口令|パスワード)",
    r"|(?<gone>\[masked\])",
    r"|(?:(?-u:\b)(?i-u:from|to|into|is|was|were|be|now|it's|as):? |[:=：] ?|从|從|由|是|为|為|成了?|到)",
    r#"["'“「]?(?<made>[!-~]{4,128})"#,
);

static RULE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(PARTS).ok());

/// The text without them.
pub fn masked(text: Cow<'_, str>) -> Cow<'_, str> {
    let Some(rule) = &*RULE else { return text };
    let mut out = String::new();
    let (mut taken, mut from, mut reach) = (0, 0, None);
    while let Some(found) = rule.captures_at(&text, from) {
        let end = found.get(0).map_or(text.len(), |whole| whole.end());
        let near = |at: usize| reach.is_some_and(|reach| at <= reach);
        match (found.name("made"), found.name("word")) {
            (Some(made), _) if near(made.start()) && is_secret(made.as_str()) => {
                out += &text[taken..made.start()];
                out += MASKED;
                (taken, from) = (end, end);
                reach = Some(end + REACH);
            }
            // It may be another word that leads to one.
            (Some(made), _) => from = made.start(),
            (None, word) => {
                from = end;
                if word.is_some() || near(end) {
                    reach = Some(end + REACH);
                }
            }
        }
    }
    match taken {
        0 => text,
        _ => (out + &text[taken..]).into(),
    }
}

/// Made up, and no address.
fn is_secret(text: &str) -> bool {
    let address = text
        .split_once('@')
        .is_some_and(|(_, host)| host.contains('.'));
    is_made(text) && !address && text != MASKED
}

#[cfg(test)]
mod tests {
    use super::super::masked;

    #[test]
    fn both_of_a_change_go() {
        for text in [
            "my password was OldOne11 and is now NewOne22",
            "My password was OldOne11 and now it is NewOne22.",
            "I changed my password from OldOne11 to NewOne22",
            "my password used to be OldOne11 but now it's NewOne22",
            "old password OldOne11, new password NewOne22",
            "我的密码以前是OldOne11，现在是NewOne22",
            "我的密码从OldOne11改成了NewOne22",
            "password: OldOne11, from today it's 'NewOne22'",
        ] {
            let gone = masked(text);
            assert!(!gone.contains("One11") && !gone.contains("One22"), "{gone}");
            assert_eq!(masked(&gone), gone, "again");
        }
    }

    #[test]
    fn what_is_no_password_stays() {
        for text in [
            "I changed my password, write to ada@example1.com",
            "the password manager is to be replaced, and it's as good as new",
            "my password is changed, the flight is now a long way behind it and it goes to terminal T2x4",
            "from OldOne11 to NewOne22",
        ] {
            assert_eq!(masked(text), text);
        }
    }
}
