//! What of a model's answer is believed: the quote must stand in the user's own words of the turn
//! it names, and the value must be in the user's language, with no name or number that they did
//! not say. Where only the value is the model's own, the user's words take its place. Who the user
//! is is not read from words about somebody else.

use super::{FlushTurn, Item, Op, about::is_about_another};
use crate::{
    memory::{Fact, Profile, Rules, is_wide},
    prompt::inert,
};
use unicode_normalization::UnicodeNormalization;

/// The longest topic or key, in characters.
const NAME_CHARS: usize = 64;

/// The facts in it, in the order they were said.
pub fn check(items: Vec<Item>, turns: &[FlushTurn], rules: &Rules, known: &Profile) -> Vec<Fact> {
    let mut facts: Vec<(usize, Fact)> = Vec::new();
    for item in items {
        let Some((number, fact)) = fact(item, turns, rules, known) else {
            continue;
        };
        // Of two words on one slot in one turn the later counts.
        facts.retain(|(n, f)| (*n, &f.topic, &f.key) != (number, &fact.topic, &fact.key));
        facts.push((number, fact));
    }
    facts.sort_by_key(|(number, _)| *number);
    facts.into_iter().map(|(_, fact)| fact).collect()
}

fn fact(item: Item, turns: &[FlushTurn], rules: &Rules, known: &Profile) -> Option<(usize, Fact)> {
    if item.op == Op::Keep {
        return None;
    }
    let turn = turns.get(item.turn.checked_sub(1)?)?;
    let query: String = spaced(&turn.query).nfc().collect();
    let quote = quoted(&item.quote, &query)?;
    let (topic, key) = slot(&item.topic, &item.key, rules, known)?;
    if is_about_another(&topic, &key, &quote) {
        return None;
    }
    let value = spaced(item.value.as_deref().unwrap_or_default());
    let value: String = value.nfc().collect();
    let value = match item.op {
        Op::Delete => None,
        _ if value.is_empty() => return None,
        _ if own(&value, &query) => Some(value),
        _ => Some(quote.clone()),
    };
    Some((
        item.turn,
        Fact {
            turn: turn.id.clone(),
            at_ms: turn.at_ms,
            topic,
            key,
            value,
            quote,
        },
    ))
}

/// On one line, with single spaces.
fn spaced(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ")
}

/// The quote as it stands in the turn, if it does and says anything.
fn quoted(quote: &str, query: &str) -> Option<String> {
    let quote = spaced(quote);
    let quote = quote.trim_matches(['"', '“', '”', '…', ' ']);
    let letters = quote.chars().filter(|c| c.is_alphanumeric()).count();
    let says = letters >= 2 || quote.chars().any(is_wide);
    if let Some(there) = written(quote, query) {
        return says.then_some(there);
    }
    // The turn was shown inert: what was seen there is undone.
    let seen = spaced(&inert(query)).contains(quote);
    let plain = [("&lt;", "<"), ("&gt;", ">"), ("&#91;", "[")];
    let undone = plain
        .iter()
        .fold(quote.to_owned(), |q, (a, b)| q.replace(a, b));
    (says && seen).then_some(undone)
}

/// The quote as the user wrote it: models straighten the apostrophes that phones type, and spell
/// an accent as one sign or as two.
fn written(quote: &str, query: &str) -> Option<String> {
    let folded: String = query.chars().map(straight).collect();
    let quote: String = quote.nfc().map(straight).collect();
    let from = folded[..folded.find(&quote)?].chars().count();
    Some(
        query
            .chars()
            .skip(from)
            .take(quote.chars().count())
            .collect(),
    )
}

fn straight(c: char) -> char {
    match c {
        '‘' | '’' | 'ʼ' => '\'',
        '“' | '”' => '"',
        c => c,
    }
}

/// The slot meant: one that is known, or configured, under its own spelling.
fn slot(topic: &str, key: &str, rules: &Rules, known: &Profile) -> Option<(String, String)> {
    let (topic, key) = (plain(topic)?, plain(key)?);
    let same = |name: &str, other: &str| plain(name).as_deref() == Some(other);
    let mut there = known.slots.keys();
    if let Some(at) = there.find(|(t, k)| same(t, &topic) && same(k, &key)) {
        return Some(at.clone());
    }
    let configured = rules.topics.iter().find(|t| same(&t.name, &topic));
    let own = configured.and_then(|t| t.keys.iter().find(|k| same(k, &key)));
    Some((
        configured.map_or(topic, |t| t.name.clone()),
        own.cloned().unwrap_or(key),
    ))
}

/// A name as it is compared: in lower case, with dashes.
fn plain(name: &str) -> Option<String> {
    let name = name.trim().to_lowercase().replace(['_', ' '], "-");
    let chars = name.chars().count();
    let fits = (1..=NAME_CHARS).contains(&chars) && !name.chars().any(char::is_control);
    fits.then_some(name)
}

/// Whether a value can be the user's own: in a script they wrote in, and with no number and no
/// name that they did not say.
fn own(value: &str, query: &str) -> bool {
    let low = query.to_lowercase();
    if low.contains(&value.to_lowercase()) {
        return true;
    }
    // A value of one word that begins like a name is one: no sentence made its first letter large.
    let alone = !value.contains(char::is_whitespace);
    let wide = |text: &str| text.chars().any(is_wide);
    let letters = value.chars().any(char::is_alphabetic);
    if letters && wide(value) != wide(query) {
        return false;
    }
    let mut words = value.split(|c: char| !c.is_alphanumeric()).enumerate();
    words.all(|(at, word)| {
        let number = word.starts_with(|c: char| c.is_ascii_digit());
        let name = (at > 0 || alone) && word.starts_with(char::is_uppercase);
        !(number || name) || low.contains(&word.to_lowercase())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::MemoryConfig,
        memory::{Slot, Source},
    };

    fn turn(id: &str, query: &str) -> FlushTurn {
        FlushTurn {
            seq: 0,
            id: id.into(),
            conversation: "c".into(),
            at_ms: 5,
            query: query.into(),
            answer: "The assistant likes tea.".into(),
            attempts: 0,
        }
    }

    fn item(op: Op, key: &str, value: &str, quote: &str, turn: usize) -> Item {
        Item {
            op,
            topic: "Identity".into(),
            key: key.into(),
            value: Some(value.into()),
            quote: quote.into(),
            turn,
        }
    }

    fn facts(items: Vec<Item>) -> Vec<(String, Option<String>)> {
        let turns = [
            turn("t1", "Hi, I'm Ada  and I live\nin Berlin since 2019."),
            turn("t2", "我住在上海，a < b"),
        ];
        let rules = Rules::new(&MemoryConfig::default());
        let mut known = Profile::default();
        let slot = Slot {
            value: Some("x".into()),
            source: Source::Put,
            valid_from_ms: 1,
        };
        known
            .slots
            .insert(("identity".into(), "Home_Town".into()), slot);
        let facts = check(items, &turns, &rules, &known);
        assert!(facts.iter().all(|f| f.topic == "identity"));
        facts.into_iter().map(|f| (f.key, f.value)).collect()
    }

    #[test]
    fn only_the_users_own_words_in_that_turn_count() {
        for (quote, number) in [
            ("The assistant likes tea.", 1),
            ("I'm Bob", 1),
            ("I'm Ada", 2),
            ("I'm Ada", 3),
            ("I'm Ada", 0),
            ("", 1),
            ("a", 1),
        ] {
            assert_eq!(facts(vec![item(Op::Add, "name", "Ada", quote, number)]), []);
        }
        let some = |value: &str| Some(value.to_owned());
        assert_eq!(
            facts(vec![
                item(Op::Add, "location", "上海", "我住在上海", 2),
                item(Op::Keep, "name", "Ada", "I'm Ada", 1),
                item(Op::Update, "Name", "Adah", "I'm Ada", 1),
                item(Op::Update, "name", "Ada", "I'm  Ada\nand", 1),
                item(Op::Delete, "home town", "", "a &lt; b", 2),
                item(Op::Add, "empty", " ", "I'm Ada", 1),
            ]),
            [
                ("name".into(), some("Ada")),
                ("location".into(), some("上海")),
                ("Home_Town".into(), None),
            ]
        );
    }

    #[test]
    fn a_quote_is_found_however_its_signs_are_spelt_and_kept_as_the_user_wrote_it() {
        let rules = Rules::new(&MemoryConfig::default());
        let quotes = ["I'm driving a Citroën", "I’m driving a Citroe\u{308}n"];
        let queries = [
            "Hm: I’m driving a Citro\u{eb}n",
            "I’m driving a Citroe\u{308}n",
        ];
        for (quote, query) in quotes.iter().flat_map(|q| queries.map(|query| (q, query))) {
            let turns = [turn("t", query)];
            let items = vec![item(Op::Add, "car", "Citroën", quote, 1)];
            let found = check(items, &turns, &rules, &Profile::default());
            assert_eq!(found[0].quote, "I’m driving a Citroën");
            assert_eq!(found[0].value.as_deref(), Some("Citroën"));
        }
    }

    #[test]
    fn a_value_of_the_models_own_gives_way_to_the_users_words() {
        for (value, quote, number, kept) in [
            ("Shanghai", "我住在上海", 2, "我住在上海"),
            ("柏林", "I live in Berlin", 1, "I live in Berlin"),
            ("lives in Berlin", "I live in Berlin", 1, "lives in Berlin"),
            (
                "in Berlin since 2018",
                "in Berlin since 2019",
                1,
                "in Berlin since 2019",
            ),
            ("Ada Lovelace", "I'm Ada", 1, "I'm Ada"),
            ("Paris", "I live in Berlin", 1, "I live in Berlin"),
        ] {
            let found = facts(vec![item(Op::Add, "k", value, quote, number)]);
            assert_eq!(found, [("k".into(), Some(kept.into()))]);
        }
    }
}
