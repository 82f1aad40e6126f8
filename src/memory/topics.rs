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

/// Words that name what a `never` topic is about, as topics or keys.
const ALIKE: &[&str] = &[
    "health|medical|medicine|medication|medications|illness|disease|diagnosis|condition|conditions\
     |allergy|allergies|disability|mental-health|blood-type|symptoms|therapy|pregnancy|健康|医疗\
     |疾病|病史|过敏|血型|药物|心理健康",
    "religion|religious|faith|belief|beliefs|church|denomination|宗教|信仰",
    "politics|political|party|vote|ideology|政治|党派|政治立场",
    "sexuality|sexual-orientation|orientation|sex-life|性取向|性生活",
    "ethnicity|race|ethnic-origin|种族|民族",
    "finance|finances|financial|income|salary|debt|debts|bank|wealth|财务|收入|工资|债务|银行",
    "contact|email|phone|address|telephone|mobile|联系方式|邮箱|电话|地址",
    "family|relationships|partner|spouse|children|parents|家庭|家人|伴侣|子女|父母",
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

/// Every word that a `never` topic goes by.
pub fn alike(never: &str) -> Vec<String> {
    let never = plain(never);
    let group = ALIKE
        .iter()
        .find(|group| group.split('|').any(|word| word == never));
    let words = group.into_iter().flat_map(|group| group.split('|'));
    words.map(str::to_owned).chain([never.clone()]).collect()
}

/// A name as it is compared.
pub fn plain(name: &str) -> String {
    name.trim().to_lowercase().replace(['_', ' '], "-")
}
