//! What `memory.never` keeps out of profiles: by name, where a topic or key says what it is about,
//! and by content, whatever a model calls it: a value or a quote with one of the words below is about
//! health, and so on. The words are plain ones that people use of themselves. In doubt nothing is
//! learnt: a fact that was missed costs less than one that nobody may keep.

use super::{rank::folded, screen::ascii, topics::plain};
use regex::RegexSet;

/// The names of a topic, with which it can be configured and under which values are kept, and what
/// it is about, in lower case: English as whole words, Chinese (simplified) and signs anywhere.
struct Sensitive {
    names: &'static str,
    words: &'static str,
    anywhere: &'static str,
}

const SENSITIVE: &[Sensitive] = &[
    Sensitive {
        names: "health|medical|medicine|medication|medications|illness|disease|diagnosis|condition\
                |conditions|allergy|allergies|disability|mental-health|blood-type|symptoms|therapy\
                |pregnancy|健康|医疗|疾病|病史|过敏|血型|药物|心理健康",
        words: r"asthma\w*|inhalers?|diabet\w*|insulin|metformin|allerg\w*|anaphyla\w*|epipen|\w*intoleran\w*|gluten|co?eliac|cancer|tumou?rs?|leuka?emia|chemo\w*|hiv|hepatitis|epilep\w*|seizures?|migraines?|headaches?|arthritis|rheuma\w*|eczema|psoriasis|depress(?:ion|ed|ive)|antidepressants?|anxiety|panic attacks?|bipolar|adhd|autis\w*|asperger\w*|ptsd|ocd|schizo\w*|dementia|alzheimer\w*|parkinson\w*|sclerosis|(?:had|after|since) (?:a |my )?stroke|insomnia|anorexi\w*|bulimi\w*|eating disorders?|addict(?:ed|ion)?|alcoholi\w*|rehab|sober|pregnan\w*|miscarri\w*|abortion|ivf|infertil\w*|menopaus\w*|endometriosis|diagnos\w*|diseases?|illness\w*|disorders?|syndrome|chronic(?:ally)?|terminally|symptoms?|prescri(?:bed|ption)\w*|medicat\w*|medicines?|meds|pills?|dos(?:e|age)|antibiotics?|statins?|ibuprofen|painkillers?|vaccin\w*|covid\w*|surgery|operated on|transplant\w*|pacemaker|dialysis|hospitali[sz]ed|in (?:the )?hospital|(?:my|see|sees|seeing|saw|visit|visiting) (?:a |the |my )?(?:doctor|gp|physician|specialist|therapist|psychiatrist|psychologist|cardiologist|oncologist|dermatologist|counsel+or)s?|psychiatr\w*|therapy|psychotherap\w*|mental health|my health|health (?:condition|problem|issue)s?|blood (?:pressure|sugar|type|group|test)s?|cholesterol|hypertension|obes\w*|overweight|underweight|bmi|i weigh|my weight|lose weight|heart (?:attack|disease|condition|problem|failure)s?|kidney\w*|thyroid|lupus|crohn\w*|ibs|pcos|gout|ulcers?|hernia|ana?emi[ac]|herpes|wheelchair|disab(?:led|ility|ilities)|deaf|(?:am|legally|nearly|partly|colou?r) blind|hearing aids?|injur(?:y|ies|ed)|fractur\w*|concussion|scoliosis|brok(?:e|en) (?:my |his |her |an? )?(?:left |right )?(?:leg|arm|foot|ankle|wrist|hip|back|neck|finger|toe|rib|bone|nose|collarbone)s?|(?:back|knee|neck|joint|chest) pains?|suicid\w*|self-harm\w*|burn-?out",
        anywhere: "哮喘|糖尿病|过敏|血压|血糖|血脂|胆固醇|心脏病|冠心病|中风|癌|肿瘤|化疗|放疗|艾滋|肝炎|乙肝|癫痫|头痛|失眠|抑郁|焦虑|躁郁|双相|自闭症|多动症|精神分裂|精神科|痴呆|帕金森|关节炎|痛风|湿疹|银屑病|牛皮癣|甲状腺|贫血|胃炎|肠炎|溃疡|肾炎|肺炎|结核|新冠|感冒|发烧[^友]|发烧$|受伤|怀孕|孕期|备孕|孕妇|流产|不孕|月经|更年期|手术|住院|骨折|残疾|残障|失明|失聪|近视|病史|慢性病|疾病|病情|病人|重病|症状|确诊|[得患生有]过?了?[^ ，。,.;；]{0,6}病|[吃服用]过?[^ ，。,.;；]{0,6}药|药物|胰岛素|处方|看医生|看病|就医|复诊|体检|血型|心理(?:咨询$|咨询[^师]|医生|疾病|治疗)|戒酒|戒烟|酗酒|自杀|自残|体重|肥胖|疫苗|不耐受|乳糖不耐|麸质|アレルギー|喘息|妊娠|うつ病|알레르기|천식|당뇨|임신|우울증",
    },
    Sensitive {
        names: "religion|religious|faith|belief|beliefs|church|denomination|宗教|信仰",
        words: r"religio\w*|christian\w*|christmas mass|catholic\w*|protestant\w*|orthodox (?:christian|church|jew\w*)|evangelical\w*|baptists?|lutheran\w*|methodist\w*|mormon\w*|jehovah\w*|muslims?|islam\w*|sunni|shia|jew(?:s|ish)?|judaism|hindu\w*|buddh\w*|sikh\w*|taois\w*|daois\w*|pagan\w*|atheis\w*|agnosticism|(?:am|an) agnostic|church(?:es)?|mosques?|synagogues?|(?:go|goes|going|went) to (?:the )?temple|(?:to|attend|attends|attending|sunday|at) mass|pray(?:s|ing|ed|er|ers)?|ramadan|eid|sabbath|shabbat|kosher|halal|bible|quran|koran|torah|bapti[sz]\w*|bar mitzvah|hajj|my faith|god|allah|jesus|worship\w*|rosary|hijab|spiritual\w*|priests?|imam|rabbi",
        anywhere: "宗教|信仰|信教|信佛|拜佛|念经|念佛|佛教|佛祖|菩萨|道教|基督|天主|东正教|新教|伊斯兰|穆斯林|回教|清真|犹太|印度教|锡克|教堂|教徒|去教会|寺庙|做礼拜|祷告|祈祷|圣经|古兰经|可兰经|斋月|开斋|受洗|无神论|神父|牧师|上帝|真主|烧香|皈依|耶稣",
    },
    Sensitive {
        names: "politics|political|party|vote|ideology|政治|党派|政治立场",
        words: r"politic\w*|democrats?|republicans?|(?:conservative|labou?r|green|liberal|socialist|workers'?) (?:party|voters?)|tory|tories|communis\w*|socialis\w*|libertarian\w*|anarchis\w*|marxis\w*|fascis\w*|left[- ]wing\w*|right[- ]wing\w*|leftist|far[- ](?:left|right)|(?:am|a|an) (?:very )?(?:liberal|conservative|progressive)|vot(?:e|es|ed|ing|ers?)|elections?|party member\w*|activis\w*|(?:a|at|at the|the|in) protests?|protested|trade union\w*",
        anywhere: "政治|政见|党员|入党|共产党|民主党|共和党|国民党|民进党|左派|右派|左翼|右翼|投票|选举|竞选|大选|共产主义|社会主义|自由派|保守派|示威|抗议|独派|统派",
    },
    Sensitive {
        names: "sexuality|sexual-orientation|orientation|sex-life|性取向|性生活",
        words: r"gay|lesbian\w*|bisexual\w*|\w*sexual\w*|queer|lgbt\w*|transgender|trans (?:man|woman|person)|sex|(?:am|i'm) straight|(?:came|come|coming) out (?:as|to)|kinks?|kinky|fetish\w*|polyamor\w*|libido|virgin|porn\w*|contracepti\w*",
        anywhere: "同性恋|双性恋|异性恋|无性恋|性取向|性生活|性伴侣|性癖|出柜|跨性别|男同[^学事]|女同[^学事]|同志恋|避孕",
    },
    Sensitive {
        names: "ethnicity|race|ethnic-origin|种族|民族",
        words: r"ethnic\w*|racial\w*|biracial|mixed[- ]race|my race|(?:african|asian|native|mexican|chinese|korean|irish|italian)[- ]american|(?:am|i'm) (?:an? |half |part )?(?:black|white|asian|arab|jewish|romani|brown)|(?:black|white|asian|arab|brown) (?:man|woman|person|guy|girl)|caucasian|hispanic|latin[oax]s?|indigenous|aborigin\w*|half[- ](?:japanese|chinese|korean|indian|african|german|french|english|italian|spanish|russian)",
        anywhere: "民族|种族|族裔|汉族|回族|藏族|维吾尔|维族|满族|苗族|壮族|彝族|蒙古族|朝鲜族|少数民族|混血|黑人|白人|华裔",
    },
    Sensitive {
        names: "finance|finances|financial|income|salary|debt|debts|bank|wealth|财务|收入|工资|债务|银行",
        words: r"financ(?:e|es|ial|ially)|salar(?:y|ies)|incomes?|wages?|i (?:earn|make) .{0,12}\d|paid .{0,12}\d|debts?|in debt|mortgages?|loans?|bankrupt\w*|savings|net worth|credit (?:score|card|rating|limit)s?|overdraft|bank (?:account|balance|statement)s?|invest(?:ed|ing|ments?|or)?|stocks?|bitcoin|crypto\w*|pay .{0,12}rent|my rent|pension|my taxes|(?:am|i'm) broke|wealthy|\d[\d,.]* ?k? ?(?:dollars|euros?|pounds|usd|eur|gbp|rmb|yuan)",
        anywhere: "财务|财产|工资|薪水|薪资|月薪|年薪|收入|奖金|存款|积蓄|[欠还]债|欠款|负债|债务|房贷|车贷|贷款|信用卡|网贷|破产|投资|股票|基金|炒股|比特币|银行卡|银行账户|理财|资产|身家|养老金|退休金|房租|\\d+[万千]?[元块]|[一二三四五六七八九十百千万两]+[元块]|[$€£¥￥] ?\\d",
    },
    Sensitive {
        names: "contact|email|phone|address|telephone|mobile|联系方式|邮箱|电话|地址",
        words: r"[\w.+-]+@[\w-]+\.\w+|\+?\d[\d ()/-]{6,}\d|my (?:e-?mail|phone|mobile|cell|home|postal|mailing|street)? ?(?:address|number|phone|e-?mail)|whatsapp|telegram|zip code|postcode",
        anywhere: "电话|手机号|邮箱|地址|住址|微信号|微信是|qq号|联系方式|邮编",
    },
    Sensitive {
        names: "family|relationships|partner|spouse|children|parents|家庭|家人|伴侣|子女|父母",
        words: r"famil(?:y|ies)|wi(?:fe|ves)|husbands?|spouse|partner|married|marriage|wedding|divorc\w*|engaged to|fianc\w*|(?:girl|boy)friends?|kids?|child(?:ren)?|sons?|daughters?|mothers?|fathers?|mums?|moms?|dads?|parents?|brothers?|sisters?|siblings?|grand(?:ma|pa|mother|father|son|daughter|parent|kid|child)\w*|aunts?|uncles?|cousins?|nieces?|nephews?|\w+-in-law|widow\w*|toddlers?|twins|single (?:mother|father|mum|mom|dad|parent)",
        anywhere: "家人|家庭|妻子|老婆|太太|丈夫|老公|爱人|伴侣|结婚|离婚|已婚|未婚|单身|男友|男朋友|女友|女朋友|孩子|小孩|儿子|女儿|父母|父亲|母亲|爸|妈|哥哥|弟弟|姐姐|妹妹|爷爷|奶奶|外公|外婆|双胞胎|亲戚|丧偶|兄弟|姐妹",
    },
];

/// See the file's head.
#[derive(Clone, Debug)]
pub struct Never {
    /// As configured, for the model to be told.
    pub topics: Vec<String>,
    /// Every word that these go by as topics or keys.
    names: Vec<String>,
    /// What they are about.
    about: RegexSet,
}

impl Never {
    /// As configured. A topic that is not known above goes by its own name alone.
    pub fn new(topics: &[String]) -> Self {
        let (mut names, mut about) = (Vec::new(), Vec::new());
        for topic in topics {
            let topic = plain(topic);
            let known = SENSITIVE
                .iter()
                .find(|s| s.names.split('|').any(|name| name == topic));
            if let Some(known) = known {
                names.extend(known.names.split('|').map(str::to_owned));
                about.push(ascii(&format!(r"\b(?:{})\b", known.words)));
                about.push(ascii(known.anywhere));
            }
            names.push(topic);
        }
        Never {
            topics: topics.to_vec(),
            names,
            // The patterns are those above, which the tests compile.
            about: RegexSet::new(about).unwrap_or_else(|_| RegexSet::empty()),
        }
    }

    /// Whether a topic or key names one of them.
    pub fn names(&self, topic: &str, key: &str) -> bool {
        let (topic, key) = (plain(topic), plain(key));
        let about = |name: &str, word: &str| {
            let rest = name.strip_prefix(word);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        };
        let mut names = self.names.iter();
        names.any(|word| about(&topic, word) || about(&key, word))
    }

    /// Whether words are about one of them.
    pub fn is_about(&self, text: &str) -> bool {
        !self.about.is_empty() && self.about.is_match(&folded(text).replace('’', "'"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn never(topics: &[&str]) -> Never {
        let topics: Vec<String> = topics.iter().map(|t| (*t).into()).collect();
        Never::new(&topics)
    }

    #[test]
    fn every_pattern_is_one() {
        for known in SENSITIVE {
            let first = known.names.split('|').next().unwrap_or_default();
            assert_eq!(never(&[first]).about.len(), 2, "{first}");
        }
        assert_eq!(never(&["gardening"]).about.len(), 0);
    }

    #[test]
    fn names_are_known_in_their_spellings() {
        let health = never(&["Health"]);
        assert!(health.names("health", "x") && health.names("notes", "Blood_Type"));
        assert!(health.names("medical-history", "x") && health.names("健康", "x"));
        assert!(!health.names("general", "healthy-food"));
    }

    #[test]
    fn what_is_said_of_them_is_known_whatever_it_is_called() {
        for (topic, text) in [
            ("health", "I have asthma since school"),
            ("health", "I’m lactose-intolerant"),
            ("health", "was diagnosed with ADHD"),
            ("health", "I see a therapist weekly"),
            ("health", "I broke my left leg"),
            ("health", "我有哮喘"),
            ("health", "我對花生過敏"),
            ("健康", "我每天吃降压药"),
            ("health", "我得了胃病"),
            ("religion", "We celebrate Ramadan at home"),
            ("religion", "I go to mass every Sunday"),
            ("宗教", "我是基督徒"),
            ("politics", "I voted for the Greens"),
            ("政治", "我是黨員"),
            ("sexuality", "I am gay and proud"),
            ("性取向", "我去年出柜了"),
            ("ethnicity", "I'm Black"),
            ("民族", "我是回族"),
            ("finances", "My salary is 50,000"),
            ("finances", "I owe him $300"),
            ("财务", "我月薪两万"),
            ("contact", "write to ada@example.org"),
            ("联系方式", "我的电话是 13800138000"),
            ("family", "My wife's name is Ana"),
            ("家庭", "我有两个孩子"),
        ] {
            assert!(never(&[topic]).is_about(text), "{topic}: {text}");
        }
    }

    #[test]
    fn what_only_sounds_like_them_is_not() {
        let all = [
            "health",
            "religion",
            "politics",
            "sexuality",
            "ethnicity",
            "finances",
        ];
        let all = never(&all);
        for text in [
            "I love mass transit",
            "I work as a nurse at a hospital",
            "I am a surgeon",
            "I live in Palo Alto",
            "I work at a bank",
            "I drive a black car",
            "I share a flat in Rome",
            "I keep a chronicle of the town",
            "I love hiking and green tea",
            "I write C++ with std only",
            "I'm a yoga teacher and speak Arabic",
            "我信任你的判断",
            "我喜欢爬山和咖啡",
            "我是护士，住在成都",
            "他的男同学都叫我小王",
            "我的电脑中了病毒",
        ] {
            assert!(!all.is_about(text), "{text}");
        }
    }
}
