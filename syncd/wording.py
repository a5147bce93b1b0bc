"""What a text says: its writer's own words, in one spelling.

`own_words` takes out what the writer did not write: attachments, quoted history, a signature.  `one_spelling`
brings the rest into the form that `syncd.phrases` and `syncd.keywords` are written for.  Both look at a bounded
part of the text and use no pattern that can run away, so a hostile text costs no more than a long one.
"""

import html
import re
import unicodedata

_HEAD, _TAIL = 8_000, 2_000  # what is looked at: any text a phone sends, and the end of anything longer

_ENTITY = re.compile(r"&(?:#\d{1,7}|#x[0-9a-f]{1,6}|[a-z]{2,8});", re.IGNORECASE)
_ESCAPED = {"n": "\n", "r": "\n", "t": " "}
_LETTERS = {  # letters in boxes and circles that NFKC leaves alone, and flags spelling a word
    **{base + i: chr(ord("a") + i) for base in (0x1F150, 0x1F170, 0x1F1E6) for i in range(26)},
    **dict.fromkeys(map(ord, "’‘´`ʼ"), "'"),
}

_QUOTING = (  # the line in which a mail program or a phone announces what is quoted below it
    r"on [^\n]{2,120}?\bwrote:|le [^\n]{2,120}?\ba [ée]crit ?:|el [^\n]{2,120}?\bescribi[óo]:"
    r"|-{2,} ?(?:original|forwarded|reply|mensaje|message)\b[^\n]{0,60}-{2,}|begin forwarded message:|_{10,}"
    r"|(?:from|de): ?[^\n]{1,120}\s(?:sent|date|to|envoy[ée]|enviado): ?"
)
_QUOTED_LINES = re.compile(
    r"(?:^[^\n]{0,140}\bwrote:[ \t]*\n+)?(?:^[ \t]*>(?![^\n<]{0,40}<)[^\n]*(?:\n|\Z))+",
    re.IGNORECASE | re.MULTILINE,
)
_QUOTED = re.compile(rf"(?:^|(?<=[\s.!?,]))(?:{_QUOTING}).*", re.IGNORECASE | re.DOTALL | re.MULTILINE)
_SIGNATURE = re.compile(
    r"(?:(?:^|\n|[-–—])[ \t]*sent|(?-i: Sent)) (?:from|via|using|with) [^\n]{2,50}\s*\Z"
    r"|(?:^|\s)(?:get outlook for|envoy[ée] (?:de|depuis) mon|enviado desde mi) [^\n]{2,80}\s*\Z",
    re.IGNORECASE | re.DOTALL,
)
_BELOW_DASHES = re.compile(r"(?:^|\n)[ \t]*(?:--|—|__)[ \t]*\n.*", re.DOTALL)
_GREETING = (
    r"(?:(?:kind|best|warm|many|respectfully|yours) )?"
    r"(?:regards|thanks(?: again| so much)?|thank you|thx|ty|cheers|sincerely|respectfully|best|merci|saludos"
    r"|gracias)"
)
_SAYS_MORE = (  # a capitalised line with one of these words is no name
    r"(?!.{0,200}?\b(?i:thank|please|pls|stop|quit|end|cancel|unsub\w*|exit|dnc|stop\w*|opt\w*|remove|revoke|opt|text\w*|txt\w*|messag\w+|start"
    r"|help|info|go|no|not|don|take|unstop|subscribe|arr[eê]t\w*|pare|alto|contact me|leave me|we|you|i|is|are)\b)"
)
_NAME = (
    rf"(?!Regards|Best|Cheers){_SAYS_MORE}[A-Z][\w.'’&-]{{0,20}}"
    r"(?:,? (?:[|•] )?[A-Z(+\d][\w.'’&()-]{0,20}){0,4}"
)
_ON_CARD = r"(?:[A-Z(+\d&|@•·#-]\S{0,40}|of|and|the|for|at|\S{1,40}[@.:]\S{0,60}|cell|ext|office|direct|m|o|c|p)"
_CARD = rf"{_SAYS_MORE}{_ON_CARD}(?: {_ON_CARD}){{0,9}}"  # a line below a name: title, company, telephone
_SIGNED = re.compile(
    rf"\n\s*((?i:{_GREETING}))[,.!]?\s*(?:\n\s*|(?<=[ ,])){_NAME}(?:,?\s*\n\s*{_CARD}){{0,6}}\s*\Z"
)
# "STOP. Thanks, Dana": a name after the thanks that end a text.
_THANKED = re.compile(
    rf"(?<=[.!?] )((?i:{_GREETING})),? {_SAYS_MORE}[A-Z][a-z]{{1,14}}(?: [A-Z][a-z.]{{0,14}})?\s*\Z"
)
# "STOP", an empty line, "Jane Doe", "CFO": lines of capitalised words after an empty line, or "-Jane".
_NAMED = re.compile(
    rf"(?:\n[ \t]*\n[ \t]*-?[ \t]?{_NAME}(?:,?\n+{_CARD}){{0,6}}"
    rf"|(?: |\n)[-–—~]+(?<!\s){_NAME}|\n[-–—~]+ ?{_NAME})\s*\Z"
)

_MEDIA = (
    r"(?:an?|the|une?|la|el|l['’])\s?(?:image|photo|picture|pic|movie|video|gif|audio|attachment|file|link|sticker"
)
_TARGET = rf"(?:[\"“”„«‘']|{_MEDIA}|imagen|foto|v[ií]deo|voice message|contact|location|message|memoji)\s*$)"
TAPBACK = re.compile(
    r"(?:liked|loved|disliked|laughed at|emphasi[sz]ed|questioned|hearted"
    r"|removed an? [\w ]{3,20} from|reacted(?: with)? \S{1,12} to|reacted to|removed \S{1,12} from"
    r"|[^\w\s\"'“]{1,12} to|removed (?:a )?reaction \S{1,12} from"
    r"|(?:n['’]a pas |a )?(?:aim[ée]|ador[ée]|ri [àa]|mis en (?:avant|évidence)|soulign[ée]|question\w+)"
    r"|(?:no )?le (?:gust[óo]|gusta|encant[óo]|encanta|dio risa a)|se ri[óo] de|(?:enfatiz|cuestion|destac)[óo]"
    rf")\s*[\u200a-\u200f]?\s*{_TARGET}",
    re.IGNORECASE,
)


def clean(text: str, attachments: tuple[re.Pattern[str], ...]) -> str:
    """The text in one Unicode form, without attachments and invisible marks; letter case and lines kept."""
    text = _ENTITY.sub(lambda m: html.unescape(m[0]), _head_and_tail(text)).replace("â€™", "'")
    text = re.sub(r"\\u([0-9a-fA-F]{4})", lambda m: chr(int(m[1], 16)), text)
    text = re.sub(r"\\([nrt'\"/\\])", lambda m: _ESCAPED.get(m[1], m[1]), text)
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")  # joins halves, drops lone ones
    text = re.sub(r"\r\n?|[\v\f\x85\u2028\u2029]", "\n", text)
    for pattern in attachments:
        text = pattern.sub(" ", text)
    text = "".join(char for char in text.translate(_LETTERS) if not _is_mark(char))
    text = _head_and_tail(unicodedata.normalize("NFKC", text))  # one character may have become eighteen
    return re.sub(r"[^\S\n]+", " ", text).strip()


def _head_and_tail(text: str) -> str:
    return text if len(text) <= _HEAD + _TAIL else f"{text[:_HEAD]}\n{text[-_TAIL:]}"


def own_words(text: str) -> str:
    """The text without quoted history and signature: those are not this writer's words of today."""
    text = _QUOTED_LINES.sub("\n", text)
    text = _SIGNATURE.sub("", _QUOTED.sub("", text))
    for cut in (_BELOW_DASHES, _NAMED):
        above = cut.sub("", text)
        text = above if re.search(r"[^\W_]", above) else text  # nothing above it: then it is no signature
    text = _THANKED.sub(r"\1", _SIGNED.sub(r"\n\1", text))
    return text.strip()


def _is_mark(char: str) -> bool:
    """Zero-width characters, variation selectors, skin tones, controls, halves and unassigned characters."""
    return (
        unicodedata.category(char) in {"Cf", "Cs", "Cn", "Co"}
        or (unicodedata.category(char) == "Cc" and char not in "\n\t")
        or "\ufe00" <= char <= "\ufe0f"
        or "\U0001f3fb" <= char <= "\U0001f3ff"
        or char in "\ufffc\ufffd"
    )


# --- One spelling ----------------------------------------------------------------------------------
#
# The phrases of `syncd.phrases` are read against text in this form: " please dont text me , i am not bob ."
# Every word and every mark (, . ! ?) has one space before it.


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_SPELLINGS = {
    variant: word
    for word, variants in {
        "please": "pls plz plse pleas plez pleez pleeze plss plzz plox pleaze",
        "thanks": "thx tx tnx thnx thanx thnks tks ty thankyou thks thanku gracias merci",
        "you": "u ya yu yall yous youse",
        "your": "ur yr",
        "are": "r",
        "and": "n y et & +",
        "text": "txt texte texto sms mms",
        "texts": "txts textos texs texst textes smses",
        "texting": "txting texing textin txtin texxting txtng smsing txtn texter textear",
        "texted": "txted txtd",
        "message": "msg mssg mesg mesage messge mensaje",
        "messages": "msgs mesages messges mssgs messags messeges mensajes",
        "messaging": "msging messageing messagin mesaging",
        "contacting": "contactin contating",
        "dont": "donot dnt",
        "unsubscribe": "unscribe",
        "receive": "recieve receve receiving recieving",
        "anymore": "anymor",
        "number": "numbr nmbr num",
        "me": "moi",
        "fucking": "fuckin fkn fking fckn fcking fn effing effin freaking freakin frickin fricking friggin",
    }.items()
    for variant in variants.split()
}
_REWRITES = tuple(
    (re.compile(rf"(?<![\w#'])(?:{pattern})(?![\w'])"), to)
    for pattern, to in (
        (r"i'?m", "i am"),
        (r"i'?ve", "i have"),
        (r"(we|they|you)'ve", r"\1 have"),
        (r"i'd|id(?= like)", "i would"),
        (r"(\w+)'ll", r"\1 will"),
        (r"(\w+)'d", r"\1 would"),
        (r"messages de text", "texts"),
        (r"(that|it|who|this)'?s", r"\1 is"),
        (r"thank you", "thanks"),
        (r"thanks (?:(?:so|very) much|a (?:lot|bunch|million|ton)|in advance|again|kindly)", "thanks"),
        (r"exclamation (?:point|mark)", "!"),
        (r"question mark", "?"),
        (r"comma", ","),
        (r"(we|they|you)'re", r"\1 are"),
        (r"(mr|mrs|ms|dr) \.", r"\1"),
        (r"re subscribe", "resubscribe"),
        (r"(please|pls)(stop|remove|unsubscribe)", r"please \2"),
        (r"(stop|unsubscribe|remove)(please|pls|now|texting)", r"\1 \2"),
        (r"e mail(s?)", r"email\1"),
        (r"por favor|s'?il (?:vous|te) plait|svp", "please"),
        (r"do not|do nt|don t", "dont"),
        (r"any more|any longer", "anymore"),
        (r"anymore(?= (?:texts?|messages?|sms|msgs|mensajes)(?!\w))", "more"),
        (r"stp(?= (?:text|messag|sending|contacting|spam|these|the text))", "stop"),
        (r"(?<=arrete )stp|(?<!please )(?<=\w )stp$", "please"),
        (r"no ?more", "no more"),
        (r"never ?mind|nvm", "nevermind"),
        (r"(?:text|sms|txt) (?:message|msg)s", "texts"),
        (r"(?:text|sms|txt) (?:message|msg)", "text"),
        (r"(?:phone|cell|mobile|cell ?phone) (?:number|phone|#)", "number"),
        (r"(?:opt|opting)[ -]?me[ -]?out", "optout me"),
        (r"opt[ -]?out", "optout"),
        (r"opt[ -]?in", "optin"),
        (r"opt (me|us|all of us|everyone|\w+ number|\w+ \w+|\w+) out", r"optout \1"),
        (r"opt me in", "optin me"),
        (r"un[ -]subscribe", "unsubscribe"),
        (r"wanna", "want to"),
        (r"gonna", "going to"),
        (r"(you|please|you please|you kindly) not(?= (?:text|message|contact|send|call|bother))", r"\1 dont"),
        (r"gotta|got to", "have to"),
        (r"off of", "off"),
    )
)
# "f***ing", "f*ck", "sh*t": what it stands for; and words that only add force, which no phrase needs.
_MASKED = tuple(
    (re.compile(pattern, re.IGNORECASE), to)
    for pattern, to in (
        (r"(?<!\w)f[*@#$%-]{1,5}(?:c?k)?(?=(?:ing|in|ed|er)?(?![\w*]))|(?<!\w)fu[*@#$%]+k?(?!\w)", "fuck"),
        (r"(?<!\w)s[h*][*!@#]t(?!\w)", "shit"),
        (r"(?<!\w)wrong ?#+(?!\w)", "wrong number "),
    )
)
_FORCE = re.compile(
    r" (?:fucking|goddamn|damn|bloody|freaking|(?:the|da|tf) (?:hell|fuck|heck)|literally|simply)(?= \w)"
)
_TYPO_OF = ("stop", "quit", "cancel", "revoke", "remove", "unsubscribe", "optout", "arret")
# One edit away, yet words, names or tools of their own, which people do text to a helpdesk.
_NOT_TYPOS = _set(
    "shop slop snop sop step stol stomp stoop stops stopt stoup stow strop swop stap stob stor stot stope stopa"
    " quid quiet quilt quint quip quirt quite quito quits quiz quoit quot qubit quin cancels cancer cancelo"
    " cancelar atop revoked revoker revokes revote remote remover removed removes rewove unsubscribed unsubscribes"
    " arrest arrete output spot"
)
_BESIDE = {"s": "adwexz", "q": "wa", "c": "xvdf", "u": "yihj", "o": "ipkl"}  # keys beside the first letter
RUN = re.compile(r"([a-z])\1+")


def one_spelling(text: str) -> str:
    """Lower case, no accents, one spelling of each word; marks reduced to ``, . ! ?``.

    >>> one_spelling("Pls DON’T txt me — I'm not Bob")
    ' please dont text me , i am not bob'
    """
    text = "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if unicodedata.category(c)[0] != "M")
    for pattern, to in _MASKED:
        text = pattern.sub(to, text)
    text = re.sub(r"(?:https?://|www\.)\S+", " url ", text)
    text = re.sub(r"[\w.+-]{1,64}@[\w.-]{1,200}", " address ", text)
    if re.fullmatch(r"\W*\w(?:[ ._*/-]{1,3}\w){2,14}\W*", text):  # S T O P, s.t.o.p.
        text = re.sub(r"[\W_]", "", text)
    text = re.sub(
        r"(?<![\w'])[a-z](?:[ .*-][a-z]){3,13}(?![\w'])", lambda m: re.sub(r"\W", "", m[0]), text
    )  # "s t o p it"
    text = re.sub(r"(?<=\w) #+\s*\Z", "#", text)  # "go #"
    text = re.sub(r"(?<!#)#+ ?(?=\w)", " #", text.replace("🛑", " stop "))
    found = re.findall(r"#?[\w']+#?|[.;:\n!?]+|[,()—–&+]|(?<!\w)-|-(?!\w)", text)
    out = "".join(f" {_respelt(part)}" for part in found)
    out = _FORCE.sub("", out)
    for pattern, to in _REWRITES:
        out = pattern.sub(to, out)
    return out.replace("'", "")


def _respelt(part: str) -> str:
    if part[0] in ".;:\n!?":
        return "?" if "?" in part else "!" if part.startswith("!!") else "."
    if part in ",()—–-":
        return ","
    part = part.strip("_'") or ","
    if "_" in part and part[0] != "#":  # "opt_out"
        return " ".join(_respelt(word) for word in part.split("_") if word)
    single = RUN.sub(r"\1", part)
    if len(part) >= len(single) + 2 and single in (*_TYPO_OF, "end", "please", "exit", "no"):
        return single
    return _SPELLINGS.get(part) or next((word for word in _TYPO_OF if is_typo(part, word)), part)


def is_typo(word: str, of: str) -> bool:
    """One insertion, deletion, substitution or transposition away; two for a word as long as "unsubscribe".

    The first letter must be right, and a letter missing from four ("sto", "stp") leaves too little.
    """
    if word in _NOT_TYPOS or abs(len(word) - len(of)) > 2:
        return False
    if word[0] in _BESIDE.get(of[0], "") and word[1:] == of[1:]:  # "dtop"
        return True
    if word[0] != of[0] and word[:2] != of[1::-1]:
        return False
    if not word[-1].isdigit():  # "st0p" is a slip, "stop1" is an answer to something
        word = word.translate(str.maketrans("0135", "oies"))
    head = next((i for i, (a, b) in enumerate(zip(word, of, strict=False)) if a != b), min(len(word), len(of)))
    tail = next((i for i, (a, b) in enumerate(zip(word[::-1], of[::-1], strict=False)) if a != b), len(of))
    tail = min(tail, len(word) - head, len(of) - head)
    wrong, right = word[head : len(word) - tail], of[head : len(of) - tail]
    if not wrong.isalpha() and wrong:
        return False
    if len(right) == 2 and len(of) > 4 and wrong == right[::-1]:
        return True
    if len(of) > 8:
        return head > 2 and len(wrong) <= 2 and len(right) <= 2
    if len(right) == 2:
        return wrong == right[::-1]
    return len(wrong) <= 1 and len(right) <= 1 and (wrong != "" or len(of) > 4 or word == of)


# --- Classes of words, in the notation of `syncd.phrases` ------------------------------------------

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
    (this|my|our|these) (own|personal|private|home|cell|mobile|new|old|phone|business|direct)* (number|numbers|
        phone|phones|cell|cellphone|mobile|line|device)
    (all [of]|any of|each of) (our|my) (numbers|phones|cells|lines)
ME:
    me|us|mine|NUMBER
ORG:
    company|office|team|business|organization|organisation|firm|clinic|school|practice|department
ALL_OF_US:
    (everyone|everybody|anyone|all of us|us all|all|every one of us) [here] [(in (our|my) ORG|at [(our|my|this|
        the)] [(whole|entire)] (ORG|\w+))]
    (our|my|the) (whole|entire) (ORG|staff)|our (company|office|business|firm)
    (all|any|each) [of] (our|my|the) (employees|staff|people|users|team|workers|contacts)
    (me|us) and (my|our|the [rest of the]) (\w+ and)* (staff|team|employees|coworkers|colleagues|ORG|people|others)
ADJ:
    (all|any|more|of|these|those|the|this|your|such|text|automated|unwanted|(the|these|your|this|this is) spam|
        annoying|stupid|damn|dumb|silly|unsolicited|further|future|other|random|constant|endless|nonstop|company|
        business|work|bulk|mass|kind of|sort of)*
COMMUNICATIONS:
    (communications?|correspondence|contact|outreach)
TEXTS:
    ADJ (texts|messages|texting|messaging|text|message) [COMMUNICATIONS]
SURE_TEXTS:
    ADJ (texts|texting)
    ADJ (these|those|your|text|unwanted|automated|unsolicited|spam|further) (messages|message|text|messaging)
    all messages
LIST:
    (your|the|this|that|these|those|any|all|every|future|further)* (text|texting|texts|contact|call|calling|
        marketing|messaging|message|notification|subscriber|phone|blast|alerts?|customer|client|mailing|reminders?|
        internal|company|automated|group|distribution|mass|bulk|sending)* (list|lists|texts|messages|texting|
        messaging)
RECORDS:
    # "The system" may be the phone system; "your texting program" is ours.
    (your|the|this|that|any|all|every|future|further|company|automated|mass|bulk|internal)* (text|texting|texts|
        messaging|message|messages) (alerts?|notifications?|distribution|updates?|marketing|blast|broadcast|
        contact|reminders?|communication|group|mailing)* (system|program|service|distribution|database|platform|
        campaign|thread|chain|loop|roster|directory|blasts?|broadcasts?|subscription)
    (your|ur) (company|internal|customer|client|phone|contact|automated|crm)* (system|systems|database|records|
        contacts|files|phone|phones|file|service|directory|rolodex)|LIST
STOP:
    (stop|quit|cease|discontinue|halt|end|refrain from|desist from|knock off|cut out) (all|with|it with|it and|
        already|the|and desist|any|and|from|please|now)*
TEXTING:
    texting|messaging|contacting
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
    blowing up|messing with
NEVER:
    (dont|never) (you|ever|dare|even|bother|continue|keep|try|please|to|again)*
WANT:
    want|wanting|wanted|wish|need|needed|interested in|wishing
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
    request|[(process|honor)] my|this is my (\d\w+|second|third|final|last)|this is (a|an|my) request
    period|full stop|(second|third|fourth|2nd|3rd|4th|final|last|repeated?) (request|notice|time|warning|attempt|
        ask)|effective immediately|for good|forever|permanently|then|therefore|once and for all|seriously
    [for] the (last|second|third|fourth|2nd|3rd|\w+th) time|i mean it|i am serious|today|completely|bye
CHAT:
    POLITE|INSISTING|also|but|then|sure|can you|could you|i think|lets|actually|nevermind|nvm|go ahead
    i (want|would like|need) to|you can|today|anymore|thats|that is|really|too|lol|um|well
OWN_START:
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
    you [(guys|people|all)] (need|have|must|should|better|can|may|will|want|are|were|supposed|said|promised|agreed|
        would|ought|got|had|never)* [to]
    (i|we|it) would (be|really|greatly|much|appreciate|love|like|prefer) (great|nice|good|appreciated?|grateful|
        best|it|much|really|love)*
    (i|we|it) (would|will|do|really|greatly|be|great|nice|good|appreciated?|grateful|best|love|like|prefer|much|
        it)* if you [(guys|people|all)] (would|could|can|please|will|just)*
    is there (any|a) way you (can|could)|(pursuant to|under|per|in accordance with|as required by|according to) ...
    (this is|thats|for) the \w+ time [that]|this is (my|a|an|your)|like|[being] (notified|advised|instructed|
        warned|requested|directed|ordered|on notice) [(to|that)]|(let it be known|please be advised) [that]
    (please)* (honor|note|consider this) (my|that) [(request|wish)] [to]|time to
    (i|we) (have|am|are|would|already|just|really|hereby|do|also|still|must|only|again)* (want|need|like|ask|asked|
        told|tell|telling|demand|demanding|insist|beg|request|requesting|appreciate it if|asking|begging|prefer|
        love|rather|wish|choose|trying|going|tried|decided|elect|would) [that] [you] (guys|people|all|nicely|
        before|already|\w+ times)* [to] [be able to] [please]
    (i|we) (am|are|have)|(have)* (told|asked) you (\w+ times|already|before|nicely|guys|people)* [to]
    this is [a]|stop|(ask|asked|asking) you to
    how many times (do|must|should|have|will|did|need|got|i|we|to)* (tell|ask|told|asked|beg) you [(guys|people)]
        [to]
    (consider this|this is|this serves as|take this as|here is) [as] (my|a|an|your|formal|official|final|written|
        second|last|only)* (request|notice|notification|demand|warning|message|text) [(that you|to|for you to)]|go
        ahead and|feel free to
    wrong number|to|unfortunately
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
    with (this|these|your|the|all)* (crap|shit|bs|nonsense|texts|messages|stuff|junk|spam)|i beg you
    have a (good|great|nice) day|(stop|unsubscribe|optout)|remove me|ya|nunca|jamais|plus|like this
    and thanks|for (our|my|the) [(whole|entire)] ORG|lists?|im serious|i am serious
GOES_ON:
    because|cause|cuz|bc|coz|since|as i|or (else|i|we)
    i (am|dont|have|no longer|didnt|never|did not|will|said|asked|quit|left|retired|moved|hate)|we|it is|its
    this is|you (are|have)|that is|thats|wrong (number|person)|not interested
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
    sue|suing|(report|reporting) (you|this|to|as|it to|NUMBER)|reported (to|as)|lawyer|attorney|fcc|ftc|tcpa|legal|
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
    stop|stops|stopped|stopping|quit|cease|unsubscribe|unsubscribed|optout|opted out|opting out|remove|removed|
        cancel|ending|revoke|withdraw|no more|dont (want|need|send|like)|no longer (want|need|wish)|doesnt want|
        didnt ask|(turn|shut|switch|take|taken|get|getting) [\w+] [\w+] off|turn off|shut off|pause|mute|fewer|
        hate|get rid of|bother|bothering|optional|dont use|not be|(tired|sick) of|annoying|annoyed|enough|rather
        not|not okay with|not supposed to|shouldnt|delete (me|my)|unwanted|against|refuse|decline|object to|cut
        out|hold off|wish you wouldnt|not interested in|not (a fan of|happy|ok|okay|thrilled|wanting)|have to (get|
        receive)|never (want|asked|agreed)
OUR_TEXTS:
    texts !(from !(you|your|this))|texting !(app|apps)|messages from (you|your)|texted|(text|message|contact|
        texted|messaged|contacted) (me|us) !(when|once|the|your|a|if|where|what|that|about|back|with)|(these|your|
        more|automated) (messages|alerts|notifications|reminders|updates)|text (alerts|notifications|updates|
        reminders|list)|(this|your|the text|that text) [text] list|(my|our) consent
PRODUCTS:
    teams|outlook|emails?|mfa|2fa|codes?|authenticator|verification|imessages?|iphones?|android|apps?|voicemails?|
        slack|whatsapp|excel|in word|pdf|crm|mailchimp|weave|patients?|customers?|clients?|errors?|popups?|
        phishing|bank|vendors?|amazon|server|printer|laptop|desktop|calendar|spam filter|windows|software|website|
        facebook|zoom|pc|microsoft|by mistake how|reminder system|(gave|give) you
LAUGHING:
    lol|lmao|haha\w{0,9}|hehe|rofl|jk|just kidding
""")


def phrase(notation: str) -> str:
    """The regular expression of a phrase in the notation that `syncd.phrases` explains."""
    out = []
    for piece in re.findall(r"!?\(|[\[\])|]|\*+|[^\s\[\]()|*!]+", notation):
        if piece in _CLASSES:
            out.append(f"(?:{phrase(_CLASSES[piece])})")
        else:
            out.append(_SIGNS.get(piece) or rf" {piece}(?!\S)")
    return f"(?:{''.join(out)})"
