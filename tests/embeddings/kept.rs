//! What the store keeps of vectors, on SQLite and on PostgreSQL alike: of texts that are there, as
//! they are, and no longer than they are.

use crate::support::{
    postgres,
    store::{HOUR, Open, Place, now, turn},
};
use std::sync::Arc;
use sundynix::{
    config::Consent,
    memory::{TurnId, UserKey, Vector},
    store::{
        Ask, Command,
        embedding::{Embedded, Text, lacking, vectors},
    },
};

fn text(user: &str, turn: &str, answer: bool, text: &str) -> Text {
    Text {
        user: UserKey::local(user),
        turn: turn.into(),
        answer,
        text: text.into(),
    }
}

fn vector(raw: &[f32]) -> Option<Vector> {
    Some(Vector::of(raw).expect("a vector"))
}

async fn embed(open: &Open, model: &str, texts: Vec<(Text, Option<Vector>)>) -> usize {
    let (reply, answer) = tokio::sync::oneshot::channel();
    let model = model.into();
    let embedded = Arc::new(Embedded { model, texts });
    open.store.enqueue(Command::Embed(embedded, reply));
    answer.await.expect("an answer").expect("written")
}

async fn lacks(open: &Open, user: &str, model: &'static str, dims: usize) -> Vec<Text> {
    let of = UserKey::local(user);
    let consent = Consent::OptOut;
    let read = open
        .store
        .reading(move |db| async move { lacking(&db, &of, model, dims, 100, consent).await });
    read.await.expect("read")
}

async fn has(open: &Open, user: &str) -> Vec<(TurnId, bool, Option<Vector>)> {
    let of = UserKey::local(user);
    let read = open
        .store
        .reading(move |db| async move { vectors(&db, &of, "m", 0, -1).await });
    read.await.expect("read")
}

async fn promise(mut place: Place) {
    place.config.memory.embeddings.model = "m".into();
    let began = now() - 49 * HOUR;
    let open = place.open();
    open.keep(turn("ada", "t1", "one", "eins", began)).await;
    open.keep(turn("ada", "t2", "two", "", began + 1)).await;
    open.keep(turn("bob", "t1", "one", "eins", now())).await;
    let line = open.store.unembedded().expect("on");
    assert_eq!(
        (line.take(), line.take()),
        (Some(UserKey::local("ada")), Some(UserKey::local("bob")))
    );
    let two = text("ada", "t2", false, "two");
    let [one, eins] = [
        text("ada", "t1", false, "one"),
        text("ada", "t1", true, "eins"),
    ];
    assert_eq!(
        lacks(&open, "ada", "m", 0).await,
        [two.clone(), one.clone(), eins.clone()]
    );

    // Several users in one write; not what is not there, or not so.
    let east = vector(&[1.0, 0.0]);
    let texts = vec![
        (one.clone(), east.clone()),
        (eins.clone(), east.clone()),
        (text("ada", "t1", false, "another"), east.clone()),
        (text("ada", "t9", false, "one"), east.clone()),
        (text("eve", "t1", false, "one"), east.clone()),
        (text("bob", "t1", false, "one"), east.clone()),
        (two.clone(), None),
    ];
    open.resident("ada").await;
    assert_eq!(embed(&open, "m", texts).await, 4);
    // Whoever is here has them at once; what is refused is not asked about again.
    assert!(open.resident("ada").await.memories.have_vectors());
    assert!(open.cold("ada").await.memories.have_vectors());
    assert!(
        lacks(&open, "ada", "m", 2).await.is_empty()
            && lacks(&open, "ada", "m", 0).await.is_empty()
    );
    // Of another model, or of other dimensions, they are as good as none.
    assert_eq!(lacks(&open, "ada", "n", 0).await.len(), 3);
    assert_eq!(
        lacks(&open, "ada", "m", 3).await,
        [one.clone(), eins.clone()]
    );
    assert_eq!(has(&open, "ada").await.len(), 3);

    // Answered anew: what the old answer meant is gone.
    // Reading them has put some in line.
    while line.take().is_some() {}
    open.keep(turn("ada", "t1", "one", "uno", began)).await;
    assert_eq!(line.take(), Some(UserKey::local("ada")));
    let uno = text("ada", "t1", true, "uno");
    assert_eq!(lacks(&open, "ada", "m", 0).await, [uno]);
    assert_eq!(embed(&open, "m", vec![(eins, east)]).await, 0);

    // Nothing is asked about for one who wants nothing of memory.
    let (reply, done) = tokio::sync::oneshot::channel();
    let off = Ask::Mode(UserKey::local("ada"), sundynix::memory::MemoryMode::Off);
    open.store.enqueue(Command::Privacy(off, reply));
    done.await.expect("an answer").expect("kept");
    assert!(lacks(&open, "ada", "m", 0).await.is_empty());

    assert_eq!(open.erase("bob").await.embeddings, 1);
    assert!(has(&open, "bob").await.is_empty());
    drop(open);

    // What is kept too long goes with all of it.
    place.config.memory.keep_turns = 1;
    let open = place.open();
    for _ in 0..1_000 {
        if has(&open, "ada").await.is_empty() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("vectors outlive their turns");
}

#[tokio::test]
async fn vectors_live_and_go_with_their_texts_sqlite() {
    promise(Place::new(String::new())).await;
}

#[tokio::test]
async fn vectors_live_and_go_with_their_texts_postgresql() {
    promise(Place::new(postgres::database())).await;
}
