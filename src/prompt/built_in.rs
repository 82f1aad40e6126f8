//! The built-in templates: as text, which is what an operator's own may start from, and the same
//! written straight, for they are most of what an engine for templates would do all day. A test
//! holds the two to the same bytes.

use super::template::{MemoriesView, ProfileView};
use std::fmt::{self, Write};

/// One line a slot: values are on one line already, so no line can be faked.
pub(super) const PROFILE: &str = "\
{{ headings.profile }}
<user_profile {{ tag }}>
{% for slot in profile %}- {{ slot.topic }} / {{ slot.key }}: {{ slot.value }}
{% endfor %}</user_profile {{ tag }}>";

pub(super) const MEMORIES: &str = "\
{{ headings.memories }}
<memories {{ tag }}>
{% for turn in memories %}- {{ turn.when }}
{% if turn.query %}  {{ turn.speaker }}: {{ turn.query }}
{% endif %}{% if turn.answer %}  assistant: {{ turn.answer }}
{% endif %}{% endfor %}</memories {{ tag }}>";

/// What [`PROFILE`] renders to.
pub(super) fn profile(out: &mut String, view: &ProfileView<'_>) -> fmt::Result {
    let tag = view.tag;
    write!(out, "{}\n<user_profile {tag}>\n", view.headings.profile)?;
    for slot in view.profile {
        writeln!(out, "- {} / {}: {}", slot.topic, slot.key, slot.value)?;
    }
    write!(out, "</user_profile {tag}>")
}

/// What [`MEMORIES`] renders to.
pub(super) fn memories(out: &mut String, view: &MemoriesView<'_>) -> fmt::Result {
    let tag = view.tag;
    write!(out, "{}\n<memories {tag}>\n", view.headings.memories)?;
    for turn in view.memories {
        writeln!(out, "- {}", turn.when)?;
        if !turn.query.is_empty() {
            writeln!(out, "  {}: {}", turn.speaker, turn.query)?;
        }
        if !turn.answer.is_empty() {
            writeln!(out, "  assistant: {}", turn.answer)?;
        }
    }
    write!(out, "</memories {tag}>")
}

#[cfg(test)]
mod tests {
    use super::super::{
        Prompts,
        template::{SlotView, TurnView},
        tongue::written,
    };
    use super::*;
    use crate::config::PromptConfig;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn written_straight_they_are_what_their_text_renders_to(
            texts in prop::collection::vec((".{0,6}", "\\PC{0,9}|[a-z {}%<>&]{0,9}", ".{0,3}"), 0..5),
            tag in "[0-9a-f]{12}",
        ) {
            let straight = Prompts::new(&PromptConfig::default()).unwrap();
            // As an operator's own they go through the engine.
            let through = Prompts::new(&PromptConfig {
                profile: PROFILE.into(),
                memories: MEMORIES.into(),
                ..PromptConfig::default()
            });
            let through = through.unwrap();
            let headings = written(texts.iter().map(|(a, ..)| a.as_str()));
            let slots = texts.iter().map(|(topic, key, value)| SlotView {
                topic: topic.into(),
                key: key.into(),
                value: value.into(),
            });
            let turns = texts.iter().map(|(speaker, query, answer)| TurnView {
                speaker: speaker.into(),
                query: query.into(),
                answer: answer.into(),
                when: "2026-01-31".into(),
            });
            let (slots, turns): (Vec<_>, Vec<_>) = (slots.collect(), turns.collect());
            let view = ProfileView { profile: &slots, headings, tag: &tag };
            prop_assert_eq!(straight.profile(&view), through.profile(&view));
            let view = MemoriesView { memories: &turns, headings, tag: &tag };
            prop_assert_eq!(straight.memories(&view), through.memories(&view));
        }
    }
}
