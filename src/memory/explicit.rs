//! What the user states outright of themselves.

/// What a statement does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// "my name is Ada"
    Set {
        /// Topic of the slot.
        topic: String,
        /// Key of the slot.
        key: String,
        /// Its value.
        value: String,
    },
    /// "forget …": what it names, as said.
    Forget {
        /// The words after "forget".
        what: String,
    },
}

/// One outright statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// What it does.
    pub op: Op,
    /// The user's words it was read from: a slice of the message.
    pub quote: String,
}

/// Reads a user message; an empty answer is the usual one.
pub fn statements(_text: &str) -> Vec<Statement> {
    Vec::new()
}
