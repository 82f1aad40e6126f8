//! One user's memories, ready to be searched: an inverted index that grows in place.

use super::token::{self, Term};
use std::{
    collections::{HashMap, HashSet},
    mem::size_of,
    sync::Arc,
};

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

/// A document in which a term stands, and how often: 26 bits and 6.
#[derive(Clone, Copy)]
pub(super) struct Posting(u32);

const COUNT_BITS: u32 = 6;
const MOST_COUNTED: u32 = (1 << COUNT_BITS) - 1;

impl Posting {
    fn new(doc: u32, count: usize) -> Self {
        let count = u32::try_from(count).unwrap_or(u32::MAX).min(MOST_COUNTED);
        Posting(doc << COUNT_BITS | count)
    }

    pub(super) fn doc(self) -> usize {
        (self.0 >> COUNT_BITS) as usize
    }

    pub(super) fn count(self) -> f32 {
        (self.0 & MOST_COUNTED) as f32
    }
}

/// What the index knows of a document.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) doc: Doc,
    /// How many terms it has.
    pub(super) length: f32,
    /// The number of its session.
    pub(super) session: u32,
    /// The number of its speaker.
    pub(super) role: u32,
}

/// One user's memories. Adding one costs what its text costs; the texts are shared.
#[derive(Clone, Default)]
pub struct Index {
    pub(super) entries: Vec<Entry>,
    pub(super) postings: HashMap<Term, Vec<Posting>>,
    /// Each session's documents in the order they were said.
    pub(super) sessions: Vec<Vec<u32>>,
    session_numbers: HashMap<Arc<str>, u32>,
    /// How many terms each session has.
    pub(super) session_lengths: Vec<f32>,
    /// Who speaks.
    roles: Vec<Arc<str>>,
    /// The words of the speakers' names: whose words are wanted, more than what they say.
    pub(super) names: HashSet<Term>,
    pub(super) total_length: f64,
    text_bytes: usize,
}

impl Index {
    /// An empty one.
    pub fn new() -> Self {
        Index::default()
    }

    /// How many documents there are; their numbers are 0 up to this.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// A document by its number.
    pub fn doc(&self, number: usize) -> Option<&Doc> {
        self.entries.get(number).map(|entry| &entry.doc)
    }

    /// Adds a document; the order of time need not be kept.
    pub fn push(&mut self, doc: Doc) {
        let Ok(number) = u32::try_from(self.entries.len()) else {
            return;
        };
        let mut terms = token::terms(&doc.text);
        let length = terms.len() as f32;
        terms.sort_unstable();
        for run in terms.chunk_by(|a, b| a == b) {
            let postings = self.postings.entry(run[0]).or_default();
            postings.push(Posting::new(number, run.len()));
        }
        self.total_length += f64::from(length);
        self.text_bytes += doc.text.len() + doc.id.len();
        let next = self.session_numbers.len() as u32;
        let session = *self
            .session_numbers
            .entry(doc.session.clone())
            .or_insert(next);
        if session == next {
            self.sessions.push(Vec::new());
            self.session_lengths.push(0.0);
        }
        self.session_lengths[session as usize] += length;
        let role = self.role(&doc.role);
        let members = &mut self.sessions[session as usize];
        let entries = &self.entries;
        let place = members.partition_point(|&d| entries[d as usize].doc.at_ms <= doc.at_ms);
        members.insert(place, number);
        self.entries.push(Entry {
            doc,
            length,
            session,
            role,
        });
    }

    fn role(&mut self, role: &Arc<str>) -> u32 {
        if let Some(known) = self.roles.iter().position(|known| known == role) {
            return known as u32;
        }
        if !matches!(&**role, "user" | "assistant") {
            self.names.extend(token::terms(role));
        }
        self.roles.push(role.clone());
        self.roles.len() as u32 - 1
    }

    /// The speakers, by number.
    pub(super) fn roles(&self) -> impl Iterator<Item = &str> {
        self.roles.iter().map(|role| &**role)
    }

    /// Removes a document (both sides, where it is a turn). Later documents get new numbers.
    pub fn remove(&mut self, id: &str) -> bool {
        if !self.entries.iter().any(|entry| *entry.doc.id == *id) {
            return false;
        }
        let kept = std::mem::take(self).entries;
        for entry in kept.into_iter().filter(|entry| *entry.doc.id != *id) {
            self.push(entry.doc);
        }
        true
    }

    /// About what it takes in memory, the texts included.
    pub fn bytes(&self) -> usize {
        let lists = self
            .postings
            .values()
            .map(|list| list.capacity() * size_of::<Posting>());
        let table = self.postings.capacity() * (size_of::<Term>() + size_of::<Vec<Posting>>() + 1);
        let sessions = self
            .sessions
            .iter()
            .map(|members| members.capacity() * 4 + 64);
        lists.sum::<usize>()
            + table
            + sessions.sum::<usize>()
            + self.entries.capacity() * size_of::<Entry>()
            + self.text_bytes
    }
}
