//! What the user states outright of themselves ("my name is Ada", 我喜欢咖啡, "forget my birthday"):
//! a pure function of one message. It reads patterns at the start of clauses, takes a value only
//! where it looks like one, and believes nothing that is not the user's own plain word: code,
//! quotations, questions, suppositions, fiction, and texts that are only to be worked on. A wrong
//! fact about a person is worse than a missed one.

mod chinese;
mod chinese_household;
mod chinese_slots;
mod chinese_values;
mod circumstances;
mod context;
mod cues;
mod english;
mod forget;
mod found;
mod household;
mod japanese;
mod korean;
mod lexicon;
mod normal;
mod outside;
mod plain;
mod possession;
mod requests;
mod sentence;
mod values;
mod verb_last;
mod wishes;
mod words;

#[cfg(test)]
mod examples;
#[cfg(test)]
mod examples_household;

pub use forget::forget_matches;

use context::Verdict;
use found::{Found, What, statement};
use plain::{CODE, Plain, QUOTED};
use sentence::{End, Sentence};
use std::{collections::HashSet, ops::Range};

/// What a statement does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// "my name is Ada"
    Set {
        /// Topic of the slot.
        topic: String,
        /// Key of the slot.
        key: String,
        /// Its value.
        value: String,
    },
    /// "forget …": what it names, as said. [`forget_matches`] tells which slots are meant.
    Forget {
        /// The words after "forget", without "my".
        what: String,
    },
}

/// One outright statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// What it does.
    pub op: Op,
    /// The user's words it was read from: a slice of the message.
    pub quote: String,
}

/// A message longer than this is more likely pasted than said.
const LONGEST: usize = 2_000;
/// From so many lines on, most must be statements: else it is a text about something.
const LINES: usize = 5;

/// Clauses that make a wish one for good.
const FROM_NOW_ON: &[&str] = &[
    "from now on",
    "in future",
    "in the future",
    "going forward",
    "从现在开始",
    "从今以后",
    "以后",
    "今后",
];

/// What surrounds a clause.
#[derive(Clone, Copy, Default)]
struct Around {
    /// The sentence is all there is: "answer me in German" is then no part of a task.
    alone: bool,
    /// And it is one clause: no question stands beside "answer in German".
    only: bool,
    /// It is to hold from now on.
    ever: bool,
    /// The clause before said something of the user, who may be meant still.
    goes_on: bool,
    /// "Remember:" stands before.
    noted: bool,
}

/// Reads a user message; an empty answer is the usual one.
pub fn statements(text: &str) -> Vec<Statement> {
    read(text).unwrap_or_default()
}

fn read(text: &str) -> Option<Vec<Statement>> {
    if !may_state(text) || text.len() > 4 * LONGEST || text.chars().nth(LONGEST).is_some() {
        return None;
    }
    let plain = Plain::of(text)?;
    let (sentences, lines) = sentence::sentences(&plain);
    let mut found: Vec<Vec<Found>> = Vec::with_capacity(sentences.len());
    let mut around = Around {
        alone: sentences.len() == 1,
        only: sentences.len() == 1 && {
            let mut clauses = sentences[0].clauses.iter();
            clauses
                .all(|c| c.start == sentences[0].range().start || polite(&plain.shadow[c.clone()]))
        },
        ..Around::default()
    };
    for sentence in &sentences {
        found.push(in_sentence(&plain, sentence, around));
        let words = &plain.shadow[sentence.range()];
        let noting = chinese_values::holds(words, "remember 记住 记一下 记下");
        around.noted = sentence.end == End::Colon && noting;
    }
    if found.iter().all(Vec::is_empty) {
        return None;
    }
    // What the sentences around say of them.
    let mut end = text.len();
    for (sentence, found) in sentences.iter().zip(&mut found) {
        match context::judge(&plain, sentence, found) {
            Verdict::Plain => {}
            Verdict::NotThis => found.clear(),
            Verdict::NotFrom(at) => end = end.min(at),
            Verdict::Nothing => return None,
        }
        found.retain(|f| f.quote.end <= end);
    }
    let stated = |(s, f): (&Sentence, &Vec<Found>)| (!f.is_empty()).then_some(s.line);
    let said: HashSet<usize> = sentences.iter().zip(&found).filter_map(stated).collect();
    if lines >= LINES && said.len() * 2 < lines {
        return None;
    }
    // A list with other items is not one of statements.
    let other = |s: &Sentence| !said.contains(&s.line) || s.end == End::Question;
    let mixed = sentences.iter().any(|s| s.item && other(s));
    let all = sentences.iter().zip(found);
    let kept = all.filter(|(s, _)| !(mixed && s.item)).flat_map(|(_, f)| f);
    Some(kept.filter_map(|f| statement(text, f)).collect())
}

/// Whether a clause asks nothing and says nothing.
fn polite(clause: &str) -> bool {
    const WORDS: &[&str] = &[
        "please",
        "pls",
        "thanks",
        "thank you",
        "谢谢",
        "谢谢你",
        "好吗",
    ];
    WORDS.contains(&clause)
}

/// A cheap look: most messages have none of the words a statement begins with.
fn may_state(text: &str) -> bool {
    const WORDS: &[&str] = &[
        "i", "my", "me", "im", "ive", "remember", "forget", "always", "answer", "reply", "respond",
        "please", "never", "keep", "use", "don", "stop", "speak",
    ];
    let words = || text.split(|c: char| !c.is_ascii_alphanumeric());
    text.contains(['我', '记', '記', '忘', '答', '复', '復', '覆', '用'])
        || text
            .chars()
            .any(|c| japanese::is_kana(c) || korean::is_hangul(c))
        || words().any(|w| w.len() <= 8 && WORDS.iter().any(|x| x.eq_ignore_ascii_case(w)))
}

/// The statements of one sentence, from its start as long as one follows the other: what comes
/// after words that are not understood may be theirs ("he told me, my name is …").
fn in_sentence(plain: &Plain, sentence: &Sentence, mut around: Around) -> Vec<Found> {
    let clauses = &sentence.clauses;
    let (mut all, mut next) = (Vec::new(), 0);
    while let Some(clause) = clauses.get(next).cloned() {
        next += 1;
        let words = &plain.shadow[clause.clone()];
        if words.starts_with([CODE, QUOTED]) {
            break;
        }
        if FROM_NOW_ON.contains(&words) {
            around.ever = true;
            continue;
        }
        if let Some(found) = japanese::read(plain, clause.clone(), around.only)
            .or_else(|| korean::read(plain, clause.clone(), around.only))
        {
            if sentence.end == End::Question {
                break;
            }
            all.push(found);
            continue;
        }
        let chinese = around.goes_on && words.contains(normal::is_han)
            || words.contains(['我', '记', '忘', '用', '答']);
        let mut found = if chinese {
            chinese::read(plain, clause.clone(), around)
        } else {
            english::read(plain, clause.clone(), around)
        };
        let Some(last) = found.last_mut() else {
            let greets = japanese::greets(words) || korean::greets(words);
            let opens =
                greets || english::opens(plain, clause.clone()) || chinese::opens(plain, clause);
            if opens { continue } else { break }
        };
        if last.open {
            let more = goes_on(plain, last, clauses, next, sentence.end);
            if let Some(to) = (more > 0).then(|| clauses[next + more - 1].end) {
                last.value.end = to;
                last.quote.end = to;
            }
            next += more;
        }
        // "…, what about you?" asks something else; "…, right?" asks the statement.
        let request =
            chinese_values::starts(&plain.shadow[last.quote.start..], "can could will would");
        let asked = !request
            && sentence.end == End::Question
            && !clauses
                .get(next..)
                .is_some_and(|rest| context::asks_else(plain, rest));
        if asked {
            break;
        }
        around.goes_on = true;
        all.append(&mut found);
    }
    all
}

/// How many of the next clauses belong to the value: "Berlin, Germany", "apples, pears and plums".
fn goes_on(plain: &Plain, found: &Found, clauses: &[Range<usize>], next: usize, end: End) -> usize {
    let rest = &clauses[next.min(clauses.len())..];
    let free = rest.len() - usize::from(end == End::Question).min(rest.len());
    match &found.what {
        What::Note if end != End::Question => rest.len(),
        What::Fact { key, .. } if key == "location" || key == "origin" => {
            usize::from(free > 0 && values::region(plain, rest[0].clone()))
        }
        What::Thing { .. } => values::list(plain, &rest[..free]),
        What::Fact { key, .. } if key == "hobbies" || key == "languages" => {
            values::list(plain, &rest[..free])
        }
        _ => 0,
    }
}
