//! Whether a text asks or tells. A question names what its answer is an instance of; and what is
//! worth recalling was told, not asked.

/// Whether there is a question in a text.
pub(super) fn asks(text: &str) -> bool {
    const ASKING: [&str; 16] = [
        "?", "？", "什么", "什麼", "哪", "谁", "誰", "几", "多少", "怎", "吗", "嗎", "如何",
        "か。", "까", "무슨",
    ];
    ASKING.iter().any(|asking| text.contains(asking))
}

/// Whether a text asks for something more than it tells.
pub(super) fn mostly_asks(text: &str) -> bool {
    const REQUESTS: [&str; 20] = [
        "帮我",
        "请",
        "給我",
        "给我",
        "推荐",
        "怎么",
        "怎样",
        "如何",
        "为什么",
        "什么是",
        "翻译",
        "写一",
        "讲个",
        "教えて",
        "please ",
        "can you ",
        "could you ",
        "write me ",
        "give me ",
        "translate ",
    ];
    let ends = |c: char| matches!(c, '.' | '!' | '?' | '。' | '！' | '？' | '\n');
    let (mut asked, mut all) = (0, 0);
    for sentence in text.split_inclusive(ends).map(str::trim) {
        let starts = |request: &&str| {
            let start = sentence.get(..request.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(request))
        };
        all += sentence.len();
        if sentence.ends_with(['?', '？']) || REQUESTS.iter().any(starts) {
            asked += sentence.len();
        }
    }
    asked * 2 > all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asking_is_told_from_telling() {
        for text in [
            "帮我写一个快速排序",
            "How are you?",
            "怎么做红烧肉",
            "Please fix this",
            "好。你去了哪里？",
        ] {
            assert!(mostly_asks(text), "{text}");
        }
        for text in [
            "",
            "我对花生过敏。",
            "I moved to Rome last week! How about you?",
            "e\u{301}",
        ] {
            assert!(!mostly_asks(text), "{text}");
        }
        assert!(asks("我对什么过敏") && asks("Where?") && !asks("我去了公园"));
    }
}
