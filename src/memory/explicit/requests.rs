//! What the user asks to be remembered, forgotten or called, and the language they want.

use super::{
    Found, What,
    english::{Scene, outright},
    lexicon::listed,
    values::{languages, name, phrase},
    words::Cursor,
};

/// "remember that …", "don't forget that …", "note that I …".
pub fn remember(scene: Scene, c: &mut Cursor) -> Option<Found> {
    let start = c.next;
    c.eat_any(
        "\
            can you|could you|will you|would you|i want you to|you can|you should",
    );
    c.eat_all("please|always|also|just");
    let noted = c.eat_any(
        "\
            remember to|remember that|remember this|remember|do not forget that|do not forget|\
            never forget that|make a note that|take note that|note that|note|\
            keep in mind that|keep in mind|memorize that|bear in mind that|save that|\
            store that",
    )?;
    let mut inner = *c;
    if let Some(mut found) = outright(scene, &mut inner) {
        c.next = inner.next;
        found.quote.start = c.words[start].at.start;
        return Some(found);
    }
    let asked =
        noted.starts_with("remember") || noted.starts_with("do not") || noted.starts_with("mem");
    let len = if asked && note(scene, c, noted.ends_with("that")) {
        c.rest().len()
    } else {
        0
    };
    scene.found(c, start, len, What::Note)
}

/// Whether the rest of the clause is worth a note: it says something, and not of this talk.
pub fn note(scene: Scene, c: &Cursor, that: bool) -> bool {
    let rest = c.rest();
    let (Some(first), Some(second)) = (rest.first(), rest.get(1)) else {
        return false;
    };
    let talk = "asked told said mentioned was wrote gave sent did discussed talked agreed spoke were used had \
        have just already";
    let verb = "is are was has have likes hates lives works starts needs runs wants am ends will";
    let capital =
        scene.text[first.at.clone()].starts_with(|c: char| c.is_uppercase() || c.is_ascii_digit());
    let own = listed("i my we our", first.low)
        && !(listed("i we", first.low) && listed(talk, second.low));
    let says = rest.iter().skip(1).any(|w| listed(verb, w.low));
    let told = capital && !listed("this it you if when", first.low)
        || listed(
            "the every on next a an some all he she they his her their in at",
            first.low,
        );
    rest.len() >= 3
        && (own && (says || first.low == "i") || that && told && says && rest.len() >= 4)
}

/// "forget my …", "forget that I …", "don't remember my …".
pub fn forget(scene: Scene, c: &mut Cursor) -> Option<Found> {
    let start = c.next;
    c.eat_any(
        "\
            can you|could you|will you|would you|i want you to|you can|you should",
    );
    c.eat_all("please|also|just");
    let verb = c.eat_any(
        "\
            forget|do not remember|do not store|do not save|do not record|do not keep|\
            stop remembering|never remember|unremember",
    )?;
    let from = c.next;
    let all = c.eat("everything") || c.eat("all");
    if all {
        c.eat_any(
            "\
            that you know|you know|you have learned|you remember|you have|there is",
        );
        let me = c.eat("about me");
        let len = c.next - from;
        c.next = from;
        return scene.found(c, start, if me { len } else { 0 }, What::Forget);
    }
    c.eat_any("that|about|what i told you about|what i said about|the fact that");
    let what = c.next;
    let mine = c.eat("my") || (verb == "forget" && c.peek() == "i");
    let len = phrase_of(c);
    let talk = "said asked mentioned told wrote was did question message instructions instruction request \
        answer prompt previous last above earlier mistake first idea words comment keys";
    let about_talk = c.rest()[..len].iter().any(|w| listed(talk, w.low));
    if !mine || about_talk || c.next == what && len < 3 {
        return None;
    }
    scene.found(c, start, len, What::Forget)
}

/// The words of what is to be forgotten; "I like …" holds a pronoun that ends other phrases.
fn phrase_of(c: &Cursor) -> usize {
    let rest = c.rest();
    let skip = usize::from(c.peek() == "i");
    let mut len = skip + phrase(&rest[skip..]);
    const TAIL: &[&[&str]] = &[
        &["from", "your", "memory"],
        &["again"],
        &["now"],
        &["completely"],
    ];
    for tail in TAIL {
        let ends = rest[..len].len() > tail.len()
            && rest[len - tail.len()..len]
                .iter()
                .zip(*tail)
                .all(|(w, t)| w.low == *t);
        len -= if ends { tail.len() } else { 0 };
    }
    len
}

/// "call me Ada"
pub fn call_me(scene: Scene, c: &mut Cursor) -> Option<Found> {
    let start = c.next;
    c.eat_any(
        "\
            you can|you may|you could|feel free to|can you|could you|people|everyone|\
            everybody|my friends|friends|most people|just|i want you to|i would like you to",
    );
    c.eat_all("just|please|also|usually|always|all");
    if c.eat("address me as") || c.eat("refer to me as") || c.eat("call me") || c.eat("calls me") {
        let len = name(scene.text, c.rest());
        return scene.found(c, start, len, What::fact("identity", "nickname"));
    }
    None
}

/// "always answer in German"; "answer me in German" where nothing else is asked.
pub fn language(scene: Scene, c: &mut Cursor) -> Option<Found> {
    const EVER: &str = "\
        always|from now on|in future|in the future|going forward|every time|by default|\
        henceforth|from here on";
    let start = c.next;
    let mut ever = c.eat_any(EVER).is_some();
    c.eat("please");
    ever |= c.eat_any(EVER).is_some();
    let verb = c.eat_any("answer|reply|respond|speak|talk|write")?;
    let me = c.eat_any("to me|with me|me").is_some();
    if !c.eat("in") && verb != "speak" {
        return None;
    }
    let len = languages(c.rest());
    let found = scene.found(c, start, len, What::fact("preferences", "language"))?;
    c.eat_any("to me|with me");
    ever |= c.eat_any(EVER).is_some();
    c.eat("please");
    // Asked for, where nothing else is said that it could be meant for.
    let asked = scene.text.to_ascii_lowercase().contains("please");
    let only = asked && scene.around.only && verb != "write" && c.rest().is_empty();
    (ever || scene.around.ever || me && scene.around.alone || only).then_some(found)
}
