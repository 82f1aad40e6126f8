//! What a Chinese clause states of the one who wrote it. Patterns are matched on simplified
//! characters; a value stays as it was typed.

use super::{
    Around, Found, What,
    chinese_household::{having, relation, standing},
    chinese_slots::{circumstances, favourite, possession},
    chinese_values::{self as values, Tail},
    plain::Plain,
    wishes::wish_zh,
};
use std::ops::Range;

/// A place in a clause; spaces between scripts ("我叫 Ada") are stepped over.
#[derive(Clone, Copy)]
pub struct Reader<'p> {
    /// What is left of the clause, in normal form.
    pub rest: &'p str,
    /// Where that begins in the message.
    pub at: usize,
}

impl<'p> Reader<'p> {
    /// Steps past the longest of these (between spaces) that comes next.
    pub fn eat(&mut self, any: &'static str) -> Option<&'static str> {
        let next = |p: &&str| self.rest.starts_with(*p);
        let found = any
            .split_ascii_whitespace()
            .filter(next)
            .max_by_key(|p| p.len())?;
        self.skip(found.len());
        Some(found)
    }

    /// Steps past as many as come.
    pub fn eat_all(&mut self, any: &'static str) {
        while self.eat(any).is_some() {}
    }

    /// Steps past `len` bytes and the spaces behind them.
    pub fn skip(&mut self, len: usize) {
        let left = self.rest[len..].trim_start();
        self.at += self.rest.len() - left.len();
        self.rest = left;
    }

    /// The statement that began at `start` and whose value is the next `len` bytes.
    pub fn found(&mut self, start: usize, len: usize, what: What) -> Option<Found> {
        if len == 0 {
            return None;
        }
        let value = self.at..self.at + len;
        self.skip(len);
        Some(Found {
            quote: start..value.end,
            value,
            what,
            open: false,
        })
    }
}

/// Words that only lead in.
const LEADS: &str = "\
    你好啊 你好 您好 嗨 哈喽 哈啰 大家好 早上好 晚上好 下午好 早安 对了 顺便说一下 \
    顺便说一句 顺便说 顺便提一下 顺便 另外 其实 还有 那么 嗯 好的 好吧 谢谢你 谢谢 而且 \
    并且 但是 不过 但 我想告诉你 我告诉你 告诉你 跟你说 补充一下 更正一下 更正 不对 首先 \
    其次 最后 同时 事实上 老实说 说实话 请注意 注意 总之 哦 噢 啊 hi hello hey ok btw 平时 \
    自我介绍一下 介绍一下 很高兴认识你 初次见面 因为 由于 一般来说 通常";

/// How often or how much.
const ADVERBS: &str = "\
    真的 非常 特别 超级 比较 一直 平时 其实 从小 就是 十分 尤其 一般 通常 确实 现在 目前 \
    本人 也 还 都 很 最 超 更 挺 蛮 就 又 有点 个人";

/// The statements of one clause: one, or none.
pub fn read(message: &Plain, clause: Range<usize>, around: Around) -> Vec<Found> {
    let whole = &message.shadow[clause.clone()];
    let tail = values::tail(whole);
    if tail == Tail::Question {
        return Vec::new();
    }
    let mut r = Reader {
        rest: whole,
        at: clause.start,
    };
    r.eat_all(LEADS);
    let start = r.at;
    let mut found = statement(&mut r, around);
    // 请记住：…
    if found.is_none() && around.noted && values::note(r.rest) {
        let len = r.rest.len();
        found = r.found(start, len, What::Note);
    }
    if let Some(found) = &mut found {
        found.open = r.rest.is_empty();
    }
    found.into_iter().collect()
}

/// Whether a clause without a statement leaves the ones after it credible.
pub fn opens(message: &Plain, clause: Range<usize>) -> bool {
    let mut r = Reader {
        rest: &message.shadow[clause.clone()],
        at: clause.start,
    };
    r.eat_all(LEADS);
    r.eat("请你 请 帮我");
    r.eat("记住 记一下 记下");
    let own =
        r.rest.starts_with('我') && !values::starts(r.rest, "我们 我说 我问 我写 我梦 我希望 我听");
    let weighs = r.rest.contains("相比") || r.rest.starts_with("比起");
    r.rest.chars().all(|c| !c.is_alphanumeric()) || own || weighs || r.rest.contains("高兴认识")
}

/// A pattern: it begins at the given place.
type Way = fn(&mut Reader, usize, Around) -> Option<Found>;

fn statement(r: &mut Reader, around: Around) -> Option<Found> {
    let start = r.at;
    let ways: [Way; 6] = [forget, remember, language, wish_zh, call_me, first_person];
    for way in ways {
        let mut tried = *r;
        if let Some(found) = way(&mut tried, start, around) {
            *r = tried;
            return Some(found);
        }
    }
    // 我叫李明，今年25岁，住在上海
    if around.goes_on {
        liking(r, start).or_else(|| circumstances(r, start))
    } else {
        None
    }
}

/// 忘掉我的…, 别记我的…
fn forget(r: &mut Reader, start: usize, _: Around) -> Option<Found> {
    r.eat_all("请你 请 你可以 可以 把 你 帮我 麻烦");
    let mut late = *r;
    let verb = r.eat(
        "\
            忘掉 忘记 忘了 忘却 别再记住 别再记 别记住 别记录 别记 不要记住 不要记录 \
            不要再记 不要记 不用记住 不用记 不必记 删掉 删除",
    );
    if verb.is_none() {
        // 把我的名字忘掉
        let len = "忘掉 忘记 忘了"
            .split(' ')
            .find_map(|v| late.rest.find(v))?;
        late.eat("我的 关于我的")?;
        let len = len.checked_sub(late.at.checked_sub(r.at)?)?;
        return late.found(start, len, What::Forget);
    }
    let all = *r;
    if r.eat(values::ALL_OF_ME).is_some() {
        let len = r.at - all.at;
        *r = all;
        return r.found(start, len, What::Forget);
    }
    let deleted = verb.is_some_and(|v| v.starts_with('删'));
    let named = super::forget::is_name_of_a_slot(values::forgotten(r.rest)) && !deleted;
    let mine = r.eat("关于我的 我的").is_some();
    let said = !mine && !deleted && r.rest.starts_with('我') && r.rest.chars().count() > 3;
    let len = values::forgotten(r.rest).len();
    if !(mine || said || named) || values::of_this_talk(&r.rest[..len]) {
        return None;
    }
    r.found(start, len, What::Forget)
}

/// 请记住…, 别忘了我…
fn remember(r: &mut Reader, start: usize, around: Around) -> Option<Found> {
    let asked = r
        .eat("请你帮我 请帮我 帮我 请你 请 你要 你得 麻烦")
        .is_some()
        || r.at != start;
    r.eat("一定要 务必 好好");
    r.eat(
        "\
            记住了 记住 记一下 记下来 记下 记录一下 记录 记得 记着 别忘了 不要忘了 别忘记 \
            不要忘记",
    )?;
    r.eat("这一点 这点 这件事 哦 一下");
    let mut inner = *r;
    if let Some(mut found) =
        first_person(&mut inner, start, around).or_else(|| call_me(&mut inner, start, around))
    {
        *r = inner;
        found.quote.start = start;
        return Some(found);
    }
    let own = r.rest.contains('我');
    let len = if values::note(r.rest) && (own || asked) {
        r.rest.len()
    } else {
        0
    };
    r.found(start, len, What::Note)
}

/// 以后都用中文回答
fn language(r: &mut Reader, start: usize, around: Around) -> Option<Found> {
    const EVER: &str = "从现在开始 从今以后 以后 今后 始终 一直 总是 每次 永远 都 请 你 默认";
    let before = r.rest;
    r.eat_all(EVER);
    let ever = before[..before.len() - r.rest.len()]
        .chars()
        .any(|c| "后始终直总每永默".contains(c));
    r.eat("用 使用")?;
    let len = values::language(r.rest);
    let mut after = Reader {
        rest: &r.rest[len..],
        at: r.at + len,
    };
    after.eat("来 跟我 和我 给我 与我 对我");
    after.eat("回答 回复 交流 说话 沟通 对话 聊天 答复")?;
    let me = after.rest.starts_with('我') || r.rest[len..].contains('我');
    let asked = before[..before.len() - r.rest.len()].contains('请');
    let only = asked && around.only && after.rest.trim_end_matches(['吧', '我']).is_empty();
    if len == 0 || !(ever || around.ever || me && around.alone || only) {
        return None;
    }
    r.found(start, len, What::fact("preferences", "language"))
}

/// 叫我小明, 你可以叫我…
fn call_me(r: &mut Reader, start: usize, _: Around) -> Option<Found> {
    r.eat(
        "\
            你可以 您可以 你就 可以 大家都 朋友们都 朋友都 大家 朋友们 请你 请 你以后 以后",
    );
    r.eat("直接 都 就");
    r.eat("叫我做 叫我作 叫我 称呼我为 称呼我 管我叫 喊我")?;
    let len = values::name(r.rest, true);
    r.found(start, len, What::fact("identity", "nickname"))
}

/// 我……
fn first_person(r: &mut Reader, start: usize, _: Around) -> Option<Found> {
    if r.eat("我").is_none() {
        r.eat("本人")?;
    }
    if r.rest.starts_with('们') {
        return None;
    }
    let mut own = *r;
    own.eat("自己的 的");
    if let Some(found) = possession(&mut own, start) {
        *r = own;
        return Some(found);
    }
    for way in [relation, having, standing] {
        let mut tried = *r;
        if let Some(found) = way(&mut tried, start) {
            *r = tried;
            return Some(found);
        }
    }
    // 最喜欢的颜色是蓝色
    let mut best = *r;
    if let Some(found) = favourite(&mut best, start) {
        *r = best;
        return Some(found);
    }
    let mut named = *r;
    if named
        .eat("的名字就叫 就叫做 叫做 叫作 名叫 就叫 叫")
        .is_some()
    {
        let len = values::name(named.rest, false);
        return named.found(start, len, What::fact("identity", "name"));
    }
    if named.eat("姓").is_some() {
        let len = values::surname(named.rest);
        return named.found(start, len, What::fact("identity", "surname"));
    }
    liking(r, start).or_else(|| circumstances(r, start))
}

/// 非常喜欢咖啡: the verb with its adverbs is part of what the profile says.
fn liking(r: &mut Reader, start: usize) -> Option<Found> {
    let verb = r.at;
    r.eat_all(ADVERBS);
    if r.eat(values::TASTES).is_some() {
        let len = values::thing(r.rest);
        let thing = r.at..r.at + len;
        let topic = "preferences";
        let mut found = r.found(start, len, What::Named { topic, thing })?;
        found.value.start = verb;
        return Some(found);
    }
    None
}
