//! The normal form that matching and keys are based on: lower-case ASCII and simplified
//! characters, byte for byte as long as the original, so that a place found in one is a place in
//! the other.

/// Traditional and simplified forms of the characters that patterns and names of keys use.
const SIMPLER: &str = "歡欢愛爱討讨厭厌說说話话這这個个來来記记憶忆請请嗎吗麼么麽么誰谁幾几歲岁號号碼码\
電电郵邮國国籍籍語语業业職职師师員员醫医護护學学對对過过們们為为齡龄時时區区稱称呼呼錄录誌志寫写\
詩诗劇剧場场擬拟設设構构譯译潤润飾饰續续應应該该論论灣湾東东臺台條条長长親亲從从後后還还現现\
實实熱热偏偏傾倾於于處处問问題题別别給给聽听讀读書书吃吃喝喝樣样較较點点當当裡里裏里邊边嘗尝\
會会係系樂乐辦办總总終终練练習习間间關关話话變变壽寿麥麦麵面雞鸡魚鱼類类貓猫紅红藍蓝綠绿顏颜\
帳帐戶户聯联繫系絡络網网頁页鄉乡姓姓稱称據据許许讓让嚴严紀纪錢钱陳陈劉刘張张楊杨趙赵黃黄吳吴\
馬马孫孙羅罗鄭郑謝谢韓韩馮冯於于蕭萧葉叶蘇苏盧卢蔣蒋賈贾閻阎鄧邓許许傅傅曾曾廣广漢汉慶庆遼辽\
寧宁陝陕蘭兰貴贵蘇苏雲云錦锦舊旧內内視视覺觉頻频麗丽圖图館馆廚厨藝艺術术運运動动員员彈弹鋼钢琴琴\
檔档壞坏無无畫画節节開开舉举夢梦遊游戲戏戀恋婚婚離离義义貼贴轉转換换檢检查查糾纠錯错誤误範范\
";

/// The simplified form of one character, or itself.
fn simpler(c: char) -> char {
    if !('\u{4E00}'..='\u{9FFF}').contains(&c) {
        return c;
    }
    let mut pairs = SIMPLER.chars();
    while let (Some(old), Some(new)) = (pairs.next(), pairs.next()) {
        if old == c {
            return new;
        }
    }
    c
}

/// The text in normal form, of the same length.
pub fn normal(text: &str) -> String {
    text.chars()
        .map(|c| simpler(c.to_ascii_lowercase()))
        .collect()
}

/// Chinese characters (punctuation is none).
pub fn is_han(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{3FFFF}')
}

const KEY_CHARS: usize = 48;

/// A stable key from words: `green tea`, `Green  Tea!` and `the green tea` give `green-tea`.
/// Signs that tell things apart (`c++`, `c#`) stay.
pub fn slug(text: &str) -> String {
    let text = normal(text).replace('’', "'");
    let mut words: Vec<&str> = text
        .split(|c: char| !(c.is_alphanumeric() || matches!(c, '+' | '#' | '\'')))
        .filter(|w| !w.is_empty())
        .collect();
    while words.len() > 1 && matches!(words[0], "a" | "an" | "the" | "my" | "some" | "to") {
        words.remove(0);
    }
    if words.len() > 1 && matches!(words[0], "drink" | "drinking" | "eat" | "eating") {
        words.remove(0);
    }
    let whole = words.join("-").replace('\'', "");
    match whole.char_indices().nth(KEY_CHARS) {
        None => whole,
        // Cut: a mark of the whole keeps two long texts apart.
        Some((cut, _)) => {
            let mark = blake3::hash(whole.as_bytes()).to_hex();
            format!("{}-{}", whole[..cut].trim_end_matches('-'), &mark[..6])
        }
    }
}

const VALUE_CHARS: usize = 200;

/// A value within its bound, cut between words.
pub fn clip(value: &str) -> &str {
    let Some((cut, _)) = value.char_indices().nth(VALUE_CHARS) else {
        return value;
    };
    let head = &value[..cut];
    let between = head.rfind(|c: char| c.is_whitespace() || "，、,".contains(c));
    head[..between.filter(|at| *at > 0).unwrap_or(cut)].trim_end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_normal_form_is_as_long_as_the_text() {
        for text in ["I'M Ada", "我喜歡喝咖啡，討厭茶", "Ünïcode ẞ 𠀀"] {
            assert_eq!(normal(text).len(), text.len());
        }
        assert_eq!(normal("我喜歡 Tea"), "我喜欢 tea");
        for (old, new) in SIMPLER
            .chars()
            .step_by(2)
            .zip(SIMPLER.chars().skip(1).step_by(2))
        {
            assert_eq!(old.len_utf8(), new.len_utf8());
            assert_eq!(simpler(old), new, "{old} stands twice or out of step");
        }
    }

    #[test]
    fn slugs_are_stable() {
        assert_eq!(slug("the Green  Tea!"), "green-tea");
        assert_eq!(slug("drinking coffee"), "coffee");
        assert_eq!(slug("C++"), "c++");
        assert_eq!(slug("咖啡"), "咖啡");
        assert_eq!(slug("..."), "");
        assert!(slug(&"word ".repeat(50)).chars().count() <= KEY_CHARS + 7);
    }

    #[test]
    fn a_value_is_cut_between_words() {
        let long = "word ".repeat(100);
        let cut = clip(long.trim());
        assert!(cut.chars().count() <= VALUE_CHARS && cut.ends_with("word"));
    }
}
