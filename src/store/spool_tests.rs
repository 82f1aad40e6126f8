//! The spool is torn, filled, drained, and erased from.

use super::*;
use crate::memory::TurnStatus;

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

fn keeps(spool: &Spool) -> Vec<Arc<Writeback>> {
    match spool.next(100).expect("read") {
        (Batch::Keep(found), _) => found,
        (Batch::Erase(_), _) => panic!("an erase"),
    }
}

fn ids(spool: &Spool) -> Vec<String> {
    keeps(spool).iter().map(|w| w.turn.to_string()).collect()
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
    let found = keeps(&Spool::open(&path, 900).expect("open"));
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
    assert_eq!(keeps(&spool).len(), taken);
    spool.replayed(spool.end());
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

fn of(user: &str, id: &str) -> Arc<Writeback> {
    Arc::new(Writeback {
        user: UserKey::local(user),
        query: "Zanzibar".into(),
        ..(*turn(id)).clone()
    })
}

fn erasure(user: &str) -> Erasure {
    Erasure {
        user: UserKey::local(user),
        on_version: None,
        asked_ms: None,
        deed: None,
    }
}

/// All that waits, in order.
fn all(spool: &mut Spool) -> Vec<String> {
    let mut all = Vec::new();
    while !spool.is_drained() {
        let (batch, end) = spool.next(2).expect("read");
        match batch {
            Batch::Keep(found) => all.extend(found.iter().map(|w| w.turn.to_string())),
            Batch::Erase(erasure) => all.push(format!("-{}", erasure.user.user)),
        }
        spool.replayed(end);
    }
    all
}

#[test]
fn an_erase_stands_in_its_place_and_voids_what_was_before_it() {
    let dir = tempfile::tempdir().expect("temp dir");
    let path = dir.path().join("spool");
    let mut spool = Spool::open(&path, 9_000).expect("open");
    let group = [turn("b"), of("bob", "c"), of("eve", "e"), of("eve", "f")];
    assert_eq!(spool.append(&group).expect("append"), 4);
    assert_eq!(spool.append(&[of("bob", "g")]).expect("append"), 1);
    let (file, end) = (std::fs::read(&path).expect("read"), spool.end as usize);
    assert_eq!(spool.erase(&erasure("eve"), 9).expect("erase"), Some(2));
    assert!(spool.bars(&UserKey::local("eve"), 9) && !spool.bars(&UserKey::local("eve"), 10));
    assert!(!spool.bars(&UserKey::local("bob"), 9));
    assert_eq!(spool.append(&[of("eve", "h")]).expect("append"), 1);
    let after = std::fs::read(&path).expect("read");
    let count = |bytes: &[u8]| bytes.windows(8).filter(|w| w == b"Zanzibar").count();
    assert_eq!((count(&file), count(&after)), (4, 3));
    let expected = ["b", "c", "g", "-eve", "h"];
    assert_eq!(all(&mut spool), expected);
    assert_eq!(all(&mut Spool::open(&path, 9_000).expect("open")), expected);
    // A crash before the bits were set, and one before the payloads were gone.
    let mut unset = after.clone();
    unset[..end].copy_from_slice(&file[..end]);
    let mut unzeroed = unset.clone();
    for at in (0..end).filter(|at| after[*at] == file[*at] | VOID) {
        unzeroed[at] = after[at];
    }
    for torn in [unset, unzeroed] {
        assert_eq!(count(&torn), 5);
        std::fs::write(&path, &torn).expect("tear");
        let mut spool = Spool::open(&path, 9_000).expect("open");
        assert_eq!(all(&mut spool), expected);
        assert_eq!(count(&std::fs::read(&path).expect("read")), 3);
    }
    spool.empty().expect("empty");
    assert!(!spool.bars(&UserKey::local("eve"), 9));
}
