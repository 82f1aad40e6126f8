//! Which slots "forget …" means: the words after it name a key, or stand in a value.

/// Words around what is meant that mean nothing themselves.
const BEFORE: [&str; 12] = [
    "that ",
    "about ",
    "what ",
    "i ",
    "said ",
    "my ",
    "the ",
    "我的",
    "关于",
    "我",
    "有关",
    "你知道的",
];
const ALL: [&str; 9] = [
    "everything",
    "all",
    "everything about me",
    "all about me",
    "everything you know about me",
    "全部",
    "所有",
    "一切",
    "所有事",
];
/// What people call a key, where it is not the key itself.
const CALLED: [(&str, &str); 10] = [
    ("名字", "name"),
    ("姓名", "name"),
    ("叫什么", "name"),
    ("年龄", "age"),
    ("生日", "birthday"),
    ("语言", "language"),
    ("语气", "tone"),
    ("工作", "job"),
    ("职业", "job"),
    ("城市", "city"),
];

/// Whether "forget `what`" means the slot with this key and value.
pub fn names(what: &str, topic: &str, key: &str, value: &str) -> bool {
    let what = plain(what);
    let mut what = what.as_str();
    if ALL.contains(&what) {
        return true;
    }
    while let Some(rest) = BEFORE.iter().find_map(|word| what.strip_prefix(word)) {
        if rest.is_empty() {
            break;
        }
        what = rest.trim_start();
    }
    let key = plain(key);
    let called = CALLED.iter().find(|(said, _)| *said == what);
    !what.is_empty()
        && (what == key
            || what == plain(topic)
            || called.is_some_and(|(_, name)| *name == key)
            || contains(&plain(value), what))
}

/// Lower case, no punctuation around, `_` and `-` as spaces.
fn plain(text: &str) -> String {
    let text = text.to_lowercase().replace(['_', '-'], " ");
    text.trim_matches(|c: char| !c.is_alphanumeric()).to_owned()
}

/// Whether `part` stands in `whole`, as whole words where it is written in words.
fn contains(whole: &str, part: &str) -> bool {
    let letter = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    whole.match_indices(part).any(|(at, _)| {
        let (before, after) = (&whole[..at], &whole[at + part.len()..]);
        let cut_before = letter(part.chars().next()) && letter(before.chars().next_back());
        let cut_after = letter(part.chars().next_back()) && letter(after.chars().next());
        !cut_before && !cut_after
    })
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn a_key_a_value_or_everything_is_meant() {
        assert!(names("my name", "identity", "name", "Ada"));
        assert!(names(
            "My Favourite-Colour.",
            "likes",
            "favourite_colour",
            "red"
        ));
        assert!(names("我的名字", "identity", "name", "小明"));
        assert!(names(
            "that I like Coffee",
            "likes",
            "a",
            "I like coffee in the morning"
        ));
        assert!(names("咖啡", "likes", "drink", "喝咖啡"));
        assert!(names("everything about me", "x", "y", "z"));
        assert!(!names("cat", "identity", "job", "education"));
        assert!(!names("my", "identity", "name", "Ada"));
        assert!(!names("", "identity", "name", "Ada"));
    }
}
