//! English words to their stems (the published Porter2 algorithm), irregular forms first: what
//! somebody "bought" answers what they "buy".

use super::token::{Term, TermMap, word_term};
use std::sync::LazyLock;

/// Irregular forms, each line a base form and what else it appears as.
const IRREGULAR: &str = "\
be am is are was were been being|have has had|do does did done|go goes went gone|buy bought|\
see saw seen|eat ate eaten|take took taken|get got gotten|give gave given|make made|\
come came|know knew known|think thought|tell told|say said|find found|leave left|\
feel felt|keep kept|begin began begun|write wrote written|run ran|read read|meet met|\
pay paid|sell sold|send sent|spend spent|build built|lose lost|win won|hold held|\
teach taught|catch caught|bring brought|fight fought|seek sought|speak spoke spoken|\
break broke broken|choose chose chosen|wear wore worn|drive drove driven|ride rode ridden|\
fly flew flown|grow grew grown|draw drew drawn|throw threw thrown|sing sang sung|\
swim swam swum|drink drank drunk|sit sat|stand stood|understand understood|sleep slept|\
forget forgot forgotten|become became|fall fell fallen|rise rose risen|hide hid hidden|\
bite bit bitten|shake shook shaken|steal stole stolen|wake woke woken|hear heard|\
lead led|feed fed|light lit|shoot shot|stick stuck|strike struck|hang hung|dig dug|\
sweep swept|weep wept|bend bent|lend lent|deal dealt|mean meant|dream dreamt|learn learnt|\
burn burnt|lay laid|lie lay lain|freeze froze frozen|tear tore torn|swear swore sworn|\
bear bore born borne|show shown|sew sewn|prove proven|blow blew blown|spring sprang sprung|\
child children kid kids|man men|woman women|person people persons|foot feet|tooth teeth|\
mouse mice|goose geese|wife wives|life lives|knife knives|leaf leaves|shelf shelves|\
wolf wolves|half halves|mom mum mommy mummy mother|dad daddy father|grandma grandmother|\
grandpa grandfather|bike bicycle|photo photograph pic pics picture|tv television|\
fridge refrigerator|vet veterinarian|vacation holiday|movie film|favorite favourite fave|\
color colour|gray grey|apartment flat|okay ok|good better best|bad worse worst|\
two 2|three 3|four 4|five 5|six 6|seven 7|eight 8|nine 9|ten 10|eleven 11|twelve 12|\
twenty 20|thirty 30|fifty 50|hundred 100";

/// Each other form, as a term, with its base.
static FORMS: LazyLock<TermMap<&str>> = LazyLock::new(|| {
    let lines = IRREGULAR.split('|');
    let forms = lines.flat_map(|line| {
        let mut words = line.split_whitespace();
        let base = words.next().unwrap_or_default();
        words.map(move |form| (word_term(form), base))
    });
    forms.collect()
});

/// Replaces a lower-case word, whose term is known, by its stem; says whether there was one to take.
pub(super) fn stem(word: &mut String, term: Term) -> bool {
    let irregular = FORMS.get(&term);
    if let Some(base) = irregular {
        word.clear();
        word.push_str(base);
    }
    if word.len() < 3 || !word.bytes().all(|b| b.is_ascii_lowercase()) {
        return irregular.is_some();
    }
    let mut stemmer = Stemmer::new(word);
    stemmer.run();
    let letters = stemmer.word.iter();
    word.clear();
    word.extend(letters.map(|&b| char::from(b.to_ascii_lowercase())));
    true
}

/// The word on its way.
struct Stemmer {
    /// Its letters; a `y` that stands for a consonant is upper-case.
    word: Vec<u8>,
    /// Where the region after the first vowel-consonant pair begins.
    r1: usize,
    /// Where the region after the second begins.
    r2: usize,
}

fn is_vowel(letter: u8) -> bool {
    matches!(letter, b'a' | b'e' | b'i' | b'o' | b'u' | b'y')
}

impl Stemmer {
    fn new(word: &str) -> Self {
        let mut word = word.as_bytes().to_vec();
        for i in 0..word.len() {
            if word[i] == b'y' && (i == 0 || is_vowel(word[i - 1])) {
                word[i] = b'Y';
            }
        }
        let after = |from: usize| {
            let mut places = from + 1..word.len();
            let found = places.find(|&i| !is_vowel(word[i]) && is_vowel(word[i - 1]));
            found.map_or(word.len(), |i| i + 1)
        };
        let special = ["gener", "commun", "arsen"];
        let special = special.iter().find(|p| word.starts_with(p.as_bytes()));
        let r1 = special.map_or_else(|| after(0), |prefix| prefix.len());
        let r2 = after(r1);
        Stemmer { word, r1, r2 }
    }

    fn ends(&self, suffix: &str) -> bool {
        // Most do not: the last letter tells, without a call.
        self.word.last() == suffix.as_bytes().last() && self.word.ends_with(suffix.as_bytes())
    }

    fn cut(&mut self, letters: usize) {
        self.word.truncate(self.word.len().saturating_sub(letters));
    }

    /// Whether the last `letters` lie in the region that begins at `from`.
    fn within(&self, letters: usize, from: usize) -> bool {
        self.word.len() >= from + letters
    }

    /// Whether there is a vowel before the last `letters`.
    fn vowel_before(&self, letters: usize) -> bool {
        let end = self.word.len().saturating_sub(letters);
        self.word[..end].iter().any(|&b| is_vowel(b))
    }

    fn ends_in_short_syllable(&self) -> bool {
        match *self.word.as_slice() {
            [first, second] => is_vowel(first) && !is_vowel(second),
            [.., before, vowel, last] => {
                !is_vowel(before)
                    && is_vowel(vowel)
                    && !is_vowel(last)
                    && !matches!(last, b'w' | b'x' | b'Y')
            }
            _ => false,
        }
    }

    fn run(&mut self) {
        self.plural();
        self.past();
        self.final_y();
        self.replace(STEP_2, false);
        self.replace(STEP_3, false);
        self.replace(STEP_4, true);
        self.final_letter();
    }

    fn plural(&mut self) {
        if self.ends("sses") {
            self.cut(2);
        } else if self.ends("ied") || self.ends("ies") {
            self.cut(if self.word.len() > 4 { 2 } else { 1 });
        } else if self.ends("s") && !self.ends("us") && !self.ends("ss") && self.vowel_before(2) {
            self.cut(1);
        }
    }

    fn past(&mut self) {
        for suffix in ["eedly", "eed"] {
            if self.ends(suffix) {
                if self.within(suffix.len(), self.r1) {
                    self.cut(suffix.len() - 2);
                }
                return;
            }
        }
        let suffixes = ["ingly", "edly", "ing", "ed"];
        let Some(suffix) = suffixes.into_iter().find(|suffix| self.ends(suffix)) else {
            return;
        };
        if !self.vowel_before(suffix.len()) {
            return;
        }
        self.cut(suffix.len());
        if self.ends("at") || self.ends("bl") || self.ends("iz") {
            self.word.push(b'e');
        } else if ["bb", "dd", "ff", "gg", "mm", "nn", "pp", "rr", "tt"]
            .iter()
            .any(|d| self.ends(d))
        {
            self.cut(1);
        } else if self.r1 >= self.word.len() && self.ends_in_short_syllable() {
            self.word.push(b'e');
        }
    }

    fn final_y(&mut self) {
        if let [_, .., before, last @ (b'y' | b'Y')] = self.word.as_mut_slice()
            && !is_vowel(*before)
        {
            *last = b'i';
        }
    }

    /// The longest suffix in the list, if it lies in the region, becomes what stands beside it.
    fn replace(&mut self, list: &[(&str, &str)], in_r2: bool) {
        let Some(&(suffix, by)) = list.iter().find(|(suffix, _)| self.ends(suffix)) else {
            return;
        };
        let region = if in_r2 || suffix == "ative" {
            self.r2
        } else {
            self.r1
        };
        if !self.within(suffix.len(), region) {
            return;
        }
        let before = self
            .word
            .len()
            .checked_sub(suffix.len() + 1)
            .map(|i| self.word[i]);
        let allowed = match suffix {
            "ogi" => before == Some(b'l'),
            "li" => before.is_some_and(|b| b"cdeghkmnrt".contains(&b)),
            "ion" => matches!(before, Some(b's' | b't')),
            _ => true,
        };
        if allowed {
            self.cut(suffix.len());
            self.word.extend_from_slice(by.as_bytes());
        }
    }

    fn final_letter(&mut self) {
        if self.ends("e") {
            let last = self.within(1, self.r2);
            let in_r1 = self.within(1, self.r1);
            self.cut(1);
            if !last && (!in_r1 || self.ends_in_short_syllable()) {
                self.word.push(b'e');
            }
        } else if self.ends("ll") && self.within(1, self.r2) {
            self.cut(1);
        }
    }
}

/// Longest first.
const STEP_2: &[(&str, &str)] = &[
    ("ization", "ize"),
    ("ational", "ate"),
    ("fulness", "ful"),
    ("ousness", "ous"),
    ("iveness", "ive"),
    ("tional", "tion"),
    ("biliti", "ble"),
    ("lessli", "less"),
    ("entli", "ent"),
    ("ation", "ate"),
    ("alism", "al"),
    ("aliti", "al"),
    ("ousli", "ous"),
    ("iviti", "ive"),
    ("fulli", "ful"),
    ("enci", "ence"),
    ("anci", "ance"),
    ("abli", "able"),
    ("izer", "ize"),
    ("ator", "ate"),
    ("alli", "al"),
    ("bli", "ble"),
    ("ogi", "og"),
    ("li", ""),
];
const STEP_3: &[(&str, &str)] = &[
    ("ational", "ate"),
    ("tional", "tion"),
    ("alize", "al"),
    ("icate", "ic"),
    ("iciti", "ic"),
    ("ative", ""),
    ("ical", "ic"),
    ("ness", ""),
    ("ful", ""),
];
const STEP_4: &[(&str, &str)] = &[
    ("ement", ""),
    ("ance", ""),
    ("ence", ""),
    ("able", ""),
    ("ible", ""),
    ("ment", ""),
    ("ant", ""),
    ("ent", ""),
    ("ism", ""),
    ("ate", ""),
    ("iti", ""),
    ("ous", ""),
    ("ive", ""),
    ("ize", ""),
    ("ion", ""),
    ("al", ""),
    ("er", ""),
    ("ic", ""),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_a_word_meet() {
        for forms in [
            "run runs running ran",
            "buy buys buying bought",
            "go goes going went gone",
            "paint paints painting painted paintings",
            "study studies studied studying",
            "child children kids",
            "happy happiness",
            "hope hoping hoped",
            "relate relational",
            "organize organization organizing",
            "swim swimming swam",
        ] {
            let stems = forms.split(' ').map(|form| {
                let mut word = form.to_owned();
                let term = word_term(&word);
                stem(&mut word, term);
                word
            });
            let stems: std::collections::HashSet<_> = stems.collect();
            assert_eq!(stems.len(), 1, "{forms}: {stems:?}");
        }
    }

    #[test]
    fn other_words_stay_apart() {
        let (mut a, mut b) = ("sing".to_owned(), "single".to_owned());
        stem(&mut a, word_term("sing"));
        stem(&mut b, word_term("single"));
        assert_ne!(a, b);
        let mut short = "is".to_owned();
        stem(&mut short, word_term("is"));
        assert_eq!(short, "be");
    }
}
