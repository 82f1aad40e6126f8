//! What a value may be, in Chinese. Each reader says how many bytes of what follows a pattern are
//! its value; none, where it does not look like one.

use super::{
    normal::is_han,
    plain::{CODE, QUOTED},
};

/// What the end of a clause makes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// It is said.
    Said,
    /// It is asked, or guessed.
    Question,
}

/// Words that ask. A clause with one of them states nothing.
const ASKING: &str = "\
    什么 怎么 怎样 如何 为何 为什么 哪 谁 多少 多大 几岁 几号 是不是 有没有 要不要 能不能 \
    可不可以 会不会 喜不喜欢 爱不爱 对不对 好不好 啥 何时 何处 是否 猜 吗 来着";

/// Whether a clause asks.
pub fn tail(clause: &str) -> Tail {
    let end = clause.trim_end_matches(|c: char| !c.is_alphanumeric());
    let particle = ends(end, "吗 么 呢 吧 嘛 不 没") && !end.ends_with("就好吧");
    let name_me = particle && end.ends_with('吧') && holds(end, "叫我 忘 别记 记住");
    if (particle && !name_me) || holds(clause, ASKING) {
        return Tail::Question;
    }
    Tail::Said
}

/// All the ways to say one likes or does not; longer ones first.
pub const TASTES: &str = "\
    不太喜欢 不怎么喜欢 不是很喜欢 并不喜欢 不再喜欢 从不喜欢 不喜欢 不爱 不喜爱 不太爱 \
    不怎么爱 不习惯 不吃 不喝 从不吃 从不喝 喜欢 喜爱 热爱 酷爱 钟爱 偏爱 偏好 讨厌 厌恶 \
    反感 受不了 倾向于 习惯用 爱吃 爱喝 爱看 爱听 爱玩 爱 恨";

/// All that is known.
pub const ALL_OF_ME: &str = "\
    关于我的一切 关于我的所有 关于我的全部 我的一切 我的所有信息 我的全部信息 所有关于我的 \
    有关我的一切";

/// Where something else begins.
const BREAKS: &str = "\
    但是 但 不过 因为 所以 而且 可是 然而 虽然 如果 的话 的时候 请 谢谢 今年 来自 住在 现在 \
    帮我 给我推荐 推荐 ， 你 您";

/// The bytes before the first of these.
fn until(rest: &str, breaks: &str) -> usize {
    let at = breaks
        .split_ascii_whitespace()
        .filter_map(|b| rest.find(b))
        .min();
    rest[..at.unwrap_or(rest.len())].trim_end().len()
}

/// Without particles and marks at its end.
fn trimmed(value: &str) -> &str {
    value.trim_end_matches(|c: char| {
        "了啦啊呀哦喔呢哈噢~～".contains(c)
            || (!c.is_alphanumeric() && !"》」』”\"’'+#%)）".contains(c) && c != QUOTED)
    })
}

fn chars(text: &str) -> usize {
    text.chars().count()
}

/// Whether a text starts with one of these, which stand between spaces.
pub fn starts(text: &str, any: &str) -> bool {
    any.split_ascii_whitespace().any(|a| text.starts_with(a))
}

/// Whether it ends with one.
fn ends(text: &str, any: &str) -> bool {
    any.split_ascii_whitespace().any(|a| text.ends_with(a))
}

/// Whether it has one.
pub fn holds(text: &str, any: &str) -> bool {
    any.split_ascii_whitespace().any(|a| text.contains(a))
}

/// A person's name: a quoted one, one in Latin letters, or two to four characters (with `·` more)
/// that are not the beginning of a sentence (我叫他来, 我叫了外卖). `loose`: "叫我大家" cannot be.
pub fn name(rest: &str, loose: bool) -> usize {
    if rest.starts_with(QUOTED) {
        let len = rest.len() - rest.trim_start_matches(QUOTED).len();
        return if chars(&rest[len..]) <= 4 { len } else { 0 };
    }
    let rest = &rest[..until(
        rest,
        "\
        今年 来自 住在 住 ， 但 不是 不叫 谢谢 请 而 是 就好 就行 即可 就可以 好了 现在",
    )];
    let value =
        rest.trim_end_matches(|c: char| "吧啦哦啊呀噢哈".contains(c) || !c.is_alphanumeric());
    if value.starts_with(|c: char| c.is_ascii_alphabetic() || (c.is_alphabetic() && !is_han(c))) {
        let shaped = |c: char| (c.is_alphabetic() && !is_han(c)) || " -'’.".contains(c);
        let len = value.len() - value.trim_start_matches(shaped).len();
        let latin = value[..len].trim_end();
        let stands_for = latin.chars().all(|c| matches!(c, 'x' | ' '));
        let fits =
            len == value.len() && !stands_for && latin.split(' ').count() <= 4 && latin.len() <= 60;
        return if fits { latin.len() } else { 0 };
    }
    const NOT_FIRST: &str = "\
        了 天天 苦 他 她 它 你 您 我 不 过 着 车 人 醒 停 到 得 一 什 啥 谁 哪 何 的 来 去 大家 \
        朋友 妈 爸 爷爷 奶奶 老师 老板 服务 外卖 滴滴 个 这 那 出 起 回 做 两 好 滚 别 很 \
        太 有 没 在 死 怎 保 救 物 名字 先生吧 师傅 同学 孩子 弟弟 妹妹 哥哥 姐姐 警 份 点 \
        闭 快 如 吃 喝 走 看 写 说 用 帮 赶";
    const NOT_LAST: &str = "来去走吃喝看说做写买起听玩等打坐过吧吗呢了的着回睡床找";
    let han = value.chars().all(|c| is_han(c) || c == '·' || c == '•');
    let len = chars(value);
    let dotted = value.contains(['·', '•']);
    let last = value
        .chars()
        .next_back()
        .is_some_and(|c| NOT_LAST.contains(c));
    let most = if dotted { 20 } else { 4 };
    let least = if loose { 1 } else { 2 };
    if !han || len < least || len > most || starts(value, NOT_FIRST) || last {
        0
    } else {
        value.len()
    }
}

/// 我姓王
pub fn surname(rest: &str) -> usize {
    let value = trimmed(&rest[..until(rest, "， 名 叫")]);
    let fits = (1..=2).contains(&chars(value))
        && value.chars().all(is_han)
        && !starts(value, "什 啥 不 的 甚 名 氏");
    if fits { value.len() } else { 0 }
}

/// What somebody likes: nothing that points at the talk, at a person, or at nothing.
pub fn thing(rest: &str) -> usize {
    const NOT_FIRST: &str = "\
        你 您 他 她 它 这 那 此 的 了 过 上 是 怎 自己 我 死 啊 得 着 人家 一个 一位 某 就 \
        吗 不 谁 什么 哪 好 起 咱 和你 跟你 与你 被 以上 上面 前者 后者 第一 第二 第三 国庆 \
        在一起 之 也 但 而 如果";
    let value = trimmed(&rest[..until(rest, BREAKS)]);
    let talk = holds(value, "还是 这个 那个 这样 这种 那种 这些 那些 上述 以上");
    let spouse = value == "人"
        || value.starts_with("人") && !value.starts_with("人工") && !value.starts_with("人文");
    if value.is_empty() || starts(value, NOT_FIRST) || talk || spouse || value.contains(CODE) {
        0
    } else {
        value.len()
    }
}

/// What a key is made of: 喝咖啡 and 咖啡 are the same liking.
pub fn core(thing: &str) -> &str {
    let bare = thing
        .strip_prefix("喝")
        .or_else(|| thing.strip_prefix("吃"))
        .unwrap_or(thing);
    if bare.is_empty() { thing } else { bare }
}

/// A town, a country.
pub fn place(rest: &str) -> usize {
    const NOT_FIRST: &str = "\
        这 那 哪 一 家 学校 酒店 附近 楼 我 你 您 他 她 的 了 过 不 同 隔壁 宿舍 几 两 什 \
        别 院 里 外 单位 未来 过去 梦 火星 乡下 城里 农村 公司 进 得 三 普通";
    let value = trimmed(
        &rest[..until(
            rest,
            "\
        ， 和 跟 与 的 附近 已经 工作 上班 但 因为 所以 请 现在 很 还 快 有 多年 读 上学 十 \
        两年 三年 五年 也 我 或",
        )],
    );
    let shaped = value
        .chars()
        .all(|c| c.is_alphabetic() || " -,·'’".contains(c));
    let unsure = starts(&rest[value.len()..], "或 还是");
    let fits = (2..=20).contains(&chars(value)) && shaped && !unsure;
    if !fits || starts(value, NOT_FIRST) {
        0
    } else {
        value.len()
    }
}

/// 北京人, 德国人: from where the last but one character says so.
pub fn native(rest: &str) -> Option<usize> {
    const ENDS: &str = "国京海津庆川南北东西湾港本州汉都大利亚坡江苏徽建疆藏夏肃古门安阳宁沙山林岭辽吉龙阴化波圳莞岛连兰典威麦腊其鲜越泰印明春封原贵云广";
    let value = trimmed(rest);
    let before = value
        .strip_suffix('人')
        .or_else(|| value.find('人').map(|at| &value[..at]))?;
    let after = &value[before.len() + '人'.len_utf8()..];
    let last = before.chars().next_back()?;
    let fits = (2..=6).contains(&chars(before)) && ENDS.contains(last) && after.is_empty();
    let odd = starts(before, "你 他 她 这 那 不 外国 本地 很");
    (fits && !odd).then_some(before.len() + '人'.len_utf8())
}

/// 程序员, 老师, 医生
pub fn trade(rest: &str) -> usize {
    const ENDS: &str = "\
        程序员 公务员 飞行员 售货员 销售员 服务员 运动员 演员 教练 研究员 技术员 快递员 \
        分析师 工程师 老师 教师 律师 设计师 会计师 厨师 建筑师 摄影师 药剂师 医师 架构师 \
        培训师 心理咨询师 理发师 医生 护士 大学生 中学生 高中生 初中生 小学生 研究生 博士生 \
        硕士生 留学生 学生 司机 产品经理 项目经理 经理 警察 作家 记者 教授 会计 秘书 农民 \
        工人 商人 编辑 翻译 画家 音乐家 科学家 牙医 兽医 助教 讲师 导游 创业者 自由职业者 \
        销售 开发者 军人 消防员 保安 主播 作者 歌手";
    let value = trimmed(&rest[..until(rest, "， 但 现在 已经")]);
    let value = value
        .strip_prefix("一名")
        .or_else(|| value.strip_prefix("一个"))
        .unwrap_or(value);
    let offset = rest.find(value).unwrap_or(0);
    let odd = value.contains([
        '你', '他', '她', '这', '那', '不', '您', '魔', '仙', '好', '坏', '们',
    ]);
    let fits = chars(value) <= 12 && ends(value, ENDS) && !odd;
    if fits && offset == 0 { value.len() } else { 0 }
}

const WORKING: &str = "工作 上班 任职 供职 就职";

/// 腾讯工作, 一家医院上班
pub fn employer(rest: &str) -> usize {
    let Some(len) = WORKING.split(' ').filter_map(|v| rest.find(v)).min() else {
        return 0;
    };
    let after = &rest[len..];
    let ended = trimmed(after);
    let whole = WORKING.split(' ').any(|w| w == ended);
    let value = rest[..len].trim_end();
    let odd = starts(
        value,
        "家 这 那 努力 认真 一起 找 你 他 她 不 我 哪 夜 周 晚 白天 加班 外面",
    );
    if whole && !odd && (2..=15).contains(&chars(value)) {
        value.len()
    } else {
        0
    }
}

/// 今年30岁: what to step over, and the number.
pub fn age(rest: &str) -> Option<(usize, usize)> {
    let number = rest
        .trim_start_matches("今年")
        .trim_start_matches("已经")
        .trim_start_matches("刚满")
        .trim_start_matches("满")
        .trim_start();
    let skip = rest.len() - number.len();
    let is_number = |c: char| c.is_ascii_digit() || "一二三四五六七八九十百".contains(c);
    let len = number.len() - number.trim_start_matches(is_number).len();
    let after = trimmed(number[len..].trim_start());
    let years = matches!(after, "岁" | "周岁") || skip > 0 && after.is_empty();
    (len > 0 && number[..len].chars().count() <= 4 && years).then_some((skip, len))
}

/// 花生过敏; whether it is denied.
pub fn allergy(rest: &str) -> Option<(usize, bool)> {
    let (at, no) = match (rest.find("不过敏"), rest.find("过敏")) {
        (Some(at), _) => (at, true),
        (None, Some(at)) => (at, false),
        _ => return None,
    };
    let value = rest[..at].trim_end_matches([
        '很', '严', '重', '有', '点', '会', '都', '特', '别', '非', '常', '也', ' ',
    ]);
    let odd = starts(value, "你 什么 这 那 他 她 它") || chars(value) > 15 || value.is_empty();
    (!odd).then_some((value.len(), no))
}

/// 英语和法语
pub fn tongues(rest: &str) -> usize {
    let value = trimmed(rest);
    let fits = value
        .split(['和', '、', '跟', '及', ' '])
        .all(|t| language(t) == t.len() && !t.is_empty());
    if fits { value.len() } else { 0 }
}

/// One language at the front: 中文, 德语, 粤语.
pub fn language(rest: &str) -> usize {
    const NAMES: &str = "\
        简体中文 繁体中文 中文 汉语 普通话 国语 粤语 广东话 上海话 四川话 客家话 闽南语 \
        英文 英语 日文 日语 法文 法语 德文 德语 俄文 俄语 韩文 韩语 西班牙文 西班牙语 \
        葡萄牙语 意大利语 阿拉伯语 泰语 越南语 印地语 荷兰语 瑞典语 波兰语 土耳其语 拉丁语 \
        希腊语 english german french chinese";
    NAMES
        .split_ascii_whitespace()
        .find(|n| rest.starts_with(n))
        .map_or(0, |n| n.len())
}

/// A short phrase that is no comment (我的工作是很累的).
pub fn short(rest: &str) -> usize {
    let value = trimmed(&rest[..until(rest, BREAKS)]);
    let odd = starts(
        value,
        "\
        不 没 很 非常 太 特别 这 那 什 谁 我 他 她 最 被 为了 的 了 一种 秘密 因为 指 由 真 \
        超",
    );
    if odd || value.is_empty() || chars(value) > 20 || value.contains(CODE) {
        0
    } else {
        value.len()
    }
}

/// A value that holds such a sign.
pub fn holding(rest: &str, sign: impl Fn(char) -> bool) -> usize {
    let len = short(rest);
    let near = holds(&rest[..len], "明天 今天 后天 昨天 下周 这周 下个月 天后");
    if !near && rest[..len].contains(sign) {
        len
    } else {
        0
    }
}

/// What is to be forgotten, without particles.
pub fn forgotten(rest: &str) -> &str {
    trimmed(&rest[..until(rest, "， 请 谢谢 好吗 吧 这件事")])
}

/// Whether what is to be forgotten is the talk, not what is known of the user.
pub fn of_this_talk(what: &str) -> bool {
    holds(
        what,
        "\
        说的 刚才 问题 之前 上面 指令 对话 消息 的话 要求 请求 密码 存在 错误 刚刚",
    )
}

/// Whether what follows 记住 is worth a note.
pub fn note(rest: &str) -> bool {
    let odd = starts(
        rest,
        "\
        你 您 这 那 以下 下面 上面 一点 单词 要 ， 的 我说 我刚 我们说 了 别 不要 怎 如 哦 \
        他 她 它 我的话 我的问题 该",
    );
    !odd && chars(rest) >= 4 && chars(rest) <= 200 && !rest.contains(['你', CODE])
}
