//! What a Japanese clause states outright: 私の名前は田中です, 大阪に住んでいます, 犬が好きです, 英語で答えてください.
//! The clause is matched whole, as it was typed; who it speaks of is the user only where no one else
//! is named.

use super::{
    Found, What,
    normal::slug,
    plain::Plain,
    verb_last::{Clause, Ending, Kind, has_any},
};
use std::ops::Range;

/// Hiragana and katakana.
pub fn is_kana(c: char) -> bool {
    matches!(c, '\u{3041}'..='\u{309F}' | '\u{30A1}'..='\u{30FA}' | '\u{30FC}')
}

/// Whoever speaks.
const I: &[&str] = &[
    "私は",
    "わたしは",
    "僕は",
    "ぼくは",
    "俺は",
    "私の",
    "わたしの",
    "僕の",
    "俺の",
    "私、",
];

/// Texts to work on, tales, suppositions, other people's words, doubt and denial.
const NOT_SAID: &str = "\
    翻訳 訳して 訳す 英訳 和訳 添削 例文 小説 物語 書いて 作って 演じ ロールプレイ 設定 文章 要約 もし たら \
    なら 仮に と言 という って言 って何 かも でしょう かな たい ない ません でした だった 昔 以前 彼 友達 友人 さんは \
    くんは ちゃんは 母 父 兄 弟 姉 妹 妻 夫 息子 娘 同僚 先生は あなた 君 誰 何 どこ いくつ どう";

/// Ending, and what the words before it are.
const ENDINGS: &[Ending] = &[
    (
        "に住んでいます|に住んでる|に住んでいる|に住んでます|在住です",
        Kind::Fact("identity", "location"),
    ),
    ("の出身です|出身です", Kind::Fact("identity", "origin")),
    (
        "と申します|といいます|と言います",
        Kind::Fact("identity", "name"),
    ),
    ("歳です|才です|歳になりました", Kind::Age),
    (
        "アレルギーです|アレルギーがあります|アレルギーを持っています",
        Kind::Allergy,
    ),
    (
        "が大好きです|が好きです|が大好き|が好き|が嫌いです|が苦手です|が嫌い|が苦手",
        Kind::Taste,
    ),
    (
        "で働いています|に勤めています|で働いてます",
        Kind::Fact("work", "workplace"),
    ),
    (
        "を勉強しています|を勉強中です|を習っています",
        Kind::Fact("education", "learning"),
    ),
    (
        "を飼っています|を飼ってます",
        Kind::Fact("relationships", "pets"),
    ),
    ("として働いています", Kind::Fact("work", "job")),
    ("です|だ", Kind::Trade),
];

const TRADES: &[&str] = &[
    "医者",
    "医師",
    "看護師",
    "教師",
    "教員",
    "エンジニア",
    "プログラマー",
    "学生",
    "会社員",
    "公務員",
    "弁護士",
    "デザイナー",
    "主婦",
    "主夫",
    "料理人",
    "運転手",
    "研究者",
    "作家",
    "薬剤師",
    "歯科医",
    "美容師",
    "警察官",
];

const LANGUAGES: &[&str] = &[
    "英語",
    "日本語",
    "中国語",
    "韓国語",
    "フランス語",
    "ドイツ語",
    "スペイン語",
    "イタリア語",
    "ロシア語",
    "ポルトガル語",
];

/// A greeting, which leaves what follows credible.
pub fn greets(clause: &str) -> bool {
    [
        "こんにちは",
        "こんばんは",
        "おはよう",
        "初めまして",
        "はじめまして",
    ]
    .iter()
    .any(|hello| clause.starts_with(hello))
}

/// The statement of a clause; `only`: the message says nothing else.
pub fn read(message: &Plain, place: Range<usize>, only: bool) -> Option<Found> {
    let clause = Clause::of(message, place, is_kana, 'か', I)?;
    let (body, said) = (clause.body, clause.said);
    // 英語で答えてください
    let verbs = ["答えて", "返事して", "回答して", "話して", "返信して"];
    let ends = ["", "ください", "下さい", "ほしい", "ね"];
    if let Some(len) = clause.asks_for(LANGUAGES, "で", &verbs, &ends) {
        let wish = only.then(|| What::fact("preferences", "language"))?;
        return clause.found(0, len, wish);
    }
    if has_any(message.text, NOT_SAID) {
        return None;
    }
    // 名前は田中です
    if let Some(named) = body.strip_prefix("名前は") {
        let ends = ["といいます", "と申します", "です", "だよ", "だ"];
        let name = ends.iter().find_map(|end| named.strip_suffix(end))?;
        let fits = (1..=12).contains(&name.chars().count()) && !name.contains(['は', 'が', ' ']);
        let what = What::fact("identity", "name");
        return fits.then(|| clause.found(body.len() - named.len(), name.len(), what))?;
    }
    let (value, ending, kind) = clause.ending(ENDINGS)?;
    let value = value.trim();
    let plain = !value.contains(['は', 'が', 'の', 'を', '、', ' '])
        || matches!(kind, Kind::Fact("work", _));
    if !plain || !(1..=20).contains(&value.chars().count()) {
        return None;
    }
    let skip = body.len() - body.trim_start().len();
    match kind {
        Kind::Fact(topic, key) => clause.found(skip, value.len(), What::fact(topic, key)),
        Kind::Age => {
            let number = value.trim_start_matches("今年").trim_start_matches("今");
            let digits = |c: char| {
                c.is_ascii_digit() || "一二三四五六七八九十０１２３４５６７８９".contains(c)
            };
            let all = !number.is_empty() && number.chars().all(digits);
            let what = What::fact("identity", "age");
            all.then(|| clause.found(skip + value.len() - number.len(), number.len(), what))?
        }
        Kind::Allergy => {
            let value = value.trim_end_matches('の');
            let key = format!("allergy-{}", slug(value));
            let len = value.len() + "アレルギー".len();
            clause.found(skip, len, What::fact("health", &key))
        }
        Kind::Taste => {
            let len = value.len() + ending.trim_end_matches("です").len();
            clause.found(skip, len, What::fact("preferences", &slug(value)))
        }
        Kind::Trade => {
            let job = said && TRADES.contains(&value);
            job.then(|| clause.found(skip, value.len(), What::fact("work", "job")))?
        }
    }
}
