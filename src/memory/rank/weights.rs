//! How much each signal counts. Few numbers, each with a meaning, and few of them sharp: halving or
//! doubling one moves what is found by a point or two (the chat's decay by four, the themes of a
//! telling Chinese text by up to five where it shares no words with what it is about). They were
//! chosen over several people's memories in two languages and checked on people left out.

use super::token::{self, Kind, Term};

/// The signals' weights. A "best match" is the highest lexical score of the search at hand.
#[derive(Clone, Copy)]
pub(crate) struct Weights {
    /// BM25: how soon a repeated term stops to count more.
    pub(crate) k1: f32,
    /// BM25: how much a long text must have more of it.
    pub(crate) b: f32,
    /// A single character of a script without spaces, beside a pair of them.
    pub(crate) char: f32,
    /// A character that carries grammar.
    pub(crate) function: f32,
    /// A pair of such characters.
    pub(crate) function_pair: f32,
    /// Any word of a theme that a word of the question belongs to.
    pub(crate) theme: f32,
    /// The same where the question's word is Chinese, Japanese or Korean: short words have more
    /// synonyms and match less often by chance.
    pub(crate) theme_cjk: f32,
    /// The same where the text tells rather than asks, as most of a chat does.
    pub(crate) chat_theme: f32,
    /// And there in Chinese, Japanese or Korean.
    pub(crate) chat_theme_cjk: f32,
    /// A theme reached through a single character, which may mean something else.
    pub(crate) theme_char: f32,
    /// What each further word of a theme counts, of what it would alone: two say more of what the
    /// text is about than one.
    pub(crate) more_of_theme: f32,
    /// A question for the time: words that say when.
    pub(crate) when: f32,
    /// How much more a memory counts that has all of what is asked for.
    pub(crate) coverage: f32,
    /// What the memory before counts towards this one: an answer follows its question.
    pub(crate) before: f32,
    /// What the one before that counts: the same speaker, who goes on.
    pub(crate) before_that: f32,
    /// What the next one counts.
    pub(crate) after: f32,
    /// The score of the whole conversation.
    pub(crate) session: f32,
    /// Said on the day that the question names, in best matches.
    pub(crate) date: f32,
    /// Said by whom the question asks about, in best matches.
    pub(crate) role: f32,
    /// What a question or a request loses, in best matches: it says less of somebody.
    pub(crate) asking: f32,
    /// Each message further back in the chat before the question counts this much less.
    pub(crate) decay: f32,
}

/// How many chat messages before the question are looked at.
pub(super) const CHAT_MESSAGES: usize = 4;

impl Default for Weights {
    fn default() -> Self {
        Weights {
            k1: 1.6,
            b: 0.75,
            char: 0.6,
            function: 0.1,
            function_pair: 0.1,
            theme: 0.5,
            theme_cjk: 1.2,
            chat_theme: 0.7,
            chat_theme_cjk: 0.6,
            theme_char: 0.5,
            more_of_theme: 0.5,
            when: 0.7,
            coverage: 0.5,
            before: 0.35,
            before_that: 0.3,
            after: 0.25,
            session: 0.4,
            date: 1.2,
            role: 0.7,
            asking: 0.25,
            decay: 0.8,
        }
    }
}

impl Weights {
    /// A term's own.
    pub(super) fn of(&self, term: Term) -> f32 {
        match token::kind(term) {
            Kind::Char(c) if token::is_function(c) => self.function,
            Kind::Char(_) => self.char,
            Kind::Pair(a, b) if token::is_function(a) && token::is_function(b) => {
                self.function_pair
            }
            Kind::Pair(..) | Kind::Word | Kind::Theme => 1.0,
        }
    }

    /// That of a theme which the term belongs to.
    pub(super) fn of_theme(&self, term: Term, tells: bool) -> f32 {
        let (word, cjk) = match tells {
            false => (self.theme, self.theme_cjk),
            true => (self.chat_theme, self.chat_theme_cjk),
        };
        match token::kind(term) {
            Kind::Char(_) => cjk * self.theme_char,
            Kind::Pair(..) => cjk,
            Kind::Word | Kind::Theme => word,
        }
    }
}
