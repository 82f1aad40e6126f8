//! Chinese patterns for what one has and is: 我的生日是…, 我住在…, 我对…过敏.

use super::{Found, What, chinese::Reader, chinese_values as values, normal::slug};

/// The names of a thing of one's own, and its slot. Longer names first.
const SLOTS: &[(&str, &str, &str, Look)] = &[
    ("英文名字", "identity", "english-name", Look::Name),
    ("英文名", "identity", "english-name", Look::Name),
    ("中文名字", "identity", "name", Look::Name),
    ("中文名", "identity", "name", Look::Name),
    ("名字", "identity", "name", Look::Name),
    ("姓名", "identity", "name", Look::Name),
    ("全名", "identity", "name", Look::Name),
    ("真名", "identity", "name", Look::Name),
    ("昵称", "identity", "nickname", Look::Name),
    ("外号", "identity", "nickname", Look::Name),
    ("年龄", "identity", "age", Look::Number),
    ("出生日期", "identity", "birthday", Look::Number),
    ("生日", "identity", "birthday", Look::Number),
    ("电子邮箱", "contact", "email", Look::Mail),
    ("电子邮件", "contact", "email", Look::Mail),
    ("邮箱地址", "contact", "email", Look::Mail),
    ("邮箱", "contact", "email", Look::Mail),
    ("邮件地址", "contact", "email", Look::Mail),
    ("email", "contact", "email", Look::Mail),
    ("手机号码", "contact", "phone", Look::Number),
    ("手机号", "contact", "phone", Look::Number),
    ("电话号码", "contact", "phone", Look::Number),
    ("电话", "contact", "phone", Look::Number),
    ("性别", "identity", "gender", Look::Short),
    ("国籍", "identity", "nationality", Look::Short),
    ("时区", "identity", "timezone", Look::Short),
    ("母语", "identity", "native-language", Look::Short),
    ("家乡", "identity", "origin", Look::Short),
    ("老家", "identity", "origin", Look::Short),
    ("籍贯", "identity", "origin", Look::Short),
    ("职业", "work", "job", Look::Short),
    ("职位", "work", "job", Look::Short),
    ("工作", "work", "job", Look::Trade),
    ("专业", "work", "field", Look::Short),
    ("兴趣爱好", "preferences", "hobbies", Look::Short),
    ("爱好", "preferences", "hobbies", Look::Short),
    ("星座", "identity", "star-sign", Look::Short),
    ("血型", "identity", "blood-type", Look::Short),
];

/// What a value looks like.
#[derive(Clone, Copy)]
enum Look {
    Name,
    Number,
    Mail,
    Trade,
    Short,
}

/// 我的生日是…
pub fn possession(r: &mut Reader, start: usize) -> Option<Found> {
    let (_, topic, key, look) = SLOTS.iter().find(|(thing, ..)| r.eat(thing).is_some())?;
    r.eat("其实 现在");
    r.eat("就是 叫做 叫作 就叫 是 为 叫 在 : ：")?;
    let len = match look {
        Look::Name => values::name(r.rest, false),
        Look::Number => values::holding(r.rest, |c| {
            c.is_ascii_digit() || "一二三四五六七八九十".contains(c)
        }),
        Look::Mail => values::holding(r.rest, |c| c == '@'),
        Look::Trade => values::trade(r.rest),
        Look::Short => values::short(r.rest),
    };
    r.found(start, len, What::fact(topic, key))
}

/// 我最喜欢的颜色是蓝色
pub fn favourite(r: &mut Reader, start: usize) -> Option<Found> {
    r.eat("最喜欢的 最喜爱的 最爱的")?;
    let at = r.rest.find('是')?;
    let of = &r.rest[..at];
    if !(1..=6).contains(&of.chars().count()) || of.contains(['你', '的', '人', '这', '那']) {
        return None;
    }
    let what = What::fact("preferences", &format!("favourite-{}", slug(of)));
    r.skip(at + '是'.len_utf8());
    let len = values::thing(r.rest);
    r.found(start, len, what)
}

/// Where one lives and works, what one is.
pub fn circumstances(r: &mut Reader, start: usize) -> Option<Found> {
    if let Some((skip, len)) = values::age(r.rest) {
        r.skip(skip);
        return r.found(start, len, What::fact("identity", "age"));
    }
    if r.eat("居住在 住在 定居在 定居于 定居 生活在 搬到了 搬到 家住 家在 住")
        .is_some()
    {
        let len = values::place(r.rest);
        return r.found(start, len, What::fact("identity", "location"));
    }
    if r.eat("来自于 来自 出生在 出生于 生于").is_some() {
        let len = values::place(r.rest);
        return r.found(start, len, What::fact("identity", "origin"));
    }
    if r.eat("对").is_some() {
        let (len, no) = values::allergy(r.rest)?;
        let label = if no { "不过敏：" } else { "过敏：" };
        return r.found(start, len, What::allergy(label));
    }
    if r.eat("会说 能说 会讲 说 讲").is_some() {
        let len = values::tongues(r.rest);
        return r.found(start, len, What::fact("identity", "languages"));
    }
    if r.rest.starts_with("吃素") || r.rest.starts_with("吃全素") {
        let len = if r.rest.starts_with("吃全素") {
            9
        } else {
            6
        };
        return r.found(start, len, What::fact("preferences", "diet"));
    }
    if r.eat("从事").is_some() {
        let len = values::short(r.rest);
        return r.found(start, len, What::fact("work", "job"));
    }
    if r.eat("在").is_some() {
        let len = values::employer(r.rest);
        return r.found(start, len, What::fact("work", "workplace"));
    }
    if r.eat("是").is_none() {
        r.eat("当 做")?;
        let len = values::trade(r.rest);
        return r.found(start, len, What::fact("work", "job"));
    }
    r.eat("一名 一个 一位 名 个 位");
    if r.rest.starts_with("素食") {
        let len = values::short(r.rest);
        return r.found(start, len, What::fact("preferences", "diet"));
    }
    if let Some(len) = values::native(r.rest) {
        return r.found(start, len, What::fact("identity", "origin"));
    }
    let len = values::trade(r.rest);
    r.found(start, len, What::fact("work", "job"))
}
