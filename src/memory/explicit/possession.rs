//! "my … is …": which things of a person are kept, under which slot, and what their values look
//! like.

use super::{
    Found, What,
    english::Scene,
    lexicon::listed,
    normal::slug,
    values::{age, holding, languages, name, phrase, place, plain, thing, trade},
    words::{Cursor, Word},
};

/// What the value of a slot looks like.
#[derive(Clone, Copy)]
enum Kind {
    Name,
    Place,
    Mail,
    Phone,
    Date,
    Age,
    Tongue,
    Pronouns,
    Trade,
    Things,
    Short,
}

/// The names of a thing, its slot, and the look of its value. Longer names first.
const SLOTS: &[(&str, &str, &str, Kind)] = &[
    ("full name", "identity", "name", Kind::Name),
    ("first name", "identity", "name", Kind::Name),
    ("given name", "identity", "name", Kind::Name),
    ("real name", "identity", "name", Kind::Name),
    ("name", "identity", "name", Kind::Name),
    ("last name", "identity", "surname", Kind::Name),
    ("family name", "identity", "surname", Kind::Name),
    ("surname", "identity", "surname", Kind::Name),
    ("nickname", "identity", "nickname", Kind::Name),
    ("age", "identity", "age", Kind::Age),
    ("birthday", "identity", "birthday", Kind::Date),
    ("birth date", "identity", "birthday", Kind::Date),
    ("birthdate", "identity", "birthday", Kind::Date),
    ("date of birth", "identity", "birthday", Kind::Date),
    ("dob", "identity", "birthday", Kind::Date),
    ("email address", "contact", "email", Kind::Mail),
    ("e-mail address", "contact", "email", Kind::Mail),
    ("email", "contact", "email", Kind::Mail),
    ("e-mail", "contact", "email", Kind::Mail),
    ("phone number", "contact", "phone", Kind::Phone),
    ("mobile number", "contact", "phone", Kind::Phone),
    ("phone", "contact", "phone", Kind::Phone),
    ("number", "contact", "phone", Kind::Phone),
    ("timezone", "identity", "timezone", Kind::Short),
    ("time zone", "identity", "timezone", Kind::Short),
    ("pronouns", "identity", "pronouns", Kind::Pronouns),
    (
        "native language",
        "identity",
        "native-language",
        Kind::Tongue,
    ),
    (
        "first language",
        "identity",
        "native-language",
        Kind::Tongue,
    ),
    ("mother tongue", "identity", "native-language", Kind::Tongue),
    (
        "preferred language",
        "preferences",
        "language",
        Kind::Tongue,
    ),
    ("nationality", "identity", "nationality", Kind::Short),
    ("gender", "identity", "gender", Kind::Short),
    ("hometown", "identity", "origin", Kind::Place),
    ("home town", "identity", "origin", Kind::Place),
    ("home country", "identity", "origin", Kind::Place),
    ("home city", "identity", "location", Kind::Place),
    ("city", "identity", "location", Kind::Place),
    ("country", "identity", "location", Kind::Place),
    ("location", "identity", "location", Kind::Place),
    ("profession", "work", "job", Kind::Trade),
    ("occupation", "work", "job", Kind::Trade),
    ("job title", "work", "job", Kind::Trade),
    ("job", "work", "job", Kind::Trade),
    ("employer", "work", "employer", Kind::Name),
    ("hobby", "preferences", "hobbies", Kind::Things),
    ("hobbies", "preferences", "hobbies", Kind::Things),
];

/// After "my".
pub fn possession(scene: Scene, c: &mut Cursor, start: usize) -> Option<Found> {
    if c.eat("favourite") {
        return favourite(scene, c, start);
    }
    let (_, topic, key, kind) = SLOTS.iter().find(|(thing, ..)| c.eat(thing))?;
    copula(c)?;
    let text = scene.text;
    let len = match kind {
        Kind::Name => name(text, c.rest()),
        Kind::Place => place(text, c.rest()),
        Kind::Mail => holding(c.rest(), 1, |w| w.contains('@') && w.contains('.')),
        Kind::Phone => {
            let run = c.rest().iter().take_while(|w| digits(w.low)).count();
            let count: usize = c.rest()[..run].iter().map(|w| digit_count(w.low)).sum();
            if count >= 5 { run } else { 0 }
        }
        Kind::Date => {
            c.eat("on");
            date(c.rest())
        }
        Kind::Age => age(c.rest()).map_or(0, |(len, _)| len),
        Kind::Tongue => languages(c.rest()),
        Kind::Pronouns => {
            let said = |w: &str| w.contains('/') || listed("he she they him her them it ze xe", w);
            holding(c.rest(), 4, said)
        }
        Kind::Trade => match trade(c.rest()) {
            Some(trade) => {
                c.skip(trade.start);
                trade.len()
            }
            None if *key == "job" && c.words[c.next - 1].low == "job" => 0,
            None => {
                c.eat_any("a|an");
                0
            }
        },
        Kind::Things => thing(text, c.rest()),
        Kind::Short => plain(text, c.rest(), 3),
    };
    scene.found(c, start, len, What::fact(topic, key))
}

/// "is", not "is not".
fn copula(c: &mut Cursor) -> Option<()> {
    c.eat_any("is|are|=")?;
    c.eat_all("actually|now|just|also|currently|really|simply|in fact");
    (!matches!(c.peek(), "not" | "no" | "never")).then_some(())
}

/// "my favourite colour is blue"
fn favourite(scene: Scene, c: &mut Cursor, start: usize) -> Option<Found> {
    let is = |w: &Word| matches!(w.low, "is" | "are");
    let len = c
        .rest()
        .iter()
        .position(is)
        .filter(|len| (1..=3).contains(len))?;
    let of = &c.rest()[..len];
    let vague =
        "part thing things bit moment of about one ones in on here there line sentence among among";
    if of
        .iter()
        .any(|w| listed(vague, w.low) || !w.low.chars().all(|c| c.is_alphanumeric() || c == '-'))
    {
        return None;
    }
    let named: Vec<&str> = of.iter().map(|w| w.low).collect();
    let mut key = named.join(" ").replace("color", "colour");
    // "my favourite colours are …" is the same slot.
    if key.len() > 4 && key.ends_with('s') && !key.ends_with("ss") {
        key.pop();
    }
    c.skip(len);
    copula(c)?;
    let rest = c.rest();
    let the = usize::from(c.peek() == "the" && rest.len() > 1);
    let unsure = listed(
        "probably maybe still perhaps hard difficult unknown when",
        c.peek(),
    );
    let len = if the == 1 {
        phrase(rest)
    } else {
        thing(scene.text, rest)
    };
    let pointing = the == 1
        && listed(
            "one second first last other latter former third red-one",
            rest[1].low,
        );
    let what = What::fact("preferences", &format!("favourite-{}", slug(&key)));
    scene.found(c, start, if unsure || pointing { 0 } else { len }, what)
}

const MONTHS: &str = "\
    january february march april may june july august september october november december \
    jan feb mar apr jun jul aug sep sept oct nov dec";

/// A day: it has a digit or names a month ("tomorrow" is one only today).
pub fn date(words: &[Word]) -> usize {
    let part = |w: &Word| {
        listed(MONTHS, w.low)
            || listed("the of", w.low)
            || w.low.starts_with(|c: char| c.is_ascii_digit())
    };
    let len = words.iter().take(6).take_while(|w| part(w)).count();
    let known = |w: &Word| listed(MONTHS, w.low) || digit_count(w.low) >= 3;
    let unit = words
        .get(len)
        .is_some_and(|w| listed("days weeks months years hours", w.low));
    if words[..len].iter().any(known) && !unit {
        len
    } else {
        0
    }
}

fn digits(word: &str) -> bool {
    digit_count(word) > 0
        && word
            .bytes()
            .all(|b| b.is_ascii_digit() || b"+-/().".contains(&b))
}

fn digit_count(word: &str) -> usize {
    word.bytes().filter(u8::is_ascii_digit).count()
}
