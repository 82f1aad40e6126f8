//! What an English clause states of the one who wrote it. Patterns stand at the start of the
//! clause, after words that only lead in; what follows is taken only where it looks like a value.

use super::{
    Around, Found, What,
    circumstances::{being, born, work},
    household::{driving, having, learning, relation},
    lexicon::{GREETINGS, LEADS, listed},
    plain::Plain,
    possession::possession,
    requests::{call_me, forget, language, note, remember},
    values::{self, age, name, place, thing},
    wishes::wish,
    words::{Cursor, Word, words},
};
use std::ops::Range;

/// What a reader of one clause may look at beside its words.
#[derive(Clone, Copy)]
pub struct Scene<'t> {
    /// The message.
    pub text: &'t str,
    /// What surrounds the clause.
    pub around: Around,
}

impl Scene<'_> {
    /// The statement whose value is the next `len` words; none of no words. Walks past them.
    pub fn found(&self, c: &mut Cursor, start: usize, len: usize, what: What) -> Option<Found> {
        let from = c.words.get(start)?.at.start;
        let value = c.rest().first()?.at.start..c.rest().get(len.checked_sub(1)?)?.at.end;
        c.skip(len);
        Some(Found {
            quote: from..value.end,
            value,
            what,
            open: false,
        })
    }
}

/// All statements of one clause.
pub fn read(message: &Plain, clause: Range<usize>, around: Around) -> Vec<Found> {
    let words = words(&message.shadow, clause);
    let scene = Scene {
        text: message.text,
        around,
    };
    let mut c = Cursor::new(&words);
    let mut all = Vec::new();
    let mut goes_on = false;
    while let Some(mut found) = lead(&mut c)
        .then(|| statement(scene, &mut c, goes_on))
        .flatten()
    {
        c.eat_all("years old|year old|yrs old|years of age|years young|yo|y/o");
        c.eat_all("too|as well|at all|anymore|btw|by the way|though|lol");
        c.eat_all("please|pls|thanks|thank you|now|right now|today|actually");
        found.open = c.rest().is_empty();
        all.push(found);
        if c.eat_any("and|but|plus|so|&|or").is_none() {
            break;
        }
        goes_on = true;
    }
    // "Remember: …"
    if all.is_empty() && around.noted && note(scene, &c, true) {
        let len = c.rest().len();
        all.extend(scene.found(&mut c, 0, len, What::Note));
    }
    all
}

/// Whether a clause without a statement leaves the ones after it credible: a greeting, thanks,
/// something else the user says of themselves.
pub fn opens(message: &Plain, clause: Range<usize>) -> bool {
    let words = words(&message.shadow, clause);
    let mut c = Cursor::new(&words);
    lead(&mut c);
    let rest = c.rest();
    let doubt = |w: &Word| {
        listed(
            "wonder doubt wish imagine guess dreamed dreamt hope bet pretend",
            w.low,
        )
    };
    match c.peek() {
        "" => true,
        "i" | "we" => !rest.iter().any(doubt),
        "nice" | "pleased" | "good" | "glad" | "happy" | "thanks" | "thank" | "welcome" => true,
        // "Hi Claude, …", and a name called: "Claude, …" is none of these.
        _ => words.first().is_some_and(|w| listed(GREETINGS, w.low)) && rest.len() <= 2,
    }
}

/// Walks past words that only lead in. Always true: it may have nothing to walk past.
fn lead(c: &mut Cursor) -> bool {
    let greeted = listed(GREETINGS, c.peek());
    c.eat_all(LEADS);
    // "hi claude my name is …"
    let next = c.rest().get(1).map_or("", |w| w.low);
    if greeted
        && matches!(next, "my" | "i" | "call")
        && !matches!(c.peek(), "my" | "i" | "is" | "do")
    {
        c.skip(1);
        c.eat_all(LEADS);
    }
    true
}

/// One statement at the cursor.
pub fn statement(scene: Scene, c: &mut Cursor, goes_on: bool) -> Option<Found> {
    // "I live in Berlin and work as a nurse"
    let implied: fn(Scene, &mut Cursor) -> Option<Found> = if goes_on {
        |scene, c| first_person(scene, c, c.next)
    } else {
        |_, _| None
    };
    first_of(scene, c, [outright, wish, remember, forget, implied])
}

/// A statement that is not wrapped into "remember …".
pub fn outright(scene: Scene, c: &mut Cursor) -> Option<Found> {
    let mine: fn(Scene, &mut Cursor) -> Option<Found> = |scene, c| {
        let start = c.next;
        if !c.eat("my") {
            return None;
        }
        let mut tried = *c;
        if let Some(found) = possession(scene, &mut tried, start) {
            *c = tried;
            return Some(found);
        }
        relation(scene, c, start)
    };
    let i: fn(Scene, &mut Cursor) -> Option<Found> = |scene, c| {
        let start = c.next;
        if c.eat("i") {
            first_person(scene, c, start)
        } else {
            None
        }
    };
    first_of(scene, c, [mine, i, call_me, language])
}

/// What the first of these finds here.
fn first_of<const N: usize>(
    scene: Scene,
    c: &mut Cursor,
    ways: [fn(Scene, &mut Cursor) -> Option<Found>; N],
) -> Option<Found> {
    for way in ways {
        let mut tried = *c;
        if let Some(found) = way(scene, &mut tried) {
            c.next = tried.next;
            return Some(found);
        }
    }
    None
}

/// How often or how much: it changes nothing.
pub const ADVERBS: &str = "\
    really|also|just|still|always|usually|generally|strongly|personally|honestly|absolutely|\
    truly|definitely|do|very much|quite|particularly|especially|totally|mostly|mainly|\
    normally|typically|currently|now|actually|simply|originally|much|greatly|have always|\
    even|proudly|only";

/// After "I".
fn first_person(scene: Scene, c: &mut Cursor, start: usize) -> Option<Found> {
    c.eat_all(ADVERBS);
    let no = c.eat("not") || c.eat("no longer") || c.eat("never");
    c.eat_all(ADVERBS);
    if c.eat("am") {
        return being(scene, c, start, no);
    }
    if let Some(label) = taste(c, no) {
        if matches!(label, "likes " | "prefers ")
            && (c.eat("to be called") || c.eat("being called"))
        {
            let len = name(scene.text, c.rest());
            return scene.found(c, start, len, What::fact("identity", "nickname"));
        }
        let len = thing(scene.text, c.rest());
        return scene.found(c, start, len, What::taste(label));
    }
    if no {
        return None;
    }
    let lives = "live in|reside in|have lived in|have been living in|moved to";
    if let Some(verb) = c.eat_any(lives) {
        let len = place(scene.text, c.rest());
        // "I moved to strike the motion"
        let next = c.rest().get(len).map_or("", |w| w.low);
        let acts = verb == "moved to" && listed("the a my your this that it", next);
        let len = if acts { 0 } else { len };
        return scene.found(c, start, len, What::fact("identity", "location"));
    }
    if c.eat_any("come from|grew up in").is_some() {
        let len = place(scene.text, c.rest());
        return scene.found(c, start, len, What::fact("identity", "origin"));
    }
    if c.eat("was born") {
        return born(scene, c, start);
    }
    if c.eat("work") || c.eat("have worked") {
        return work(scene, c, start);
    }
    if c.eat("speak") {
        let len = values::languages(c.rest());
        return scene.found(c, start, len, What::fact("identity", "languages"));
    }
    if c.eat("go by") {
        c.eat("the name");
        let len = name(scene.text, c.rest());
        return scene.found(c, start, len, What::fact("identity", "nickname"));
    }
    if c.eat("have") {
        let mut what = *c;
        what.eat_any("a|an");
        what.eat_any("severe|bad|mild|serious|strong|slight|food");
        let after = what.rest().get(1).map_or("", |w| w.low);
        if matches!(after, "allergy" | "allergies") {
            *c = what;
            return scene.found(c, start, 1, What::allergy("allergic to "));
        }
        return having(scene, c, start);
    }
    if c.eat("study") {
        return learning(scene, c, start);
    }
    if c.eat("drive") {
        return driving(scene, c, start);
    }
    if c.eat("use") {
        let used = c.rest().get(1).is_some_and(|w| w.low == "pronouns") && c.peek().contains('/');
        return scene.found(
            c,
            start,
            usize::from(used),
            What::fact("identity", "pronouns"),
        );
    }
    if c.eat("turned") {
        let (len, _) = age(c.rest())?;
        return scene.found(c, start, len, What::fact("identity", "age"));
    }
    None
}

/// The verb of a liking, as the profile says it.
fn taste(c: &mut Cursor, no: bool) -> Option<&'static str> {
    const VERBS: &[(&str, &str, &str)] = &[
        ("like", "likes ", "doesn't like "),
        ("love", "loves ", "doesn't love "),
        ("enjoy", "enjoys ", "doesn't enjoy "),
        ("prefer", "prefers ", "doesn't prefer "),
        ("adore", "adores ", "doesn't adore "),
        ("hate", "hates ", ""),
        ("dislike", "dislikes ", ""),
        ("detest", "detests ", ""),
        ("despise", "despises ", ""),
        ("loathe", "loathes ", ""),
        ("can not stand", "can't stand ", ""),
        ("eat", "", "doesn't eat "),
        ("drink", "", "doesn't drink "),
        ("care for", "", "doesn't care for "),
    ];
    let (_, yes, not) = VERBS.iter().find(|(verb, ..)| c.eat(verb))?;
    let label = if no { not } else { yes };
    (!label.is_empty()).then_some(label)
}
