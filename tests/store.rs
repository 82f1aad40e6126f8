//! What the store promises, on SQLite and on PostgreSQL alike: a turn that was acknowledged is
//! there, once, and is seen by the very next recall.

use crate::support::{postgres, store::*};
use std::sync::Arc;
use sundynix::{
    error::Error,
    memory::{Ack, Residents},
    store::Store,
};

macro_rules! on_both {
    ($($(#[$doc:meta])* async fn $name:ident($place:ident: Place) $body:block)*) => {$(
        $(#[$doc])*
        mod $name {
            use super::*;

            async fn promise($place: Place) $body

            #[tokio::test]
            async fn sqlite() {
                promise(Place::new(String::new())).await;
            }

            #[tokio::test]
            async fn postgresql() {
                promise(Place::new(postgres::database())).await;
            }
        }
    )*};
}

on_both! {
    async fn an_acknowledged_turn_is_in_the_next_recall_cached_or_not(place: Place) {
        let open = place.open();
        for n in 0..3 {
            // The user is here from the second time on.
            let id = format!("t{n}");
            assert_eq!(open.keep(turn("ada", &id, "q", "a", now() + n)).await, recorded(&id));
            assert_eq!(open.turns("ada").await.last().expect("one").0, id);
            assert_eq!(open.turns("ada").await.len(), n as usize + 1);
        }
        let hot = open.resident("ada").await;
        assert_eq!(hot, open.cold("ada").await);
        assert!(open.resident("bob").await.turns.is_empty());
    }

    async fn what_a_turn_states_is_known_at_once_and_settled_to_the_same(place: Place) {
        let open = place.open();
        open.resident("ada").await;
        open.keep(turn("ada", "t1", "my name is Ada", "hi", now())).await;
        let hot = open.resident("ada").await;
        assert_eq!((value(&hot, "name").as_deref(), hot.profile.version), (Some("Ada"), 1));
        // Settled or not by now, a cold read says the same.
        assert_eq!(hot, open.cold("ada").await);
        open.keep(turn("ada", "t2", "my name is Ada", "hi", now() + 1)).await;
        assert_eq!(open.resident("ada").await.profile.version, 1);
        open.keep(partial(turn("ada", "t3", "my name is Bob", "h", now() + 2))).await;
        let profile = open.put("ada", "city", Some("上海")).await;
        assert_eq!(profile.version, 3);
        let (hot, cold) = (open.resident("ada").await, open.cold("ada").await);
        assert_eq!((&hot, value(&hot, "name").as_deref()), (&cold, Some("Bob")));
        assert_eq!(hot.profile, profile);
    }

    async fn it_is_all_there_after_a_restart(place: Place) {
        let open = place.open();
        open.keep(turn("ada", "t1", "my name is Ada", "hi", now())).await;
        open.put("ada", "city", Some("Paris")).await;
        let (before, secret) = (open.resident("ada").await, open.store.secret());
        drop(open);
        let open = place.open();
        assert_eq!((open.resident("ada").await, open.store.secret()), (before, secret));
    }

    async fn the_same_turn_within_an_hour_is_one_turn_with_the_better_answer(place: Place) {
        let open = place.open();
        let start = now() - 3 * HOUR;
        open.keep(partial(turn("ada", "t", "my name is Ada", "", start))).await;
        for (answer, whole, kept) in [
            ("part", false, "part"), ("", false, "part"), ("first", true, "first"),
            ("cut", false, "first"), ("", true, "first"), ("second", true, "second"),
        ] {
            let again = turn("ada", "t", "my name is Ada", answer, start + HOUR - 1);
            let again = if whole { again } else { partial(again) };
            assert_eq!(open.keep(again).await, recorded("t"));
            assert_eq!(open.turns("ada").await, [("t".to_owned(), kept.to_owned())]);
            assert_eq!(open.cold("ada").await.turns[0].answer.as_ref(), kept);
        }
        assert_eq!(open.resident("ada").await.profile.version, 1);
    }

    async fn a_later_turn_of_the_same_id_is_a_turn_of_its_own(place: Place) {
        let open = place.open();
        let start = now() - 9 * HOUR;
        open.keep(turn("ada", "t", "my name is Ada", "one", start)).await;
        let Ack::Recorded(second) = open.keep(turn("ada", "t", "q", "two", start + HOUR)).await
        else { panic!("recorded") };
        assert_ne!(&*second, "t");
        // A repeat of either finds its own.
        let again = turn("ada", "t", "q", "two again", start + HOUR + 5);
        assert_eq!(open.keep(again).await, Ack::Recorded(second.clone()));
        assert_eq!(open.keep(turn("ada", "t", "q", "one again", start + 5)).await, recorded("t"));
        let turns = open.turns("ada").await;
        let expected = [("t", "one again"), (&*second, "two again")];
        assert_eq!(turns, expected.map(|(id, a)| (id.to_owned(), a.to_owned())));
        assert_eq!(open.cold("ada").await.turns.len(), 2);
    }

    async fn the_same_turn_twice_in_one_group_is_one_turn(place: Place) {
        let open = place.open();
        open.resident("ada").await;
        let at = now();
        let sent: Vec<_> = (0..200).map(|n| {
            let id = format!("t{}", n % 50);
            open.send(turn("ada", &id, "my name is Ada", &format!("a{n}"), at + n % 50))
        }).collect();
        for (n, ack) in sent.into_iter().enumerate() {
            assert_eq!(ack.await.expect("an answer"), recorded(&format!("t{}", n % 50)));
        }
        let hot = open.resident("ada").await;
        assert_eq!((hot.profile.version, hot.turns.len()), (1, 32));
        assert_eq!(hot, open.cold("ada").await);
        assert_eq!(open.erase("ada").await.turns, 50);
    }

    async fn a_put_is_pinned_conditional_and_deletable(place: Place) {
        let open = place.open();
        assert_eq!(open.put("ada", "name", Some("Ada")).await.version, 1);
        assert_eq!(open.put("ada", "name", Some("Ada")).await.version, 1);
        let stale = open.put_on("ada", "name", Some("Eve"), Some(0)).await;
        assert!(matches!(stale, Err(Error::Stale { current: 1 })));
        open.keep(turn("ada", "old", "my name is Old", "a", now() - HOUR)).await;
        assert_eq!(value(&open.resident("ada").await, "name").as_deref(), Some("Ada"));
        assert_eq!(open.put_on("ada", "name", None, Some(1)).await.expect("fresh").version, 2);
        open.keep(turn("ada", "older", "my name is Older", "a", now() - HOUR)).await;
        assert_eq!(value(&open.cold("ada").await, "name"), None);
        open.keep(turn("ada", "new", "my name is New", "a", now() + 60_000)).await;
        let resident = open.cold("ada").await;
        assert_eq!((value(&resident, "name").as_deref(), resident.profile.version), (Some("New"), 3));
        let long = open.put_on("ada", &"k".repeat(300), Some("v"), None).await;
        assert!(matches!(long, Err(Error::Invalid { .. })));
    }

    async fn an_erase_leaves_nothing_and_drops_what_began_before(place: Place) {
        let open = place.open();
        open.keep(turn("ada", "t1", "my name is Ada", "a", now() - 5)).await;
        open.keep(turn("ada", "t2", "my name is Bob", "a", now() - 4)).await;
        open.keep(turn("bob", "t1", "my name is Bob", "a", now() - 4)).await;
        open.put("ada", "city", Some("Paris")).await;
        let erased = open.erase("ada").await;
        assert_eq!((erased.profile, erased.history, erased.turns), (2, 1, 2));
        assert_eq!(open.keep(turn("ada", "t3", "my name is Ada", "a", now() - 100)).await, Ack::Off);
        let gone = open.resident("ada").await;
        assert!(gone.turns.is_empty() && gone.profile.slots.is_empty() && gone.epoch_ms > 0);
        assert_eq!(open.resident("bob").await.turns.len(), 1);
        let later = turn("ada", "t4", "my name is Ada", "a", now() + 60_000);
        assert_eq!(open.keep(later).await, recorded("t4"));
        assert_eq!(value(&open.cold("ada").await, "name").as_deref(), Some("Ada"));
    }

    async fn text_that_a_database_dislikes_is_kept(place: Place) {
        let open = place.open();
        let nasty = "nul \0, quote ', $1 ?, 中文, 🦀";
        open.keep(turn("o'hara", "t", nasty, nasty, now())).await;
        let kept = open.cold("o'hara").await.turns[0].clone();
        assert_eq!(&*kept.query, nasty.replace('\0', "\u{FFFD}"));
        open.put("o'hara", "k", Some(nasty)).await;
    }

    async fn a_turn_the_store_refuses_takes_no_other_with_it(place: Place) {
        let open = place.open();
        // PostgreSQL indexes no key as long as this (random, or it would be compressed).
        let long: String = (0..200u64).map(|n| format!("{:x}", n.wrapping_mul(0x9E3779B97F4A7C15))).collect();
        let sent = [
            open.send(turn("ada", "t1", "q", "a", now())),
            open.send(turn("ada", &long, "q", "a", now())),
            open.send(turn("ada", "t2", "q", "a", now())),
        ];
        let mut acks = Vec::new();
        for ack in sent {
            acks.push(ack.await.expect("an answer"));
        }
        assert_eq!((&acks[0], &acks[2]), (&recorded("t1"), &recorded("t2")));
        assert!(!open.store.is_down());
    }

    async fn many_users_at_once_are_kept_apart_and_whole(place: Place) {
        let open = place.open();
        let at = now();
        let sent: Vec<_> = (0..1_000).map(|n| {
            let user = format!("u{}", n % 20);
            open.send(turn(&user, &format!("t{n}"), &format!("my name is {}", name(n as usize)), "a", at + n))
        }).collect();
        for ack in sent {
            assert!(matches!(ack.await, Ok(Ack::Recorded(_))));
        }
        for n in 0..20 {
            let user = format!("u{n}");
            let resident = open.cold(&user).await;
            assert_eq!(resident.profile.version, 50);
            assert_eq!(value(&resident, "name"), Some(name(980 + n)));
            assert_eq!(open.erase(&user).await.turns, 50);
        }
    }
}

#[tokio::test]
async fn replicas_on_one_database_see_each_others_turns() {
    let url = postgres::database();
    let (one, two) = (Place::new(url.clone()), Place::new(url));
    let (one, two) = (one.open(), two.open());
    assert_eq!(one.store.secret(), two.store.secret());
    assert!(!one.store.owns_cache());
    let at = now();
    for n in 0..20 {
        let (from, to) = if n % 2 == 0 {
            (&one, &two)
        } else {
            (&two, &one)
        };
        let query = format!("my name is {}", name(n as usize));
        from.keep(turn("ada", &format!("t{n}"), &query, "a", at + n))
            .await;
        let seen = to.resident("ada").await;
        assert_eq!(value(&seen, "name"), Some(name(n as usize)));
        assert_eq!(
            (seen.turns.len(), seen.profile.version),
            (n as usize + 1, n as u64 + 1)
        );
        assert_eq!(seen, from.resident("ada").await);
    }
    // Both write the same users at once: no deadlock, nothing lost.
    let sent: Vec<_> = (0..400)
        .map(|n| {
            let (user, id) = (format!("u{}", n % 7), format!("t{n}"));
            let to = if n % 2 == 0 { &one } else { &two };
            to.send(turn(&user, &id, "my name is Ada", "a", at + n))
        })
        .collect();
    for ack in sent {
        assert!(matches!(ack.await, Ok(Ack::Recorded(_))));
    }
    let mut turns = 0;
    for n in 0..7 {
        assert_eq!(one.cold(&format!("u{n}")).await.profile.version, 1);
        turns += two.erase(&format!("u{n}")).await.turns;
    }
    assert_eq!(turns, 400);
}

#[test]
fn a_url_that_does_not_work_is_named_without_its_password() {
    for url in [
        "postgres://ada:secret@127.0.0.1:1/x",
        "mysql://ada:secret@h/x",
        "postgres://a:secret@[x",
    ] {
        let place = Place::new(url.into());
        let error = Store::open(&place.config, Arc::new(Residents::new(0))).err();
        let error = error.expect("refused").to_string();
        assert!(
            error.starts_with("store.url") && !error.contains("secret"),
            "{error}"
        );
    }
}

#[test]
fn one_data_directory_has_one_owner() {
    let place = Place::new(String::new());
    let open = place.open();
    let second = Store::open(&place.config, Arc::new(Residents::new(0))).err();
    assert!(second.expect("refused").0.contains("in use"));
    drop(open);
    place.open();
}
