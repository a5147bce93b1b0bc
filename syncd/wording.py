"""What a text says: its writer's own words, in one spelling.

`own_words` takes out what the writer did not write: attachments, quoted history, a signature.  `one_spelling`
brings the rest into the form that all phrases are written for (`syncd.notation`).  Both look at a bounded part of
the text and use no pattern that can run away, so a hostile text costs no more than a long one.
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
# Phrases are read against text in this form: " please dont text me , i am not bob ."
# Every word and every mark (, . ! ?) has one space before it.


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


# The words that requests are made of, in which the slips of a thumb in a hurry are put right.
_CORE = """
    text texts texting texted message messages messaging contact contacting send sending number please interested
    receive anymore list want take more wrong dont
"""


def _slips(word: str) -> set[str]:
    """``word`` with two letters swapped, or with one of six or more left out."""
    swapped = {word[:i] + word[i + 1] + word[i] + word[i + 2 :] for i in range(len(word) - 1)}
    shortened = {word[:i] + word[i + 1 :] for i in range(1, len(word) - 1)} if len(word) > 5 else set()
    return (swapped | shortened) - {word}


_SPELLINGS = {slip: word for word in _CORE.split() for slip in _slips(word)} | {
    variant: word
    for word, variants in {
        "please": "porfa porfavor pls plz plse pleas plez pleez pleeze plss plzz plox pleaze",
        "thanks": "thx tx tnx thnx thanx thnks tks ty thankyou thks thanku gracias merci",
        "you": "u ya yu yall y'all yous youse",
        "your": "ur yr",
        "are": "r",
        "with": "w wit wif",
        "this": "dis thiss diss",
        "that": "dat",
        "the": "da teh",
        "them": "dem",
        "more": "mor moar",
        "wrong": "rong",
        "again": "agen agn agin",
        "and": "n y et & +",
        "text": "txt texte texto",
        "texts": "txts textos texs textes sms smses mms",
        "texting": "textn texten textear textearme texteando txting textin txtin texxting txtng txtn texter",
        "texted": "txted txtd",
        "message": "msg mssg mesg mesage messge mensaje",
        "messages": "mensajes mensages mensajitos msjs msgs mssgs messeges",
        "messaging": "msging messageing messagin messeging",
        "contacting": "contactin",
        "dont": "donot dnt",
        "unsubscribe": "unscribe",
        "receive": "receiving recieving",
        "number": "numba numbah numero numbr nmbr num nummer",
        "list": "lista liste",
        "lists": "listas listes",
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
        (r"messages de texts?", "texts"),
        (r"(send|gett|hitt|blow|bother|bugg|spamm|harass|annoy|stopp|call|block|report|contact)in", r"\1ing"),
        (r"(that|it|who|this)'?s", r"\1 is"),
        (r"thank you|thank", "thanks"),
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
        (r"anymore(?= (?:texts?|messages?|calls?|emails?|of)(?!\w))", "more"),
        (r"(?:sto|stp|staph|stahp|stawp|stap)(?= (?:text|messag|sending|contacting|spam|these|the text))", "stop"),
        (r"(?<=arrete )stp|(?<!please )(?<=\w )stp$", "please"),
        (r"no ?more", "no more"),
        (r"never ?mind|nvm", "nevermind"),
        (r"texts? messages|texts message", "texts"),
        (r"text message", "text"),
        (r"texts(?= (?:me|us|this number|my number)(?!\S))", "text"),
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
        (r"mi(?= number (?:off|out|from))", "my"),
        (r"me form(?= (?:your|the|this) )", "me from"),
        (r"(?:excluded|exempted|dropped|struck|purged|scratched)(?= (?:from|off)(?!\S))", "removed"),
        (r"unsub(?= (?:from|me|us|this)(?!\S))", "unsubscribe"),
        (r"tryna", "trying to"),
        (r"imma|i'mma|ima", "i am going to"),
        (r"ion(?:t|'t)?(?= (?:want|need|like))", "i dont"),
        (r"(?<=(?:delete|remove) )me(?= (?:number|name|phone))", "my"),
        (r"(?:quick|quite|qiut)(?= (?:texting|messaging|sending) me(?!\S))", "quit"),
        (r"off of", "off"),
    )
)
# "f***ing", "f*ck", "sh*t": what it stands for; and words that only add force, which no phrase needs.
_MASKED = tuple(
    (re.compile(pattern, re.IGNORECASE), to)
    for pattern, to in (
        (r"(?<!\w)f[*@#$%-]{1,5}(?:c?k)?(?=(?:ing|in|ed|er)?(?![\w*]))|(?<!\w)fu[*@#$%]+k?(?!\w)", "fuck"),
        (r"(?<!\w)s[h*][*!@#]t(?!\w)", "shit"),
        # "wrong #", "my mobile no."
        (r"(?<!\w)((?:my|this|your|ur|wrong|cell|mobile|phone) ?)#+(?!\w)", r"\1number "),
        (r"(?<!\w)((?:my|wrong|mobile|phone) )no(?=\.|\s*$|\s+(?:from|off|please|pls|in)(?!\w))", r"\1number"),
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
RUN, _STRETCHED = re.compile(r"([a-z])\1+"), re.compile(r"([a-z])\1\1+")


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
    if re.fullmatch(r"(?:\W{0,3}\w+[.!]{1,3}\s+){2,12}\w+\W{0,9}", text):  # "No. More. Texts."
        text = re.sub(r"[.!]", " ", text)
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
    if _STRETCHED.search(part) and part not in _SPELLINGS:  # "textinggg meeee"
        part = single if single in _SPELLINGS.values() or len(single) < 4 else _STRETCHED.sub(r"\1\1", part)
    if len(part) >= len(single) + 2:  # "plsss"
        part = single if single in _SPELLINGS else part
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
