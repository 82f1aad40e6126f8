//! Which of a user's memories matter to what is asked now. A pure library: texts in, a ranking
//! out, no model needed. It reads every language by its characters, and takes a memory's
//! neighbourhood into account: an answer follows its question, a conversation has a topic, a date
//! in the question means the day it was said.

mod asking;
mod date;
mod fold;
mod index;
mod meaning;
mod role;
mod score;
mod search;
mod sought;
mod stem;
mod themes;
mod token;
mod view;
mod weights;

pub(super) use fold::{folded, simplified};
pub use index::{Doc, Index};

use serde::Serialize;
use std::sync::LazyLock;

/// Makes the table of themes ready, which a first recall has no time for.
pub fn prepare() {
    LazyLock::force(&themes::THEMES);
}

/// What is asked, and where.
#[derive(Clone, Copy, Default)]
pub struct Query<'a> {
    /// The question, or whatever the user just said.
    pub text: &'a str,
    /// The last chat messages before it, (role, text), oldest first: what "it" refers to.
    pub context: &'a [(&'a str, &'a str)],
    /// Unix milliseconds: what "last week" counts from.
    pub now_ms: i64,
    /// The user's offset from UTC in minutes: where their days begin.
    pub utc_offset_min: i32,
    /// How alike a memory's meaning is, if somebody can say.
    pub semantic: Option<Semantic<'a>>,
    /// Documents, by number, that are as if they were not there.
    pub hidden: &'a [usize],
}

/// What an embedding model says.
#[derive(Clone, Copy)]
pub struct Semantic<'a> {
    /// The cosine with the question, by document number; NaN, or missing: not known.
    pub likeness: &'a [f32],
    /// What the same meaning is worth, beside a best lexical match of 1.
    pub weight: f32,
}

/// One memory that matters.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    /// Its number in the index.
    pub doc: usize,
    /// How much it matters, within this search only.
    pub score: f64,
    /// Why.
    pub why: Explain,
}

/// The parts of a score; together they are the score.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Explain {
    /// Words of the question in this memory.
    pub lexical: f64,
    /// Words of the question in what was said just before and after.
    pub neighbours: f64,
    /// Words of the question in the whole conversation.
    pub session: f64,
    /// The question names the day.
    pub date: f64,
    /// The question asks for what this speaker said.
    pub role: f64,
    /// Below zero where it only asks for something.
    pub asking: f64,
    /// Words of the chat before the question.
    pub chat: f64,
    /// Alike in meaning, by an embedding model.
    pub semantic: f64,
}

impl Explain {
    /// The score.
    pub fn total(&self) -> f64 {
        self.lexical
            + self.neighbours
            + self.session
            + self.date
            + self.role
            + self.asking
            + self.chat
            + self.semantic
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(texts: &[&str]) -> Index {
        let mut index = Index::new();
        for (n, text) in texts.iter().enumerate() {
            index.push(Doc {
                id: n.to_string().into(),
                session: n.to_string().into(),
                at_ms: 0,
                role: "user".into(),
                text: (*text).into(),
            });
        }
        index
    }

    fn first(index: &Index, text: &str) -> Option<usize> {
        let query = Query {
            text,
            ..Query::default()
        };
        index.search(&query, 1).first().map(|hit| hit.doc)
    }

    #[test]
    fn finds_words_inside_what_is_written_without_spaces() {
        let index = index(&[
            "我喜欢喝茶",
            "页面路由写好了",
            "駅まで歩いた",
            "학교에서 공부했다",
        ]);
        assert_eq!(first(&index, "路由"), Some(1));
        assert_eq!(first(&index, "頁面"), Some(1));
        assert_eq!(first(&index, "駅"), Some(2));
        assert_eq!(first(&index, "학교는"), Some(3));
        assert_eq!(first(&index, "xyz"), None);
    }

    #[test]
    fn finds_english_words_in_other_forms() {
        let index = index(&["I bought running shoes", "She went hiking"]);
        assert_eq!(first(&index, "What did I buy?"), Some(0));
        assert_eq!(first(&index, "hikes"), Some(1));
    }

    #[test]
    fn themes_bridge_what_shares_no_word() {
        let index = index(&[
            "我老婆是三甲医院的护士",
            "I am allergic to nuts",
            "今天真热",
        ]);
        assert_eq!(first(&index, "我爱人从事什么职业？"), Some(0));
        assert_eq!(first(&index, "有什么忌口？"), Some(1));
    }

    #[test]
    fn an_answer_is_found_by_its_question() {
        let mut index = index(&["今天真热", "晚安"]);
        for (n, text) in ["你去了哪个公园？", "绿禾，就在那"].into_iter().enumerate()
        {
            index.push(Doc {
                id: format!("t{n}").into(),
                session: "s".into(),
                at_ms: n as i64,
                role: "user".into(),
                text: text.into(),
            });
        }
        let query = Query {
            text: "公园",
            ..Query::default()
        };
        let hits = index.search(&query, 9);
        assert_eq!(hits.iter().map(|hit| hit.doc).collect::<Vec<_>>(), [2, 3]);
        assert!(hits[1].why.neighbours > 0.0 && hits[1].why.lexical == 0.0);
    }

    #[test]
    fn the_chat_before_says_what_it_is_about() {
        let index = index(&["Bart loves pizza with bacon", "Bart went to the zoo"]);
        let context = [
            ("user", "I found a great pizza place"),
            ("assistant", "Nice!"),
        ];
        let query = Query {
            text: "Yes, very cozy!",
            context: &context,
            ..Query::default()
        };
        let hits = index.search(&query, 1);
        assert_eq!(hits[0].doc, 0);
        assert!(hits[0].why.chat > 0.0);
    }

    #[test]
    fn meaning_counts_by_its_weight() {
        let index = index(&["alpha", "beta"]);
        let semantic = Semantic {
            likeness: &[0.0, 0.9],
            weight: 1.0,
        };
        let query = Query {
            text: "gamma",
            semantic: Some(semantic),
            ..Query::default()
        };
        let hits = index.search(&query, 9);
        assert_eq!(hits.len(), 1);
        assert_eq!((hits[0].doc, hits[0].why.semantic > 0.8), (1, true));
    }

    #[test]
    fn of_equals_the_newer_comes_first_then_the_lower_id() {
        let mut index = Index::new();
        for (id, at_ms) in [("b", 1), ("a", 1), ("c", 2)] {
            index.push(Doc {
                id: id.into(),
                session: id.into(),
                at_ms,
                role: "user".into(),
                text: "路由".into(),
            });
        }
        let query = Query {
            text: "路由",
            ..Query::default()
        };
        let hits = index.search(&query, 9);
        let ids: Vec<_> = hits
            .iter()
            .map(|hit| &*index.doc(hit.doc).unwrap().id)
            .collect();
        assert_eq!(ids, ["c", "a", "b"]);
    }

    #[test]
    fn what_came_in_with_one_time_has_no_neighbours_but_its_other_side() {
        let mut index = Index::new();
        for (id, text) in [("a", "绿禾公园"), ("a", "樱花开了"), ("b", "明天见")] {
            index.push(Doc {
                id: id.into(),
                session: "s".into(),
                at_ms: 0,
                role: "user".into(),
                text: text.into(),
            });
        }
        let query = Query {
            text: "公园",
            ..Query::default()
        };
        let hits = index.search(&query, 9);
        let near = |doc| {
            let hit = hits.iter().find(|hit| hit.doc == doc);
            hit.map_or(0.0, |hit| hit.why.neighbours)
        };
        assert!(near(1) > 0.0);
        assert_eq!(near(2), 0.0);
    }
}
