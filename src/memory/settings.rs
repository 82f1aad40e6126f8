//! What a user has said of their memory: whether it may be read and written. What was said holds; a
//! user who has said nothing is remembered, or not before they agree, as the operator has it.

use super::MemoryMode;
use crate::config::Consent;
use serde::{Deserialize, Serialize};

/// One user's settings, as they are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// What memory may do; `None`: they have not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<MemoryMode>,
}

impl Settings {
    /// From what is kept. What cannot be read was not written here: then nothing is remembered.
    pub fn read(text: &str) -> Self {
        let off = Settings {
            mode: Some(MemoryMode::Off),
        };
        serde_json::from_str(text).unwrap_or(off)
    }

    /// As it is kept.
    pub fn text(self) -> String {
        match self.mode {
            None => "{}".into(),
            Some(mode) => format!("{{\"mode\":\"{}\"}}", mode.name()),
        }
    }

    /// What memory may do for this user.
    pub fn mode(self, consent: Consent) -> MemoryMode {
        self.mode.unwrap_or(match consent {
            Consent::OptOut => MemoryMode::On,
            Consent::OptIn => MemoryMode::Off,
        })
    }

    /// After an erase: a wish not to be remembered outlives it, a consent does not.
    pub fn after_erase(self) -> Self {
        Settings {
            mode: self.mode.filter(|mode| *mode < MemoryMode::On),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use MemoryMode::{Off, On, Read};

    #[test]
    fn what_was_said_holds_and_silence_is_the_operators() {
        let said = |mode| Settings { mode };
        for mode in [None, Some(Off), Some(Read), Some(On)] {
            assert_eq!(Settings::read(&said(mode).text()), said(mode));
        }
        assert_eq!(said(None).mode(Consent::OptOut), On);
        assert_eq!(said(None).mode(Consent::OptIn), Off);
        assert_eq!(said(Some(On)).mode(Consent::OptIn), On);
        assert_eq!(said(Some(Read)).mode(Consent::OptOut), Read);
        assert_eq!(Settings::read("nonsense").mode(Consent::OptOut), Off);
    }

    #[test]
    fn an_erase_takes_a_consent_back_and_no_refusal() {
        let after = |mode| Settings { mode: Some(mode) }.after_erase().mode;
        assert_eq!(after(On), None);
        assert_eq!(after(Read), Some(Read));
        assert_eq!(after(Off), Some(Off));
    }
}
