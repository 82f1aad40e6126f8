//! What the sentences of a message say of one another: whether it is the user who speaks, of
//! themselves, in earnest. Looked at only when a statement was found.

use super::{
    Found, What,
    chinese_values::holds,
    cues::*,
    lexicon::{LANGUAGES, LEADS, listed},
    outside::{Said, any, line, outside_values, without_values},
    plain::{CODE, Plain, QUOTED},
    sentence::{End, Sentence},
    words::{Cursor, words},
};
use std::ops::Range;

/// What a sentence makes of the message.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing.
    Plain,
    /// What it states itself is not meant.
    NotThis,
    /// From here on somebody else may speak.
    NotFrom(usize),
    /// The message is fiction, or a text to be worked on.
    Nothing,
}

/// Judges one sentence.
pub fn judge(plain: &Plain, sentence: &Sentence, found: &[Found]) -> Verdict {
    let range = sentence.range();
    let shadow = &plain.shadow[range.clone()];
    let said = outside_values(plain, sentence, found);
    let line = line(&said);
    let han = without_values(plain, range.clone(), found);
    let question = sentence.end == End::Question;

    if let Some(own) = how_to_say(&said) {
        return if own {
            Verdict::NotFrom(range.start)
        } else {
            Verdict::Nothing
        };
    }
    if any(&line, FICTION)
        || gives_a_name(plain, &said)
        || supposes(&said)
        || holds(&han, FICTION_HAN)
        || you_are_han(&han)
    {
        return Verdict::Nothing;
    }
    if found.is_empty() && works_on_it(&said) || names_a_language(plain, sentence) {
        return Verdict::Nothing;
    }
    if any(&line, ABOUT_A_TEXT) || deictic(&said) || holds(&han, ABOUT_A_TEXT_HAN) {
        return Verdict::Nothing;
    }
    // A task with a text of its own ("translate 'hello'", "…: …") leaves what came before alone.
    let points = any(
        &line,
        " this | these | that | it | above | below | starting | starts | begins | first person | voice | line | perspective ",
    );
    let own = (shadow.contains([QUOTED, CODE]) || sentence.end == End::Colon)
        && !any(&line, " above | it | this ");
    if let Some(order) = said.iter().find(|w| w.orders && listed(REWORK, w.low)) {
        return if own {
            Verdict::NotFrom(order.at)
        } else {
            Verdict::Nothing
        };
    }
    if holds(&han, REWORK_HAN) {
        return if own {
            Verdict::NotFrom(range.start)
        } else {
            Verdict::Nothing
        };
    }
    if let Some(order) = said.iter().find(|w| w.orders && listed(COMPOSE, w.low)) {
        return if points {
            Verdict::Nothing
        } else {
            Verdict::NotFrom(order.at)
        };
    }
    if let Some(at) = COMPOSE_HAN.split(' ').filter_map(|c| han.find(c)).min() {
        return Verdict::NotFrom(range.start + at);
    }
    if found.is_empty() && !question && (any(&line, TALES) || holds(&han, TALES_HAN)) {
        return Verdict::Nothing;
    }
    if let Some(verdict) = reported(&said, &line, &han, &range) {
        return verdict;
    }
    if sentence.end == End::Colon && !introduces_oneself(&said, &han) {
        return Verdict::NotFrom(range.end);
    }
    let in_language = said
        .windows(2)
        .any(|w| w[0].low == "in" && listed(LANGUAGES, w[1].low));
    let wish = |f: &Found| matches!(&f.what, What::Fact { key, .. } if key == "language");
    if in_language && !found.iter().any(wish) {
        return Verdict::NotThis;
    }
    if any(&line, " if | unless | whether ") || holds(&han, "如果 要是 假如 倘若 万一 的话")
    {
        return Verdict::NotThis;
    }
    Verdict::Plain
}

/// Somebody else's words, an example, a supposition about oneself.
fn reported(said: &[Said], line: &str, han: &str, range: &Range<usize>) -> Option<Verdict> {
    let example = any(
        line,
        " for example | e.g | for instance | example | examples | what if | if i | if my | if we | let us say ",
    );
    if example || holds(han, "如果我 要是我 假如我 如果你是 要是你") {
        return Some(Verdict::NotFrom(range.start));
    }
    for (at, word) in said.iter().enumerate() {
        let mine = at > 0 && matches!(said[at - 1].low, "i" | "not" | "have" | "to" | "you");
        if listed(SAYING, word.low) && !mine {
            return Some(if word.closes {
                Verdict::NotFrom(range.start)
            } else {
                Verdict::NotThis
            });
        }
    }
    holds(han, SAYING_HAN).then_some(Verdict::NotFrom(range.start))
}

/// "Some facts about me:", "Please remember:", 请记住：
fn introduces_oneself(said: &[Said], han: &str) -> bool {
    const WORDS: &str = "remember please note this these fyi btw about me some facts things a few for the \
        record also and important my you should know hi hello to keep in mind here are is what are that ps save";
    const TELLING: &str = "remember note fyi btw facts things record mind know me";
    let told =
        said.iter().any(|w| listed(TELLING, w.low)) && said.iter().all(|w| listed(WORDS, w.low));
    let person = said.len() > 1 || said.first().is_some_and(|w| w.low != "me");
    let han = han.trim_end_matches(['：', ':']);
    told && person || holds(han, "记住 记一下 关于我 记下 补充 备注") && han.chars().count() <= 8
}

/// Whether the clauses after a statement ask something of their own, not whether it is true.
pub fn asks_else(plain: &Plain, rest: &[Range<usize>]) -> bool {
    let Some(last) = rest.last() else {
        return false;
    };
    let clause = &plain.shadow[last.clone()];
    if clause.chars().any(super::normal::is_han) {
        let tag = holds(
            clause,
            "对吗 对吧 是吗 是吧 不是吗 对不对 是不是 没错吧 好吗 记得吗 知道吗 行吗",
        );
        return !tag && clause.chars().count() >= 2;
    }
    let all = words(&plain.shadow, last.clone());
    let mut c = Cursor::new(&all);
    c.eat_all(LEADS);
    let rest = c.rest();
    let ask = "what where how which who when why can could would will should do does is are any whose have";
    let open = "what where how which who why can could would when";
    // "isn't it", "do I", "is it": three words that ask the statement again.
    listed(ask, c.peek()) && (listed(open, c.peek()) || rest.len() > 3)
}

/// "You are Sherlock Holmes": a part is given out.
fn gives_a_name(plain: &Plain, said: &[Said]) -> bool {
    said.windows(3).any(|w| {
        let capital = plain.text[w[2].at..].starts_with(char::is_uppercase);
        w[0].low == "you" && w[1].low == "are" && capital && w[2].low != "i"
    })
}

/// "Suppose …", "imagine …": an order, not "I suppose".
fn supposes(said: &[Said]) -> bool {
    said.iter().any(|w| {
        w.orders
            && listed(
                "suppose supposing imagine assume assuming pretend say envision picture",
                w.low,
            )
    })
}

/// "How do you say hello in French?" has a text of its own; "how do I say that" works on ours.
fn how_to_say(said: &[Said]) -> Option<bool> {
    let say = said.iter().position(|w| w.low == "say")?;
    let before: Vec<&str> = said[..say].iter().rev().take(3).map(|w| w.low).collect();
    if !before.contains(&"how") {
        return None;
    }
    Some(
        said.get(say + 1)
            .is_some_and(|w| !listed("in this that it these the i my", w.low)),
    )
}

/// "Turn this into …", "read this aloud", "make it sound better", "can you improve my bio": the
/// sentences around are what is worked on.
fn works_on_it(said: &[Said]) -> bool {
    const NO_WORK: &str = "is are was were do does did can could will would note remember save know i we you         love like hate to and me in on at of for with from about by help thanks thank but so than after before         during all stop forget what where when which who if that";
    said.windows(2).any(|w| {
        let order = w[0].orders && !listed(NO_WORK, w[0].low);
        order && listed("this these", w[1].low)
            || w[0].orders && listed("make turn put", w[0].low) && listed("it that", w[1].low)
            || w[0].low == "my" && listed(PAPERS, w[1].low)
    })
}

/// 我叫小明 英文: a language alone is an order to translate.
fn names_a_language(plain: &Plain, sentence: &Sentence) -> bool {
    sentence.clauses.iter().any(|c| {
        let clause = &plain.shadow[c.clone()];
        !clause.is_empty() && super::chinese_values::language(clause) == clause.len()
    })
}

/// "this sentence", "the following text"
fn deictic(said: &[Said]) -> bool {
    said.iter().enumerate().any(|(at, w)| {
        listed("this these following above below that each every", w.low)
            && said[at + 1..].iter().take(2).any(|n| listed(TEXTS, n.low))
    })
}

/// 你是一名医生, 你叫…: a part is given out.
fn you_are_han(han: &str) -> bool {
    holds(
        han,
        "你是一 你现在是 你叫 你的名字是 你的名字叫 你来扮 你来当 你来演 你当 你将是 你就是一 你作为",
    ) || han.starts_with("你是") && !han.contains(['谁', '吗', '？'])
}
