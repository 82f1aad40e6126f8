//! What is read from plain statements, by example. What is not: `tests/not_said_of_oneself.rs`.

use super::{Op, statements};
use proptest::prelude::*;

/// A message and what is read from it, as `topic/key=value` or `-what`; `\n` is a new line.
const ENGLISH: &str = r#"
My name is Ada => identity/name=Ada
my name is ada => identity/name=ada
My name's Ada Lovelace. => identity/name=Ada Lovelace
my name’s Zoë => identity/name=Zoë
my name is 小明 => identity/name=小明
My name is O'Brien, nice to meet you! => identity/name=O'Brien
My name is J. R. Smith. => identity/name=J. R. Smith
My name is "Ada". => identity/name=Ada
Hi, my name is Ada. What's the weather in Rome? => identity/name=Ada
MY NAME IS ADA => identity/name=ADA
Hi Claude my name is Ada => identity/name=Ada
my name is ada btw => identity/name=ada
btw my name is ada, what is the capital of france => identity/name=ada
My name is Ada, what is yours? => identity/name=Ada
my name is Ada and I live in Berlin => identity/name=Ada | identity/location=Berlin
My name is Ada, not Eda. => identity/name=Ada
No, my name is Ada. => identity/name=Ada
I'm called Ada => identity/name=Ada
Everyone calls me Lou => identity/nickname=Lou
Call me Ace => identity/nickname=Ace
please call me Ace from now on => identity/nickname=Ace
You can call me Al. => identity/nickname=Al
I go by Sam => identity/nickname=Sam
I prefer to be called Max => identity/nickname=Max
I prefer tea => preferences/tea=prefers tea
I prefer short answers. => preferences/short-answers=prefers short answers
I prefer tea over coffee => preferences/coffee-or-tea=prefers tea over coffee
i prefer coffee to tea => preferences/coffee-or-tea=prefers coffee to tea
I prefer dark mode => preferences/dark-mode=prefers dark mode
I like coffee => preferences/coffee=likes coffee
I really like green tea in the morning! => preferences/green-tea=likes green tea in the morning
I love hiking => preferences/hiking=loves hiking
I like drinking coffee => preferences/coffee=likes drinking coffee
I like C++ and hate Java => preferences/c++=likes C++ | preferences/java=hates Java
I like salt and pepper => preferences/salt-and-pepper=likes salt and pepper
I like apples, pears and plums. => preferences/apples-pears-and-plums=likes apples, pears and plums
I love "The Matrix" => preferences/matrix=loves The Matrix
I love the sea => preferences/sea=loves the sea
I love the Beatles => preferences/beatles=loves the Beatles
I like to cook => preferences/cook=likes to cook
i like jazz so what should I listen to => preferences/jazz=likes jazz
I like tea :) => preferences/tea=likes tea
I hate mushrooms => preferences/mushrooms=hates mushrooms
I dislike long meetings => preferences/long-meetings=dislikes long meetings
I don't like coffee => preferences/coffee=doesn't like coffee
i dont really like coffee => preferences/coffee=doesn't like coffee
I don’t like coffee anymore => preferences/coffee=doesn't like coffee
I no longer like coffee => preferences/coffee=doesn't like coffee
I can't stand opera => preferences/opera=can't stand opera
I don't eat pork => preferences/pork=doesn't eat pork
I am a big fan of jazz => preferences/jazz=is a fan of jazz
I live in Berlin => identity/location=Berlin
i live in new york => identity/location=new york
I live in Berlin, Germany. => identity/location=Berlin, Germany
I live in Berlin, what's the weather like? => identity/location=Berlin
I currently live in the Netherlands with my wife => identity/location=the Netherlands
I'm based in Lisbon => identity/location=Lisbon
I moved to Oslo last year => identity/location=Oslo
I'm from Portugal => identity/origin=Portugal
im from brazil => identity/origin=brazil
I come from Kenya => identity/origin=Kenya
I work as a nurse => work/job=nurse
I work as a data engineer at Siemens => work/job=data engineer
I work at Google => work/employer=Google
I work for a small bank => work/employer=a small bank
I work in finance => work/field=finance
I'm a software engineer => work/job=software engineer
im a teacher and i live in rome => work/job=teacher | identity/location=rome
My job is a bus driver => work/job=bus driver
I am 34 years old => identity/age=34
i'm 25 years old and i live in madrid => identity/age=25 | identity/location=madrid
I am a 34 year old teacher => work/job=teacher
im 34 yo => identity/age=34
I'm thirty-four years old. => identity/age=thirty-four
My age is 42 => identity/age=42
My birthday is May 4th => identity/birthday=May 4th
my birthday is on the 4th of May => identity/birthday=the 4th of May
My birthday is 1990-05-04. => identity/birthday=1990-05-04
My email is ada@example.org. => contact/email=ada@example.org
my phone number is +49 30 123456 => contact/phone=+49 30 123456
My timezone is Europe/Berlin => identity/timezone=Europe/Berlin
my pronouns are they/them => identity/pronouns=they/them
My favourite colour is blue => preferences/favourite-colour=blue
my favorite color is green, thanks => preferences/favourite-colour=green
My favourite band is The Cure. => preferences/favourite-band=The Cure
My native language is Polish => identity/native-language=Polish
I speak German and a little French => identity/languages=German and a little French
I'm allergic to peanuts => health/allergy-peanuts=allergic to peanuts
im allergic to cats and dogs => health/allergy-cats-and-dogs=allergic to cats and dogs
I have a nut allergy => health/allergy-nut=allergic to nut
I'm a vegetarian => preferences/diet=vegetarian
i'm vegan btw => preferences/diet=vegan
Remember that my name is Ada => identity/name=Ada
please remember I like tea => preferences/tea=likes tea
Remember: I like tea => preferences/tea=likes tea
don't forget that I'm vegan => preferences/diet=vegan
Note that I prefer metric units => preferences/metric-units=prefers metric units
Remember that my car is in lot B, level 3. => notes/car-is-in-lot-b-level-3=my car is in lot B, level 3
Forget my name => -name
please forget my birthday. => -birthday
forget that I like coffee => -I like coffee
Don't remember my email => -email
Forget everything you know about me => -everything you know about me
Always answer in German => preferences/language=German
Answer me in German, please. => preferences/language=German
from now on please reply in Spanish => preferences/language=Spanish
My name is Ada. I live in Berlin. I like tea. => identity/name=Ada | identity/location=Berlin | preferences/tea=likes tea
Some facts about me:\n- My name is Ada\n- I live in Berlin\n- I hate spam => identity/name=Ada | identity/location=Berlin | preferences/spam=hates spam
My name is Ada. Write a poem about the sea. => identity/name=Ada
I live in Rome. Translate "hello" into Italian. => identity/location=Rome
My name is Ada. Why does this fail?\n```\nx = f(\n``` => identity/name=Ada
Can you remember that I like jazz? => preferences/jazz=likes jazz
Remember: my dog is called Rex => relationships/dog=Rex
Remember: my bike is in the blue shed => notes/bike-is-in-the-blue-shed=my bike is in the blue shed
From now on, answer in Italian. => preferences/language=Italian
My name is Ada. How do you say hello in Japanese? => identity/name=Ada
"#;

const CHINESE: &str = r#"
我叫小明 => identity/name=小明
我叫小明。 => identity/name=小明
你好，我叫王小明！ => identity/name=王小明
我叫 Ada => identity/name=Ada
我叫做欧阳娜娜 => identity/name=欧阳娜娜
我的名字是小明 => identity/name=小明
我的名字叫李雷，你呢？ => identity/name=李雷
我的名字是“小明”。 => identity/name=小明
我叫小明，今天天气怎么样？ => identity/name=小明
我叫小明今年8岁 => identity/name=小明
我姓王 => identity/surname=王
叫我小明吧 => identity/nickname=小明
你可以叫我阿杰 => identity/nickname=阿杰
请叫我 Bob => identity/nickname=Bob
我的英文名是Tom => identity/english-name=Tom
我是北京人 => identity/origin=北京人
我是德国人。 => identity/origin=德国人
我来自上海 => identity/origin=上海
我住在北京朝阳区 => identity/location=北京朝阳区
我現在住在台灣 => identity/location=台灣
我住在北京，明天会下雨吗？ => identity/location=北京
我喜欢咖啡 => preferences/咖啡=喜欢咖啡
我喜歡喝咖啡 => preferences/咖啡=喜歡喝咖啡
我非常喜欢爬山。 => preferences/爬山=非常喜欢爬山
我喜欢《三体》 => preferences/三体=喜欢《三体》
我不喜欢咖啡 => preferences/咖啡=不喜欢咖啡
我討厭香菜 => preferences/香菜=討厭香菜
我爱吃辣 => preferences/辣=爱吃辣
我更喜欢茶 => preferences/茶=更喜欢茶
比起咖啡，我更喜欢茶 => preferences/茶=更喜欢茶
我偏好简洁的回答 => preferences/简洁的回答=偏好简洁的回答
我不吃猪肉 => preferences/猪肉=不吃猪肉
我最喜欢的颜色是蓝色 => preferences/favourite-颜色=蓝色
我喜欢苹果、香蕉和梨 => preferences/苹果-香蕉和梨=喜欢苹果、香蕉和梨
我今年30岁 => identity/age=30
我三十岁了 => identity/age=三十
我的生日是5月4日 => identity/birthday=5月4日
我的邮箱是ada@example.org => contact/email=ada@example.org
我的职业是护士 => work/job=护士
我是一名程序员 => work/job=程序员
我在腾讯工作 => work/workplace=腾讯
我对花生过敏 => health/allergy-花生=过敏：花生
我吃素 => preferences/diet=吃素
我会说英语和法语 => identity/languages=英语和法语
我的母语是德语 => identity/native-language=德语
请记住我叫小明 => identity/name=小明
請記住，我喜歡茶 => preferences/茶=喜歡茶
请记住：我对海鲜过敏 => health/allergy-海鲜=过敏：海鲜
记住我的车停在B区三层 => notes/我的车停在b区三层=我的车停在B区三层
别忘了我吃素 => preferences/diet=吃素
忘掉我的名字 => -名字
请忘记我的生日。 => -生日
忘掉我喜欢咖啡 => -我喜欢咖啡
別記我的郵箱 => -郵箱
不要记住我的年龄 => -年龄
把我的名字忘掉 => -名字
请忘掉关于我的一切 => -关于我的一切
以后请用中文回答我 => preferences/language=中文
请始终用英文回答 => preferences/language=英文
我叫小明，我住在北京，我喜欢咖啡。 => identity/name=小明 | identity/location=北京 | preferences/咖啡=喜欢咖啡
我叫小明 我喜欢咖啡 => identity/name=小明 | preferences/咖啡=喜欢咖啡
我叫小明。帮我写一首诗。 => identity/name=小明
我叫李明，今年25岁，住在上海 => identity/name=李明 | identity/age=25 | identity/location=上海
我喜歡貓，但是討厭狗 => preferences/猫=喜歡貓 | preferences/狗=討厭狗
请记住：我下周三要去北京出差 => notes/我下周三要去北京出差=我下周三要去北京出差
忘掉我的生日吧 => -生日
"#;

fn read(text: &str) -> Vec<String> {
    let all = statements(text);
    all.into_iter()
        .map(|s| {
            assert!(text.contains(&s.quote), "{text}: {} is no slice", s.quote);
            match s.op {
                Op::Set { topic, key, value } => format!("{topic}/{key}={value}"),
                Op::Forget { what } => format!("-{what}"),
            }
        })
        .collect()
}

pub fn holds(examples: &str) {
    let pairs = examples.lines().filter_map(|line| line.split_once(" => "));
    let wrong: Vec<String> = pairs
        .filter_map(|(text, want)| {
            let read = read(&text.replace("\\n", "\n")).join(" | ");
            (read != want).then(|| format!("{text}\n    want {want}\n    read {read}"))
        })
        .collect();
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn plain_english_is_read() {
    holds(ENGLISH);
}

#[test]
fn plain_chinese_is_read() {
    holds(CHINESE);
}

#[test]
fn a_liking_and_its_contrary_are_one_slot() {
    let key = |text: &str| match statements(text).remove(0).op {
        Op::Set { topic, key, .. } => (topic, key),
        Op::Forget { .. } => unreachable!(),
    };
    assert_eq!(key("I like coffee"), key("i can't stand coffee"));
    assert_eq!(key("我喜歡喝咖啡"), key("我不喜欢咖啡"));
    assert_ne!(key("I like coffee"), key("I like tea"));
}

#[test]
fn a_long_value_is_cut_between_words_and_a_long_message_says_nothing() {
    let long = format!("I like {}", "very long words ".repeat(40));
    let Op::Set { value, key, .. } = statements(&long).remove(0).op else {
        unreachable!()
    };
    assert!(value.chars().count() <= 206 && key.chars().count() < 60);
    assert!(["very", "long", "words"].iter().any(|w| value.ends_with(w)));
    let full = format!("My name is Ada. {}", "x".repeat(1_984));
    assert_eq!(read(&full).len(), 1);
    assert_eq!(read(&format!("{full}x")).len(), 0);
}

/// Pieces that messages are made of, the marks that matter among them.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "my name is ",
            "I like ",
            "I'm ",
            "i dont like ",
            "I live in ",
            "remember that ",
            "forget my ",
            "我叫",
            "我喜欢",
            "我的",
            "请记住",
            "忘掉",
            "是",
            "Ada",
            "小明",
            "call me ",
            "and ",
            "if ",
            "\n",
            ", ",
            ". ",
            "？",
            "。",
            "，",
            "\"",
            "“",
            "”",
            "'",
            "`",
            "```",
            ": ",
            "：",
            "> ",
            "(",
            "—",
            " ",
            "年龄",
            "30岁",
            "I am ",
            "years old ",
            "a ",
            "the ",
            "把",
            "过敏",
            "我对",
            "住在",
            "用",
            "回答",
            "人",
            "是",
            "的",
            "\u{3000}",
        ])
        .prop_map(str::to_owned),
        "\\PC{0,4}",
        any::<char>().prop_map(String::from),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn any_text_is_read_without_harm(pieces in prop::collection::vec(piece(), 0..40)) {
        let text = pieces.concat();
        for s in statements(&text) {
            prop_assert!(text.contains(&s.quote));
            if let Op::Set { topic, key, value } = s.op {
                prop_assert!(!topic.is_empty() && !key.is_empty() && !value.is_empty());
                prop_assert!(value.chars().count() <= 220);
            }
        }
    }
}

/// The longest message that is read, made of what makes a reader look again and again. A reader
/// whose work explodes does not end; the bound is far from where noise could reach.
#[test]
fn no_text_takes_long() {
    let pieces = [
        "'a ",
        "\"",
        "`",
        "(",
        "I like ",
        "i ",
        "my ",
        "我",
        "我喜欢",
        "a,",
        "remember ",
        "and i ",
        "\n'",
        "“",
        "'a' ",
        "if ",
        "\n> ",
        "- i\n",
        ". ",
        "我叫小明，",
        "I like tea. ",
        "my name is a and ",
        "请记住",
        "btw ",
        "the i like ",
    ];
    for piece in pieces {
        let text = piece.repeat(2_000 / piece.chars().count());
        let start = std::time::Instant::now();
        std::hint::black_box(statements(&text));
        let took = start.elapsed();
        println!("{piece:?}: {took:?}");
        assert!(took.as_secs() < 10, "{piece:?}: {took:?}");
    }
}
