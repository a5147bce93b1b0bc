"""The notation that phrases are written in, and the classes of words that they share.

    [a]          optional                       (a|b)        either
    ...          up to six other words          (a|b)*       up to nine of them;  (a|b)**  up to thirty
    NAME         a class of words, below         !(a|b)       only if neither follows

    mand~        any word that begins so

Any other word is matched as it stands (a small regular expression such as ``texts?`` is allowed).
A line that is indented twice continues the line above.  The text has been brought into one spelling before
(`wording.one_spelling`): "opt-out" is ``optout``, "don't" is ``dont``, "text messages" is ``texts``,
"pls" is ``please``; every word and every mark (``, . ! ?``) has one space before it.
"""

import re

Rules = tuple[tuple[str, re.Pattern[str]], ...]

_SIGNS = {
    "[": "(?:",
    "]": ")?",
    "(": "(?:",
    "!(": "(?!",
    ")": ")",
    "|": "|",
    "*": "{0,9}",
    "**": "{0,30}",
    "...": r"(?: \w+){0,6}?",
}


def table(text: str) -> dict[str, str]:
    """``NAME:`` lines with their indented phrases, as alternatives of one notation."""
    entries: dict[str, str] = {}
    name = ""
    for line in text.strip().splitlines():
        if not line.startswith(" "):
            name = line.rstrip(":")
            entries[name] = ""
        elif not line.lstrip().startswith("# "):
            glue = " " if line.startswith(" " * 8) else "|" if entries[name] else ""
            entries[name] += glue + line.strip()
    return entries


_CLASSES = table(r"""
NUMBER:
    (this|my|our|these) (own|personal|private|home|cell|mobile|new|old|phone|telephone|business|direct)* (number|
        numbers|telephone|phone|phones|cell|cellphone|mobile|line|device)
    (all [of]|any of|each of) (our|my) (numbers|phones|cells|lines)
ME:
    me|us|mine|NUMBER
MINE:
    me|us|ON_FILE
ON_FILE:
    # What a list holds of us.  A phone or a line may be equipment, so these need a list to be taken off.
    my (own|cell|mobile|phone)* name|MY_NUMBER
MY_NUMBER:
    (my|our) (contact|personal|phone)* (info|details|information)
    [(all|both|any)] [of] (this|my|our|these) (own|personal|private|home|cell|mobile|new|old|phone|telephone|
        business|direct|work)* (number|numbers)
ORG:
    company|office|team|business|organization|organisation|firm|clinic|school|practice|department
ALL_OF_US:
    (everyone|everybody|anyone|all of us|us all|all|every one of us) [here] [(in (our|my) ORG|at [(our|my|this|
        the)] [(whole|entire)] (ORG|\w+))]
    (our|my|the) (whole|entire) (ORG|staff)|our (company|office|business|firm)
    (all|any|each) [of] (our|my|the) (employees|staff|people|users|team|workers|contacts)
    (me|us) and (my|our|the [rest of the]) (\w+ and)* (staff|team|employees|coworkers|colleagues|ORG|people|others)
ADJ:
    (all|any|more|additional|of|these|those|the|this|your|such|text|automated|unwanted|(the|these|your|this|
        this is) spam|los|
        las|mas|ningun|estos|sus|tus|mis|no|and|electronic|telephone|phone|sms|boring|annoying|stupid|damn|dumb|
        silly|unsolicited|further|future|other|random|constant|endless|nonstop|company|business|work|bulk|mass|kind
        of|sort of)*
COMMUNICATIONS:
    (communications?|correspondence|contact|outreach)
TEXTS:
    ADJ (texts|messages|texting|messaging|text|message) [COMMUNICATIONS]
SURE_TEXTS:
    ADJ (texts|texting) [COMMUNICATIONS]
    ADJ (these|those|your|text|unwanted|automated|unsolicited|spam|further|additional|electronic|los|mas|estos|
        sus) (messages|message|text|messaging)
    all messages
LIST:
    (your|the|this|that|these|those|any|all|every|future|further|la|el|su|de|esta|tu|cette|votre)* (text|texting|
        texts|contact|call|calling|marketing|messaging|message|notification|subscriber|phone|blast|alerts?|
        customer|client|mailing|reminders?|internal|company|automated|group|distribution|mass|bulk|sending)* (list|
        lists|texts|messages|texting|messaging)
RECORDS:
    # "The system" may be the phone system; "your texting program" is ours.
    (your|the|this|that|any|all|every|future|further|company|automated|mass|bulk|internal)* (text|texting|texts|
        messaging|message|messages) (alerts?|notifications?|distribution|updates?|marketing|blast|broadcast|
        contact|reminders?|communication|group|mailing)* (system|program|service|distribution|database|platform|
        campaign|thread|chain|loop|roster|directory|blasts?|broadcasts?|subscription)
    (text|texting) (alerts?|notifications?|updates|reminders|messages|things?|stuff)
    (your|ur|yalls) [\w+] [\w+] (lists?|system|database|records|contacts)|(your|the) \w+ (text|texting) lists?
    (the|your|this|these|all|any|company)* (text|texting) (alerts?|notifications?|updates|reminders|things?|stuff)
    (whatever|wherever) (this|it|that) is
    (whatever|wherever|any|every|each|which~) [\w+] (lists?|system|things?|database|campaign|program|file|it|this)
        [(you|yall|this|it|that) (have|has|got|get|is|are|use|using|keep|run|bought|put|me|my|on|it|from)*]
    (this|your|these) (thing|things|service|campaign|crap|shit|bullshit|nonsense|mess)
    (your|ur) (company|internal|customer|client|phone|contact|automated|crm)* (system|systems|database|records|
        contacts|files|phone|phones|file|service|directory|rolodex)|LIST|(these|those|all of (this|these|it)) !(\w+
        list)
STOP:
    (stop|quit|cease|discontinue|halt|end|(refrain|abstain|desist) from|put (a stop|an end) to|pull the plug
        on|do away
        with|(knock|cut|lay|pack|leave) [it] (off|out|in)) (all|with|it with|it and|already|the|and desist|any|and|
        from|please|now)*
TEXTING:
    texting|messaging|contacting|writing to|reaching out [to]
REMOVE:
    # Without a place to be taken out of these say it all: "delete my number".
    remove|removing|delete|deleting|get rid of|eliminate|erase|strike|scrub|scratch|purge|bin|lose|forget|drop|
        pull|ditch
TAKE_OFF:
    REMOVE|clear|take|taking|get|getting|cross|wipe|exclude|have|yank|keep
OUT_OF:
    off|from|out of|outta|out|of|in
CONSENT:
    consent|permission|authori.ation|optin|approval
ABOUT_CONSENT:
    # "consent previously given to receive texts from your company"
    (previously|ever|i|we|you|may|have|had|given|gave|granted|provided|to|for|be|being|receive|getting|get|any|all|
        these|your|further|future|texts?|texting|texted|messages?|messaging|messaged|contacted|contacting|contact|
        COMMUNICATIONS|from|by|via|or|and|calls?|called|calling|automated|marketing|me|us|NUMBER|company|on|at|in|
        of|sending|send|email|phone|other|previous|prior|that|the)**
BOTHERING:
    bothering|bugging|spamming|harassing|pestering|annoying|hassling|disturbing|hounding|pinging|stalking
    blowing [up]|hitting [up]|messing with
NEVER:
    (dont|never|please no longer|kindly no longer) (you|ever|dare|even|bother|continue|keep|try|please|to|again)*
NOT:
    dont|no longer|never|not|aint|didnt|wouldnt|rather not|prefer not|no
WANT:
    want|wanting|wanted|wish|trying|looking|need|needed|interested in|wishing|require|care for|desire
PLEA:
    # A request that names nothing: it is about texts only if the rest of the text is.
    stop|stop (already|this|that|it|now)|cease|desist|discontinue|please quit|quit please|unsubscribe|optout
WEAK_PLEA:
    # The same in words that also answer a question; what "them" stands for may be the texts, if they are named.
    [(i|we)] (do|really|just|would)* WEAK_PLEA_WORDS
WEAK_PLEA_WORDS:
    halt|refrain|no more [of (it|them|these|those)]|no mas|enough|(knock|cut) it (off|out)|undo that
    put (a stop|an end) to PRONOUN|(stop|quit|cease|discontinue|halt) [(sending|doing)] PRONOUN|make PRONOUN (stop|
        go away)
    (dont|never|no|not) send !(\w+)|(dont|never|no|not) (send|want|need) [(me|us)] [any] (more|anymore|others?|
        again|PRONOUN)
    (no longer|not) (want|need|get|receive) PRONOUN|(turn|shut|switch) PRONOUN off|take PRONOUN off|get rid of
        PRONOUN
    [to] (have|get|like|want|need) PRONOUN (stopped|off|over|turned off|to stop|to end|gone|to go away)|not to get
        PRONOUN
PRONOUN:
    it|this|that|them|these|those|any|all of (it|them|these)
ALERTS:
    alerts|notifications|notices|reminders|surveys|announcements|broadcasts|blasts|pings|promotions|promos
    ads|offers|(text|status|ticket) updates|texts|messages|texting|messaging
CHANNEL:
    email|emails|mail|phone|calls|call|voicemail|voice
POLITE:
    please|thanks|kindly|(hi|hello|hey) there|hi|hello|hey|dear|sir|maam|madam|hola|bonjour|sorry|would you|cheers
    if you would|regards|best regards|respectfully|if (possible|you dont mind|you can)|lo siento|desole|apologies
    with all due respect|much appreciated|appreciate it|no offense|excuse me|pretty please
INSISTING:
    ok|okay|no|yes|yeah|yep|now|just|already|immediately|asap|again|at once|i said|i say|i repeat|so|guys
    folks|people|right now|right away|omg|god|damn|dammit|wtf|ffs|jesus|christ
    good (morning|afternoon|evening)|man|bro|dude|ugh|and|or|texts?|yo|um|uh|well|look|but
    listen|enough|nah|nope|uh|like|[you] (people|guys|idiots|fools|assholes|morons|losers|jerks|clowns|creeps)
    for (the love of \w+|\w+ sake|crying out loud)|(second|third|2nd|3rd) time (asking|telling you|saying this)
    alright|request|(process|honor) my|this is my (\d\w+|second|third|final|last)|this is (a|an|my) request
    period|full stop|(second|third|fourth|2nd|3rd|4th|final|last|repeated?) (request|notice|time|warning|attempt|
        ask)|effective immediately|for good|forever|permanently|then|therefore|once and for all|seriously
    [for] the (last|second|third|fourth|2nd|3rd|\w+th) time|i mean it|i am serious|today|completely|bye
CHAT:
    POLITE|INSISTING|also|but|then|sure|can you|could you|i think|lets|actually|nevermind|nvm|go ahead
    i (want|would like|need) to|you can|today|anymore|thats|that is|really|too|lol|um|well
OWN_START:
    (can|could|would|will) (you|yall)|kindly
    so|and|then|but|because|or|number|there|here|anymore|person|again|hello|thanks|please|sorry|guys
    interested|only|this|ridiculous|enough|harassment|spam|up for this|company|already|annoying|to this|retired|
        moved|phone|you are|this is|who is this|know you|screw you|fuck you|shut up|stfu|for (these|this|
        SURE_TEXTS)
    (texts|SURE_TEXTS) !(to)|job|customer|client|firm|wrong (person|guy|girl|phone)
OWN:
    POLITE|INSISTING|also|then|you|all|really|seriously|once again|[for the] last time|hereby|lets|team
    today|me|would you mind|do me a favor and|the
    (can|could|would|will|must|should|need|better|do) you [not]|(can|could|would|will) (someone|somebody|anyone|
        your (team|office|company))
    you [(guys|people|all)] (gone|going to|need|have|must|should|better|can|may|will|want|are|were|supposed|said|
        promised|agreed|would|ought|got|had|never)* [to]
    (i|we|it) would (be|really|greatly|much|appreciate|love|like|prefer) (great|nice|good|appreciated?|grateful|
        obliged|thankful|glad|happy|best|it|much|really|love)*
    (i|we|it) (would|will|do|really|greatly|be|great|nice|good|appreciated?|grateful|obliged|thankful|glad|happy|
        best|love|like|prefer|much|it)* if you [(guys|people|all)] (would|could|can|please|will|just)*
    oigan?|pero|(ya|les|le)* (dije|pido|pedi|digo) que|me (pueden?|puedes)|pueden?|podrian?|quiero que|favor de|
        quisiera que|(veuillez|pouvez vous|thanks de|je veux que vous|je vous demande de|pourriez vous)
    (demand|request|notice) is hereby (made|given) that [you]|[i] (am|hereby)* (exercise|exercising|invoke|
        invoking) (my|our) right to|[and] (my|the|your) [\w+] (answer|reply|response|word) is|(i|we) (do)*
        (believe|thought|know)|per (your|the) (message|text|instructions?)
    is there (any|a) way you (can|could)|(would|is) it [be] possible|(pursuant to|under|per|in accordance
        with|as required by|according to) ...
    (this is|thats|for) the \w+ time [that]|this is (my|a|an|your)|like|[being] (notified|advised|instructed|
        warned|requested|directed|ordered|on notice) [(to|that)]|(let it be known|please be advised) [that]
    (please)* (honor|note|consider this) (my|that) [(request|wish)] [to]|time to
    (i|we) (have|am|are|would|already|just|really|hereby|do|also|still|must|only|again)* (want|need|like|ask|asked|
        told|tell|telling|demand|demanding|insist|beg|request|requesting|instruct|instructing|directing|ordering|
        warning|requiring|afraid|must|appreciate it if|asking|begging|prefer|love|rather|wish|choose|trying|going|
        tried|decided|elect|would) [that] [you] (guys|people|all|nicely|before|already|\w+ times)* [to] [be able
        to] [please]
    (i|we) (am|are|have)|(have)* (told|asked) you (\w+ times|already|before|nicely|guys|people)* [to]
    this is [a]|stop|(ask|asked|asking) you to
    how many times (do|must|should|have|will|did|need|got|i|we|to)* (tell|ask|told|asked|beg) you [(guys|people)]
        [to]
    (consider this|this is|this serves as|take this as|here is) [as] (my|a|an|your|formal|official|final|written|
        second|last|only)* (request|notice|notification|demand|warning|message|text) [(that you|to|for you to)]|go
        ahead and|feel free to
    wrong number|to|do|unfortunately|i am (replying|writing|texting|messaging) [(back|you)] [to (say|ask|tell
        you)]|(see|make sure|ensure|see to it) that|(have|tell|ask) your (people|team|office|company|guys|staff|
        system|computer) [to]
KINDLY:
    ,|further|POLITE|INSISTING|ever|anymore|at all|immediately|effective (immediately|today|now)|forever
    here at \w+ [\w+]|(on|at|to|from|for|through) NUMBER|(via|by|through|over) (text|texts|texting)
    for good|from now on|going forward|permanently|period|altogether|all together|entirely|completely|either|but
    bye|goodbye|moving forward|henceforth|full stop|once and for all|from here on out|starting (now|today)
    as soon as possible|right this (second|minute)|this (instant|minute)|in any (way|form)|of any kind|whatsoever
    at (this|our|my) ORG|anything|from (your|the) (company|ORG|system)|from \w+ (it|support|technologies)
    about (anything|everything|nothing)|no matter what|under any circumstances
    you [(people|guys|idiots|fools|assholes|morons|bitch|freaks?|perverts?)]|creeps?|idiots|everything|today
    would you|will you|(on|at|to|from|for) (this number|my (number|cell|phone))|(via|by) text
    as of (now|today)|all the time|constantly|in the future|for any reason|no more
    (from|by) (you|this number)
    not (by|via) (text|texts|texting)
    with (this|these|your|the|all)* (crap|shit|bs|nonsense|texts|messages|stuff|junk|spam)|i beg [you]
    have a (good|great|nice) day|(stop|unsubscribe|optout)|remove me|ya|nunca|jamais|plus|like this
    rn|fr|tho|though|kk?|weirdos?|creep|bruh|sis|bestie|hun|honey|darling|buddy|pal|hereafter|directly|ever again|
        friend
    (with|for) (me|us)|[(can|could) we] make (that|this|it) happen|under (the tcpa|(federal|the) law)|for the (love
        of \w+|last time)|if you would
    and thanks|for (our|my|the) [(whole|entire)] ORG|lists?|im serious|i am serious
GOES_ON:
    because|cause|cuz|bc|coz|since|as i|or (else|i|we)
    i (am|dont|have|no longer|didnt|never|did not|will|said|asked|quit|left|retired|moved|hate)|we|it is|its
    this is|you|they|he|she|there|that is|thats|wrong (number|person)|not interested
    and (remove|take|delete|lose|leave|stop|unsubscribe|dont|i|never|put|add|please|get|my (staff|team|employees|
        coworkers))|(take|remove|leave) me|remove|or (i|we|you)
    (lose|delete) my|they are|my name is|enough|fuck|before i|why|unsubscribe|never
SINCE:
    already|twice|\d{1,2}|two|three|four|five|several|many|multiple|times|yesterday|last|before|days?|weeks?
    months?|ago|a|this|morning|\w+day|time|week|like|again|please|and over|over|texting me|everything|now|year
    in|on|since|back|january|february|march|april|may|june|july|august|september|october|november|december
    earlier|previously|the (other|first) (day|time)|once|from (this|these|your texts|you)|the|to (stop|you)|an?|
        hour
    hours|minutes|later|\d{1,2}x|(dozen|hundred|thousand|million)|at least|about|over|more than|of
COMPLAINT:
    [,] (why|you|yet|and|so|still|but|how|what|this)|and (you|i|we|still|yet|keep|am|the|these)|why|yet|so why
    still|but (you|i|the|these|still|am)|before you|until you
THREAT:
    sue|suing|solicitors?|ombudsman|(report|reporting) (you|this|to|as|it to|NUMBER)|reported
        (to|as)|lawyer|attorney|fcc|ftc|tcpa|legal|
        complaint
    court|police|cops|lawsuit|(file|filing|press|pressing) (a|an) (complaint|suit|lawsuit|charge|report|grievance)
    (block|blocking|blocked) (you|this|your|it|and|!(\w+))|filing (suit|charges)
ONLY_CHANNEL:
    # "by email only", "only by phone", "use email only", "just email me"
    [please] [(use|by|via|through|over|it is|me)] CHANNEL only|only (by|via|through|over|use|accept) CHANNEL
    (contact|reach|communicate|email|correspond|write|notify) [with] [(me|us)] (by|via|through|over|using) CHANNEL
        only|only (email|contact (me|us) (by|via) CHANNEL)
CHANNEL_WISH:
    (call|phone|ring|email) (me|us) !(back)|(call|email|phone) instead|(use|prefer) (email|phone|a call|calls)
AROUND:
    CHAT|,|\.|\x21|\?
OPTED_OUT:
    (i|we) (have|had|already|just|thought i|thought|was|were|got|am|been|clearly|supposedly|twice)* (unsubscribed|
        unsubscribe|opted out|optout|removed|taken off) !((from|off|of) (the|my|our|a) !(text|list|texting))|
        (unsubscribed|opted out) (\d+|one|two|three|a|few|several|last|in|on|this) ...|already (unsubscribed|opted
        out|optout|removed|texted stop|replied stop|sent stop|said stop|asked to be removed)|[(i|we)] (have|
        already|just|even)* (said|told|asked|texted|replied|sent|typed|requested|responded) (you|guys|with|the
        word|to|be|already|people|in|a)* (stop|unsubscribe|optout|removed|unsubscribed|opted out|removal) !(the|my|
        it|our|\w+ing !(me|us)|working|by|command)|you (said|told me|confirmed|promised|claimed) [that] (i|we|me|
        NUMBER) (was|am|were|would|had|been|be|is|have)* (removed|unsubscribed|opted out|taken off|off)|(after|
        since|despite|even though) [(i|we)] (replying|texting|sending|saying|texted|sent|replied|asking|said|
        typing|opting|opted|unsubscribing|unsubscribed) [(to|with|you|the word)] [(stop|out|unsubscribe|be
        removed)]
STILL_TEXTED:
    (still|keep|continue|keeps|again) [to] (being|getting|get|receive|texting|text|texted|sending|send|messaging|
        message|bothering|contacting|contacted|messaged) [(these|your|the|more|all|another)] [(me|us|them|these|
        texts?|messages?|it)] (!(\w+)|!(from !(you|your|this))(texts?|again|from|why|after|anymore|please|and|even|
        every|even|i|despite|since|today|daily|all|so))|why (am|do|are) (i|you|we) (still|even|always|keep)*
        (getting|receive|get|texting|sending|text|contacting) (me|us|texts|these|this|your|messages|another)|(got|
        received|here comes|there is) (another|more|yet another) (text|texts|message) !(from !(you|your))|(texts|
        messages|they) (still|keep|are)* (still|keep) (coming|come)
REFUSING:
    stop~|quit|cease|desist|discontinue~|halt|refrain|unsub~|optout|opted out|opting out|remov~|delet~|cancel|
        ending|revoke~
    withdraw~|rescind~|no (more|further|longer)|enough|(turn|turned|shut|switch|switched|take|taken|get|getting|
        knock|cut) [\w+] [\w+] off
    pause|mute|fewer|less|hate|annoy~|unwanted|unwelcome|unsolicited|bother~|harass~|pester~|spamm~|privacy|
        refuse~|decline|against|object to|opposed|cut out|hold off|get rid of|optional|(tired|sick|done|fed up|
        over) (of|with)|lose|drop|(keep|count) (me|us) (out|off)
    (dont|not|never|didnt|doesnt|aint|wouldnt|shouldnt|cant) [\w+] [\w+] (want|need|needed|wish|like|care|send|use|
        ask~|agree~|consent~|authori~|permit~|allow~|give|gave|approve~|accept|appreciate|sign~|be|being|
        interested|ok|okay|fan|happy|thrilled|supposed|welcome|bother|do)
    not (appropriate|included|texted|contacted|messaged|mine|for me)|unprofessional|inappropriate|leave (me|us) out
    no (want|need|like|send)|rather not|prefer not|not to (get|receive|have|be)|no texts? !(yet|came|from|received|
        so far)|wish you wouldnt|have to (get|receive)|changed my mind
OUR_TEXTS:
    texts !(from !(you|your|this|here|yall|anyone|nobody|people))|texting !(app|apps|history|feature)|texted|
        messaging !(app|in)
    (text|message|contact|texted|messaged|contacted|contacting|write|writing) [to] (me|us|NUMBER) !(when|once|the|
        your|a|if|where|what|that|about|back|with|after|and ill)|messages (from (you|your)|(to|on|at) (ME|me))
    (these|your|more|such|any|further|electronic|automated|those|such) [\w+] (messages|message|alerts|
        notifications|reminders|updates|offers|announcements|notices|notes)|(stop|quit|cease|no|no need) [with]
        [(more|of|the|all the)] messages?|messages? (please)* stop
    (text|texting|sms)
        (alerts|notifications|updates|reminders|blasts?|list|thing|things|stuff|service|program|messaging)
    (want|need|send) [(more|no more|any)] (messages?|texts?)|(this|your|the text|that text) [text] list|(my|our)
        consent|no texts?
TOO_MUCH:
    # Nobody says so who is glad of them.
    (these|such|all these|so many|too many) texts|(with|about|on) (the|these|your|all the|all these|all your|all)*
        texts
ABOUT_US:
    # Signs that a bare "please stop" is said to somebody who texts.
    (not|never|no longer|dont|didnt|havent|aint|isnt) (interested !(in !(this|these|texts|texting|your|any))|(sign|
        signed|ask|asked|subscribe~|agree~|consent~|opt) [up] [(to|for|any)] (this|these|that|any of (this|it)|it|
        texts|be)* !(\w+)|(want|need) [any] [of] (these|texts))
    (my|our|no|without|revoke~|withdraw~) CONSENT|privacy|harass~|bother~ (me|us|people)|annoying|pester~|spamm~|
        (wrong|not the right) (number|person|guy|girl|lady|man)
    (to|of|own|have|had|use|is) (my|this) (number|cell)|my (number|cell|privacy)|personal (phones?|cells?|numbers?|
        mobiles?)
    who (is this|are you|gave you|sent)|(dont|do not) know (you|who|this number)|(report|block|blocking|reporting)
        (you|this)
    (asking|telling|asked|told|tell|ask|instruct~|direct~|order~|warn~) (you|yall|nicely) (nicely|politely|already|
        before|again|twice|\w+ times|to|please|not)* (stop|quit|remove|take|!(\w+))|(how many|last) (times?|
        warning)|ask again|been asked
    i said [no] [,] stop|(work|live|worked) (there|here|for (them|that|you))|(left|quit|retired from) (the|that|my)
        (ORG|job)
    (not|no longer) (a|your) (customer|client|employee)|(leave|left) me alone|(do|use|read|like|want) (texts?|
        texting)
    (as|per|like) [(you|it|your|the)] (instructed|requested|says?|said|instructions?|messages?)|(reply|replying)
        [with] stop
    my answer|(for|per) (each|every) (text|message)|text plan|charges? (me|us)|blowing up my|changed (phones|
        numbers?)
    are you deaf|fuck off|unsubscribe|optout|per text
ES_SEND:
    # What is asked, never what was done: "no me mandaste nada" complains of silence.
    mandes?|manden|mandar|mandarme|mandando|envies?|envien|enviar|enviarme|enviando
ES_WRITE:
    escribas?|escriban|escribir|escribirme|escribiendo|contactes?|contacten|contactar|contactarme|molestes?|
        molesten|molestar
    molestarme|molestando|jodan|joder|hostiguen|chingar|chinguen|textees?|texteen|text|texting
ES_WRITE_ME:
    mandarme|enviarme|escribirme|contactarme|molestarme|textearme|mandarnos|enviarnos|escribirnos
ES_TAKE:
    quit~|sac~|saqu~|borr~|elimin~|remuev~|retir~
ES_TAKE_ME:
    quit~me|sac~me|saqu~me|borr~me|elimin~me|remuev~me|retir~me|quit~nos|saqu~nos|borr~nos|elimin~nos
FR_WRITE:
    envoy~|ecri~|contact~|derang~|harcel~|importun~|text|texte~|message~|menvoy~|mecri~|denvoy~|decri~|nenvoy~
WORK:
    # What a helpdesk looks after.
    FEATURE|distribution|sales|staff|channel|conference|front desk|phone (tree|system|book|queue|bridge|list)|mail|
        emails?|mailbox
    e mail|inbox|servers?|computers?|pcs?|laptops?|desktops?|machines?|printers?|print~|scan~|fax|copier|toner|
        monitors?|mouse
    files?|folders?|drive|backups?|backing|updates?|updating|install~|reboot~|restart~|remote~|sessions?|meeting|
        appointment
    tickets?|licenses?|passwords?|login|log|vpn|network|internet|wifi|badge|invites?|calendar|alias|rota|rotation|
        schedule|cable
    battery|browser|chrome|tabs?|spreadsheet|documents?|portal|domain|firewall|software|program|website|page|
        sites?|windows
    microsoft|office 365|adobe|quickbooks|zoom|excel|cursor|sound|noise|beep~|alarm|blink~|flicker~|works|worked|
        broke~|fix~
    saved?|typing|typed|deleting|loading|running|job|query|script|process|call|calls|phones|line|speaker|camera|
        mic|headset
    door|lock~|unplug~|plugged|plug (it|in)|button|popups?|click~|hit|press~|done|still on|in the middle of|wait|
        hold on|hang on
    arregl~|funcion~|impresora|imprimante|computadora|ordinateur|pantalla|ecran|servidor|serveur|correos?|
        courriels?|contrasena
    codigo|listo|reparad~|marche|regle|fini|quedo
OTHERS:
    him|her|he|she|friend|mom|dad|love
FEATURE:
    # Texts and numbers that are the work: those of programs and of other people.
    teams|outlook|imessages?|iphones?|ipads?|android|apps?|voicemails?|slack|whatsapp|crm|mailchimp|weave|codes?|
        mfa|2fa
    authenticator|verification|otp|patients?|customers?|parents|students|residents|members|tenants?|drivers|
        errors?|my texts !(alerts?|notifications?|updates|reminders|to off|off)|out loud|working
    archive~|quarantine|junk folder|spam folder|phishing|bank|vendors?|amazon|facebook|scammers?|keyboard|reminder
        system|screen
    deliver~|sync~|from (going|being|getting)|no longer (get|getting|receive)|(have|had|has|got|getting|see|were|
        was|are) no texts?|(coming|come|came|going|go|went|get|getting) (in|through|across|over)|gateway|panel
    someone (keep~|is|has|sent|text~|send~|who|that|named)|stop (by|in|over)|not getting
LAUGHING:
    lol|lmao|haha\w{0,9}|hehe|rofl|jk|just kidding
""")


def phrase(notation: str) -> str:
    """The regular expression of a phrase in the notation above; each word takes the space before it."""
    out = []
    for piece in re.findall(r"!?\(|[\[\])|]|\*+|[^\s\[\]()|*!]+", notation):
        if piece in _CLASSES:
            out.append(f"(?:{phrase(_CLASSES[piece])})")
        else:
            word = piece.replace("~", r"\w*")
            out.append(_SIGNS.get(piece) or rf" {word}(?!\S)")
    return f"(?:{''.join(out)})"


def rules(text: str, frame: str = "{}") -> Rules:
    """Each named group of phrases as one expression, set into ``frame`` in place of ``{}``."""
    groups = table(text).items()
    return tuple((name, re.compile(frame.replace("{}", phrase(notation)))) for name, notation in groups)


def pattern(text: str, frame: str = "{}") -> re.Pattern[str]:
    """Indented phrases as alternatives of one expression, set into ``frame``."""
    return rules("any:\n" + text.strip("\n"), frame)[0][1]
