//! Keys, card numbers and passwords are masked before anything keeps them: in what is stored,
//! spooled, recalled and read by the extraction model. The request itself is not touched. Every
//! rule but a card's and a changed password's is in this file; each replaces the secret alone, so
//! that the sentence around it stays.

mod card;
mod changed;

use card::{CARD, WIDE_CARD, card};
use regex::{Captures, Regex};
use std::{borrow::Cow, ops::Range, sync::LazyLock};

/// What stands where a secret stood.
pub const MASKED: &str = "[masked]";

/// Secrets that are known by how they look: the whole match goes.
const LOOKS: &[&str] = &[
    // OpenAI, Anthropic, Stripe and those who write theirs alike
    r"\b(?:sk|rk|pk)[-_][A-Za-z0-9_-]{16,}",
    // GitHub, GitLab, Slack, Hugging Face, npm
    r"\bgh[pousr]_[A-Za-z0-9]{20,}",
    r"\bgithub_pat_[A-Za-z0-9_]{20,}",
    r"\bglpat-[A-Za-z0-9_-]{16,}",
    r"\bxox[abeprs]-[A-Za-z0-9-]{10,}",
    r"\b(?:hf|npm)_[A-Za-z0-9]{20,}",
    // AWS, Google
    r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
    r"\bAIza[A-Za-z0-9_-]{30,}",
    // a JSON Web Token
    r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*)?",
    // a private key, or what of it is there
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?s:.)*?(?:-----END [A-Z ]*PRIVATE KEY-----|\z)",
];

/// Secrets that are known by what stands before them: the group goes.
const TOLD: &[&str] = &[
    r"(?i:\bbearer) +(?<bearer>[A-Za-z0-9._~+/-]{20,}=*)",
    r"://[^ \t\r\n/:@]{1,64}:(?<url>[^ \t\r\n/@]{1,128})@",
    r#"(?i:(?:\b|_)(?:api|access|secret|auth)[ _-]?(?:key|token)|(?:\b|_)(?:token|secret))["']? ?(?:[:=]|(?i:is)\b) ?["'`]?(?<key>[A-Za-z0-9._~+/-]{12,}=*)"#,
    r#"(?i:(?:\b|_)(?:password|passwd|passphrase|passcode|pwd))["']? ?(?:[:=]|(?i:is|was)\b:?) ?["'](?<quoted>[^"'\r\n]{1,128})["']"#,
    r#"(?i:(?:\b|_)(?:password|passwd|passphrase|passcode|pwd))["']? ?(?:[:=]|(?i:is|was)\b:?) ?(?<password>[!-~]{1,128})"#,
    r"(?i:\bpin)(?i: code| number)? ?(?:[:=]|(?i:is)\b) ?(?<pin>[0-9]{3,12})\b",
    r#"(?:密码|密碼|口令)(?:是|为|為|就是|[:：=])[ :：]*["“「']?(?<mima>[!-~]{3,128})"#,
    r#"我的(?:密码|密碼|口令)(?:是|为|為|就是|[:：])[ :：]*["“「']?(?<han>[一-龥]{2,16})"#,
    // the rest of a private key whose beginning is in what was left out of a long text
    r"\[…\]\n(?<rest>[A-Z ]*-{0,5}[A-Za-z0-9+/=\r\n]+-----END [A-Z ]*PRIVATE KEY-----)",
    // a card told as one: no check digit is asked for, its owner may have mistyped it
    r"(?:卡号|卡號|(?i:\b(?:card|card number|card no\.?)))(?:是|为|為|就是|[:：=]|(?i: is:?))?[ ：:]*(?<told>[0-9](?:[ -]?[0-9]){12,18})\b",
    // further from the word, right behind it, or in another language: only what looks made up
    concat!(
        r"(?:(?i:(?:\b|_)(?:password|passwd|passphrase|passcode|pwd)) ",
        r"(?:(?i:(?:for|of|to|at|on) )[^.!?:=\r\n]{1,40}?(?:[:=]|(?i: is| was)\b:?)|è)?",
        r"|(?i:\b(?:passwort|kennwort))(?:[:=]|(?i: ist| lautet| war)\b:?)",
        r"|(?i:\bcontrase)ña(?:[:=]|(?i: es| era)\b:?)",
        r"|(?i:\bmot de passe)(?: ?[:=]|(?i: est)\b:?)",
        r"|(?i:\bsenha)(?:[:=]| é:?)",
        r"|[Пп]ароль ?(?:[:=—-])?",
        r"|パスワード ?(?:は|[:：=])",
        r"|비밀번호 ?(?:는|은|[:：=])",
        r#") ?["'「『]?(?<made>[!-~]{4,128})"#,
    ),
];

/// What people say of a password instead of telling it.
const NO_PASSWORD: &str = "\
    |a|about|again|all|already|also|always|an|and|at|based|being|between|both|broken|by|case|changed\
    |compromised|correct|different|easy|empty|encrypted|enough|expired|expiring|for|forgotten|from|gone\
    |good|hard|hashed|her|here|hidden|his|in|incorrect|invalid|it|its|just|kept|leaked|long|lost|missing\
    |my|needed|never|no|not|null|of|ok|okay|old|on|only|optional|or|our|probably|public|really|rejected\
    |required|reset|safe|salted|same|saved|secure|sent|set|short|simple|so|still|stolen|stored|strong\
    |that|the|their|this|to|too|true|false|unique|unknown|unsafe|up|valid|very|weak|what|where|which\
    |working|wrong|your|";

/// The same in Chinese, by how it begins.
const NO_MIMA: [&str; 26] = [
    "什么", "多少", "错", "对", "不", "谁", "哪", "怎", "啥", "一", "用", "由", "必", "需", "空",
    "弱", "强", "正确", "否", "被", "我", "以前", "之前", "几", "否则", "可以",
];

static RULES: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let rules = LOOKS.iter().chain(TOLD).chain([&CARD, &WIDE_CARD]);
    let rules: Vec<_> = rules.map(|rule| format!("(?:{})", ascii(rule))).collect();
    Regex::new(&rules.join("|")).ok()
});

/// A cheap look before: no text without one of these, or of a card's digits, holds a secret.
static SIGNS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let signs = "sk-|sk_|rk_|rk-|pk_|pk-|ghp_|gho_|ghu_|ghs_|ghr_|github_pat_|glpat-|xox|hf_|npm_\
        |AKIA|ASIA|AIza|eyJ|PRIVATE KEY|://|密码|密碼|口令|パスワード|비밀번호|ароль|[０-９]\
        |(?i-u:bearer|token|secret|key|passw|passp|passc|pwd|pin|kennwort|contrase|mot de passe|senha)";
    Regex::new(signs).ok()
});

/// Words end where ASCII says so: `\b` holds between a Chinese character and a letter.
fn ascii(rule: &str) -> String {
    rule.replace(r"\b", r"(?-u:\b)").replace("(?i:", "(?i-u:")
}

/// The text without secrets; mostly the text itself.
pub fn masked(text: &str) -> Cow<'_, str> {
    changed::masked(alone(text))
}

/// Without those that a rule finds by themselves.
fn alone(text: &str) -> Cow<'_, str> {
    let (Some(signs), Some(rules)) = (&*SIGNS, &*RULES) else {
        return text.into();
    };
    let digits = || text.bytes().filter(u8::is_ascii_digit).count() >= 13;
    if !digits() && !signs.is_match(text) {
        return text.into();
    }
    let (mut out, mut taken, mut from) = (String::new(), 0, 0);
    while let Some(found) = rules.captures_at(text, from) {
        match secret(text, &found) {
            Ok(secret) => {
                out += &text[taken..secret.start];
                out += MASKED;
                (taken, from) = (secret.end, secret.end);
            }
            Err(on) => from = on,
        }
    }
    match taken {
        0 => text.into(),
        _ => (out + &text[taken..]).into(),
    }
}

/// The secret in what met a rule; else where to look on.
fn secret(text: &str, found: &Captures) -> Result<Range<usize>, usize> {
    let whole = found.get_match().range();
    // The one group that took part; a look has none.
    let Some(group) = found.iter().skip(1).flatten().next() else {
        return Ok(whole);
    };
    let (named, secret) = (|name| found.name(name), group.as_str());
    if named("card").or(named("wide")).is_some() {
        return card(text, group.range());
    }
    let is_one = match secret {
        _ if secret.starts_with(MASKED) => false,
        _ if named("made").is_some() => is_made(secret),
        _ if named("password").is_some() => is_password(secret),
        _ if named("han").is_some() => !NO_MIMA.iter().any(|w| secret.starts_with(w)),
        _ if named("key").is_some() => secret.bytes().any(|b| b.is_ascii_digit()),
        _ => true,
    };
    is_one.then(|| group.range()).ok_or(whole.end)
}

/// Whether a word is made up, as passwords are, rather than one of a language.
fn is_made(value: &str) -> bool {
    let word = value.trim_end_matches(|c: char| c.is_ascii_punctuation());
    let letter = word.bytes().any(|b| b.is_ascii_alphabetic());
    let odd = |b: u8| b.is_ascii_digit() || b"!@#$%^&*+=~".contains(&b);
    let link = word.starts_with('/') || word.contains("://");
    word.len() >= 4 && letter && word.bytes().any(odd) && !link
}

/// "my password is hunter2", not "my password is wrong".
fn is_password(value: &str) -> bool {
    let word = value.trim_matches(|c: char| c.is_ascii_punctuation());
    let plain = word.bytes().all(|b| b.is_ascii_lowercase());
    !(word.is_empty() || plain && NO_PASSWORD.contains(&format!("|{word}|")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_go_and_the_sentence_stays() {
        for (text, wanted) in [
            (
                "use sk-proj-abcdefghijklmnop1234 please",
                "use [masked] please",
            ),
            (
                "我的密钥是sk-abcdefghijklmnop1234。",
                "我的密钥是[masked]。",
            ),
            ("ghp_abcdefghijklmnopqrstuvwxyz012345", "[masked]"),
            ("aws AKIAIOSFODNN7EXAMPLE!", "aws [masked]!"),
            (
                "t=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-_def x",
                "t=[masked] x",
            ),
            (
                "a\n-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc\n-----END RSA PRIVATE KEY-----\nb",
                "a\n[masked]\nb",
            ),
            ("-----BEGIN PRIVATE KEY-----\nMIIE", "[masked]"),
            ("card 4111 1111 1111 1111 ok", "card [masked] ok"),
            ("卡号5500005555555559，谢谢", "卡号[masked]，谢谢"),
            ("银行卡 6222 0212 3456 7890 128", "银行卡 [masked]"),
            (
                "我的银行卡号是6222021234567890123。",
                "我的银行卡号是[masked]。",
            ),
            ("card number: 1234-5678-1234-5678", "card number: [masked]"),
            ("ftp://ada:a@x", "ftp://ada:[masked]@x"),
            ("378282246310005", "[masked]"),
            ("My password is hunter2.", "My password is [masked]"),
            (
                "my password is swordfish and",
                "my password is [masked] and",
            ),
            ("{\"password\": \"a b c\"}", "{\"password\": \"[masked]\"}"),
            ("PASSWORD=s3cr3t", "PASSWORD=[masked]"),
            ("我的密码是abc123，别忘了", "我的密码是[masked]，别忘了"),
            ("密码：Pa$$w0rd", "密码：[masked]"),
            ("我的密码是芝麻开门。", "我的密码是[masked]。"),
            ("my PIN is 4821", "my PIN is [masked]"),
            ("postgres://ada:p4ss@db/x", "postgres://ada:[masked]@db/x"),
            (
                "Authorization: Bearer abcdefghijklmnopqrstuvwx",
                "Authorization: Bearer [masked]",
            ),
            ("api_key = 'abc123def456ghi'", "api_key = '[masked]'"),
            ("OPENAI_API_KEY=abc123def456ghi", "OPENAI_API_KEY=[masked]"),
            ("DB_PASSWORD=s3cr3t", "DB_PASSWORD=[masked]"),
            ("passwd hunter99x", "passwd [masked]"),
            (
                "The password for our wifi is Blue$Fish77, ok",
                "The password for our wifi is [masked] ok",
            ),
            ("la mia password è Gatto22", "la mia password è [masked]"),
            ("Mein Passwort ist Geheim77", "Mein Passwort ist [masked]"),
            ("mi contraseña es Secreto55", "mi contraseña es [masked]"),
            (
                "mon mot de passe est Chat2024",
                "mon mot de passe est [masked]",
            ),
            ("minha senha é Gato2024", "minha senha é [masked]"),
            ("мой пароль: Kot2024", "мой пароль: [masked]"),
            ("パスワードはHimitsu99です", "パスワードは[masked]です"),
            ("비밀번호는 Bimil99", "비밀번호는 [masked]"),
            ("卡号４１１１１１１１１１１１１１１１。", "卡号[masked]。"),
        ] {
            assert_eq!(masked(text), wanted, "{text}");
            assert_eq!(masked(wanted), wanted, "again");
        }
    }

    #[test]
    fn what_is_no_secret_stays() {
        for text in [
            "my password is not working",
            "The password is required.",
            "my password is too short",
            "我的密码是什么？",
            "密码是多少",
            "The password for the site is disabled",
            "password manager's 2nd screen",
            "the password at https://example.com/2 is gone",
            "Mein Passwort ist falsch",
            "パスワードはGoogleで管理しています",
            "订单１２３４５６７８９０１２３４５６",
            "我的密码是错的",
            "order 1234567890123456",
            "at 1732552464123 ms",
            "call 13812345678 or +86 138 1234 5678",
            "spin is 3 times faster",
            "the key is under the mat",
            "https://example.com/a?b=c@d",
            "a task-based desk-top",
            "你好，世界",
            "risk-averse_people_are_here_today",
        ] {
            assert_eq!(masked(text), text);
        }
    }
}
