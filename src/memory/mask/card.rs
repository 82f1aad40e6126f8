//! Which of a run of digits is a card's number. Such a run may hold more than the card: a phone
//! number before it, the month or the security code behind it.

use std::{iter::once, ops::Range};

/// A run that may hold one.
pub(super) const CARD: &str = r"\b(?<card>[3-6][0-9](?:[ -]?[0-9]){11,17})\b";

/// The same as a Chinese or Japanese keyboard may write it.
pub(super) const WIDE_CARD: &str = r"(?<wide>[３-６](?:[ 　－-]?[０-９]){12,18})";

/// How cards print their numbers: after how many digits there is a space. The longest first.
const PRINTED: [&[usize]; 4] = [
    &[4, 8, 12, 16, 19],
    &[4, 8, 12, 16],
    &[4, 10, 15],
    &[4, 10, 14],
];

/// The card's number that a run begins with; else where to look on.
pub(super) fn card(text: &str, run: Range<usize>) -> Result<Range<usize>, usize> {
    let within = text[run.clone()].char_indices();
    let (digits, places): (Vec<_>, Vec<_>) = within
        .filter_map(|(at, c)| {
            let at = run.start + at;
            Some((digit(c)?, at..at + c.len_utf8()))
        })
        .unzip();
    let ends_group = |n: &usize| {
        places
            .get(*n)
            .is_none_or(|next| next.start > places[n - 1].end)
    };
    let ends: Vec<usize> = (1..=digits.len()).filter(ends_group).collect();
    let printed = PRINTED.iter().filter(|printed| ends.starts_with(printed));
    let printed = printed.filter_map(|printed| printed.last());
    let counts = printed.chain(ends.first()).copied();
    // Full-width digits have no word boundary: a run may begin within a number.
    let begins = !text[..run.start].ends_with(|c| digit(c).is_some());
    let mut counts = once(digits.len()).chain(counts);
    match counts.find(|count| begins && is_card(&digits[..*count])) {
        Some(count) => Ok(run.start..places[count - 1].end),
        None => Err(ends.first().map_or(run.end, |first| places[first - 1].end)),
    }
}

/// By its length, its issuer's first digits and its check digit.
fn is_card(digits: &[u32]) -> bool {
    let issued = matches!(
        (digits, digits.len()),
        ([3, 4 | 7, ..], 15)
            | ([3, 0 | 6 | 8, ..], 14)
            | ([3, 5, ..] | [5, 1..=5, ..], 16)
            | ([4, ..], 13 | 16 | 19)
            | ([6, ..], 16..=19)
    );
    let from_behind = digits.iter().rev().enumerate();
    let sum = from_behind.map(|(at, digit)| match at % 2 {
        0 => *digit,
        _ => digit * 2 / 10 + digit * 2 % 10,
    });
    issued && sum.sum::<u32>() % 10 == 0
}

/// Of a number, narrow or wide.
fn digit(c: char) -> Option<u32> {
    match c {
        '０'..='９' => Some(c as u32 - '０' as u32),
        _ => c.to_digit(10),
    }
}

#[cfg(test)]
mod tests {
    use crate::memory::masked;

    #[test]
    fn a_card_is_found_beside_other_numbers() {
        for (text, wanted) in [
            ("4111 1111 1111 1111 123", "[masked] 123"),
            (
                "my visa: 4111-1111-1111-1111 12/27",
                "my visa: [masked] 12/27",
            ),
            ("4111111111111111 12/27 123", "[masked] 12/27 123"),
            (
                "call 555-1234 4111 1111 1111 1111",
                "call 555-1234 [masked]",
            ),
            ("amex 3782 822463 10005 1234", "amex [masked] 1234"),
            (
                "3000 4111 1111 1111 1111 or 5500 0055 5555 5559",
                "3000 [masked] or [masked]",
            ),
            (
                "４１１１　１１１１　１１１１　１１１１　１２３",
                "[masked]　１２３",
            ),
        ] {
            assert_eq!(masked(text), wanted);
        }
    }

    #[test]
    fn other_numbers_stay() {
        for text in [
            "order 4512 3456 7890 1235 567",
            "call 415 555 0132 or 415 555 0199",
            "3.14159265358979323846",
            "订单９９９４１１１１１１１１１１１１１１１",
        ] {
            assert_eq!(masked(text), text);
        }
    }
}
