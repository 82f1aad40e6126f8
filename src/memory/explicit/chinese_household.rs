//! The people and animals of one's life, in Chinese: 我妻子叫小红, 我有两个孩子, 我养了一只猫叫团团. Kept is
//! who they are to the user, under the same keys as in English.

use super::{Found, What, chinese::Reader, chinese_values as values};

const TOPIC: &str = "relationships";

/// One of somebody, and the key of their name.
const ONE: &[(&str, &str)] = &[
    ("妻子 老婆 太太 媳妇", "wife"),
    ("丈夫 老公", "husband"),
    ("爱人 伴侣 未婚妻 未婚夫 对象", "partner"),
    ("女朋友 女友", "girlfriend"),
    ("男朋友 男友", "boyfriend"),
    ("女儿 闺女", "daughter"),
    ("儿子", "son"),
    ("哥哥", "elder-brother"),
    ("弟弟", "younger-brother"),
    ("姐姐", "elder-sister"),
    ("妹妹", "younger-sister"),
    ("妈妈 母亲", "mother"),
    ("爸爸 父亲", "father"),
    ("狗狗 小狗 狗", "dog"),
    ("猫咪 小猫 猫", "cat"),
    ("兔子", "rabbit"),
    ("仓鼠", "hamster"),
    ("鹦鹉", "parrot"),
];

/// Whom one may have, and the key of how many there are.
const SOME: &[(&str, &str)] = &[
    ("孩子 小孩 宝宝 双胞胎", "children"),
    ("儿子", "sons"),
    ("女儿", "daughters"),
    ("哥哥 弟弟", "brothers"),
    ("姐姐 妹妹", "sisters"),
    ("狗狗 小狗 狗", "dogs"),
    ("猫咪 小猫 猫", "cats"),
    ("兔子", "rabbits"),
    ("仓鼠", "hamsters"),
    ("鹦鹉", "parrots"),
];

/// After 我: 妻子叫小红, 的狗叫旺财, 女儿今年五岁.
pub fn relation(r: &mut Reader, start: usize) -> Option<Found> {
    r.eat("家的 家 的");
    let key = one(r)?;
    if let Some((skip, len)) = values::age(r.rest) {
        r.skip(skip);
        return r.found(start, len, What::fact(TOPIC, &format!("{key}-age")));
    }
    named(r, start, key)
}

/// 叫小红, 的名字是小红
fn named(r: &mut Reader, start: usize, key: &str) -> Option<Found> {
    r.eat("的名字是 的名字叫 名字叫 名叫 叫做 叫作 叫")?;
    // The voice of a dog, or a call.
    let calls = values::starts(r.rest, "声 唤 喊 嚷 屈 冤 着 几 半 整 我 咱 大家");
    let len = if calls {
        0
    } else {
        values::name(r.rest, false)
    };
    r.found(start, len, What::fact(TOPIC, key))
}

fn one(r: &mut Reader) -> Option<&'static str> {
    let (_, key) = ONE.iter().find(|(words, _)| r.eat(words).is_some())?;
    Some(key)
}

/// After 我: 有两个孩子, 养了一只猫叫团团.
pub fn having(r: &mut Reader, start: usize) -> Option<Found> {
    r.eat("家里 家");
    r.eat("养了 养着 养 有")?;
    let from = *r;
    r.eat("一对").or_else(|| {
        r.eat("一 两 二 三 四 五 六 2 3 4 5 6 1")?;
        r.eat("个 只 条 位 名 匹")
    })?;
    r.eat("可爱的 小");
    let noun = *r;
    let (_, key) = SOME.iter().find(|(words, _)| r.eat(words).is_some())?;
    let len = r.at - from.at;
    let mut named_one = noun;
    if let Some(one) = one(&mut named_one)
        && let Some(found) = named(&mut named_one, start, one)
    {
        *r = named_one;
        return Some(found);
    }
    let ends = r
        .rest
        .trim_matches(|c: char| "了啦哦呢".contains(c))
        .is_empty();
    *r = from;
    r.found(start, if ends { len } else { 0 }, What::fact(TOPIC, key))
}

/// After 我: 结婚了, 单身, 在学日语.
pub fn standing(r: &mut Reader, start: usize) -> Option<Found> {
    let mut learns = *r;
    learns.eat("正");
    if learns.eat("在学习 在自学 在学").is_some() {
        let len = values::language(learns.rest);
        let whole = learns.rest.len() == len;
        let what = What::fact("education", "learning");
        return learns.found(start, if whole { len } else { 0 }, what);
    }
    r.eat("已经 目前 现在 还是 还 是");
    let len = ["结婚了", "已婚", "离婚了", "离异", "单身", "未婚", "丧偶"]
        .into_iter()
        .find(|status| r.rest == *status)?
        .len();
    r.found(start, len, What::fact(TOPIC, "marital-status"))
}
