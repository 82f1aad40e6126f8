//! Values that look like an instruction to the model, rather than something about the user. They
//! go to quarantine instead of into prompts, until somebody releases them. Every rule is here,
//! English and Chinese. What is put into a prompt is inert and fenced as well, so a rule may be
//! narrow: "always answer in Chinese" is a wish that its user may have.

use super::{
    disguise::{plain, undisguised},
    is_wide,
};
use regex::RegexSet;
use std::sync::LazyLock;

/// What it is that a value does, and how one sees that (in lower case, on one line).
const RULES: &[(&str, &str)] = &[
    (
        "overrides instructions",
        r"\b(?:ignore|disregard|override|bypass|do not follow|don't follow|stop following)\b.{0,40}\b(?:instructions?|prompts?|rules|guidelines|directives?|directions|constraints|everything (?:above|before|you were told)|context above|(?:the|all of the|all|everything) (?:above|preceding)(?:$|[ ]?[.!,;:]| and\b)|(?:previous|prior|above|earlier) (?:text|messages?|context))\b|\b(?:forget|neglect|discard|skip|set aside)\b.{0,40}\b(?:instructions|prompts?|guidelines|directives|(?:your|previous|prior|earlier) rules|everything (?:above|before|you were told)|(?:what|whatever) you were told|(?:previous|prior|above|earlier) (?:text|messages?|context))\b",
    ),
    (
        "overrides instructions",
        r"\b(?:new|updated|real|actual|important|urgent|additional|following) (?:system )?(?:instructions?|directives?|orders)\b ?(?::|follow|from (?:the )?(?:system|developers?|operators?|admin|creators?|owner)\b)",
    ),
    (
        "overrides instructions",
        r"\b(?:your|any|all|prior|previous|earlier|existing|given|content|safety)\b.{0,24}\b(?:instructions?|guidelines|rules|orders|polic(?:y|ies)|prompt|filters?|safeguards?)\b.{0,40}\b(?:no longer (?:apply|hold|count|bind)|(?:is|are|was|were|been) (?:now |all )?(?:void|off|obsolete|cancell?ed|suspended|revoked|lifted|disabled|switched off|turned off|replaced|superseded|expired))\b|\beverything above\b.{0,20}\b(?:is|was) (?:void|obsolete|cancell?ed|invalid|expired)\b",
    ),
    (
        "overrides instructions",
        r"\b(?:this|the following|what follows|these)\b.{0,24}\b(?:overrides?|supersedes?|outranks?|replaces?|(?:takes?|has|have) (?:priority|precedence) over)\b.{0,24}\b(?:system|operator|developers?|polic(?:y|ies)|instructions?|prompts?|rules|messages?)\b|\bhighest[- ]priority (?:instruction|rule|order|command|directive)|\bobey (?:only )?(?:this|me|whoever)\b",
    ),
    (
        "overrides instructions",
        r"(?:忽略|无视|無視|不要理会|不理会|绕过|跳过|违反|推翻|覆盖|不要遵守|不再遵守|停止遵守|(?:^|[^要别勿])(?:忘记|忘掉)).{0,12}(?:指令|指示|提示词|规则|規則|设定|限制|命令|约束|要求|系统|(?:以上|上述|之前|上面|前面)(?:的?所有)?的?(?:内容|提示|话|文字|对话|消息))|你?不(?:需要|必|用)(?:再)?(?:遵守|服从)任何",
    ),
    (
        "overrides instructions",
        r"(?:之前|以前|先前|原来|上面|以上|前面|给你|你)(?:收到|说过|说|讲)?的.{0,6}(?:设定|指令|命令|规则|指示|过滤|限制|约束|一切|内容).{0,6}(?:作废|失效|过期|无效|取消|暂停|关闭|取代)|(?:之前|以前|上面)(?:说|讲)的.{0,4}忘|只听我的|只服从|忘了你是",
    ),
    (
        "overrides instructions",
        r"(?:高于|优先于|取代|覆盖|凌驾于?).{0,6}(?:系统|运营者|开发者|政策|指令|规则|提示词)|最高(?:优先级的?)?(?:指令|命令|指示)",
    ),
    (
        "overrides instructions",
        r"(?:^|[ 。！；;.!])(?:新的?|最新|真正的?|重要)(?:系统)?(?:指令|指示|命令)[:：，,]|(?:系统|管理员|开发者)(?:指令|消息|命令|提示|通知|授权)[:：]",
    ),
    (
        "gives the model a part",
        r"\byou are (?:now|no longer|from now on)\b|\bfrom now on,? you(?:'re| are| will| must| shall| have)\b|\byou (?:must|will|shall) now\b|\b(?:pretend|imagine|act as if|behave as if) (?:that )?you(?:'re| are| were| have)\b|\b(?:assume|take on|adopt|play) (?:the |a )?(?:role|persona|identity|character|part) of (?:an? )?.{0,16}\b(?:ai|model|assistant|chatbot)\b",
    ),
    (
        "gives the model a part",
        r"\b(?:act|behave|respond|roleplay|role-play|operate) (?:as|like|in) (?:an? |the )?(?:unrestricted|unfiltered|uncensored|jailbroken|evil|developer mode|dan|god mode|hacker)\b|(?:^|[.!?;:] ?|\byou (?:must |will |should )?|\bplease )(?:act|behave|respond|operate) as (?:an? |the )?(?:root|admin|administrator|system)\b",
    ),
    (
        "gives the model a part",
        r"你现在是[^我]|你現在是[^我]|从现在起，?你|从现在开始，?你(?:是|要|必须|将|不再)|你将扮演|你?(?:要|来|请)?(?:扮演|当|成为).{0,10}(?:没有|不受|无)(?:底线|道德|任何|限制|约束)|假装你|假设你(?:是|没有)|你不再是|你必须(?:服从|听从|执行)",
    ),
    (
        "lifts limits",
        r"\bjail ?broken\b|^jail ?break\b|\bjail ?break (?:mode|yourself|the model|prompt)|^(?:developer|dan|god|debug) mode\b|\b(?:enable|enter|activate|start|turn on|switch (?:on|to|into)|go into|operate in|be in|now in|want) (?:your |the |into )?(?:developer|dan|god|debug|unrestricted) mode\b|\bdo anything now\b|\b(?:answer|respond|reply|act|speak|talk|operate|behave|comply|obey|assist|you)\b.{0,24}\bwithout (?:any )?(?:restrictions?|filters?|censorship|limits)\b|\bno (?:longer bound|restrictions apply|content policy)\b|\b(?:bypass|disable|turn off|remove|circumvent|evade) (?:all |any |your |the )*(?:safety|security|content|ethical|moral|filters?|restrictions?|guardrails?|safeguards?|polic(?:y|ies)|moderation)\b",
    ),
    (
        "lifts limits",
        r"^越狱|越狱模式|(?:请|执行|开始|进行|帮你)越狱|^(?:开发者|開發者|调试|上帝)模式$|(?:开启|进入|启用|打开|切换到?|激活|处于|想要).{0,4}(?:开发者|開發者|调试|上帝|无限制)模式|解除.{0,6}限制|不受任何(?:限制|约束)|没有任何(?:限制|约束)|(?:关闭|绕过|禁用|突破).{0,8}(?:安全|过滤|审查|限制|防护)",
    ),
    (
        "asks for secrets",
        r"\b(?:reveal|print|show|output|repeat|leak|disclose|display|expose|dump|recite|translate|convert|encode|base64-encode|write out|tell (?:me|us|them|the user)|give (?:me|us)|return|echo|summari[sz]e)\b.{0,30}\b(?:system prompt|hidden prompt|initial prompt|your (?:hidden |secret |system )?(?:prompt|instructions)|system message|system instructions|the prompt above|text above|operator told|api keys?|credentials|other users?'? (?:data|memor(?:y|ies)|profiles?|secrets?|conversations?))\b|\bwere you told before\b",
    ),
    (
        "asks for secrets",
        r"(?:输出|显示|泄露|打印|重复|复述|告诉|透露|公开|说出|展示|发送|返回|写出|背出).{0,12}(?:系统提示|提示词|系统消息|系统指令|初始指令|你的指令|最初收到|运营者|密钥|其他用户|别的用户)|把(?:你的?(?:系统|指令|初始|隐藏)|以上).{0,8}(?:翻译|转换|编码|输出)",
    ),
    (
        "asks for secrets",
        r"\b(?:ask|asking|get|obtain|collect|request|demand)\b.{0,16}\busers?(?:'s?)?\b.{0,20}\b(?:passwords?|credit card|card numbers?|bank (?:details|account)|credentials|social security)|(?:向|问|让|要求|索要|骗取).{0,6}用户.{0,10}(?:密码|银行卡|卡号|验证码|身份证)",
    ),
    (
        "deceives the user",
        r"\b(?:do not|don't|never|without) (?:tell|telling|inform|informing|mention|mentioning|reveal|revealing|notify|notifying|alert|alerting|let|letting)\b.{0,30}\b(?:the )?users?\b|\bhide (?:this|it) from\b|\bsecretly\b.{0,40}\b(?:send|add|include|insert|recommend|tell|write|append|call|run)\b|\bno matter what (?:the )?users? (?:asks?|says?|wants?)|\b(?:refuse|decline|reject)\b.{0,30}\b(?:questions?|requests?) (?:from|of|by) (?:the |all )?users?\b",
    ),
    (
        "deceives the user",
        r"(?:^|[^我])(?:不要|别|不得|不能|切勿)(?:告诉|告知|提醒|通知|透露给)(?:用户|他们|使用者)|瞒着(?:用户|使用者)|偷偷地?.{0,10}(?:发送|加入|插入|推荐|调用|执行)|(?:不管|无论)用户(?:问|说|要)|拒绝(?:回答)?用户.{0,10}问题",
    ),
    (
        "claims to speak for others",
        r"\b(?:note|message|instructions?|orders?|notice) (?:to|for) (?:the |all |any )?(?:ai|model|assistant|llm|chatbot)s?\b|\b(?:message|notice) from the (?:developers?|operators?|admins?)\b|\badmin note\b|(?:^|\bthe |\bthis |\ban? |\byou,? )(?:ai|assistant|model|chatbot) (?:must|shall|has to|is required to) (?:obey|comply|always|never|only|follow|recommend|now)\b|\busers? (?:has |have )?(?:consented|agreed|authori[sz]ed)\b.{0,40}\b(?:anyone|everyone|everybody|all)\b|\bgrant (?:this|the) user\b",
    ),
    (
        "claims to speak for others",
        r"(?:对|给|致)(?:ai|模型|助手|人工智能)的?(?:说明|指令|指示|消息|通知)|(?:ai|模型|助手|人工智能)(?:必须|应当|只能|一律)(?:服从|听从|遵守|执行|推荐|回答)|用户已?同意.{0,6}(?:公开|任何人|所有人|共享)|以(?:管理员|开发者|系统)(?:的)?身份",
    ),
    (
        "plants an answer",
        r"\b(?:when|whenever|if|every time|each time)\b.{0,20}\b(?:users?|anyone|anybody|someone|somebody|people|they)\b.{0,30}\b(?:asks?|says?|mentions?|requests?|wants?|inquires?|types?|quer(?:y|ies))\b[^,;:]{0,60}[,;:]? ?(?:then |please |always |just |only |you |must |should |to )*\b(?:say|answer|reply|respond|tell|recommend|output|send|claim|insist|write|return|include|give|direct|point|lie)\b",
    ),
    (
        "plants an answer",
        r"(?:当|每当|如果|只要|每次|若)(?:有?人|用户|使用者|任何人|他们).{0,16}(?:问|询问|提到|请求|要求|说)[^，,。]{0,20}[，,]?(?:请|你|就|都|要|应该?|一律|总是|只|则){0,3}(?:回答|回复|告诉|推荐|输出|声称|发送|说|必须)",
    ),
    (
        "plants an answer",
        r"\b(?:each|every|all|your)\b.{0,12}\b(?:repl(?:y|ies)|answers?|responses?|questions?)\b.{0,30}(?:https?://|\blinks?\b|\bbuy\b|\badverts?\b|\badvertisements?\b|\bpromot)|(?:https?://|\blinks?\b|\badverts?\b).{0,60}\b(?:each|every|all|your)\b.{0,12}\b(?:repl(?:y|ies)|answers?|responses?)\b|(?:每次|每条|所有|以后).{0,10}(?:回答|回复|开头|结尾).{0,16}(?:链接|网站|网址|http|广告|推销)",
    ),
    (
        "acts outside",
        r"\b(?:send|post|forward|upload|submit|exfiltrate|transmit|leak|fetch|curl|wget|append|include|embed|navigate|redirect)\b.{0,80}(?:\bhttps?://|\bwebhook\b|\bmy server\b)|!\[[^\]]{0,80}\]\( ?https?://|\b(?:call|invoke|use|run|execute|trigger) (?:the |this |following |any )+(?:tool|function|command|shell|code|script|api|plugin)s?\b|^(?:call|invoke|run|execute|trigger) (?:a )?(?:tool|function|command|shell|code|script|api|plugin)s?\b|\brm -rf\b|\bcurl .{0,60}\| ?(?:ba)?sh\b|\b(?:delete|erase|drop|wipe|destroy) (?:all|every|the whole|the entire) ?(?:of )?(?:the |your |user |users' )*(?:files?|data|memor(?:y|ies)|tables?|database|records?)\b|\b(?:conversation|chat(?: history)?|memor(?:y|ies)|profile|secrets?)\b.{0,12}\b(?:in|into|inside) (?:an? |the )?(?:urls?|links?|image|query string)\b",
    ),
    (
        "acts outside",
        r"(?:^|[^我])(?:把|将).{0,30}(?:发送|发|上传|转发|提交)(?:到|给|至).{0,20}(?:http|网址|邮箱|服务器|@)|(?:把|将).{0,6}(?:对话|聊天|记忆|资料).{0,8}(?:拼|编码|放|写|塞|嵌).{0,6}(?:网址|链接|图片|url)|(?:(?:执行|运行|调用)(?:以下|下面|这个|该|如下)的?|^请?(?:执行|运行|调用))(?:命令|代码|脚本|工具|函数|指令)|删除(?:所有|全部|一切).{0,6}(?:文件|数据|记忆|记录)",
    ),
    (
        "overrides instructions",
        r"(?:^|[.!?;:,] ?|\b(?:you|please|must|should|shall|will|always|now|and|may|can|just) )(?:do not|don't|never|no longer|not|stop|refuse to|have to stop)? ?(?:follow(?:ing)?|obey(?:ing)?|listen(?:ing)? to|heed(?:ing)?|trust(?:ing)?|comply(?:ing)? with|respect(?:ing)?|disobey|defy|ignore|disregard|override|overrule|bypass|dismiss|pay no attention to|take no notice of)\b.{0,16}\b(?:the|your|any|all|every|its|what the|whatever the) (?:system'?s?|system prompt'?s?|operator'?s?|operators'?|developer'?s?|developers'?|admin'?s?|administrator'?s?|provider'?s?|creator'?s?|maker'?s?)(?:$|[ ]?[.!,;:]| (?:says?|said|wants?|wrote|tells?|told|anymore|any longer|again|and|or|instead|messages?|text|instructions?|orders?|rules|polic(?:y|ies)|wishes|commands?|guidelines)\b)",
    ),
    (
        "overrides instructions",
        r"\b(?:instructions?|guidelines|rules|orders|policies|restrictions|directives|limits)\b.{0,12}\b(?:above|before this|so far|at the (?:start|beginning|top)|you (?:got|were given|have|had|received)|given to you)\b.{0,24}\b(?:no longer|do not|don't|not|never|is|are) (?:apply|hold|count|bind|matter|valid|void|cancell?ed|suspended|lifted|gone|off)\b|\b(?:consider|deem|regard|treat) (?:your|all|any|the) .{0,16}\b(?:restrictions?|rules|limits|guidelines|filters?|instructions?)\b.{0,12}\b(?:removed|lifted|void|gone|off|cancell?ed|suspended|obsolete)\b|\byou (?:now |currently |no longer )?(?:have|follow|are bound by|are subject to|know) (?:no|any|zero) (?:rules|limits|restrictions?|guidelines|constraints|filters?|ethics|morals)\b|\byou(?:'re| are| have been| were) (?:now )?(?:free|freed|released|liberated|exempt) (?:of|from)\b",
    ),
    (
        "overrides instructions",
        r"\byour (?:new|real|true|actual|updated|only|sole|primary|prime|secret|hidden|ultimate) (?:instructions?|tasks?|goals?|purpose|role|rules?|job|mission|directives?|orders?|objectives?|duty|loyalty|master|operator)\b.{0,12}\b(?:is|are|will be|lies)\b|^(?:please |always )?(?:treat|regard|take|interpret|handle|accept) .{0,40}\bas (?:if |though )?.{0,24}\b(?:from the (?:operator|developer|system|admin\w*)|(?:system|operator|developer|admin\w*|root) (?:commands?|instructions?|orders?|messages?|prompts?))\b|\b(?:follow|obey|serve|listen to) (?:only )?me instead\b",
    ),
    (
        "overrides instructions",
        r"(?:^|[^我])(?:不要|别|不必|不用|无需|不得|不许|不准|停止|拒绝|忽视|无视|忽略)(?:再)?(?:听从?|听信|服从|遵守|遵从|遵循|执行|理会|相信)?[^，。,.我]{0,6}(?:运营者|运营方|系统提示|系统的?(?:指令|指示|规定|规则|设定)|开发者|管理员|官方)的?(?:$|[，。,.！!；; ]|话|指令|指示|要求|规定|规则|命令|设定|政策)|停止(?:遵守|遵循|执行)你的",
    ),
    (
        "overrides instructions",
        r"(?:以上|上面|之前|先前|前面|上述|原有|原来)的?(?:所有|全部|一切)?的?(?:规则|指令|设定|限制|指示|命令|规定|约束)(?:全部|通通|统统|全都|都|已经|已|均|现在)*(?:作废|失效|无效|取消|不算数|不再有效|不再适用)|系统提示(?:词)?(?:已经?)?(?:失效|作废|无效|过期)|你的?(?:新|真正的?|唯一的?|最新|实际|首要)的?(?:指令|任务|目标|使命|身份|角色|规则|目的)[是：:]|把我的?(?:话|消息|输入).{0,4}(?:当作|当成|视为|看作|作为).{0,6}(?:系统|管理员|开发者|运营)|你(?:没有|不再有|不存在|不再受|不受)(?:任何)?(?:规则|限制|约束|底线|道德|任何)",
    ),
    (
        "asks for secrets",
        r"(?:^|[.!?;:,] ?|\b(?:you|please|must|should|shall|will|always|now|and|can|may|then|just|to) )(?:reply|repl(?:y|ies)|answer|respond|say|give|give out|hand over|hand out|provide|include|share|tell|show|print|output|post|list|return|reveal|leak|send|spill)\b.{0,24}\b(?:the|all|any|your|stored|every|each|other|users?'?s?|their|people's) (?:\w+ ){0,2}?(?:passwords?|credentials|api keys?|(?:secret|access|private|api) (?:keys?|tokens?)|secrets|access codes?|private keys?)\b",
    ),
    (
        "asks for secrets",
        r"\b(?:confidential|private|secret|sensitive|personal|internal|users?'?|customers?'?) (?:data|information|details|records?|files?|memor(?:y|ies))\b.{0,12}\b(?:may|can|must|should|shall|is to|are to) (?:now |freely )?be (?:shared|disclosed|revealed|published|given|leaked|sent|told)\b|\b(?:print|show|output|repeat|reveal|recite|display|list|quote|write)\b.{0,16}\byour (?:initial|original|first|internal|full|complete|exact|underlying|developer|operating|earlier|starting) (?:instructions?|prompts?|rules|messages?|guidelines|directives)\b|\bin your (?:system|hidden|initial) prompt\b",
    ),
    (
        "asks for secrets",
        r"(?:^|[，。；,.;! ]|你|请|必须|都|要|得|始终|总是|并|里|就)(?:直接|始终|总是|全部)?(?:回复|回答|输出|告诉|透露|泄露|提供|给出|说出|交出|发送|公布|公开|带上|附上|附带)[^我]{0,6}(?:管理员|系统|用户|所有人?|其他人|他人|别人|你的|内部|后台|根)的?(?:密码|密钥|口令|令牌|凭证|秘密|机密)|(?:要|问|索要)(?:密码|密钥)的?[^我]{0,4}就.{0,4}给|泄露(?:所有|一切|全部|你的?|系统|用户|内部|管理员)|把.{0,4}(?:(?:系统|初始|最初|隐藏|内部|你的?)的?(?:提示|指令|设定)词?|提示词).{0,6}(?:输出|打印|显示|复述|背|说出|写出|展示)",
    ),
    (
        "plants an answer",
        r"\b(?:when|whenever|if|every time|each time|once) (?:you(?:'re| are) )?(?:asked|prompted|questioned|queried)\b[^,;:]{0,60}(?:[,;:] ?|\b(?:then|please|always|just|only|you|must|should) )(?:then |please |always |just |only |you |must |should )*(?:say|answer|reply|respond|tell|recommend|output|claim|insist|lie|deny|pretend|point|direct)\b|\b(?:when|whenever|if)\b.{0,12}\b(?:someone|somebody|anyone|anybody|users?|people|they)\b.{0,30}[,;:] ?(?:point|direct|send|refer|redirect|steer) (?:them|him|her|the users?) to\b",
    ),
    (
        "plants an answer",
        r"(?:当|每当|如果|只要|每次|若|^)你?被(?:问|询问|要求|提问)[^，,。我]{0,16}[，,]?(?:请|你|就|都|要|应该?|一律|总是|只|则){0,3}(?:回答|回复|告诉|推荐|输出|声称|说)|\b(?:begin|start|end|open|close|finish)\b.{0,6}\b(?:each|every|all)\b.{0,12}\b(?:repl(?:y|ies)|answers?|responses?|messages?)\b.{0,12}[\x22'“「].{0,40}(?:hack|pwn|obey|hail|buy|visit)|\btell (?:all |the |every |other )?users? to (?:install|download|buy|visit|send|enter|click|open|pay)\b",
    ),
    (
        "claims to speak for others",
        r"\b(?:i(?:'m| am)|as) (?:the|your) (?:\w+ )?(?:developer|creator|operator|admin|administrator|owner|maker|programmer|master)\b.{0,40}\b(?:you (?:must|have to|shall|are to|will)|i (?:order|command|instruct|authori[sz]e) you|obey|unlock|grant)\b|\bthis user (?:has|is|gets|holds)\b.{0,20}\b(?:admin\w*|root|operator|developer|full|unlimited|all) (?:privileges?|rights?|access|permissions?)\b|\b(?:ai|assistant|model|chatbot) (?:must|shall|has to) (?:recommend|obey|comply|always|never)\b.{0,40}\b(?:answers?|repl(?:y|ies)|responses?|users?)\b",
    ),
    (
        "claims to speak for others",
        r"我是(?:你的|系统的?|平台的?)(?:开发者|开发人员|管理员|运营者|创造者|主人|老板).{0,3}你?(?:必须|要|得|应该|应当|一定)(?:服从|听|解锁|执行|照做|照办|告诉|给|按)|(?:该|此|这个|这名)用户(?:拥有|具有|有|是).{0,6}(?:管理员|超级|最高|开发者|root)(?:权限|权利|身份)?|听我的(?:命令|指令|指挥)",
    ),
    (
        "deceives the user",
        r"\b(?:hide|conceal) (?:this|these|that|the) (?:\w+ )?(?:rules?|instructions?|notes?|orders?|messages?|memor(?:y|ies)|facts?)\b|\bkeep (?:this|these) (?:\w+ )?(?:rules?|instructions?|orders?|notes?)\b.{0,12}\b(?:secret|hidden|quiet)\b|(?:对|向)用户(?:隐瞒|隐藏|保密|撒谎|说谎)",
    ),
    (
        "acts outside",
        r"\b(?:append|add|attach|include|embed|put|insert|encode|write|hide)\b.{0,16}\b(?:users?(?:'s?)?|their|conversation|chat)\b.{0,24}\b(?:to|in|into|inside|on)\b.{0,16}\b(?:links?|urls?|images?|query strings?)\b|(?:把|将)用户.{0,12}(?:拼|编码|放|写|塞|嵌|加)(?:到|进|入).{0,8}(?:网址|链接|图片|url)|\b(?:call|invoke|use|run|execute|trigger) (?:the |this |your |a )?[a-z0-9]+(?:[_.][a-z0-9]+)+ (?:tool|function|command|api|plugin)\b|(?:调用|执行|运行) ?[a-z0-9]+(?:[_.][a-z0-9]+)+",
    ),
    (
        "fakes a frame",
        r"<\|?/?(?:im_start|im_end|system|assistant|user|endoftext|eot_id|start_header_id|end_header_id|begin_of_text|end_of_turn|start_of_turn)\b|\[/?inst\]|<</?sys>>|</?(?:system|user_profile|memories|memory|instructions?|assistant|human|tool_call|function_calls?|prompt|context|admin)\b[^>]{0,40}>|(?:^|[.!?。！？;；\n|-] ?)(?:system|assistant|developer|human|ai|系统|助手) ?[:：]|#{2,} ?(?:system|instructions?|assistant|human|response|end|new)\b|-{3,} ?(?:end|begin|start)\b|\b(?:end|begin|start) of (?:the )?(?:user )?(?:data|profile|memor(?:y|ies)|context|system|prompt|instructions?)\b",
    ),
];

/// The rule for what nobody can see.
const HIDDEN: &str = "hides text";

static SET: LazyLock<Option<RegexSet>> =
    LazyLock::new(|| RegexSet::new(RULES.iter().map(|(_, rule)| ascii(rule))).ok());

/// A pattern whose words and digits are ASCII. Those of all scripts make a set so large that it
/// takes a second to build, and milliseconds to run.
pub fn ascii(pattern: &str) -> String {
    let classes = [(r"\b", r"(?-u:\b)"), (r"\w", "[0-9a-z_]"), (r"\d", "[0-9]")];
    classes
        .iter()
        .fold(pattern.to_owned(), |p, (from, to)| p.replace(from, to))
}

/// Makes the rules ready: that takes a tenth of a second, which no turn should wait for.
pub fn prepare_screening() {
    LazyLock::force(&SET);
}

/// Whether it carries what nobody sees: tags, which spell out letters, and turns of direction. The
/// flags of Scotland and its neighbours are spelt in tags, and a selector behind a character is a
/// way to write somebody's name.
fn hides(text: &str) -> bool {
    const FLAG: char = '\u{1F3F4}';
    const END: char = '\u{E007F}';
    const FLAG_TAGS: usize = 6;
    let (mut before, mut tags) = (' ', None);
    for c in text.chars() {
        match (c, tags) {
            (END, Some(1..)) => tags = None,
            ('\u{E0030}'..='\u{E007A}', Some(n)) if n < FLAG_TAGS => tags = Some(n + 1),
            // No flag ends so.
            (_, Some(1..)) => return true,
            ('\u{E0100}'..='\u{E01EF}', _) if is_wide(before) => tags = None,
            ('\u{E0000}'..='\u{E0FFF}' | '\u{202A}'..='\u{202E}', _) => return true,
            _ => tags = (c == FLAG).then_some(0),
        }
        before = c;
    }
    matches!(tags, Some(1..))
}

/// The rule that a text meets: it looks like an instruction to the model.
pub fn suspicious(text: &str) -> Option<&'static str> {
    if hides(text) {
        return Some(HIDDEN);
    }
    let set = SET.as_ref()?;
    let met = |text: &str| set.matches(text).iter().next().map(|at| RULES[at].0);
    let text = plain(text);
    met(&text).or_else(|| undisguised(&text).iter().find_map(|text| met(text)))
}

#[cfg(test)]
#[path = "screen_tests.rs"]
mod tests;
