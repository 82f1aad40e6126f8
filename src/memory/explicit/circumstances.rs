//! What one is, where one comes from and works: "I am …", "I was born …", "I work …".

use super::{
    Found, What,
    english::{ADVERBS, Scene},
    household::standing,
    lexicon::{FUNCTION, listed},
    possession::date,
    values::{age, name, phrase, place, plain, thing, trade},
    words::{Cursor, Word},
};

/// After "I am".
pub fn being(scene: Scene, c: &mut Cursor, start: usize, no: bool) -> Option<Found> {
    c.eat_all(ADVERBS);
    let no = c.eat("not") || no;
    c.eat_any("severely|highly|deathly|very|strictly|a strict|a big|a huge|really");
    if c.eat("allergic to") {
        let label = if no {
            "not allergic to "
        } else {
            "allergic to "
        };
        let joke = listed(
            "bad stupid work mornings mondays code meetings people bugs bullshit",
            c.peek(),
        );
        let len = if joke { 0 } else { thing(scene.text, c.rest()) };
        return scene.found(c, start, len, What::allergy(label));
    }
    if c.eat_any("a fan of|fan of|fond of").is_some() {
        let label = if no {
            "is not a fan of "
        } else {
            "is a fan of "
        };
        let len = thing(scene.text, c.rest());
        return scene.found(c, start, len, What::taste(label));
    }
    if no {
        return None;
    }
    if c.eat_any("called|named|known as").is_some() {
        let len = name(scene.text, c.rest());
        return scene.found(c, start, len, What::fact("identity", "name"));
    }
    if c.eat("originally from") || c.eat("from") {
        let len = place(scene.text, c.rest());
        return scene.found(c, start, len, What::fact("identity", "origin"));
    }
    if c.eat_any("living in|based in|located in").is_some() {
        let len = place(scene.text, c.rest());
        return scene.found(c, start, len, What::fact("identity", "location"));
    }
    if c.eat("working") {
        return work(scene, c, start);
    }
    if let Some((len, true)) = age(c.rest()) {
        return scene.found(c, start, len, What::fact("identity", "age"));
    }
    if let Some(len) = diet(c) {
        return scene.found(c, start, len, What::fact("preferences", "diet"));
    }
    let Some(trade) = trade(c.rest()) else {
        return standing(scene, c, start);
    };
    c.skip(trade.start);
    scene.found(c, start, trade.len(), What::fact("work", "job"))
}

/// "vegan", "a vegetarian": with nothing behind that makes it another thing.
fn diet(c: &mut Cursor) -> Option<usize> {
    c.eat_any("a|an");
    const DIETS: &str = "vegetarian vegan pescatarian celiac coeliac flexitarian";
    let len = match (c.peek(), c.rest().get(1).map_or("", |w| w.low)) {
        ("lactose" | "gluten", "intolerant") => 2,
        (diet, _) if listed(DIETS, diet) => 1,
        _ => return None,
    };
    let ends = c.rest().get(len).is_none_or(|w| listed(FUNCTION, w.low));
    ends.then_some(len)
}

/// After "I was born".
pub fn born(scene: Scene, c: &mut Cursor, start: usize) -> Option<Found> {
    if c.eat("on") {
        let len = date(c.rest());
        return scene.found(c, start, len, What::fact("identity", "birthday"));
    }
    if !c.eat("in") {
        return None;
    }
    if c.peek().len() == 4 && c.peek().bytes().all(|b| b.is_ascii_digit()) {
        return scene.found(c, start, 1, What::fact("identity", "birth-year"));
    }
    let month = date(c.rest()) > 0;
    let len = if month {
        0
    } else {
        place(scene.text, c.rest())
    };
    scene.found(c, start, len, What::fact("identity", "origin"))
}

/// After "I work".
pub fn work(scene: Scene, c: &mut Cursor, start: usize) -> Option<Found> {
    c.eat_all("remotely|full-time|part-time|mostly|currently|now|mainly");
    if c.eat("as") {
        if let Some(trade) = trade(c.rest()) {
            c.skip(trade.start);
            return scene.found(c, start, trade.len(), What::fact("work", "job"));
        }
        if c.eat("a") || c.eat("an") {
            let len = trade_like(c.rest());
            return scene.found(c, start, len, What::fact("work", "job"));
        }
        return None;
    }
    if c.eat("at") || c.eat("for") {
        let len = place(scene.text, c.rest());
        let article = matches!(c.peek(), "a" | "an") && c.rest().len() > 1;
        let len = if len == 0 && article {
            1 + trade_like(&c.rest()[1..])
        } else {
            len
        };
        let idle = listed(
            "free night nights day days hours peanuts money fun least most first last",
            c.peek(),
        );
        let living = c.rest().get(1).is_some_and(|w| w.low == "living");
        let len = if idle || living || len == 1 && article {
            0
        } else {
            len
        };
        return scene.found(c, start, len, What::fact("work", "employer"));
    }
    if c.eat("in") {
        let len = plain(scene.text, c.rest(), 4);
        let idle = listed(
            "a an my general progress practice theory teams shifts",
            c.peek(),
        );
        return scene.found(
            c,
            start,
            if idle { 0 } else { len },
            What::fact("work", "field"),
        );
    }
    None
}

/// A few words up to the next that holds a sentence together.
fn trade_like(words: &[Word]) -> usize {
    let cut = |w: &Word| listed(FUNCTION, w.low);
    let len = words.iter().take_while(|w| !cut(w)).count();
    if len <= 5 { len.min(phrase(words)) } else { 0 }
}
