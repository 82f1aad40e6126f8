//! Which days a question names.

use super::*;
use proptest::prelude::*;
use time::macros::date;

/// Wednesday, 14 January 2026, noon.
const NOW: i64 = 1_768_392_000_000;

fn named(text: &str) -> Vec<(String, String)> {
    let show = |day: i32| Date::from_julian_day(day).unwrap().to_string();
    let ranges = days(text, NOW, 0).ranges.into_iter();
    ranges.map(|(from, to)| (show(from), show(to))).collect()
}

#[test]
fn days_are_read_in_english_and_chinese() {
    for (text, from, to) in [
        ("What did I say today?", "2026-01-14", "2026-01-14"),
        ("yesterday", "2026-01-13", "2026-01-13"),
        ("last week", "2026-01-05", "2026-01-11"),
        ("last weekend", "2026-01-10", "2026-01-11"),
        ("last Friday", "2026-01-09", "2026-01-09"),
        ("last month", "2025-12-01", "2025-12-31"),
        ("in December", "2025-12-01", "2025-12-31"),
        ("in May", "2025-05-01", "2025-05-31"),
        ("on May 8, 2022", "2022-05-08", "2022-05-08"),
        ("on the 3rd of May", "2025-05-03", "2025-05-03"),
        ("on 31 October, 2022", "2022-10-31", "2022-10-31"),
        ("in September 2022", "2022-09-01", "2022-09-30"),
        ("2024-02-29", "2024-02-29", "2024-02-29"),
        ("two days ago", "2026-01-12", "2026-01-12"),
        ("3 months ago", "2025-10-01", "2025-10-31"),
        ("今天", "2026-01-14", "2026-01-14"),
        ("昨晚吃了什么", "2026-01-13", "2026-01-13"),
        ("大前天", "2026-01-11", "2026-01-11"),
        ("上周", "2026-01-05", "2026-01-11"),
        ("上周三", "2026-01-07", "2026-01-07"),
        ("上个礼拜天", "2026-01-11", "2026-01-11"),
        ("这周末", "2026-01-17", "2026-01-18"),
        ("上个月", "2025-12-01", "2025-12-31"),
        ("５月１２日", "2025-05-12", "2025-05-12"),
        ("十二月二十五号", "2025-12-25", "2025-12-25"),
        ("二〇二四年三月", "2024-03-01", "2024-03-31"),
        ("15号", "2025-12-15", "2025-12-15"),
        ("三天前", "2026-01-11", "2026-01-11"),
        ("两周前", "2025-12-29", "2026-01-04"),
        ("去年", "2025-01-01", "2025-12-31"),
    ] {
        assert_eq!(named(text), [(from.to_owned(), to.to_owned())], "{text}");
    }
}

#[test]
fn what_is_no_date_is_left_alone() {
    for text in [
        "",
        "may I march on",
        "I have 3 cats",
        "13月45日",
        "2月30号",
        "一个月",
        "5G",
    ] {
        assert_eq!(named(text), [], "{text}");
    }
}

#[test]
fn a_day_begins_where_the_user_is() {
    let late = date!(2026 - 01 - 13).midnight().assume_utc() + Duration::hours(18);
    let late = late.unix_timestamp() * 1000;
    assert_eq!(days("今天", NOW, 480).nearness(late), 1.0);
    assert_eq!(days("今天", NOW, 0).nearness(late), 0.0);
}

proptest! {
    #[test]
    fn no_text_breaks_it(text in "[0-9一二十周月日年个前上 a-z]{0,16}", now in any::<i64>(), offset in any::<i32>(), at in any::<i64>()) {
        prop_assert!(days(&text, now, offset).nearness(at) <= 1.0);
    }
}
