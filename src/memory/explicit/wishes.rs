//! How answers should be: "always answer briefly", "keep your answers short", "never use emojis",
//! 请简短回答, 不要用表情符号. They hold for good where they say so, or where they are all that is said:
//! within a task they are part of it.

use super::{Around, Found, What, chinese::Reader, english::Scene, normal::slug, words::Cursor};

const EVER: &str = "\
    always|from now on|in future|in the future|going forward|every time|by default|henceforth|\
    from here on";

/// What an answer may be without.
const MARKS: &str = "\
    emojis|emoji|emoticons|smileys|bullet points|bullets|markdown|jargon|slang|technical terms|\
    exclamation marks|exclamation points|tables|headings|headers|abbreviations|acronyms|\
    swear words|latex|hashtags|semicolons|bold text";

/// In which way an answer may be given.
const MANNERS: &str = "\
    briefly|concisely|shortly|formally|informally|casually|politely|honestly|directly|in detail|\
    in short sentences|in short|in full sentences|in simple words|in simple language|\
    in plain language|in plain english|in bullet points|in a formal tone|in a casual tone|\
    in a friendly tone|in one paragraph|step by step";

/// What an answer may be.
const LENGTHS: &str =
    "short|brief|concise|simple|formal|informal|casual|polite|direct|long|detailed";

/// What an answer may keep to.
const UNITS: &str = "\
    metric units|the metric system|imperial units|celsius|fahrenheit|british spelling|\
    american spelling|british english|american english|simple words|simple language|\
    plain language|a formal tone|a casual tone|a friendly tone";

/// As [`MARKS`].
const MARKS_ZH: &str = "\
    表情符号 表情包 表情 emoji 网络用语 专业术语 术语 行话 markdown 列表 表格 缩写 感叹号";

/// An English wish.
pub fn wish(scene: Scene, c: &mut Cursor) -> Option<Found> {
    let start = c.next;
    let mut ever = c.eat_any(EVER).is_some();
    c.eat("please");
    ever |= c.eat_any(EVER).is_some();
    let from = c.next;
    let (len, key) = if c.eat_any("answer|reply|respond|explain things").is_some() {
        c.eat_any("to me|me");
        let from = c.next;
        c.eat_any(MANNERS)?;
        let len = c.next - from;
        c.next = from;
        (len, "answers".to_owned())
    } else if c.eat("keep") {
        c.eat_any("your|the|all|all your");
        c.eat_any("answers|replies|responses|explanations")?;
        c.eat_any(LENGTHS)?;
        let len = c.next - from;
        c.next = from;
        (len, "answers".to_owned())
    } else {
        let no = c.eat_any("never|do not ever|do not|stop");
        ever |= no.is_some_and(|no| no != "do not");
        c.eat_any("use|using")?;
        c.eat_any("any|so many|too many");
        let thing = c.eat_any(if no.is_some() { MARKS } else { UNITS })?;
        let len = c.next - from;
        c.next = from;
        (len, slug(thing))
    };
    let found = scene.found(c, start, len, What::fact("preferences", &key))?;
    c.eat_any("in your answers|in answers|in your replies|with me|to me|when you answer");
    ever |= c.eat_any(EVER).is_some();
    c.eat_any("please");
    let all = c.rest().is_empty();
    (all && (ever || scene.around.ever || scene.around.only)).then_some(found)
}

/// A Chinese wish.
pub fn wish_zh(r: &mut Reader, start: usize, around: Around) -> Option<Found> {
    let ever = r.eat("以后 今后 从现在开始 从今以后 总是 始终 每次 永远");
    r.eat_all("请你 请 你 都");
    let mut value = *r;
    let (len, key) = if r.eat("不要再 不要 别再 别 不用 不许").is_some() {
        r.eat("使用 用 加 带")?;
        let thing = r.eat(MARKS_ZH)?;
        (r.at - value.at, slug(thing))
    } else {
        let led = r.eat("回答时 回答要 回答请 回答得 回答 回复").is_some();
        r.eat("请 要 尽量");
        value = *r;
        r.eat("简明扼要 简短 简洁 简要 详细 直接 正式 礼貌")?;
        r.eat("一点 一些 些 点");
        let len = r.at - value.at;
        r.eat("地 的");
        let asked = r.eat("回答 回复 答复 作答").is_some();
        (led || asked).then(|| (len, "answers".to_owned()))?
    };
    r.eat_all("我 吧 就好 就行 即可 谢谢");
    let holds = r.rest.is_empty() && (ever.is_some() || around.ever || around.only);
    value.found(
        start,
        if holds { len } else { 0 },
        What::fact("preferences", &key),
    )
}
