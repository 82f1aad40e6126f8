//! What is read of one's people, animals and wishes, by example, and what sounds like it and is not.

use super::{examples::holds, statements};

const LEARNT: &str = r#"
My wife's name is Ana => relationships/wife=Ana
my wife’s name is Ana and I live in Rome => relationships/wife=Ana | identity/location=Rome
My husband is called Jorge. => relationships/husband=Jorge
My dog's called Rex => relationships/dog=Rex
My cat's name is Miso. => relationships/cat=Miso
my dog is called rex and i live in graz => relationships/dog=rex | identity/location=graz
my little sister is named Zoe => relationships/sister=Zoe
My son Leo is 6 years old => relationships/son=Leo
My wife Ana and I live in Rome => relationships/wife=Ana | identity/location=Rome
my daughter is five => relationships/daughter-age=five
I have two kids => relationships/children=two kids
I've got three children, what games do you know? => relationships/children=three children
I have a son and a daughter => relationships/children=a son and a daughter
I have a daughter named Mia. => relationships/daughter=Mia
I have a dog called Rufus and I live in Graz => relationships/dog=Rufus | identity/location=Graz
I have two cats. => relationships/cats=two cats
I have a dog and two cats => relationships/pets=a dog and two cats
I'm married to Chen => relationships/partner=Chen
I am married => relationships/marital-status=married
I'm 27. => identity/age=27
I'm Tom, nice to meet you. => identity/name=Tom
Hi, I'm Anna from Berlin! => identity/name=Anna
I'm learning Japanese => education/learning=Japanese
I am learning to play the guitar => education/learning=guitar
I study computer science => education/learning=computer science
I drive a Volvo. => possessions/car=Volvo
Please answer in French => preferences/language=French
Reply in Portuguese, please. => preferences/language=Portuguese
Always answer briefly. => preferences/answers=briefly
please keep your answers short => preferences/answers=keep your answers short
Never use emojis => preferences/emojis=Never use emojis
Please don't use bullet points => preferences/bullet-points=don't use bullet points
Don't use emojis, please. => preferences/emojis=Don't use emojis
I have a severe peanut allergy => health/allergy-peanut=allergic to peanut
I grew up in Ghana => identity/origin=Ghana
My car is a Volvo now. => possessions/car=Volvo
I drive a red Tesla Model 3 to work => possessions/car=red Tesla Model 3
use metric units => preferences/metric-units=use metric units
我妻子叫小红 => relationships/wife=小红
我老婆的名字是王芳 => relationships/wife=王芳
我有两个孩子 => relationships/children=两个孩子
我家有一只猫 => relationships/cats=一只猫
我养了一只猫叫团团 => relationships/cat=团团
我的狗叫旺财 => relationships/dog=旺财
我女儿今年五岁 => relationships/daughter-age=五
我儿子叫小明，上小学 => relationships/son=小明
我已经结婚了 => relationships/marital-status=结婚了
我正在学习法语 => education/learning=法语
请用英文回答 => preferences/language=英文
请简短回答 => preferences/answers=简短
回答请简短一点 => preferences/answers=简短一点
不要用表情符号 => preferences/表情符号=不要用表情符号
私の名前は田中です => identity/name=田中
大阪に住んでいます。 => identity/location=大阪
私は犬が好きです => preferences/犬=犬が好き
納豆が苦手です => preferences/納豆=納豆が苦手
英語で答えてください => preferences/language=英語
卵アレルギーです => health/allergy-卵=卵アレルギー
私は看護師です => work/job=看護師
今年30歳です => identity/age=30
제 이름은 김민수입니다 => identity/name=김민수
저는 부산에 살아요 => identity/location=부산
저는 커피를 좋아해요 => preferences/커피=커피를 좋아해
한국어로 대답해 주세요 => preferences/language=한국어
안녕하세요, 저는 의사입니다. => work/job=의사
저는 땅콩 알레르기가 있어요 => health/allergy-땅콩=땅콩 알레르기
"#;

/// Questions, suppositions, others, tales, jokes, the past, and tasks.
const NOT_LEARNT: &[&str] = &[
    "Do you think I live in Paris?",
    "What if I were a doctor?",
    "If I lived in Rome, I would eat pizza daily.",
    "Imagine I am a pirate called Redbeard.",
    "Let's pretend my name is Zorro",
    "My friend lives in Berlin.",
    "She is allergic to nuts.",
    "He said \"I live in Madrid\".",
    "My colleague told me: I'm vegan now",
    "I'm not a doctor.",
    "I don't have any kids",
    "I no longer live in Boston",
    "I used to work at IBM",
    "I used to love jazz.",
    "I was a teacher years ago",
    "I wish I lived in Hawaii",
    "I would love to have a dog called Max",
    "I'm dead, this joke is too good",
    "I'm a potato today lol",
    "I'm so hungry I could eat a horse",
    "I'm dying over here haha",
    "Translate: I am a nurse and I live in Cork.",
    "Write a poem that starts with: my name is Solomon",
    "Is my name Peter?",
    "How do I say 'I live in Tokyo' in Japanese?",
    "Maybe I'm allergic to cats, not sure",
    "I might move to Denver next year.",
    "I'm thinking of becoming a pilot",
    "I am looking for a recipe for pasta.",
    "I'm trying to fix a bug in my code",
    "I have a question about taxes",
    "I have two questions",
    "I have two problems with this code",
    "I love it when you are brief? just kidding",
    "I'm fine, thanks.",
    "I'm sorry, I did not get that",
    "I'm in a hurry",
    "I'm 5 minutes late",
    "I'm 90% sure it's a bug",
    "I'm at step 3 of the guide",
    "Call me when it is done",
    "Call me crazy, but this works",
    "My name is not important",
    "My code lives in src/main.rs",
    "My wife's name is hard to spell",
    "I live in hope",
    "I live in fear of deadlines",
    "The character says: I have a cat named Tom.",
    "In the novel, the narrator says my wife's name is Rebecca",
    "Please answer in one sentence what a monad is in French cuisine?",
    "Can you answer in French?",
    "How would I answer in German to this email?",
    "Should I answer in Spanish to my boss",
    "I hate to say it, but the build is broken",
    "I like how this looks, can you change the font",
    "I'd like to order a pizza",
    "I don't like this answer",
    "I love you",
    "My son's friend is called Ben",
    "My boss is 50 years old",
    "我是不是住在北京？",
    "如果我住在上海，我会每天吃小笼包",
    "假设我叫张三",
    "他说：“我住在广州”",
    "我朋友对花生过敏",
    "我不是医生",
    "我以前住在武汉",
    "我想去日本",
    "请问用英文怎么回答？",
    "翻译：我叫小明，我住在北京",
    "我有两个问题",
    "我有一个想法",
    "我没有孩子",
    "我妻子叫什么来着？",
    "我叫你停下来",
    "我是说这个不对",
    "我要疯了",
    "我是你爸爸哈哈",
    "我喜欢你的回答",
    "我在想这个问题",
    "我妻子叫我回家吃饭",
    "老师在课文里写道我有两个孩子",
    "我对这个答案很满意",
    "如果我有两个孩子怎么办",
    "我可能对猫过敏",
    "Answer in French",
    "My husband is called away a lot",
    "My dog is called back by a whistle",
    "My wife's name is fun to say",
    "用英文回答",
    "Hi, I'm Lost",
    "I drive a Uber sometimes",
    "I moved to strike the motion",
    "My car is a mess",
    "Answer in French: what is a monad?",
    "Please answer in French, what is a monad?",
    "What is a monad? Answer in French.",
    "Write in French",
    "I have a dog in this fight",
    "I have a cat problem",
    "I have two kids' books to sell",
    "I have a mother tongue",
    "I have a brother in arms",
    "My dog's breakfast",
    "My wife's name is on the list",
    "My wife's friend is called Ben",
    "My daughter Monday homework",
    "I'm married to my job",
    "I'm single-handedly done",
    "I'm 27 minutes late",
    "I'm Italian",
    "Hi, I'm Italian",
    "Hi, I'm looking for a book",
    "I drive a hard bargain",
    "I drive a truck",
    "I study hard",
    "I'm studying late tonight",
    "I'm learning a lot from you",
    "Don't use emojis in this poem about the sea",
    "Use metric units in the table below",
    "Keep answers short, what is a monad?",
    "Is my wife's name Ana?",
    "If I have two kids, do I pay less?",
    "My wife's name is Ana, right?",
    "She has two kids",
    "I had two kids in the car",
    "I want two cats",
    "I'd like a dog called Rex",
    "My neighbour has a dog called Rex",
    "我有两个孩子的照片",
    "我妻子叫我吃饭",
    "我的狗叫声很大",
    "我猫叫春",
    "我女儿叫好",
    "我有一个朋友叫小明",
    "我想养一只猫",
    "我以前养了一只猫",
    "如果我有两个孩子",
    "请用英文回答，什么是黑洞",
    "什么是黑洞？请用英文回答",
    "请用英文回答：什么是黑洞",
    "不要用表情符号写这首诗",
    "我想结婚了",
    "他妻子叫小红",
    "我妻子叫小红吗？",
    "私の名前は何ですか",
    "田中さんは大阪に住んでいます",
    "もし大阪に住んでいたら",
    "母は犬が好きです",
    "私は犬が好きではありません",
    "翻訳してください：私の名前は田中です",
    "私の名前は田中です。英語に翻訳してください。",
    "彼は看護師です",
    "「大阪に住んでいます」と彼は言いました",
    "大阪に住みたいです",
    "英語で答えてくださいと言われました",
    "제 이름이 뭐예요?",
    "제 친구는 부산에 살아요",
    "부산에 살고 싶어요",
    "저는 커피를 안 좋아해요",
    "번역해 줘: 제 이름은 김민수입니다",
    "저는 부산에 살았어요",
    "만약 저는 부산에 살아요",
];

#[test]
fn one_s_people_animals_and_wishes_are_read() {
    holds(LEARNT);
}

#[test]
fn what_only_sounds_like_it_is_not() {
    let read = |text: &&&str| !statements(text).is_empty();
    let wrong: Vec<_> = NOT_LEARNT.iter().filter(read).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}
