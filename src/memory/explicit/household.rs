//! The people and animals of one's life, and what one learns and drives: "my wife's name is Ana",
//! "I have two kids", "I'm married". Kept is who they are to the user; what they do or like is
//! theirs.

use super::{
    Found, What,
    english::Scene,
    lexicon::{FUNCTION, LANGUAGES, NATIONS, NOT_A_NAME, listed},
    values::{age, name},
    words::{Cursor, Word},
};

const TOPIC: &str = "relationships";

/// One of somebody, and the key of their name.
const ONE: &[(&str, &str)] = &[
    ("wife", "wife"),
    ("husband", "husband"),
    ("spouse", "partner"),
    ("partner", "partner"),
    ("fiance", "partner"),
    ("fiancé", "partner"),
    ("fiancee", "partner"),
    ("fiancée", "partner"),
    ("girlfriend", "girlfriend"),
    ("boyfriend", "boyfriend"),
    ("son", "son"),
    ("daughter", "daughter"),
    ("brother", "brother"),
    ("sister", "sister"),
    ("mother", "mother"),
    ("mom", "mother"),
    ("mum", "mother"),
    ("father", "father"),
    ("dad", "father"),
    ("grandson", "grandson"),
    ("granddaughter", "granddaughter"),
    ("dog", "dog"),
    ("puppy", "dog"),
    ("cat", "cat"),
    ("kitten", "cat"),
    ("rabbit", "rabbit"),
    ("hamster", "hamster"),
    ("parrot", "parrot"),
    ("horse", "horse"),
];

/// Whom one may have, and the key of how many there are. "A son and a daughter" are children.
const SOME: &[(&str, &str, &str)] = &[
    (
        "kid kids child children twins triplets",
        "children",
        "children",
    ),
    ("son sons", "sons", "children"),
    ("daughter daughters", "daughters", "children"),
    (
        "grandchild grandchildren grandkids",
        "grandchildren",
        "children",
    ),
    ("sibling siblings", "siblings", "siblings"),
    ("brother brothers", "brothers", "siblings"),
    ("sister sisters", "sisters", "siblings"),
    ("dog dogs puppy puppies", "dogs", "pets"),
    ("cat cats kitten kittens", "cats", "pets"),
    ("rabbit rabbits", "rabbits", "pets"),
    ("hamster hamsters", "hamsters", "pets"),
    ("parrot parrots", "parrots", "pets"),
    ("horse horses", "horses", "pets"),
    ("wife husband girlfriend boyfriend", "partner", "partner"),
];

const NUMBERS: &str = "a|an|one|two|three|four|five|six|seven|eight|2|3|4|5|6|7|8";
const LOOKS: &str = "\
    little|small|young|younger|older|elder|big|beautiful|wonderful|lovely|adorable|cute|rescue|\
    black|white|ginger|grown|adult|twin|only|eldest|oldest|youngest|baby";

/// After "my": "wife's name is Ana", "dog is called Rex", "daughter Mia is five".
pub fn relation(scene: Scene, c: &mut Cursor, start: usize) -> Option<Found> {
    if c.eat("car is") {
        return driving(scene, c, start);
    }
    c.eat_any(LOOKS);
    let word = c.peek();
    let bare = word.strip_suffix("'s").or_else(|| word.strip_suffix("’s"));
    let (_, key) = ONE.iter().find(|(one, _)| *one == bare.unwrap_or(word))?;
    c.skip(1);
    let named = match bare {
        // "my dog's called Rex"
        Some(_) => c.eat("name is") || c.eat("called") || c.eat("named"),
        None => c.eat("is called") || c.eat("is named"),
    };
    if named {
        let len = called(scene, c.rest());
        return scene.found(c, start, len, What::fact(TOPIC, key));
    }
    if bare.is_some() {
        return None;
    }
    if c.eat("is") {
        let (len, old) = age(c.rest())?;
        let whole = old || c.rest().len() == len;
        let len = if whole { len } else { 0 };
        return scene.found(c, start, len, What::fact(TOPIC, &format!("{key}-age")));
    }
    // "my wife Ana and I", "my son Leo is six"
    let len = names(scene, c.rest());
    let next = c.rest().get(len).map_or("", |w| w.low);
    let told = listed(
        "is and has loves likes hates lives works turned turns",
        next,
    );
    scene.found(c, start, if told { len } else { 0 }, What::fact(TOPIC, key))
}

/// A name after "called": one without a capital ends its clause ("called away a lot").
fn called(scene: Scene, words: &[Word]) -> usize {
    let len = name(scene.text, words);
    let typed = words.first().map_or("", |w| &scene.text[w.at.clone()]);
    let low = typed.starts_with(char::is_lowercase);
    let next = words.get(len).map_or("", |w| w.low);
    let ends = next.is_empty() || listed("and but please too by", next);
    let verb = listed("away off out back home up upon in for", typed);
    if low && (!ends || verb) { 0 } else { len }
}

/// One or two words with a capital.
fn names(scene: Scene, words: &[Word]) -> usize {
    let named = |w: &&Word| {
        let word = &scene.text[w.at.clone()];
        word.starts_with(char::is_uppercase)
            && word.chars().all(|c| c.is_alphabetic() || c == '-')
            && !listed(FUNCTION, w.low)
    };
    match words.iter().take_while(named).count() {
        len @ 1..=2 => len,
        _ => 0,
    }
}

/// After "I have": "two kids", "a daughter named Mia", "a dog and two cats".
pub fn having(scene: Scene, c: &mut Cursor, start: usize) -> Option<Found> {
    c.eat("got");
    let from = c.next;
    let (mut key, class) = some(c)?;
    let one = ONE.iter().find(|(one, _)| *one == c.words[c.next - 1].low);
    if let Some((_, key)) = one
        && c.eat_any("called|named|whose name is").is_some()
    {
        let len = called(scene, c.rest());
        return scene.found(c, start, len, What::fact(TOPIC, key));
    }
    loop {
        let mut more = *c;
        if !(more.eat("and") && some(&mut more).is_some_and(|(_, same)| same == class)) {
            break;
        }
        key = class;
        *c = more;
    }
    let next = c.peek();
    let ends = next.is_empty() || listed("and but who with aged named called too now", next);
    let len = c.next - from;
    c.next = from;
    scene.found(c, start, if ends { len } else { 0 }, What::fact(TOPIC, key))
}

/// "two kids": their key, and what they are among others.
fn some(c: &mut Cursor) -> Option<(&'static str, &'static str)> {
    let counted = c.eat_any(NUMBERS).is_some();
    c.eat_any(LOOKS);
    let (_, key, class) = SOME.iter().find(|(words, ..)| listed(words, c.peek()))?;
    let many = c.peek().ends_with('s') || matches!(c.peek(), "children" | "grandchildren");
    c.skip(1);
    (counted || many).then_some((*key, *class))
}

/// After "I am": "married to Chen", "learning Japanese", "27", and a name where one is introduced.
pub fn standing(scene: Scene, c: &mut Cursor, start: usize) -> Option<Found> {
    if c.eat_any("married to|engaged to").is_some() {
        let len = names(scene, c.rest());
        return scene.found(c, start, len, What::fact(TOPIC, "partner"));
    }
    if c.eat_any("learning|studying").is_some() {
        return learning(scene, c, start);
    }
    let ends = |c: &Cursor, len: usize| {
        let next = c.rest().get(len).map_or("", |w| w.low);
        next.is_empty() || matches!(next, "and" | "but")
    };
    if listed("married divorced widowed single", c.peek()) && ends(c, 1) {
        return scene.found(c, start, 1, What::fact(TOPIC, "marital-status"));
    }
    let years = c.peek().parse::<u8>().ok();
    if years.is_some_and(|years| (13..=99).contains(&years)) && ends(c, 1) {
        return scene.found(c, start, 1, What::fact("identity", "age"));
    }
    let low = scene.text.to_ascii_lowercase();
    let first = low.split(|c: char| !c.is_alphanumeric()).next();
    let greets = first.is_some_and(|first| listed("hi hello hey hallo", first))
        || low.contains("nice to meet you")
        || low.contains("pleased to meet you");
    let len = names(scene, c.rest());
    let own = &c.rest()[..len];
    let people = own.iter().any(|w| {
        let lists = [LANGUAGES, NATIONS, NOT_A_NAME];
        lists.iter().any(|list| listed(list, w.low))
    });
    let next = c.rest().get(len).map_or("", |w| w.low);
    let told = greets && !people && (next.is_empty() || matches!(next, "and" | "from"));
    scene.found(
        c,
        start,
        if told { len } else { 0 },
        What::fact("identity", "name"),
    )
}

/// After "I study", "I am learning".
pub fn learning(scene: Scene, c: &mut Cursor, start: usize) -> Option<Found> {
    const SUBJECTS: &str = "\
        medicine law biology physics chemistry maths math mathematics history philosophy \
        psychology economics engineering linguistics architecture nursing accounting geology \
        geography astronomy sociology informatics guitar piano violin drums chess";
    if c.eat("to play") || c.eat("how to play") {
        c.eat("the");
    }
    let known = |w: &Word| listed(LANGUAGES, w.low) || listed(SUBJECTS, w.low);
    let len = match c.rest() {
        [one, two, ..] if one.low == "computer" && two.low == "science" => 2,
        [first, and, second, ..] if known(first) && and.low == "and" && known(second) => 3,
        [first, ..] if known(first) => 1,
        _ => 0,
    };
    scene.found(c, start, len, What::fact("education", "learning"))
}

/// After "I drive", "my car is": a make has a capital.
pub fn driving(scene: Scene, c: &mut Cursor, start: usize) -> Option<Found> {
    c.eat_any("a|an")?;
    let words = c.rest();
    let looks = |w: &&Word| listed("red blue white black grey green silver old new used", w.low);
    let first = words.iter().take_while(looks).count();
    let make = |w: &&Word| scene.text[w.at.clone()].starts_with(|c: char| !c.is_lowercase());
    let len = first + words[first..].iter().take_while(make).count();
    let next = words.get(len).map_or("", |w| w.low);
    let ends = next.is_empty() || listed(FUNCTION, next);
    let known = ends && (first + 1..=first + 4).contains(&len);
    let what = What::fact("possessions", "car");
    scene.found(c, start, if known { len } else { 0 }, what)
}
