//! The index as one search sees it: without the documents that its query hides, and with every
//! figure as if they had never been there. So what was found before they came is found again.

use super::{Index, index::Posting};
use std::{borrow::Cow, collections::HashMap};

/// See the file's head.
pub(super) struct View<'i> {
    index: &'i Index,
    /// By number; none where nothing is hidden.
    hidden: Vec<bool>,
    /// Of sessions with something hidden: what is left.
    sessions: HashMap<usize, (Vec<u32>, f32)>,
    /// How many documents there are, and their terms.
    pub(super) docs: usize,
    pub(super) total_length: f64,
    /// By speaker: how many documents are hidden.
    unheard: HashMap<usize, usize>,
}

impl<'i> View<'i> {
    pub(super) fn new(index: &'i Index, hidden: &[usize]) -> Self {
        let mut view = View {
            index,
            hidden: Vec::new(),
            sessions: HashMap::new(),
            docs: index.len(),
            total_length: index.total_length,
            unheard: HashMap::new(),
        };
        for &doc in hidden {
            if index.doc(doc).is_none() || view.hides(doc) {
                continue;
            }
            view.hidden.resize(index.numbers(), false);
            view.hidden[doc] = true;
            view.docs -= 1;
            view.total_length -= f64::from(index.lengths[doc]);
            *view
                .unheard
                .entry(index.speaker_of[doc] as usize)
                .or_default() += 1;
            let session = index.session_of[doc] as usize;
            let left = view.sessions.entry(session).or_insert_with(|| {
                let session = &index.sessions[session];
                (session.docs.clone(), session.length)
            });
            left.0.retain(|&other| other as usize != doc);
            left.1 -= index.lengths[doc];
        }
        view
    }

    pub(super) fn hides(&self, doc: usize) -> bool {
        self.hidden.get(doc).is_some_and(|hidden| *hidden)
    }

    /// Where a term stands.
    pub(super) fn shown(&self, postings: &'i [Posting]) -> Cow<'i, [Posting]> {
        let mut all = postings.iter();
        match self.hidden.is_empty() || all.all(|posting| !self.hides(posting.doc())) {
            true => postings.into(),
            false => {
                let shown = postings.iter().filter(|posting| !self.hides(posting.doc()));
                shown.copied().collect()
            }
        }
    }

    /// The documents of a session, in the order they were said.
    pub(super) fn session_docs(&self, session: usize) -> &[u32] {
        let left = self.sessions.get(&session).map(|(docs, _)| &docs[..]);
        left.unwrap_or(&self.index.sessions[session].docs)
    }

    /// How many terms they have.
    pub(super) fn session_length(&self, session: usize) -> f32 {
        let left = self.sessions.get(&session).map(|(_, length)| *length);
        left.unwrap_or(self.index.sessions[session].length)
    }

    /// Sessions in which something is said.
    pub(super) fn live_sessions(&self) -> usize {
        let all = 0..self.index.sessions.len();
        all.filter(|&session| !self.session_docs(session).is_empty())
            .count()
    }

    /// By speaker: whether they say anything.
    pub(super) fn speaks(&self, speaker: usize) -> bool {
        let unheard = self.unheard.get(&speaker).copied().unwrap_or_default();
        self.index.speakers[speaker].docs > unheard
    }
}
