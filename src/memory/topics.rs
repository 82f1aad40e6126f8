//! What a profile is about, where the configuration does not say. The names are those under which
//! outright statements are kept, so that both ways of learning fill the same slots.

use crate::config::TopicConfig;

/// Name, and what belongs there.
const BUILT_IN: &[(&str, &str)] = &[
    (
        "identity",
        "who the user is: name, nickname, age, birthday, location, origin, nationality, gender, \
         pronouns, native-language, languages, timezone",
    ),
    ("contact", "how to reach the user: email, phone, address"),
    (
        "relationships",
        "people and animals in the user's life: partner, children, parents, friends, pets",
    ),
    (
        "work",
        "what the user does: job, employer, field, workplace, skills, projects",
    ),
    ("education", "school, degree, subject, what is being learnt"),
    (
        "preferences",
        "what the user likes, dislikes and wants from answers: language, tone, diet, hobbies; \
         else the thing itself as key",
    ),
    (
        "health",
        "allergies, conditions, habits that matter for advice",
    ),
    (
        "plans",
        "goals, trips, appointments and what the user is about to do",
    ),
    (
        "life",
        "events that changed the user's life, with their dates",
    ),
    (
        "possessions",
        "what the user owns and uses: devices, car, home",
    ),
    ("notes", "what the user asked to remember"),
    ("general", "what fits nowhere else"),
];

/// The built-in topics.
pub fn built_in() -> Vec<TopicConfig> {
    let topic = |(name, description): &(&str, &str)| TopicConfig {
        name: (*name).into(),
        description: (*description).into(),
        ..TopicConfig::default()
    };
    BUILT_IN.iter().map(topic).collect()
}

/// A name as it is compared.
pub fn plain(name: &str) -> String {
    name.trim().to_lowercase().replace(['_', ' '], "-")
}
