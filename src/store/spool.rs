//! The spool: where write-backs wait on the local disk while the store is down. Frames of length,
//! checksum and JSON, appended and synced in groups; after the last one come zeros. A frame that a
//! crash tore off was never acknowledged, and is cut off when the file is opened again. A replay
//! goes through the file from its start and empties it when all is in the store; since keeping a
//! turn twice keeps it once, a crash in between needs no bookkeeping.
//!
//! Part of the file is written ahead, so that there is room for turns on a disk that is full: that
//! may be the very reason why the store is down.

use super::directory::private;
use crate::memory::{TurnStatus, UserKey, Writeback};
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, fs::File, io, os::unix::fs::FileExt, path::Path, sync::Arc};

const HEAD: u64 = 8;
/// No write-back is longer; a length beyond it is no length.
const MOST: u32 = 1 << 20;
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
}

/// A write-back as it lies on disk.
#[derive(Serialize, Deserialize)]
struct Record<'a> {
    #[serde(borrow)]
    tenant: Cow<'a, str>,
    #[serde(borrow)]
    app: Cow<'a, str>,
    #[serde(borrow)]
    user: Cow<'a, str>,
    #[serde(borrow)]
    turn: Cow<'a, str>,
    #[serde(borrow)]
    conversation: Cow<'a, str>,
    #[serde(borrow)]
    query: Cow<'a, str>,
    #[serde(borrow)]
    answer: Cow<'a, str>,
    complete: bool,
    began_ms: i64,
}

impl Spool {
    /// What an earlier run left, or an empty one; it takes at most `limit` bytes.
    pub fn open(path: &Path, limit: u64) -> io::Result<Spool> {
        let mut spool = Spool {
            file: private(path, |_| {})?,
            end: 0,
            at: 0,
            limit,
        };
        while let Some((_, end)) = spool.frame(spool.end)? {
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
            frame(writeback, &mut frames)?;
            if self.end + frames.len() as u64 > self.limit {
                frames.truncate(before);
                break;
            }
            count += 1;
        }
        if count == 0 {
            return Ok(0);
        }
        let written = self.file.write_all_at(&frames, self.end);
        match written.and_then(|()| self.file.sync_data()) {
            Ok(()) => self.end += frames.len() as u64,
            Err(error) => {
                self.blank(self.end)?;
                return Err(error);
            }
        }
        Ok(count)
    }

    /// The next write-backs to replay, and where the ones after them begin.
    pub fn next(&self, group: usize) -> io::Result<(Vec<Arc<Writeback>>, u64)> {
        let (mut found, mut at) = (Vec::new(), self.at);
        while found.len() < group && at < self.end {
            let Some((payload, end)) = self.frame(at)? else {
                break;
            };
            at = end;
            match parse(&payload) {
                Ok(writeback) => found.push(Arc::new(writeback)),
                Err(error) => tracing::error!(%error, "a spooled write-back cannot be read"),
            }
        }
        Ok((found, at))
    }

    /// All before `at` is in the store.
    pub fn replayed(&mut self, at: u64) {
        self.at = at;
    }

    /// All of it is in the store: nothing said is left here.
    pub fn empty(&mut self) -> io::Result<()> {
        (self.end, self.at) = (0, 0);
        self.blank(0)
    }

    /// The payload of the frame at `at`, and where it ends; `None` where there is no whole one.
    fn frame(&self, at: u64) -> io::Result<Option<(Vec<u8>, u64)>> {
        let mut head = [0; HEAD as usize];
        if !read(&self.file, &mut head, at)? {
            return Ok(None);
        }
        let [a, b, c, d, sum @ ..] = head;
        let length = u32::from_le_bytes([a, b, c, d]);
        if length > MOST {
            return Ok(None);
        }
        let mut payload = vec![0; length as usize];
        let whole = read(&self.file, &mut payload, at + HEAD)? && checksum(&payload) == sum;
        Ok(whole.then_some((payload, at + HEAD + u64::from(length))))
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

fn frame(w: &Writeback, into: &mut Vec<u8>) -> io::Result<()> {
    let payload = serde_json::to_vec(&Record {
        tenant: (&*w.user.tenant).into(),
        app: (&*w.user.app).into(),
        user: (&*w.user.user).into(),
        turn: (&*w.turn).into(),
        conversation: (&*w.conversation).into(),
        query: (&*w.query).into(),
        answer: w.answer.as_str().into(),
        complete: w.status == TurnStatus::Complete,
        began_ms: w.began_ms,
    })?;
    let length = u32::try_from(payload.len())
        .ok()
        .filter(|length| *length <= MOST);
    let length = length.ok_or_else(|| io::Error::other("a write-back is too long"))?;
    into.extend(length.to_le_bytes());
    into.extend(checksum(&payload));
    into.extend(payload);
    Ok(())
}

fn parse(payload: &[u8]) -> io::Result<Writeback> {
    let record: Record = serde_json::from_slice(payload)?;
    Ok(Writeback {
        user: UserKey {
            tenant: record.tenant.into(),
            app: record.app.into(),
            user: record.user.into(),
        },
        turn: record.turn.into(),
        conversation: record.conversation.into(),
        query: record.query.into(),
        answer: record.answer.into_owned(),
        status: super::rows::status(record.complete),
        began_ms: record.began_ms,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(id: &str) -> Arc<Writeback> {
        Arc::new(Writeback {
            user: UserKey::local("ada"),
            turn: id.into(),
            conversation: "c".into(),
            query: "你好 \"quoted\"\n".into(),
            answer: "a".into(),
            status: TurnStatus::Partial,
            began_ms: 7,
        })
    }

    fn ids(spool: &Spool) -> Vec<String> {
        let (found, _) = spool.next(100).expect("read");
        found.iter().map(|w| w.turn.to_string()).collect()
    }

    #[test]
    fn what_was_appended_is_there_after_a_restart_up_to_the_torn_tail() {
        let dir = tempfile::tempdir().expect("temp dir");
        let path = dir.path().join("spool");
        let mut spool = Spool::open(&path, 900).expect("open");
        assert!(spool.is_drained());
        assert_eq!(spool.append(&[turn("a"), turn("b")]).expect("append"), 2);
        assert_eq!(spool.append(&[turn("c")]).expect("append"), 1);
        let (whole, end) = (std::fs::read(&path).expect("read"), spool.end as usize);
        assert_eq!(whole.len(), 900);
        for torn in (0..end).step_by(17) {
            // The frame's byte never came to the disk, but what follows it did.
            let mut broken = whole.clone();
            broken[torn] ^= 0xff;
            std::fs::write(&path, &broken).expect("break");
            let before = ids(&Spool::open(&path, 900).expect("open"));
            std::fs::write(&path, &whole[..torn]).expect("tear");
            let mut spool = Spool::open(&path, 900).expect("open");
            let kept = ids(&spool);
            assert!(["a", "b", "c"][..kept.len()] == kept[..] && kept.len() < 3);
            assert_eq!(before, kept);
            spool.append(&[turn("d")]).expect("append");
            assert_eq!(ids(&spool), [kept, vec!["d".to_owned()]].concat());
        }
        std::fs::write(&path, &whole).expect("heal");
        let (found, _) = Spool::open(&path, 900)
            .expect("open")
            .next(1)
            .expect("read");
        assert_eq!(
            (&*found[0].query, found[0].began_ms),
            ("你好 \"quoted\"\n", 7)
        );
    }

    #[test]
    fn it_is_bounded_and_removed_when_drained() {
        let dir = tempfile::tempdir().expect("temp dir");
        let path = dir.path().join("spool");
        let mut spool = Spool::open(&path, 400).expect("open");
        let group: Vec<_> = (0..9).map(|n| turn(&n.to_string())).collect();
        let taken = spool.append(&group).expect("append");
        assert!(taken > 0 && taken < 9);
        assert_eq!(spool.append(&group).expect("append"), 0);
        let (found, at) = spool.next(100).expect("read");
        assert_eq!(found.len(), taken);
        spool.replayed(at);
        assert!(spool.is_drained());
        spool.empty().expect("empty");
        assert!(
            std::fs::read(&path)
                .expect("read")
                .iter()
                .all(|byte| *byte == 0)
        );
        assert!(Spool::open(&path, 400).expect("open").is_drained());
        assert_eq!(spool.append(&group[..1]).expect("append"), 1);
    }
}
