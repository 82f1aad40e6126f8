//! One user's memories, ready to be searched: an inverted index that grows and shrinks in place.
//! A document costs what its text costs, whatever is there already, and its text is shared.

use super::{
    asking,
    themes::THEMES,
    token::{self, Kind, Term, TermMap},
};
use std::{collections::HashMap, mem::size_of, sync::Arc};

/// A memory: one side of a turn, or an imported item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doc {
    /// The turn or the imported item it is; both sides of a turn share it.
    pub id: Arc<str>,
    /// The conversation it belongs to.
    pub session: Arc<str>,
    /// When it was said, Unix milliseconds.
    pub at_ms: i64,
    /// `user`, `assistant`, or a speaker's name.
    pub role: Arc<str>,
    /// What was said.
    pub text: Arc<str>,
}

/// A document in which a term stands, and how often, in halves: 26 bits and 6.
#[derive(Clone, Copy)]
pub(super) struct Posting(u32);

const COUNT_BITS: u32 = 6;
const MOST_COUNTED: u32 = (1 << COUNT_BITS) - 1;
/// So many documents have numbers; one more is not taken in.
const MOST_DOCS: usize = 1 << (u32::BITS - COUNT_BITS);

impl Posting {
    fn new(doc: u32, halves: u32) -> Self {
        Posting(doc << COUNT_BITS | halves.min(MOST_COUNTED))
    }

    pub(super) fn doc(self) -> usize {
        (self.0 >> COUNT_BITS) as usize
    }

    pub(super) fn count(self) -> f32 {
        (self.0 & MOST_COUNTED) as f32 / 2.0
    }
}

/// A conversation.
#[derive(Clone, Default)]
pub(super) struct Session {
    /// Its documents, in the order they were said.
    pub(super) docs: Vec<u32>,
    /// How many terms they have.
    pub(super) length: f32,
}

/// A speaker.
#[derive(Clone)]
pub(super) struct Speaker {
    /// As documents name it.
    pub(super) role: Arc<str>,
    /// The terms of the name; none where the role is only a role.
    pub(super) name: Vec<Term>,
    /// How many documents it has.
    pub(super) docs: usize,
}

/// One user's memories.
#[derive(Clone, Default)]
pub struct Index {
    /// By number; a removed document leaves its number empty.
    docs: Vec<Option<Doc>>,
    /// By number: how many terms, which session, which speaker.
    pub(super) lengths: Vec<f32>,
    pub(super) session_of: Vec<u32>,
    pub(super) speaker_of: Vec<u32>,
    /// By number: whether it asks more than it tells.
    pub(super) asking: Vec<bool>,
    /// Where each term stands, by document number.
    postings: TermMap<Vec<Posting>>,
    pub(super) sessions: Vec<Session>,
    session_numbers: HashMap<Arc<str>, u32>,
    pub(super) speakers: Vec<Speaker>,
    /// Of the documents that are there: how many, their terms, their bytes.
    live: usize,
    pub(super) total_length: f64,
    text_bytes: usize,
    /// How many postings there are.
    posted: usize,
}

impl Index {
    /// An empty one.
    pub fn new() -> Self {
        Index::default()
    }

    /// How many documents there are.
    pub fn len(&self) -> usize {
        self.live
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// Every document's number is below this.
    pub fn numbers(&self) -> usize {
        self.docs.len()
    }

    /// A document by its number; none where it was removed.
    pub fn doc(&self, number: usize) -> Option<&Doc> {
        self.docs.get(number)?.as_ref()
    }

    /// The documents of a conversation, in the order of their times.
    pub fn session_docs(&self, name: &str) -> &[u32] {
        let number = self.session_numbers.get(name);
        number.map_or(&[], |&number| &self.sessions[number as usize].docs)
    }

    /// Where a term stands.
    pub(super) fn postings(&self, term: Term) -> &[Posting] {
        self.postings.get(&term).map_or(&[], Vec::as_slice)
    }

    /// Adds a document, under the next number; the order of time need not be kept.
    pub fn push(&mut self, doc: Doc) {
        if self.docs.len() >= MOST_DOCS {
            return;
        }
        let number = self.docs.len() as u32;
        let (length, counts) = counts(&doc.text);
        for (term, halves) in counts {
            let postings = self.postings.entry(term).or_default();
            postings.push(Posting::new(number, halves));
            self.posted += 1;
        }
        let session = self.session(&doc);
        let speaker = self.speaker(&doc.role);
        let docs = &self.sessions[session as usize].docs;
        let said = |&other: &u32| {
            // Of one time by id, so that the order is the same however they came in.
            let other = self.doc(other as usize);
            other.is_some_and(|o| (o.at_ms, &o.id) <= (doc.at_ms, &doc.id))
        };
        let place = docs.partition_point(said);
        let session_entry = &mut self.sessions[session as usize];
        session_entry.docs.insert(place, number);
        session_entry.length += length;
        self.speakers[speaker as usize].docs += 1;
        self.lengths.push(length);
        self.session_of.push(session);
        self.speaker_of.push(speaker);
        self.asking.push(asking::mostly_asks(&doc.text));
        self.live += 1;
        self.total_length += f64::from(length);
        self.text_bytes += bytes(&doc);
        self.docs.push(Some(doc));
    }

    fn session(&mut self, doc: &Doc) -> u32 {
        if let Some(&known) = self.session_numbers.get(&doc.session) {
            return known;
        }
        let number = self.sessions.len() as u32;
        self.session_numbers.insert(doc.session.clone(), number);
        self.sessions.push(Session::default());
        number
    }

    fn speaker(&mut self, role: &Arc<str>) -> u32 {
        if let Some(known) = self.speakers.iter().position(|known| known.role == *role) {
            return known as u32;
        }
        let name = match &**role {
            "user" | "assistant" | "system" => Vec::new(),
            name => token::terms(name),
        };
        let role = role.clone();
        self.speakers.push(Speaker {
            role,
            name,
            docs: 0,
        });
        self.speakers.len() as u32 - 1
    }

    /// Removes a document, if it is there. The others keep their numbers.
    pub fn remove(&mut self, number: usize) {
        let Some(doc) = self.docs.get_mut(number).and_then(Option::take) else {
            return;
        };
        for (term, _) in counts(&doc.text).1 {
            let Some(postings) = self.postings.get_mut(&term) else {
                continue;
            };
            if let Ok(place) = postings.binary_search_by_key(&number, |p| p.doc()) {
                postings.remove(place);
                self.posted -= 1;
            }
            if postings.is_empty() {
                self.postings.remove(&term);
            }
        }
        let length = std::mem::take(&mut self.lengths[number]);
        let session = &mut self.sessions[self.session_of[number] as usize];
        session.docs.retain(|&other| other as usize != number);
        session.length -= length;
        self.speakers[self.speaker_of[number] as usize].docs -= 1;
        self.live -= 1;
        self.total_length -= f64::from(length);
        self.text_bytes -= bytes(&doc);
    }

    /// About what it takes in memory, the texts included.
    pub fn bytes(&self) -> usize {
        // A list has some room left, and the allocator its own book-keeping.
        const LIST: usize = size_of::<Term>() + size_of::<Vec<Posting>>() + 24;
        const DOC: usize = size_of::<Option<Doc>>() + 12;
        const SESSION: usize = 96;
        self.posted * size_of::<Posting>() * 3 / 2
            + self.postings.capacity() * LIST
            + self.docs.capacity() * DOC
            + self.sessions.len() * (SESSION + size_of::<Session>())
            + self.text_bytes
    }
}

/// A text's length in terms, and how often, in halves, each term and each theme is in it. A single
/// character may mean something else: it counts half towards its theme.
fn counts(text: &str) -> (f32, Vec<(Term, u32)>) {
    let mut terms = token::terms(text);
    let length = terms.len() as f32;
    terms.sort_unstable();
    let (mut counts, mut themes) = (Vec::with_capacity(2 * terms.len()), Vec::new());
    for run in terms.chunk_by(|a, b| a == b) {
        let count = u32::try_from(run.len()).unwrap_or(MOST_COUNTED);
        let count = count.min(MOST_COUNTED);
        counts.push((run[0], 2 * count));
        let halves = match token::kind(run[0]) {
            Kind::Char(_) => count,
            _ => 2 * count,
        };
        themes.extend(THEMES.of(run[0]).iter().map(|&theme| (theme, halves)));
    }
    themes.sort_unstable();
    for run in themes.chunk_by(|a, b| a.0 == b.0) {
        counts.push((run[0].0, run.iter().map(|(_, halves)| halves).sum()));
    }
    (length, counts)
}

fn bytes(doc: &Doc) -> usize {
    const COUNTERS: usize = 16;
    doc.text.len() + doc.id.len() + 2 * COUNTERS
}

#[cfg(test)]
mod tests {
    use super::super::Query;
    use super::*;
    use proptest::prelude::*;

    fn doc(n: usize, (session, at, text): &(u8, i8, String)) -> Doc {
        let role = ["user", "assistant", "Anna"][n % 3];
        Doc {
            id: format!("d{n}").into(),
            session: session.to_string().into(),
            at_ms: i64::from(*at) * 3_600_000,
            role: role.into(),
            text: text.as_str().into(),
        }
    }

    fn ranking(index: &Index, query: &Query<'_>) -> Vec<(String, String)> {
        let hits = index.search(query, 1_000).into_iter();
        let named = hits.map(|hit| {
            let doc = index.doc(hit.doc).unwrap();
            (doc.id.to_string(), format!("{}", hit.score))
        });
        named.collect()
    }

    fn texts() -> impl Strategy<Value = Vec<(u8, i8, String)>> {
        let word = prop::sample::select(vec![
            "cat ",
            "walked ",
            "猫",
            "喜欢",
            "上周",
            "Anna ",
            "路由",
            "犬が",
            "고양이 ",
            "5月2日",
            "!",
        ]);
        let text = prop::collection::vec(word, 0..8).prop_map(|words| words.concat());
        prop::collection::vec((0..4_u8, any::<i8>(), text), 0..24)
    }

    proptest! {
        #[test]
        fn an_index_that_lost_documents_or_hides_them_ranks_like_one_that_never_had_them(
            texts in texts(), removed in prop::collection::vec(any::<bool>(), 24), text in ".{0,12}|猫喜欢.{0,3}|Anna cat",
        ) {
            let (mut index, mut fresh) = (Index::new(), Index::new());
            for (n, text) in texts.iter().enumerate() {
                index.push(doc(n, text));
            }
            let hidden: Vec<usize> = (0..texts.len()).filter(|&n| removed[n]).collect();
            let hiding = Query { text: &text, hidden: &hidden, ..Query::default() };
            let seen = ranking(&index, &hiding);
            for (n, text) in texts.iter().enumerate() {
                if removed[n] {
                    index.remove(n);
                } else {
                    fresh.push(doc(n, text));
                }
            }
            let query = Query { text: &text, ..Query::default() };
            prop_assert_eq!(ranking(&index, &query), ranking(&fresh, &query));
            prop_assert_eq!(seen, ranking(&fresh, &query));
            prop_assert_eq!(index.len(), fresh.len());
            prop_assert_eq!(index.posted, fresh.posted);
        }

        #[test]
        fn no_text_breaks_it(texts in prop::collection::vec((0..3_u8, any::<i8>(), ".{0,40}"), 0..8), text in ".{0,40}", now in any::<i64>(), offset in any::<i32>()) {
            let mut index = Index::new();
            for (n, text) in texts.iter().enumerate() {
                index.push(doc(n, text));
            }
            let context = [("user", text.as_str())];
            let query = Query { text: &text, context: &context, now_ms: now, utc_offset_min: offset, ..Query::default() };
            let hits = index.search(&query, 5);
            prop_assert!(hits.len() <= 5);
            for hit in hits {
                prop_assert!((hit.score - hit.why.total()).abs() < 1e-9 && hit.score.is_finite() && hit.score > 0.0);
            }
        }
    }
}
