//! Words by which a message gives itself away as fiction, as a task on a text, or as somebody
//! else's. English ones stand between spaces, word by word; Chinese ones anywhere.

/// Role-play and suppositions: nothing in the message is meant.
pub const FICTION: &str = "\
     pretend | pretending | roleplay | role-play | roleplaying | role-playing | role play | act as | \
     act like | acting as | play the role | play the part | take the role | take on the role | \
     in character | persona | npc | scenario | simulate | simulation | simulated | mock | let us play | \
     you are now | you are a | you are an | you are my | you are called | you are playing | you will be | \
     you will play | you play | your name is | your role | your character | hypothetically | \
     hypothetical | fictional | fiction | in this game | in the game | in this story | in the story | \
     in my story | in this novel | in my novel | in this book | in the book | in this movie | \
     in the movie | in this film | in the film | in this play | in the play | in my dream | \
     in the dream | in this song | in the song | in this scene | in this world | in this universe | \
     in another life | in an alternate | in this campaign | in this scenario | in this exercise | \
     in this example | in this text | as if | protagonist | narrator | antagonist | once upon | \
     screenplay | monologue | dungeon | dungeons | rpg | improv | cosplay | dreamed | dreamt | \
     interviewer | interviewee | my character | the character | main character | for my character | \
     alter ego | undercover | fake identity | fake name | stage name | speaking as | speak as | \
     respond as | answer as | talk like | from the perspective | from the point of view | joking | kidding | \
     just testing | from a film | \
     from the film | from a movie | from the movie | from a book | from the book | from a song | \
     from the song | from a novel | from a poem | from a play | from a game | from the game | \
     quote from | a quote | quoting | testing testing | lorem ipsum | test message | dummy data | sample data | placeholder ";

/// Words of tales and papers, in a sentence that neither states nor asks.
pub const TALES: &str = "\
     story | novel | chapter | scene | poem | lyrics | song | verse | script | dialogue | dialog | \
     character | diary | essay | article | transcript | excerpt | passage | quote | quotation | caption | \
     letter | cover letter | curriculum vitae | resume | biography | bio | speech | interview | tweet | \
     prompt | exercise | quiz | fill in | fill the | flashcard | sentence | sentences | paragraph | \
     translation | subtitle | subtitles | testimonial | review | template | readme | changelog | abstract | below is | here is a | \
     here is an | here is the | here is my | an email | an e-mail | from a customer | from a user ";

/// Talk of wording.
pub const ABOUT_A_TEXT: &str = "\
     translation of | grammar | grammatical | grammatically | spelling | proofreading | \
     is this correct | is this a | is this an | is this valid | is this true | are these | \
     is that correct | is this right | does this sound | how does this sound | does it sound | \
     sound natural | sounds natural | what does this mean | what does it mean | what is wrong with | \
     which is correct | sentiment | the following | as follows | pasted | copied from | written by | \
     this email | this letter | this message from | word for word | verbatim | he says | she says ";

/// Pieces of text that "this" or "the following" may point at.
pub const TEXTS: &str = "\
    sentence sentences text texts paragraph passage email mail message letter line lines phrase phrases \
    poem song story code post tweet quote article essay snippet excerpt statement statements dialogue \
    conversation transcript document file note review comment bio profile resume cv speech script \
    question example examples string log output input json data words";

/// What "my" may go before without being a fact: "can you make my bio better?"
pub const PAPERS: &str = "\
    bio essay text texts paragraph letter poem story speech resume cv introduction intro sentence sentences \
    summary statement article blog draft script lyrics song review caption tweet abstract thesis";

/// Orders to work on a text.
pub const REWORK: &str = "\
    translate rewrite rephrase paraphrase proofread reword summarize summarise shorten lengthen polish \
    edit correct fix improve transcribe transliterate parse classify tokenize tokenise extract annotate \
    analyze analyse repeat echo print continue complete finish format convert evaluate grade label tag \
    critique revise decode encode encrypt reverse capitalize spellcheck interpret";

/// Orders to make a text: what follows belongs to it.
pub const COMPOSE: &str = "\
    write draft compose generate create invent produce narrate recite sing quote outline design \
    dictate type prepare craft output";

/// Verbs that report.
pub const SAYING: &str = "\
    said says told tells asked asks wrote writes replied replies answered answers shouted shouts \
    whispered whispers sang sings introduced introduces claimed claims announced announces stated states \
    quoted quotes mumbled exclaimed yelled texted tweeted posted declared insists insisted saying telling \
    reads goes quoth thinks thought";

/// As [`FICTION`].
pub const FICTION_HAN: &str = "\
    扮演 假装 假扮 角色 假设 假定 设想 想象 剧本 台词 情景 场景 模拟 小说里 小说中 故事里 故事中 游戏里 游戏中 梦里 梦中 梦见 \
    电影里 电影中 歌里 书里 主角 主人公 旁白 独白 穿越 设定 人设 演一 剧情 面试官 开玩笑 虚构 测试一下 假名 化名 代入";

/// As [`TALES`].
pub const TALES_HAN: &str = "\
    小说 故事 歌词 诗歌 对话 日记 作文 文章 课文 简历 自我介绍 信件 采访 演讲 原文 译文 节选 摘录 例句 例子 练习 模板 第一章 填空";

/// As [`ABOUT_A_TEXT`].
pub const ABOUT_A_TEXT_HAN: &str = "\
    这句话 这段 这篇 这首 这封 这个句子 那句话 下面的 以下 下列 上述 下文 上文 下面这 上面的 上面这 什么意思 怎么说 语法 病句 通顺 \
    错别字 用英语说 用英文说 例如 比如 举例 譬如 比方 引用 转自 摘自 复制 粘贴 读作 怎么翻译 同义句 造句";

/// As [`REWORK`].
pub const REWORK_HAN: &str = "\
    翻译 翻成 译成 润色 改写 修改 纠正 改正 校对 续写 扩写 缩写 仿写 总结 概括 摘要 提取 重复 复述 分析 改成 转换成 朗读 默写 补全 接着写";

/// As [`COMPOSE`].
pub const COMPOSE_HAN: &str = "\
    写一 写首 写篇 写个 写段 写封 帮我写 请写 编一 编个 创作 生成 起草 拟一 作一首 讲一个 讲个 以“ 开头";

/// As [`SAYING`].
pub const SAYING_HAN: &str = "\
    他说 她说 他们说 她们说 人说 你说 妈说 爸说 说道 问道 答道 写道 喊道 唱道 老师说 同学说 朋友说 有人说 俗话说 告诉我 对我说 跟我说 \
    自称 他叫 据说 听说 介绍说 回答说 说过 他问 她问 小明说 我说 心想";
