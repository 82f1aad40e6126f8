//! A profile as callers see it. Tombstones are not shown: what was deleted is not there.

use crate::{
    memory::{Profile, Slot, Source},
    store::{HeldBack, Upserted},
};
use serde::Serialize;
use std::collections::BTreeMap;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// topic → key → `T`
type Preferences<'a, T> = BTreeMap<&'a str, BTreeMap<&'a str, T>>;

/// A profile.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Shown<'a> {
    /// As in `X-User-ID`.
    user_id: &'a str,
    /// Raised by each real change; the `ETag`.
    version: u64,
    /// topic → key → value
    #[schema(value_type = BTreeMap<String, BTreeMap<String, String>>)]
    preferences: Preferences<'a, &'a str>,
    /// What this request was to set and is held back, for it looks like an instruction to the
    /// model: `POST /api/v1/memory/quarantine/{id}/release` lets it go.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schema(required = false)]
    quarantined: &'a [HeldBack],
}

impl<'a> Shown<'a> {
    /// As it is now.
    pub fn of(user_id: &'a str, profile: &'a Profile) -> Self {
        Shown {
            user_id,
            version: profile.version,
            preferences: values(profile),
            quarantined: &[],
        }
    }

    /// As an upsert left it.
    pub fn after(user_id: &'a str, upserted: &'a Upserted) -> Self {
        Shown {
            quarantined: &upserted.quarantined,
            ..Shown::of(user_id, &upserted.profile)
        }
    }
}

/// A profile, with where each value came from.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Detailed<'a> {
    /// As in `X-User-ID`.
    user_id: &'a str,
    /// Raised by each real change; the `ETag`.
    version: u64,
    /// topic → key → value and origin
    #[schema(value_type = BTreeMap<String, BTreeMap<String, ValueDetail>>)]
    preferences: Preferences<'a, ValueDetail<'a>>,
}

/// A profile as it was.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Past<'a, T> {
    /// As in `X-User-ID`.
    user_id: &'a str,
    /// When it was so (RFC 3339).
    as_of: String,
    /// topic → key → value
    #[schema(value_type = BTreeMap<String, BTreeMap<String, String>>)]
    preferences: Preferences<'a, T>,
}

/// A profile, as a read of it answers.
#[derive(utoipa::ToSchema)]
#[schema(as = ProfileRead)]
#[allow(dead_code)] // it documents `Shown`, `Detailed` and `Past`, between which a validator can't choose
pub struct Answer<'a> {
    /// As in `X-User-ID`.
    user_id: &'a str,
    /// Raised by each real change; the `ETag`. Not with `as_of`.
    #[schema(nullable = false)]
    version: Option<u64>,
    /// With `as_of`: when it was so (RFC 3339).
    #[schema(nullable = false)]
    as_of: Option<String>,
    /// topic → key → value, or with `detail=true` value and origin
    preferences: BTreeMap<String, BTreeMap<String, AnswerValue<'a>>>,
}

/// A value, or with `detail=true` value and origin.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = ProfileValue)]
#[serde(untagged)]
#[allow(dead_code)] // as above
pub enum AnswerValue<'a> {
    /// The value.
    Plain(&'a str),
    /// With its origin.
    Detailed(ValueDetail<'a>),
}

impl<'a> Past<'a, &'a str> {
    /// As it was then.
    pub fn of(user_id: &'a str, as_of: i64, profile: &'a Profile) -> Self {
        Past {
            user_id,
            as_of: rfc3339(as_of),
            preferences: values(profile),
        }
    }
}

impl<'a> Past<'a, ValueDetail<'a>> {
    /// As it was then, with origins.
    pub fn detailed(user_id: &'a str, as_of: i64, profile: &'a Profile) -> Self {
        Past {
            user_id,
            as_of: rfc3339(as_of),
            preferences: collect(profile, ValueDetail::of),
        }
    }
}

/// One value.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ValueDetail<'a> {
    /// The value itself.
    value: &'a str,
    /// Set by a `PUT`, or said in a turn.
    source: Origin,
    /// Only a later statement of the user's own changes it.
    pinned: bool,
    /// The turn it was said in.
    #[serde(skip_serializing_if = "Option::is_none")]
    turn: Option<&'a str>,
    /// The user's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    quote: Option<&'a str>,
    /// Since when it holds (RFC 3339).
    valid_from: String,
}

/// Where a value came from.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = ValueOrigin)]
pub enum Origin {
    /// The user's own `PUT`.
    Put,
    /// Said outright in a turn.
    Said,
}

impl<'a> Detailed<'a> {
    /// As it is now.
    pub fn of(user_id: &'a str, profile: &'a Profile) -> Self {
        Detailed {
            user_id,
            version: profile.version,
            preferences: collect(profile, ValueDetail::of),
        }
    }
}

impl<'a> ValueDetail<'a> {
    fn of(slot: &'a Slot, value: &'a str) -> Self {
        let (source, turn, quote) = match &slot.source {
            Source::Put => (Origin::Put, None, None),
            Source::Said { turn, quote } => (Origin::Said, Some(&**turn), Some(&**quote)),
        };
        ValueDetail {
            value,
            pinned: matches!(source, Origin::Put),
            source,
            turn,
            quote,
            valid_from: rfc3339(slot.valid_from_ms),
        }
    }
}

/// The values alone.
pub fn values(profile: &Profile) -> BTreeMap<&str, BTreeMap<&str, &str>> {
    collect(profile, |_, value| value)
}

fn collect<'a, T>(
    profile: &'a Profile,
    show: impl Fn(&'a Slot, &'a str) -> T,
) -> Preferences<'a, T> {
    let mut all = Preferences::new();
    for ((topic, key), slot) in &profile.slots {
        if let Some(value) = &slot.value {
            all.entry(&**topic)
                .or_default()
                .insert(&**key, show(slot, value));
        }
    }
    all
}

/// A time as it is shown.
pub fn rfc3339(unix_ms: i64) -> String {
    let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(unix_ms) * 1_000_000);
    at.ok()
        .and_then(|at| at.format(&Rfc3339).ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn tombstones_are_not_shown_and_origins_are() {
        let slot = |value: Option<&str>, source| Slot {
            value: value.map(Into::into),
            source,
            valid_from_ms: 1_700_000_000_123,
        };
        let said = Source::Said {
            turn: "t1".into(),
            quote: "my name is Ada".into(),
        };
        let at = |topic: &str, key: &str| (topic.to_owned(), key.to_owned());
        let profile = Profile {
            version: 3,
            slots: [
                (at("identity", "name"), slot(Some("Ada"), said)),
                (at("general", "tone"), slot(Some("concise"), Source::Put)),
                (at("old", "gone"), slot(None, Source::Put)),
            ]
            .into(),
        };
        assert_eq!(
            serde_json::to_value(Shown::of("ada", &profile)).unwrap(),
            json!({"user_id": "ada", "version": 3, "preferences": {
                "identity": {"name": "Ada"}, "general": {"tone": "concise"}}})
        );
        let detailed = serde_json::to_value(Detailed::of("ada", &profile)).unwrap();
        assert_eq!(
            detailed["preferences"],
            json!({
                "identity": {"name": {
                    "value": "Ada", "source": "said", "pinned": false, "turn": "t1",
                    "quote": "my name is Ada", "valid_from": "2023-11-14T22:13:20.123Z"}},
                "general": {"tone": {
                    "value": "concise", "source": "put", "pinned": true,
                    "valid_from": "2023-11-14T22:13:20.123Z"}},
            })
        );
    }
}
