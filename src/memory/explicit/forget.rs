//! What "forget …" means: which slots the words name, in English or Chinese.

use super::{
    Op,
    normal::{normal, slug},
    statements,
};

/// Names of slots, as people say them: the keys they stand for. A name of a topic stands for all
/// of its keys.
const NAMES: &[(&str, &str)] = &[
    (
        "name|名字|姓名|全名|full name|first name|真名",
        "name|surname|nickname|english-name|full-name|first-name|名字|姓名",
    ),
    ("last name|surname|family name|姓|姓氏", "surname"),
    ("nickname|昵称|外号", "nickname|昵称"),
    ("age|年龄|年纪|岁数", "age|年龄"),
    (
        "birthday|birth date|date of birth|dob|生日|出生日期",
        "birthday|birth-year|生日",
    ),
    (
        "email|e-mail|email address|mail|邮箱|电子邮件|邮件|邮箱地址",
        "email|邮箱",
    ),
    (
        "phone|phone number|number|电话|手机|手机号|电话号码|手机号码",
        "phone|电话",
    ),
    (
        "\
            location|address|city|country|home|where i live|住址|地址|城市|住处|所在地|\
            住在哪|住的地方",
        "location|address|city|country|地址",
    ),
    (
        "\
            origin|hometown|where i am from|where i come from|家乡|老家|籍贯|出生地",
        "origin|hometown|家乡",
    ),
    (
        "job|work|profession|occupation|employer|company|职业|工作|公司|单位",
        "job|employer|field|profession|occupation|company|职业|工作",
    ),
    (
        "language|languages|语言",
        "language|languages|native-language|语言",
    ),
    ("native language|mother tongue|母语", "native-language"),
    ("timezone|time zone|时区", "timezone|时区"),
    ("pronouns", "pronouns"),
    ("gender|性别", "gender|性别"),
    ("nationality|国籍", "nationality|国籍"),
    ("diet|饮食|饮食习惯", "diet"),
    ("hobby|hobbies|爱好|兴趣|兴趣爱好", "hobbies|爱好"),
];

/// Names of whole topics.
const TOPICS: &[(&str, &str)] = &[
    (
        "preferences|preference|likes|likes and dislikes|喜好|偏好",
        "preferences",
    ),
    ("allergies|allergy|health|过敏|健康", "health"),
    ("notes|note|笔记|备注", "notes"),
    (
        "contact|contact details|contact information|联系方式",
        "contact",
    ),
    (
        "\
            identity|身份|个人信息|personal information|personal data|personal details",
        "identity",
    ),
];

/// The topics that statements fill.
const READ: &str = "identity|work|preferences|health|contact|notes";

fn listed(names: &str, name: &str) -> bool {
    names.split('|').any(|n| n == name)
}

/// What is asked to be forgotten, bare: lower case, without "my" and "我的".
fn bare(what: &str) -> String {
    let low = normal(what.trim()).replace('’', "'");
    let heads = ["that ", "about ", "my ", "the ", "关于", "我的"];
    let mut rest = low.trim_matches(|c: char| c.is_whitespace() || ".,!。，！".contains(c));
    while let Some(left) = heads.iter().find_map(|h| rest.strip_prefix(h)) {
        rest = left;
    }
    rest.to_owned()
}

/// Whether these words are the name of a slot (忘掉生日).
pub fn is_name_of_a_slot(what: &str) -> bool {
    let what = bare(what);
    NAMES.iter().any(|(names, _)| listed(names, &what))
}

fn is_all(what: &str) -> bool {
    let english = what.starts_with("everything") || what.starts_with("all ");
    english && what.ends_with("about me")
        || super::chinese_values::starts(what, super::chinese_values::ALL_OF_ME)
}

/// Whether "forget `what`" means the slot (`topic`, `key`) with this value.
pub fn forget_matches(what: &str, topic: &str, key: &str, value: &str) -> bool {
    if is_all(&normal(what.trim())) {
        return true;
    }
    let bare = bare(what);
    if bare.is_empty() {
        return false;
    }
    // "forget that I live in Berlin": the slot that saying so fills, if that is what it holds.
    let said = statements(&bare);
    if let [one] = said.as_slice()
        && let Op::Set {
            topic: t,
            key: k,
            value: v,
        } = &one.op
    {
        let same = normal(v) == normal(value);
        let told = t == topic && (same || k == key && topic == "preferences");
        // A slot the user `PUT` elsewhere, in words of their own.
        let own = t == "preferences" && !listed(READ, topic) && within(k, &slug(value));
        return told || own;
    }
    let key = normal(key).replace(['_', ' '], "-");
    if let Some((_, keys)) = NAMES.iter().find(|(names, _)| listed(names, &bare)) {
        return listed(keys, &key);
    }
    if let Some((_, named)) = TOPICS.iter().find(|(names, _)| listed(names, &bare)) {
        return *named == topic;
    }
    let wanted = slug(&bare)
        .replace("favorite", "favourite")
        .replace("color", "colour");
    !wanted.is_empty()
        && (wanted == key || within(&wanted, &slug(&key)) || within(&wanted, &slug(value)))
}

/// Whether all words of one slug stand in the other, in one piece. Chinese has no gaps.
fn within(wanted: &str, slug: &str) -> bool {
    if wanted.chars().any(super::normal::is_han) {
        return wanted.chars().count() >= 2 && slug.contains(wanted);
    }
    wanted.len() >= 3 && format!("-{slug}-").contains(&format!("-{wanted}-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_forgotten_by_its_name_or_by_its_words() {
        for (what, topic, key, value) in [
            ("my name", "identity", "name", "Ada"),
            ("name", "identity", "name", "Ada"),
            ("名字", "identity", "name", "Ada"),
            ("我的名字", "identity", "name", "小明"),
            ("生日", "identity", "birthday", "5月4日"),
            ("birthday", "identity", "birthday", "May 4th"),
            ("email address", "contact", "email", "a@b.org"),
            ("job", "work", "job", "nurse"),
            ("工作", "work", "job", "护士"),
            ("favorite color", "preferences", "favourite-colour", "blue"),
            ("I like coffee", "preferences", "coffee", "likes coffee"),
            ("我喜欢咖啡", "preferences", "咖啡", "喜欢咖啡"),
            ("我喜歡咖啡", "preferences", "咖啡", "喜欢咖啡"),
            ("I live in Berlin", "identity", "location", "Berlin"),
            ("coffee", "preferences", "coffee", "likes coffee"),
            ("咖啡", "preferences", "咖啡", "喜欢咖啡"),
            ("everything you know about me", "work", "job", "nurse"),
            ("关于我的一切", "work", "job", "nurse"),
            ("allergies", "health", "allergy-nuts", "allergic to nuts"),
            ("tone", "preferences", "tone", "concise"),
            ("My Favourite-Colour.", "likes", "favourite_colour", "red"),
            (
                "that I like Coffee",
                "drinks",
                "a",
                "I like coffee in the morning",
            ),
            ("我喜欢咖啡", "drinks", "a", "我喜欢喝咖啡"),
        ] {
            assert!(
                forget_matches(what, topic, key, value),
                "{what} → {topic}/{key}"
            );
        }
    }

    #[test]
    fn nothing_else_is() {
        for (what, topic, key, value) in [
            ("name", "identity", "age", "34"),
            ("名字", "preferences", "咖啡", "喜欢咖啡"),
            ("I like tea", "preferences", "coffee", "likes coffee"),
            ("I live in Berlin", "identity", "location", "Paris"),
            ("I live in Berlin", "identity", "name", "Ada"),
            ("cat", "identity", "job", "education"),
            (
                "I like coffee",
                "preferences",
                "coffee-cake",
                "likes coffee cake",
            ),
            (
                "I like coffee",
                "health",
                "allergy-coffee",
                "allergic to coffee",
            ),
            ("art", "preferences", "party", "likes party games"),
            ("", "identity", "name", "Ada"),
            ("my", "identity", "name", "Ada"),
            ("everything", "identity", "name", "Ada"),
        ] {
            assert!(
                !forget_matches(what, topic, key, value),
                "{what} → {topic}/{key}"
            );
        }
    }
}
