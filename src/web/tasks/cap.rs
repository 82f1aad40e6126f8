//! The read capability of a task's events: an `EventSource` sends no headers, so the URL that a
//! 202 answers with carries a short-lived proof that it was handed out by this server.

use crate::chat::Secret;
use std::time::{SystemTime, UNIX_EPOCH};

/// A capability for a task's events, good until `until` (Unix seconds).
pub fn make(secret: &Secret, task: &str, until: u64) -> String {
    format!("{until:x}.{}", hash(secret, task, until))
}

/// Whether this capability opens this task's events now.
pub fn opens(secret: &Secret, task: &str, cap: &str) -> bool {
    let Some((until, hash_given)) = cap.split_once('.') else {
        return false;
    };
    let Ok(until) = u64::from_str_radix(until, 16) else {
        return false;
    };
    now() <= until && same(&hash(secret, task, until), hash_given)
}

/// Now, in Unix seconds.
pub fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

fn hash(secret: &Secret, task: &str, until: u64) -> String {
    secret.hash("events", [task.as_bytes(), &until.to_le_bytes()])
}

/// Compares without telling by its time how much of it was right.
fn same(a: &str, b: &str) -> bool {
    a.len() == b.len()
        && a.bytes()
            .zip(b.bytes())
            .fold(0, |diff, (a, b)| diff | (a ^ b))
            == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_one_task_for_a_while() {
        let secret = Secret([1; 32]);
        let cap = make(&secret, "a", now() + 60);
        assert!(opens(&secret, "a", &cap));
        assert!(!opens(&secret, "b", &cap));
        assert!(!opens(&Secret([2; 32]), "a", &cap));
        assert!(!opens(&secret, "a", &make(&secret, "a", now() - 1)));
        for bad in ["", ".", "zz.x", "ffffffffff."] {
            assert!(!opens(&secret, "a", bad), "{bad}");
        }
    }
}
