//! The spool: where write-backs wait on the local disk while the store is down. Frames of length,
//! checksum and JSON, appended and synced in groups; after the last one come zeros. A frame that a
//! crash tore off was never acknowledged, and is cut off when the file is opened again. A replay
//! goes through the file from its start and empties it when all is in the store; since keeping a
//! turn twice keeps it once, a crash in between needs no bookkeeping.
//!
//! An erase waits here as well, in its place among the turns. What lies before it of its user is
//! made void at once: a bit in the frame's length says so, and then its payload is zeroed. One bit
//! cannot be half written, so that a crash in between tears no frame, and others' turns stay.
//!
//! Part of the file is written ahead, so that there is room for turns on a disk that is full: that
//! may be the very reason why the store is down.

mod record;

use super::{Erasure, directory::private};
use crate::memory::{UserKey, Writeback};
use record::Spooled;
use std::{collections::HashMap, fs::File, io, os::unix::fs::FileExt, path::Path, sync::Arc};

const HEAD: u64 = 8;
/// No write-back is longer; a length beyond it is no length.
const MOST: u32 = 1 << 20;
/// In the highest byte of the length: nothing is in the frame any more.
const VOID: u8 = 0x80;
/// Written ahead: some thousand turns.
const RESERVE: u64 = 4 << 20;

/// See the file's head.
pub struct Spool {
    file: File,
    /// Where the last whole frame ends.
    end: u64,
    /// Where the replay is.
    at: u64,
    limit: u64,
    /// Who is to be erased, as of when: what they began before that needs no room here.
    erasing: HashMap<UserKey, i64>,
}

/// What is replayed in one step.
pub enum Batch {
    /// Turns to be kept together.
    Keep(Vec<Arc<Writeback>>),
    /// A user to be erased.
    Erase(Arc<Erasure>),
}

impl Spool {
    /// What an earlier run left, or an empty one; it takes at most `limit` bytes.
    pub fn open(path: &Path, limit: u64) -> io::Result<Spool> {
        let mut spool = Spool {
            file: private(path, |_| {})?,
            end: 0,
            at: 0,
            limit,
            erasing: HashMap::new(),
        };
        while let Some((payload, end)) = spool.frame(spool.end)? {
            if payload.is_empty() {
                spool.zero(spool.end + HEAD, end)?;
            } else if let Ok(Spooled::Erase(erasure)) = record::parse(&payload) {
                spool.void(&erasure.user, spool.end)?;
                let at_ms = erasure.asked_ms.unwrap_or_default();
                spool.erasing.insert(erasure.user, at_ms);
            }
            spool.end = end;
        }
        // A disk that is full already gets its reserve at another start.
        if let Err(error) = spool.blank(spool.end) {
            tracing::warn!(%error, "no room for the spool");
        }
        if let Some(parent) = path.parent() {
            File::open(parent)?.sync_all()?;
        }
        Ok(spool)
    }

    /// Whether all of it has been replayed.
    pub fn is_drained(&self) -> bool {
        self.at >= self.end
    }

    /// Where it ends.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Appends as many as fit, and syncs once. How many did: the rest, from there, did not.
    pub fn append(&mut self, group: &[Arc<Writeback>]) -> io::Result<usize> {
        let (mut frames, mut count) = (Vec::new(), 0);
        for writeback in group {
            let before = frames.len();
            frame(&record::keep(writeback)?, &mut frames);
            if self.end + frames.len() as u64 > self.limit {
                frames.truncate(before);
                break;
            }
            count += 1;
        }
        if count == 0 {
            return Ok(0);
        }
        self.write(&frames)?;
        Ok(count)
    }

    /// Whether the user was erased, here, after this began.
    pub fn bars(&self, user: &UserKey, began_ms: i64) -> bool {
        self.erasing
            .get(user)
            .is_some_and(|at_ms| began_ms <= *at_ms)
    }

    /// Appends an erase, and makes void what lies here of its user: how many write-backs that were.
    /// `None`: there is no room for it.
    pub fn erase(&mut self, erasure: &Erasure, at_ms: i64) -> io::Result<Option<u64>> {
        let (mut frames, before) = (Vec::new(), self.end);
        frame(&record::erase(erasure, at_ms)?, &mut frames);
        if self.end + frames.len() as u64 > self.limit {
            return Ok(None);
        }
        self.write(&frames)?;
        self.erasing.insert(erasure.user.clone(), at_ms);
        // From here on it is done, if not now then at the next start.
        let void = self.void(&erasure.user, before);
        Ok(Some(void.unwrap_or_else(|error| {
            tracing::error!(%error, "what an erased user said is still in the spool");
            0
        })))
    }

    /// Appends whole frames, and syncs.
    fn write(&mut self, frames: &[u8]) -> io::Result<()> {
        let written = self.file.write_all_at(frames, self.end);
        match written.and_then(|()| self.file.sync_data()) {
            Ok(()) => self.end += frames.len() as u64,
            Err(error) => {
                self.blank(self.end)?;
                return Err(error);
            }
        }
        Ok(())
    }

    /// Makes the user's write-backs before `until` void.
    fn void(&self, user: &UserKey, until: u64) -> io::Result<u64> {
        let (mut at, mut void) = (0, Vec::new());
        while at < until {
            let Some((payload, end)) = self.frame(at)? else {
                break;
            };
            if matches!(record::parse(&payload), Ok(Spooled::Keep(w)) if w.user == *user) {
                let length = u32::try_from(payload.len())
                    .unwrap_or_default()
                    .to_le_bytes();
                self.file.write_all_at(&[length[3] | VOID], at + 3)?;
                void.push((at + HEAD, end));
            }
            at = end;
        }
        if !void.is_empty() {
            // Before the first payload is gone.
            self.file.sync_data()?;
        }
        for (from, end) in &void {
            self.zero(*from, *end)?;
        }
        if !void.is_empty() {
            self.file.sync_data()?;
        }
        Ok(void.len() as u64)
    }

    fn zero(&self, from: u64, end: u64) -> io::Result<()> {
        let zeros = vec![0; usize::try_from(end - from).unwrap_or_default()];
        self.file.write_all_at(&zeros, from)
    }

    /// What is to be replayed next, and where that ends.
    pub fn next(&self, group: usize) -> io::Result<(Batch, u64)> {
        let (mut found, mut at) = (Vec::new(), self.at);
        while found.len() < group && at < self.end {
            let Some((payload, end)) = self.frame(at)? else {
                break;
            };
            match record::parse(&payload) {
                _ if payload.is_empty() => {}
                Ok(Spooled::Keep(writeback)) => found.push(Arc::new(writeback)),
                Ok(Spooled::Erase(erasure)) if found.is_empty() => {
                    return Ok((Batch::Erase(Arc::new(erasure)), end));
                }
                Ok(Spooled::Erase(_)) => break,
                Err(error) => tracing::error!(%error, "a spooled write-back cannot be read"),
            }
            at = end;
        }
        Ok((Batch::Keep(found), at))
    }

    /// All before `at` is in the store.
    pub fn replayed(&mut self, at: u64) {
        self.at = at;
    }

    /// All of it is in the store: nothing said is left here.
    pub fn empty(&mut self) -> io::Result<()> {
        (self.end, self.at) = (0, 0);
        self.erasing.clear();
        self.blank(0)
    }

    /// The payload of the frame at `at`, empty if it is void, and where it ends; `None` where there
    /// is no whole one.
    fn frame(&self, at: u64) -> io::Result<Option<(Vec<u8>, u64)>> {
        let mut head = [0; HEAD as usize];
        if !read(&self.file, &mut head, at)? {
            return Ok(None);
        }
        let [a, b, c, d, sum @ ..] = head;
        let length = u32::from_le_bytes([a, b, c, d & !VOID]);
        if length > MOST {
            return Ok(None);
        }
        let end = at + HEAD + u64::from(length);
        if d & VOID != 0 {
            return Ok(Some((Vec::new(), end)));
        }
        let mut payload = vec![0; length as usize];
        let whole = read(&self.file, &mut payload, at + HEAD)? && checksum(&payload) == sum;
        Ok(whole.then_some((payload, end)))
    }

    /// Zeros from `end` to the end of the reserve, and nothing after that: what stood there must
    /// not be taken for frames once new ones are written before it.
    fn blank(&self, end: u64) -> io::Result<()> {
        static ZEROS: [u8; 64 << 10] = [0; 64 << 10];
        let (length, reserve) = (self.file.metadata()?.len(), self.limit.min(RESERVE));
        if length > reserve.max(end) {
            self.file.set_len(reserve.max(end))?;
        }
        let (mut at, mut found) = (end, ZEROS);
        while at < reserve {
            let part = usize::try_from(reserve - at)
                .unwrap_or(usize::MAX)
                .min(ZEROS.len());
            let blank = read(&self.file, &mut found[..part], at)? && found[..part] == ZEROS[..part];
            if !blank {
                self.file.write_all_at(&ZEROS[..part], at)?;
            }
            at += part as u64;
        }
        self.file.sync_data()
    }
}

fn read(file: &File, into: &mut [u8], at: u64) -> io::Result<bool> {
    match file.read_exact_at(into, at) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

fn checksum(payload: &[u8]) -> [u8; 4] {
    let [a, b, c, d, ..] = *blake3::hash(payload).as_bytes();
    [a, b, c, d]
}

fn frame(payload: &[u8], into: &mut Vec<u8>) {
    // No payload is longer than `MOST`.
    let length = u32::try_from(payload.len()).unwrap_or_default();
    into.extend(length.to_le_bytes());
    into.extend(checksum(payload));
    into.extend(payload);
}

#[cfg(test)]
#[path = "spool_tests.rs"]
mod tests;
