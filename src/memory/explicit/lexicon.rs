//! The word lists of the English patterns, as strings that are read word by word: they are looked
//! at only where a pattern has matched already.

/// Whether a list has this word.
pub fn listed(list: &str, word: &str) -> bool {
    list.split_ascii_whitespace().any(|w| w == word)
}

/// Words that hold a sentence together; a name or a place ends before them.
pub const FUNCTION: &str = "\
    a about after all also although am an and are around as at be because been before being btw \
    but by can cause could cuz did do does for from had has have he her here him his how i if in \
    instead into is it its just let like me mine my near no nor not now of on only or our out \
    over please pls plus rather really she should since so than thank thanks that the their them \
    then there these they this those though to today too under until up us very was we were what \
    when where which while who why will with without would you your yours";

/// Words that say something about a name, or that it is none.
pub const NOT_A_NAME: &str = "\
    already always anonymous another any anytime asap back bad beautiful biased boring called \
    changed classified common complicated confidential cool correct crazy cut cynical different \
    difficult displayed easy empty even ever everything exactly false fine foreign funny gone \
    good great hard hidden important incorrect irrelevant ishmael kind known later lazy listed \
    long lost maybe mentioned missing misspelled mud n/a naive named names never new nice nobody \
    none nothing null often old old-fashioned one optional paranoid perhaps picky pretty printed \
    private probably pronounced quite rare required right same secret selfish short shown silly \
    similar simple sir's something sometimes somewhere soon spelled spelt still strange stupid \
    sure taken taxi tbd tomorrow tonight true undefined unique unknown unpronounceable unusual \
    usually weird whatever written wrong x xxx xyz y yet";

/// What a thing liked may not start with: words that point at the talk itself.
pub const POINTING: &str = "\
    a all and another answer answering any anything are as at because better both but by either \
    everything for her here him his how if in is it its less me mine more most much my myself \
    neither no nobody none not nothing on one option or other others our so some somebody \
    someone something such than that their them then there these this those too u us version was \
    what whatever when where whether which who why with ya yes you your yours";

/// "I like to …" that says nothing of a liking.
pub const IDLE_VERBS: &str = "\
    add admit apologize ask assume be begin believe bother break disagree do get have hear \
    imagine interrupt know make not note order point pretend request say see sound start suggest \
    thank think try";

/// Where something else begins after a thing liked.
pub const TURNS: &str = "\
    although anyway are because btw but can cause could cuz did do does give haha help how \
    however i if is let lol please pls recommend should show since so suggest tell thank thanks \
    though unless was were what whats where whereas while who why will would";

/// Words after "and" that open another statement.
pub const OPENERS: &str = "\
    also always am are call can come could dislike do enjoy forget hate have he how i is it like \
    live love my need never please prefer remember she so speak study that the then they think \
    this use want we what will work would you";

/// "the …" that needs no context.
pub const KNOWN_THE: &str = "\
    alps arts autumn bahamas bay beach bronx cinema city cold congo country countryside czech \
    dark desert fall forest gambia guitar gym hague heat highlands maldives midlands mountains \
    netherlands night north ocean opera outdoors philippines piano rain sea snow south spring \
    states summer sun theater theatre uk united us usa violin winter";

/// See its name.
pub const NOT_A_PLACE: &str = "\
    abroad accounting another away comfort constant darkness denial different difficult dread \
    earth everywhere exile fear finance hard harmony hell hiding home hope hr interesting \
    isolation luxury many marketing mars misery narnia nowhere one outer pain past peace poverty \
    present sales school shame sin space squalor support terror town two work";

/// See its name.
pub const LANGUAGES: &str = "\
    afrikaans albanian amharic arabic armenian basque bengali bosnian bulgarian burmese \
    cantonese catalan chinese croatian czech danish deutsch dutch english español esperanto \
    estonian farsi finnish français french galician georgian german greek gujarati hebrew hindi \
    hungarian icelandic indonesian irish italian italiano japanese kazakh khmer korean latin \
    latvian lithuanian malay mandarin marathi mongolian nepali norwegian persian polish polski \
    portuguese português punjabi romanian russian serbian slovak slovenian somali spanish \
    swahili swedish tagalog tamil telugu thai tibetan turkish ukrainian urdu uzbek vietnamese \
    welsh yoruba zulu 中文 日本語 英文 한국어";

/// What people are by country or faith: after "I'm" no name.
pub const NATIONS: &str = "\
    american mexican canadian brazilian argentinian chilean colombian peruvian cuban indian \
    pakistani bangladeshi afghan iranian iraqi israeli lebanese syrian egyptian moroccan algerian \
    tunisian nigerian ghanaian kenyan ethiopian african european asian australian austrian swiss \
    belgian british scottish filipino singaporean malaysian taiwanese latino latina hispanic \
    black white muslim christian catholic protestant jewish buddhist hindu sikh atheist \
    gay lesbian bisexual trans queer republican democrat happy sad tired sorry fine good back \
    new late ready sure stuck ok okay busy free sick bored here";

/// What people are by trade: the last word of "a senior software engineer".
pub const TRADES: &str = "\
    accountant actor actress administrator analyst architect artist author baker banker barista \
    biologist bookkeeper botanist builder butcher carpenter cashier ceo chef chemist cleaner \
    clerk coach composer consultant cook cto dancer dentist designer detective dev developer \
    diplomat doctor driver economist editor electrician engineer farmer firefighter fisherman \
    florist founder freelancer gardener geologist graphic hairdresser historian illustrator \
    journalist judge lawyer lecturer librarian linguist manager mathematician mechanic midwife \
    miner musician neurologist nurse optician painter paralegal paramedic pharmacist \
    photographer physician physicist physiotherapist pilot plumber policeman postdoc producer \
    professor programmer psychiatrist psychologist radiologist realtor receptionist recruiter \
    researcher retiree sailor salesman salesperson scientist sculptor secretary singer \
    sociologist soldier statistician student surgeon surveyor sysadmin tailor teacher technician \
    therapist translator tutor vet veterinarian waiter waitress welder writer zoologist";

/// Words that greet; a name may follow.
pub const GREETINGS: &str = "hi hello hey hiya heya howdy greetings hallo yo good";

/// Phrases that only lead in.
pub const LEADS: &str = "\
    hi|hello|hey|hiya|howdy|greetings|good morning|good evening|good afternoon|there|\
    everyone|ok|okay|well|so|btw|by the way|fyi|also|and|but|actually|oh|ah|yes|yeah|yep|no|\
    nope|sorry|thanks|thank you|anyway|just|please|pls|first of all|first|firstly|second|\
    secondly|finally|lastly|honestly|personally|in general|generally|just so you know|\
    so you know|just to let you know|for the record|for your information|to be honest|tbh|\
    as you know|for reference|for future reference|for context|in addition|additionally|\
    correction|let me introduce myself|to introduce myself|i want you to know that|\
    i want you to know|i would like you to know that|you should know that|you should know|\
    plus|again|hmm|um|guess what|nice to meet you|great|cool|perfect|right|as for me|\
    fun fact|it is true that|i think you should know that";
