//! What a Korean clause states outright: 제 이름은 김민수입니다, 저는 부산에 살아요, 커피를 좋아해요, 한국어로 대답해 주세요.
//! The clause is matched whole; who it speaks of is the user only where no one else is named.

use super::{
    Found, What,
    normal::slug,
    plain::Plain,
    verb_last::{Clause, Ending, Kind, has_any},
};
use std::ops::Range;

/// Hangul syllables.
pub fn is_hangul(c: char) -> bool {
    matches!(c, '\u{AC00}'..='\u{D7A3}')
}

/// Whoever speaks.
const I: &[&str] = &[
    "저는 ", "나는 ", "난 ", "전 ", "제 ", "내 ", "제가 ", "내가 ",
];

/// Texts to work on, tales, suppositions, other people's words, doubt and denial.
const NOT_SAID: &str = "\
    번역 소설 이야기 작성 써줘 역할 연기 문장 요약 예문 교정 만약 라면 다면 라고 다고 했다 까요 습니까 나요 \
    않 못 아니 예전 옛날 였 었 았 싶 친구 동생 형은 형이 누나 오빠 언니 엄마 아빠 어머니 아버지 아내 남편 아들 \
    딸 씨는 님은 그는 그녀 당신 너는 누구 어디 무엇 뭐 몇";

/// Ending, and what the words before it are.
const ENDINGS: &[Ending] = &[
    (
        "에 살아요|에 삽니다|에 살고 있어요|에 살고 있습니다|에 살아",
        Kind::Fact("identity", "location"),
    ),
    (
        "에서 왔어요|에서 왔습니다|출신입니다|출신이에요",
        Kind::Fact("identity", "origin"),
    ),
    ("살이에요|살입니다|세입니다|살이야", Kind::Age),
    (
        "알레르기가 있어요|알레르기가 있습니다|알레르기 있어요",
        Kind::Allergy,
    ),
    (
        "좋아해요|좋아합니다|좋아해|싫어해요|싫어합니다|싫어해",
        Kind::Taste,
    ),
    (
        "에서 일해요|에서 일합니다|에서 일하고 있어요|에서 일하고 있습니다",
        Kind::Fact("work", "workplace"),
    ),
    (
        "를 키워요|을 키워요|를 키웁니다|을 키웁니다|를 키우고 있어요|을 키우고 있어요",
        Kind::Fact("relationships", "pets"),
    ),
    (
        "를 배우고 있어요|을 배우고 있어요|를 공부하고 있어요|을 공부하고 있어요",
        Kind::Fact("education", "learning"),
    ),
    ("입니다|이에요|예요|이야|야", Kind::Trade),
];

const TRADES: &[&str] = &[
    "의사",
    "간호사",
    "교사",
    "선생님",
    "개발자",
    "프로그래머",
    "학생",
    "대학생",
    "회사원",
    "공무원",
    "변호사",
    "디자이너",
    "주부",
    "요리사",
    "기사",
    "연구원",
    "작가",
    "약사",
    "경찰관",
];

const LANGUAGES: &[&str] = &[
    "한국어",
    "영어",
    "일본어",
    "중국어",
    "프랑스어",
    "독일어",
    "스페인어",
    "러시아어",
];

/// A greeting, which leaves what follows credible.
pub fn greets(clause: &str) -> bool {
    ["안녕"].iter().any(|hello| clause.starts_with(hello))
}

/// The statement of a clause; `only`: the message says nothing else.
pub fn read(message: &Plain, place: Range<usize>, only: bool) -> Option<Found> {
    let clause = Clause::of(message, place, is_hangul, '까', I)?;
    let (body, said) = (clause.body, clause.said);
    // 한국어로 대답해 주세요
    let verbs = ["대답해", "답변해", "답해", "말해", "대답"];
    let ends = [
        "",
        "주세요",
        "줘",
        "주십시오",
        " 주세요",
        " 줘",
        " 주십시오",
    ];
    if let Some(len) = clause.asks_for(LANGUAGES, "로 ", &verbs, &ends) {
        let wish = only.then(|| What::fact("preferences", "language"))?;
        return clause.found(0, len, wish);
    }
    if has_any(message.text, NOT_SAID) || message.text.contains(" 안 ") {
        return None;
    }
    // 이름은 김민수입니다
    if let Some(named) = body.strip_prefix("이름은 ") {
        let ends = ["이라고 합니다", "입니다", "이에요", "예요", "이야", "야"];
        let name = ends.iter().find_map(|end| named.strip_suffix(end))?;
        let fits = (1..=12).contains(&name.chars().count()) && name.split(' ').count() <= 3;
        let what = What::fact("identity", "name");
        return fits.then(|| clause.found(body.len() - named.len(), name.len(), what))?;
    }
    let (value, ending, kind) = clause.ending(ENDINGS)?;
    let value = value.trim_end();
    let words = value.split(' ').count();
    if !(1..=20).contains(&value.chars().count()) || words > 3 {
        return None;
    }
    match kind {
        Kind::Fact(topic, key) => clause.found(0, value.len(), What::fact(topic, key)),
        Kind::Age => {
            let number = value.trim_start_matches("올해 ");
            let digits = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
            let what = What::fact("identity", "age");
            digits.then(|| clause.found(value.len() - number.len(), number.len(), what))?
        }
        Kind::Allergy => {
            let key = format!("allergy-{}", slug(value));
            clause.found(
                0,
                value.len() + " 알레르기".len(),
                What::fact("health", &key),
            )
        }
        Kind::Taste => {
            let thing = value.strip_suffix(['을', '를'])?;
            let len = body.len() - ending.len() + ending.trim_end_matches("요").len();
            let told = said || only;
            told.then(|| clause.found(0, len, What::fact("preferences", &slug(thing))))?
        }
        Kind::Trade => {
            let job = said && TRADES.contains(&value);
            job.then(|| clause.found(0, value.len(), What::fact("work", "job")))?
        }
    }
}
