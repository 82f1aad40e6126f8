//! The promises, one file each; `tests/support` is what they share.
