//! Whose words the question asks for: a speaker it names, or the assistant when it asks what "you"
//! recommended.

/// What somebody does with words, in a question about what "you" said.
const SAID: [&str; 22] = [
    "推荐",
    "建议",
    "告诉",
    "说",
    "提到",
    "介绍",
    "讲",
    "给我",
    "教",
    "回答",
    "分享",
    "recommend",
    "suggest",
    "tell",
    "told",
    "say",
    "said",
    "advise",
    "mention",
    "explain",
    "advice",
    "answer",
];

/// For each role, whether the question wants it.
pub(super) fn wanted<'a>(text: &str, roles: impl Iterator<Item = &'a str>) -> Vec<bool> {
    let lower = text.to_lowercase();
    let of_assistant = asks_assistant(&lower);
    let roles: Vec<&str> = roles.collect();
    let named = |role: &str| match role {
        "assistant" | "user" => false,
        name => mentions(&lower, &name.to_lowercase()),
    };
    // Where nobody is named, any person may be meant.
    let anybody = !of_assistant && !roles.iter().any(|role| named(role));
    let wants = |role: &&str| match *role {
        "assistant" => of_assistant,
        "user" => !of_assistant,
        name => anybody || named(name),
    };
    roles.iter().map(wants).collect()
}

/// "你给我推荐过", "what did you suggest", but not "我和你说过".
fn asks_assistant(text: &str) -> bool {
    let chinese = text.match_indices(['你', '您']).any(|(at, you)| {
        let before = text[..at].chars().next_back();
        let told_to = before.is_some_and(|c| "和跟向对给与".contains(c));
        let after: String = text[at + you.len()..].chars().take(8).collect();
        !told_to && SAID.iter().any(|said| after.contains(said))
    });
    let english = ["did you ", "have you ", "you "].iter().any(|you| {
        text.find(you).is_some_and(|at| {
            let after: String = text[at + you.len()..].chars().take(16).collect();
            SAID.iter().any(|said| after.contains(said))
        })
    });
    chinese || english && !text.contains("i tell you") && !text.contains("i told you")
}

/// Whether a name stands in a text, as a word of its own.
fn mentions(text: &str, name: &str) -> bool {
    !name.is_empty()
        && text.match_indices(name).any(|(at, _)| {
            let before = text[..at].chars().next_back();
            let after = text[at + name.len()..].chars().next();
            let apart = |c: Option<char>| c.is_none_or(|c| !c.is_ascii_alphanumeric());
            apart(before) && apart(after)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_question_says_whose_words_it_wants() {
        let whose = |text| {
            let roles = ["user", "assistant", "Anna", "Jo"];
            let wanted = wanted(text, roles.into_iter());
            let named = roles.into_iter().zip(wanted).filter(|(_, wanted)| *wanted);
            named.map(|(role, _)| role).collect::<Vec<_>>()
        };
        assert_eq!(whose("我对什么过敏？"), ["user", "Anna", "Jo"]);
        assert_eq!(whose("你给我推荐过哪些书？"), ["assistant"]);
        assert_eq!(whose("我和你说过我的计划吗？"), ["user", "Anna", "Jo"]);
        assert_eq!(whose("What did you suggest?"), ["assistant"]);
        assert_eq!(whose("Where did I go?"), ["user", "Anna", "Jo"]);
        assert_eq!(whose("When did anna move? Not Joanna."), ["user", "Anna"]);
    }
}
