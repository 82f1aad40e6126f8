//! The spool: where write-backs wait on the local disk while the store is down. Frames of length,
//! checksum and JSON, appended and synced in groups. A frame that a crash tore off at the end was
//! never acknowledged, and is cut off when the file is opened again. A replay goes through the
//! file from its start and removes it when all is in the store; since keeping a turn twice keeps
//! it once, a crash in between needs no bookkeeping.

use super::directory::private;
use crate::memory::{TurnStatus, UserKey, Writeback};
use serde::{Deserialize, Serialize};
use std::{
    borrow::Cow,
    fs::File,
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Arc,
};

const HEAD: u64 = 8;
/// No write-back is longer; a length beyond it is no length.
const MOST: u32 = 1 << 20;

/// See the file's head.
pub struct Spool {
    path: PathBuf,
    /// Made when it is first needed.
    file: Option<File>,
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
            path: path.to_owned(),
            file: None,
            end: 0,
            at: 0,
            limit,
        };
        if path.exists() {
            spool.file = Some(private(path, |_| {})?);
            while let Some((_, end)) = spool.frame(spool.end)? {
                spool.end = end;
            }
            spool.cut()?;
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
        let file = match self.file.take() {
            Some(file) => file,
            None => create(&self.path)?,
        };
        let written = file
            .write_all_at(&frames, self.end)
            .and_then(|()| file.sync_data());
        self.file = Some(file);
        match written {
            Ok(()) => self.end += frames.len() as u64,
            // Half a frame may stand there now: it must not hide the next one.
            Err(error) => {
                self.cut()?;
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

    /// All of it is in the store.
    pub fn remove(&mut self) -> io::Result<()> {
        (self.file, self.end, self.at) = (None, 0, 0);
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// The payload of the frame at `at`, and where it ends; `None` where there is no whole one.
    fn frame(&self, at: u64) -> io::Result<Option<(Vec<u8>, u64)>> {
        let Some(file) = &self.file else {
            return Ok(None);
        };
        let mut head = [0; HEAD as usize];
        if !read(file, &mut head, at)? {
            return Ok(None);
        }
        let [a, b, c, d, sum @ ..] = head;
        let length = u32::from_le_bytes([a, b, c, d]);
        if length > MOST {
            return Ok(None);
        }
        let mut payload = vec![0; length as usize];
        let whole = read(file, &mut payload, at + HEAD)? && checksum(&payload) == sum;
        Ok(whole.then_some((payload, at + HEAD + u64::from(length))))
    }

    fn cut(&mut self) -> io::Result<()> {
        self.file
            .as_ref()
            .map_or(Ok(()), |file| file.set_len(self.end))
    }
}

/// A new file whose name is durable too.
fn create(path: &Path) -> io::Result<File> {
    let file = private(path, |_| {})?;
    if let Some(parent) = path.parent() {
        File::open(parent)?.sync_all()?;
    }
    Ok(file)
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
        let mut spool = Spool::open(&path, 1 << 20).expect("open");
        assert!(spool.is_drained());
        assert_eq!(spool.append(&[turn("a"), turn("b")]).expect("append"), 2);
        assert_eq!(spool.append(&[turn("c")]).expect("append"), 1);
        let whole = std::fs::read(&path).expect("read");
        for torn in 0..whole.len() {
            std::fs::write(&path, &whole[..torn]).expect("tear");
            let mut spool = Spool::open(&path, 1 << 20).expect("open");
            let kept = ids(&spool);
            assert!(["a", "b", "c"][..kept.len()] == kept[..] && kept.len() < 3);
            spool.append(&[turn("d")]).expect("append");
            assert_eq!(ids(&spool).last().map(String::as_str), Some("d"));
        }
        std::fs::write(&path, &whole).expect("heal");
        let (found, _) = Spool::open(&path, 1).expect("open").next(1).expect("read");
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
        spool.remove().expect("remove");
        assert!(!path.exists() && spool.is_drained());
        assert_eq!(spool.append(&group[..1]).expect("append"), 1);
    }
}
