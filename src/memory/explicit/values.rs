//! What a value may be, in English. Each reader says how many of the words that follow a pattern
//! are its value; none, where they do not look like one. A wrong fact about a person is worse than
//! a missed one.

use super::{
    lexicon::*,
    normal::slug,
    plain::{CODE, Plain, QUOTED},
    words::{Word, words},
};
use std::ops::Range;

/// A word as it was typed, for its capital.
fn capital(text: &str, word: &Word) -> bool {
    text[word.at.clone()].starts_with(char::is_uppercase)
}

fn is(list: &str, word: &Word) -> bool {
    listed(list, word.low)
}

fn opaque(word: &Word) -> bool {
    word.low.starts_with([CODE, QUOTED])
}

/// A person's name.
pub fn name(text: &str, words: &[Word]) -> usize {
    if words.first().is_some_and(|w| w.low.starts_with(QUOTED)) {
        return words.iter().take_while(|w| opaque(w)).count();
    }
    let shaped = |w: &Word| {
        w.low
            .chars()
            .all(|c| c.is_alphabetic() || "-'’.·".contains(c))
            && w.low.len() <= 40
    };
    let len = words
        .iter()
        .take_while(|w| shaped(w) && !is(FUNCTION, w))
        .count();
    let (Some(first), 1..=4) = (words.first(), len) else {
        return 0;
    };
    let capitals = capital(text, first);
    let after = words.get(len).map_or("", |w| w.low);
    let describes = !capitals
        && (is(NOT_A_NAME, first)
            || first.low.ends_with("ing") && first.low.len() > 5
            || participle(first.low)
            || len == 1
                && matches!(
                    after,
                    "of" | "to" | "as" | "than" | "that" | "for" | "on" | "when" | "if"
                ));
    let odd = words[..len].iter().any(|w| {
        is(NOT_A_NAME, w) && !capital(text, w)
            || is("test testing foo bar null none maybe xx xxx xyz", w)
    });
    let letter = len == 1 && first.low.len() == 1;
    if describes || odd || letter || listed("or is are was were", after) {
        0
    } else {
        len
    }
}

/// "linked", "redacted": no name.
fn participle(word: &str) -> bool {
    word.len() > 5
        && word.ends_with("ed")
        && !["fred", "hmed", "mmed", "amed"]
            .iter()
            .any(|n| word.ends_with(n))
}

/// A town, a country.
pub fn place(text: &str, words: &[Word]) -> usize {
    let the = words.first().is_some_and(|w| w.low == "the");
    let from = usize::from(the);
    let mut len = from;
    for word in &words[from..] {
        let inner = len > from && matches!(word.low, "of" | "de" | "la" | "upon");
        if opaque(word)
            || (is(FUNCTION, word) && !(inner || word.low == "us" && the))
            || is(TURNS, word)
            || is(
                "originally actually currently right last next nowadays myself these recently",
                word,
            )
        {
            break;
        }
        len += 1;
    }
    let Some(first) = words.get(from).filter(|_| len > from && len <= 6) else {
        return 0;
    };
    let known = capital(text, first) || is(KNOWN_THE, first);
    let odd = first.low.starts_with(|c: char| c.is_ascii_digit())
        || is(NOT_A_PLACE, first) && !(capital(text, first) && first.low != "mars")
        || the && !known
        || words.get(len).is_some_and(|w| is("or is are was were", w))
        || words[..len].iter().any(|w| {
            is(
                "house home place apartment flat basement room car van tent",
                w,
            )
        })
        || len == 1 && (participle(first.low) || first.low.len() == 1);
    if odd { 0 } else { len }
}

/// What somebody likes, or does not.
pub fn thing(text: &str, words: &[Word]) -> usize {
    let len = phrase(words);
    let (Some(first), 1..) = (words.first(), len) else {
        return 0;
    };
    let own = &words[..len];
    let the = match (first.low, own.get(1)) {
        ("the", Some(next)) => !(is(KNOWN_THE, next) || capital(text, next)),
        ("the", None) => true,
        _ => false,
    };
    let idle = first.low == "to" && own.get(1).is_none_or(|w| is(IDLE_VERBS, w));
    // "a" alone points at nothing, "a good book" is a thing.
    let points = is(POINTING, first)
        && !(first.low == "a" && len > 1 && !is("lot few bit", &own[1]))
        && !(matches!(first.low, "all" | "more" | "less" | "most" | "no" | "other")
            && len > 1
            && !is("of", &own[1]));
    let talk = own
        .iter()
        .any(|w| is("you your yours u this these yourself", w))
        || own.last().is_some_and(|w| is("it that them one ones", w));
    // "I love Lucy is a show", "I like B", "I like number 3"
    let told_of = words.get(len).is_some_and(|w| is("is are was were", w));
    let letter = first.low.len() == 1 && len == 1 && !is("c r", first) || is("number", first);
    let tongue = len > 2
        && is("in", &own[len - 2])
        && is(LANGUAGES, &own[len - 1])
        && !is("answers replies", first);
    let against = own.iter().any(|w| is("vs versus", w));
    let idea = against
        || told_of
        || letter
        || tongue
        || own.len() > 1 && is("idea way fact sound part look", &own[1]);
    if the || idle || points || talk || idea || own.iter().any(|w| w.low.starts_with(CODE)) {
        0
    } else {
        len
    }
}

/// The words up to where something else begins.
pub fn phrase(words: &[Word]) -> usize {
    let ends = |at: usize| {
        let next = words.get(at + 1).map_or("", |w| w.low);
        let low = words[at].low;
        listed(TURNS, low)
            || matches!(low, "and" | "or" | "plus") && (listed(OPENERS, next) || next.is_empty())
            || low == "by" && next == "the"
            || low == "too"
            || low == "anymore"
            || low == "as" && next == "well"
            || low == "at" && next == "all"
    };
    (0..words.len()).find(|at| ends(*at)).unwrap_or(words.len())
}

/// A few words that are no comment on themselves ("my diet is strict", "my job is hard").
pub fn plain(text: &str, words: &[Word], most: usize) -> usize {
    let len = phrase(words);
    let Some(first) = words.first().filter(|_| (1..=most).contains(&len)) else {
        return 0;
    };
    let comment = (is(NOT_A_NAME, first) || participle(first.low)) && !capital(text, first);
    let odd =
        is(POINTING, first) && first.low != "a" || is("the very to also too really quite", first);
    let talk = words[..len]
        .iter()
        .any(|w| is("you your this that these it or", w));
    if comment || odd || talk || words[..len].iter().any(|w| w.low.starts_with(CODE)) {
        0
    } else {
        len
    }
}

/// One word, or a few, that hold these signs ("@" for an address, digits for a number).
pub fn holding(words: &[Word], most: usize, holds: impl Fn(&str) -> bool) -> usize {
    let len = phrase(words).min(most);
    if words[..len].iter().any(|w| holds(w.low)) {
        len
    } else {
        0
    }
}

/// "34", "thirty-four", "34 years old": how many words, and how many of them say the number.
pub fn age(words: &[Word]) -> Option<(usize, bool)> {
    const TENS: &str = "twenty thirty forty fifty sixty seventy eighty ninety";
    const ONES: &str = "\
        one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen \
        sixteen seventeen eighteen nineteen";
    let first = words.first()?.low;
    let spelled = |w: &str| w.split('-').all(|p| listed(TENS, p) || listed(ONES, p));
    let digits = first.bytes().all(|b| b.is_ascii_digit()) && (1..=3).contains(&first.len());
    let mut len = 1;
    if !digits && !spelled(first) {
        let bare = ["yo", "y/o", "yrs", "years"]
            .iter()
            .find_map(|u| first.strip_suffix(u))?;
        return bare.parse::<u8>().is_ok().then_some((1, true));
    }
    if listed(TENS, first) && words.get(1).is_some_and(|w| listed(ONES, w.low)) {
        len = 2;
    }
    let unit: Vec<&str> = words[len..].iter().take(3).map(|w| w.low).collect();
    let old = matches!(
        unit.as_slice(),
        ["years", "old", ..]
            | ["year", "old", ..]
            | ["yrs", "old", ..]
            | ["years", "of", "age"]
            | ["yo", ..]
            | ["y/o", ..]
    ) || matches!(unit.as_slice(), ["years", "young", ..]);
    Some((len, old))
}

/// Languages, joined by "and" or commas, with how well they are spoken.
pub fn languages(words: &[Word]) -> usize {
    const HOW: &str = "\
        fluent native some little bit of a basic good both simplified traditional british american \
        brazilian only mainly mostly";
    let fits = |w: &&Word| is(LANGUAGES, w) || is(HOW, w) || matches!(w.low, "and" | "plus");
    let run = words.iter().take_while(fits).count();
    words[..run]
        .iter()
        .rposition(|w| is(LANGUAGES, w))
        .map_or(0, |last| last + 1)
}

/// A trade, without its article: where it begins and ends.
pub fn trade(words: &[Word]) -> Option<std::ops::Range<usize>> {
    let article = words.first().is_some_and(|w| matches!(w.low, "a" | "an"));
    // "a 34 year old teacher"
    let old = words.iter().take(5).position(|w| w.low == "old");
    let from = old.map_or(usize::from(article), |at| at + 1);
    let run = words[from..]
        .iter()
        .take(5)
        .take_while(|w| !is(FUNCTION, w) && !opaque(w))
        .count();
    let len = from + run;
    let trade = words.get(len.checked_sub(1)?).filter(|w| is(TRADES, w))?;
    let story = words[from..len].iter().any(|w| {
        is(
            "magic former space fake future evil not terrible bad aspiring wannabe",
            w,
        )
    });
    let of = words.get(len).is_some_and(|w| w.low == "of");
    (run > 0 && !of && !story && !trade.low.is_empty()).then_some(from..len)
}

/// "Germany" in "Berlin, Germany": a clause of names only.
pub fn region(plain: &Plain, clause: Range<usize>) -> bool {
    let words = words(&plain.shadow, clause);
    let named = |w: &Word| capital(plain.text, w) && !is(FUNCTION, w) && !is(TURNS, w);
    (1..=3).contains(&words.len()) && words.iter().all(named)
}

/// How many of the clauses go on with a list that "and" closes.
pub fn list(plain: &Plain, clauses: &[Range<usize>]) -> usize {
    for (at, clause) in clauses.iter().enumerate() {
        let words = words(&plain.shadow, clause.clone());
        let joins = |w: &Word| matches!(w.low, "and" | "or");
        let item = |w: &Word| joins(w) || !is(FUNCTION, w) && !is(TURNS, w) && !is(OPENERS, w);
        if words.is_empty() || words.len() > 5 || !words.iter().all(item) {
            return 0;
        }
        if words.iter().any(joins) {
            return at + 1;
        }
    }
    0
}

/// A value without the marks around it: quotation marks of a name, signs and smileys at its end.
pub fn bare(value: &str) -> &str {
    let ends = |c: char| !(c.is_alphanumeric() || "+#%°)）》」』”’'\"».".contains(c));
    let mut bare = value
        .trim()
        .trim_end_matches(ends)
        .trim_end_matches(['.', ' ']);
    for (open, close) in [
        ('"', '"'),
        ('“', '”'),
        ('「', '」'),
        ('『', '』'),
        ('\'', '\''),
        ('‘', '’'),
    ] {
        if let Some(inner) = bare.strip_prefix(open).and_then(|b| b.strip_suffix(close)) {
            bare = inner.trim();
        }
    }
    bare
}

/// The thing itself, of which a key is made: "tea" of "tea in the morning". Two things that are
/// compared give one key, whichever is preferred.
pub fn core(thing: &str) -> String {
    let low = thing.to_lowercase();
    const AGAINST: &[&str] = &[
        " rather than ",
        " more than ",
        " better than ",
        " instead of ",
        " over ",
        " to ",
    ];
    let compared = AGAINST.iter().find_map(|a| low.split_once(a));
    if let Some((one, other)) =
        compared.filter(|(one, _)| !one.starts_with("to ") && *one != "going")
    {
        let mut pair = [slug(one), slug(other)];
        pair.sort();
        return pair.join(" or ");
    }
    const BEHIND: &[&str] = &[
        " in ",
        " on ",
        " at ",
        " for ",
        " when ",
        " with ",
        " very much",
        " a lot",
        " so much",
        " the most",
        " since ",
        " during ",
        " after ",
        " before ",
        " most of all",
        " best",
        " more",
        " better",
    ];
    let end = BEHIND.iter().filter_map(|b| low.find(b)).min();
    low[..end.unwrap_or(low.len())].to_owned()
}
