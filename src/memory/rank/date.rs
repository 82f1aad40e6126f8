//! The days a question names, in English and Chinese, seen from now: "on 3 May", "last week",
//! "5月12日", "上周三", "三天前".

use super::fold;
use time::{Date, Duration, Month, OffsetDateTime, Weekday};

const DAY_MS: i64 = 86_400_000;
/// 1970-01-01 as a Julian day number.
const UNIX_EPOCH: i64 = 2_440_588;

/// Days of the user's calendar.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Days {
    /// First and last day of each stretch, as Julian day numbers.
    pub(super) ranges: Vec<(i32, i32)>,
    offset_ms: i64,
}

impl Days {
    /// How well a time fits: 1 on a day that is named, less for a month or a year, and less for
    /// the days after: people tell of a thing when it is over.
    pub(super) fn nearness(&self, at_ms: i64) -> f32 {
        if self.ranges.is_empty() {
            return 0.0;
        }
        let day = at_ms.saturating_add(self.offset_ms).div_euclid(DAY_MS) + UNIX_EPOCH;
        let fits = self.ranges.iter().map(|&(from, to)| {
            let sharp = match to - from {
                ..=9 => 1.0,
                10..=31 => 0.6,
                _ => 0.3,
            };
            let (from, to) = (i64::from(from), i64::from(to));
            match day {
                _ if day < from => 0.0,
                _ if day <= to => sharp,
                _ if day - to <= 7 => 0.3 * sharp,
                _ => 0.0,
            }
        });
        fits.fold(0.0, f32::max)
    }
}

fn day(at_ms: i64, offset_ms: i64) -> Option<Date> {
    let seconds = at_ms.saturating_add(offset_ms).div_euclid(1000);
    OffsetDateTime::from_unix_timestamp(seconds)
        .ok()
        .map(OffsetDateTime::date)
}

/// The days that a text names.
pub(super) fn days(text: &str, now_ms: i64, utc_offset_min: i32) -> Days {
    let offset_ms = i64::from(utc_offset_min) * 60_000;
    let mut days = Days {
        ranges: Vec::new(),
        offset_ms,
    };
    let Some(today) = day(now_ms, offset_ms) else {
        return days;
    };
    let parts = parts(text);
    let mut at = 0;
    while at < parts.len() {
        let before = at.checked_sub(1).map(|i| &parts[i]);
        match stretch(before, &parts[at..], today) {
            Some((used, from, to)) => {
                days.ranges.push((from.to_julian_day(), to.to_julian_day()));
                at += used;
            }
            None => at += 1,
        }
    }
    days
}

/// What a text is made of, for reading dates.
#[derive(Clone, Debug, PartialEq)]
enum Part {
    Number(i32),
    Word(String),
    Char(char),
}

fn parts(text: &str) -> Vec<Part> {
    let mut folded = String::with_capacity(text.len());
    for c in fold::compose(text).chars() {
        fold::fold(c, |c| folded.push(c));
    }
    let mut parts = Vec::new();
    let mut rest = folded.chars().peekable();
    while let Some(c) = rest.next() {
        let mut run = String::from(c);
        let mut more = |same: fn(char) -> bool| {
            while let Some(c) = rest.next_if(|&c| same(c)) {
                run.push(c);
            }
        };
        if c.is_ascii_digit() {
            more(|c| c.is_ascii_digit());
            parts.push(Part::Number(run.parse().unwrap_or(-1)));
        } else if c.is_ascii_alphabetic() {
            more(|c| c.is_ascii_alphabetic());
            let ordinal = matches!(run.as_str(), "st" | "nd" | "rd" | "th");
            if let Some(number) = ENGLISH.iter().position(|word| *word == run) {
                parts.push(Part::Number(number as i32));
            } else if !ordinal && !matches!(run.as_str(), "of" | "the") {
                parts.push(Part::Word(run));
            }
        } else if numeral(c).is_some() {
            more(|c| numeral(c).is_some());
            parts.push(Part::Number(chinese_number(&run)));
        } else if c.is_alphanumeric() || c == '-' || c == '/' {
            parts.push(Part::Char(c));
        }
    }
    parts
}

const ENGLISH: [&str; 11] = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
];

fn numeral(c: char) -> Option<i32> {
    let place = "〇一二三四五六七八九十".chars().position(|n| n == c);
    place.map(|n| n as i32).or((c == '两').then_some(2))
}

/// 十二 is 12, 二十五 is 25, 二〇二五 is 2025.
fn chinese_number(run: &str) -> i32 {
    let digits: Vec<i32> = run.chars().filter_map(numeral).collect();
    match digits.as_slice() {
        [10] => 10,
        [10, ones] => 10 + ones,
        [tens, 10] => tens * 10,
        [tens, 10, ones] => tens * 10 + ones,
        digits if digits.len() <= 4 && !digits.contains(&10) => {
            digits.iter().fold(0, |number, digit| number * 10 + digit)
        }
        _ => -1,
    }
}

type Stretch = Option<(usize, Date, Date)>;

/// The stretch of days that the parts begin with, and how many parts it took.
fn stretch(before: Option<&Part>, parts: &[Part], today: Date) -> Stretch {
    use Part::{Char as C, Number as N};
    match parts {
        [N(y), C('年'), N(m), C('月'), N(d), ..] => one(5, *y, *m, *d),
        [N(y), C('-' | '/'), N(m), C('-' | '/'), N(d), ..] => one(5, *y, *m, *d),
        [N(y), C('年'), N(m), C('月'), ..] => month(4, *y, *m),
        [N(m), C('月'), N(d), C('日' | '号'), ..] => past(4, today, *m, Some(*d)),
        [N(m), C('月'), N(d), ..] => past(3, today, *m, Some(*d)),
        [N(m), C('月'), ..] => past(2, today, *m, None),
        [N(y @ 1900..=2999), C('年'), ..] => year(2, *y),
        [N(n), C('天'), C('前'), ..] => ago(3, today, i64::from(*n)),
        [N(n), C('周'), C('前'), ..] => week(3, today, i64::from(*n)),
        [N(n), C('个'), C('星'), C('期'), C('前'), ..] => week(5, today, i64::from(*n)),
        [N(n), C('个'), C('月'), C('前'), ..] => months_ago(4, today, *n),
        [N(n), C('年'), C('前'), ..] => year(3, today.year() - n),
        [N(d @ 1..=31), C('号'), ..] if before != Some(&C('月')) => day_of_month(2, today, *d),
        [C('今'), C('天'), ..] => ago(2, today, 0),
        [C('昨'), C('天' | '晚'), ..] => ago(2, today, 1),
        [C('大'), C('前'), C('天'), ..] => ago(3, today, 3),
        [C('前'), C('天'), ..] => ago(2, today, 2),
        [C('去'), C('年'), ..] => year(2, today.year() - 1),
        [C('前'), C('年'), ..] => year(2, today.year() - 2),
        [C('上'), C('个'), C('月'), ..] => months_ago(3, today, 1),
        [C('上'), C('月'), ..] => months_ago(2, today, 1),
        [C('这'), C('个'), C('月'), ..] => months_ago(3, today, 0),
        [C('上'), rest @ ..] => chinese_week(today, rest, 1),
        [C('这' | '本'), rest @ ..] => chinese_week(today, rest, 0),
        [Part::Word(word), rest @ ..] => english(before, word, rest, today),
        [N(d), Part::Word(word), rest @ ..] if month_name(word).is_some() => {
            let m = month_name(word)?;
            match rest {
                [N(y @ 1900..=2999), ..] => one(3, *y, m, *d),
                _ => past(2, today, m, Some(*d)),
            }
        }
        [N(n), Part::Word(unit), Part::Word(ago_word), ..] if ago_word == "ago" => {
            match unit.as_str() {
                "day" | "days" => ago(3, today, i64::from(*n)),
                "week" | "weeks" => week(3, today, i64::from(*n)),
                "month" | "months" => months_ago(3, today, *n),
                "year" | "years" => year(3, today.year() - n),
                _ => None,
            }
        }
        [N(y @ 1990..=2099), ..] => year(1, *y),
        _ => None,
    }
}

/// 周三, 星期天, 个礼拜 and the like, `back` weeks ago.
fn chinese_week(today: Date, parts: &[Part], back: i64) -> Stretch {
    use Part::{Char as C, Number as N};
    let (used, rest) = match parts {
        [C('个'), C('星'), C('期'), rest @ ..] | [C('个'), C('礼'), C('拜'), rest @ ..] => {
            (4, rest)
        }
        [C('星'), C('期'), rest @ ..]
        | [C('礼'), C('拜'), rest @ ..]
        | [C('个'), C('周'), rest @ ..] => (3, rest),
        [C('周'), rest @ ..] => (2, rest),
        _ => return None,
    };
    let (_, monday, sunday) = week(0, today, back)?;
    match rest {
        [C('末'), ..] => Some((used + 1, sunday - Duration::DAY, sunday)),
        [C('日' | '天'), ..] => Some((used + 1, sunday, sunday)),
        [N(n @ 1..=6), ..] => {
            let day = monday.checked_add(Duration::days(i64::from(*n) - 1))?;
            Some((used + 1, day, day))
        }
        _ => Some((used, monday, sunday)),
    }
}

fn english(before: Option<&Part>, word: &str, rest: &[Part], today: Date) -> Stretch {
    use Part::Number as N;
    if let Some(m) = month_name(word) {
        // "may" and "march" are months only where a date can stand.
        let clear = !matches!(word, "may" | "march")
            || matches!(before, Some(Part::Word(w)) if w == "in" || w == "last" || w == "since");
        return match rest {
            [N(d @ 1..=31), N(y @ 1900..=2999), ..] => one(3, *y, m, *d),
            [N(d @ 1..=31), ..] => past(2, today, m, Some(*d)),
            [N(y @ 1900..=2999), ..] => month(2, *y, m),
            _ if clear => past(1, today, m, None),
            _ => None,
        };
    }
    let next = match rest {
        [Part::Word(next), ..] => next.as_str(),
        _ => "",
    };
    match (word, next) {
        ("today", _) => ago(1, today, 0),
        ("yesterday", _) => ago(1, today, 1),
        ("last", "week") => week(2, today, 1),
        ("this", "week") => week(2, today, 0),
        ("last", "weekend") => {
            let (_, _, sunday) = week(0, today, 1)?;
            Some((2, sunday - Duration::DAY, sunday))
        }
        ("last", "month") => months_ago(2, today, 1),
        ("this", "month") => months_ago(2, today, 0),
        ("last", "year") => year(2, today.year() - 1),
        ("this", "year") => year(2, today.year()),
        ("last" | "on", name) => {
            let day = today.prev_occurrence(weekday(name)?);
            Some((2, day, day))
        }
        _ => None,
    }
}

fn month_name(word: &str) -> Option<i32> {
    const NAMES: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    let long =
        |name: &&str| word == *name || word.len() >= 3 && word.len() <= 4 && name.starts_with(word);
    let place = NAMES.iter().position(long);
    place
        .filter(|_| word != "mar" && word != "dece")
        .map(|m| m as i32 + 1)
}

fn weekday(name: &str) -> Option<Weekday> {
    Some(match name {
        "monday" => Weekday::Monday,
        "tuesday" => Weekday::Tuesday,
        "wednesday" => Weekday::Wednesday,
        "thursday" => Weekday::Thursday,
        "friday" => Weekday::Friday,
        "saturday" => Weekday::Saturday,
        "sunday" => Weekday::Sunday,
        _ => return None,
    })
}

fn date(y: i32, m: i32, d: i32) -> Option<Date> {
    let m = Month::try_from(u8::try_from(m).ok()?).ok()?;
    Date::from_calendar_date(y, m, u8::try_from(d).ok()?).ok()
}

fn one(used: usize, y: i32, m: i32, d: i32) -> Stretch {
    let day = date(y, m, d)?;
    Some((used, day, day))
}

fn month(used: usize, y: i32, m: i32) -> Stretch {
    let first = date(y, m, 1)?;
    let last = date(y, m, i32::from(first.month().length(y)))?;
    Some((used, first, last))
}

fn year(used: usize, y: i32) -> Stretch {
    Some((used, date(y, 1, 1)?, date(y, 12, 31)?))
}

/// A day or a month without its year: the last one that has begun.
fn past(used: usize, today: Date, m: i32, d: Option<i32>) -> Stretch {
    let this_year = date(today.year(), m, d.unwrap_or(1));
    let y = match this_year {
        Some(day) if day <= today => today.year(),
        _ => today.year() - 1,
    };
    match d {
        Some(d) => one(used, y, m, d),
        None => month(used, y, m),
    }
}

/// "5号": of this month, or of the one before.
fn day_of_month(used: usize, today: Date, d: i32) -> Stretch {
    let this = date(today.year(), u8::from(today.month()).into(), d);
    let day = this.filter(|day| *day <= today).or_else(|| {
        let (_, first, _) = months_ago(0, today, 1)?;
        date(first.year(), u8::from(first.month()).into(), d)
    })?;
    Some((used, day, day))
}

fn ago(used: usize, today: Date, days: i64) -> Stretch {
    let day = today.checked_sub(Duration::days(days))?;
    Some((used, day, day))
}

/// The week, Monday to Sunday, so many weeks back.
fn week(used: usize, today: Date, back: i64) -> Stretch {
    let into = i64::from(today.weekday().number_days_from_monday());
    let monday = today.checked_sub(Duration::days(into + back.checked_mul(7)?))?;
    Some((used, monday, monday.checked_add(Duration::days(6))?))
}

fn months_ago(used: usize, today: Date, back: i32) -> Stretch {
    let months = today.year() * 12 + i32::from(u8::from(today.month())) - 1;
    let months = months.checked_sub(back)?;
    month(used, months.div_euclid(12), months.rem_euclid(12) + 1)
}

#[cfg(test)]
#[path = "date_tests.rs"]
mod tests;
