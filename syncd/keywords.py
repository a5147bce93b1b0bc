"""Read one inbound text: does its writer withdraw consent, give it, or neither?

The federal list (STOP, QUIT, END, REVOKE, OPT OUT, CANCEL, UNSUBSCRIBE) and the duty to honour "any
reasonable manner" of revoking come from 47 CFR 64.1200(a)(10).  The two errors are not alike: a missed
opt-out breaks that rule, and a false one silences a client who is waiting for help.  So a text is an
opt-out only when a careful person would be sure of it, and whatever is *about consent* but not sure is
``UNCLEAR`` and goes to a human.  Support traffic that merely contains "stop" or "cancel" is ``ORDINARY``.

The page is read from top to bottom as a text is: take out what the writer did not write (attachments,
quoted history, signatures, machine texts), look for a configured command, look for a keyword standing
alone, and only then read plain language, where a *pattern* (what is asked) is accepted only if the words
on its *left* make it the writer's own request and the words on its *right* do not narrow it.
"""

import html
import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from syncd.model import Intent

RULES_VERSION = "1"  # stored with each piece of evidence; bump it when any reading may change


@dataclass(frozen=True, slots=True)
class Reading:
    """An intent and the short, stable name of the rule that found it."""

    intent: Intent
    rule: str


_MIME = (
    r"(?:image|video|audio)/[a-z0-9][\w.+-]{1,60}|application/[a-z0-9][\w.+-]{2,80}"
    r"|text/(?:plain|html|calendar|csv|directory|x-)?v?(?:card|calendar)?|multipart/[a-z]{4,20}"
)
_MARKS = (("[", "]"), ("<", ">"), ("{", "}"), ("(", ")"), ("|", "|"), ("%", "%"), ("~", "~"))
_ATTACHMENT_PATTERNS = (
    # A bracketed or otherwise marked run that holds a MIME type.  The vendor's syntax is not published.
    *(
        rf"\{a}[^\{a}\{b}]{{0,200}}?(?:{_MIME})[^\{a}\{b}]{{0,400}}\{b}(?:\([^()\s]{{0,400}}\))?"
        for a, b in _MARKS
    ),
    # The same without marks: "image/jpeg:4711", "MIME_TYPE=image/png MEDIA_ID=9".
    rf"(?<![\w/])(?:[\w-]{{1,30}}[=:]\s?)?[\"']?(?:{_MIME})(?![\w/])[:;|,=][^\s,]{{1,400}}",
    r"(?<![\w/])[\"']?(?:MIME|MEDIA|CONTENT|ATTACHMENT|FILE)[_ -]?(?:TYPE|ID|URL|NAME)[\"']?\s?[=:]\s?[^\s,;]{1,400}[,;]?",
    r"(?<![\w/])(?:image|video|audio)/(?:jpe?g|png|gif|heic|heif|webp|bmp|mp4|3gpp2?|mpeg|amr|aac|ogg|quicktime)(?![\w/])",
    # Words of other gateways and of phones.
    r"[\[<(]\s?(?:image|photo|picture|pic|video|audio|gif|file|attachment|media|mms|sticker|voice ?(?:note|message)"
    r"|contact card)(?: (?:omitted|attached|removed|\d{1,4}))?\s?[\])>]",
    r"https?://[^\s?#]{1,500}\.(?:jpe?g|png|gif|heic|webp|mp4|mov|3gp|amr|vcf)(?:[?#]\S{0,500})?",
)


@dataclass(frozen=True)
class Vocabulary:
    """The configurable part of the rules.  Hashable, so that its compiled form is made once.

    ``opt_in_keywords`` and ``opt_out_keywords`` that begin with ``#`` are commands and count anywhere
    in a sentence; others count when they stand alone.  The standard words always count as well.
    ``attachment_patterns`` are regular expressions of what the vendor puts in place of a picture.
    """

    opt_in_keywords: tuple[str, ...] = ("#Go",)
    opt_out_keywords: tuple[str, ...] = ("#Stop",)
    plain_language_opt_out: bool = True
    attachment_patterns: tuple[str, ...] = _ATTACHMENT_PATTERNS


# --- What the writer wrote -------------------------------------------------------------------------

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
_QUOTED_LINES = re.compile(r"(?:^[^\n]{0,140}\bwrote:[ \t]*\n+)?(?:^[ \t]*>[^\n]*(?:\n|\Z))+", re.IGNORECASE | re.MULTILINE)
_QUOTED = re.compile(rf"(?:^|(?<=[\s.!?,]))(?:{_QUOTING}).*", re.IGNORECASE | re.DOTALL | re.MULTILINE)
_SIGNATURE = re.compile(
    r"(?:^|[\s-])(?:sent (?:from|via|using) (?:my|the|an?|yahoo|outlook|mail|gmail|proton|samsung|mobile|aol)\b"
    r"|get outlook for\b|envoy[ée] (?:de|depuis) mon\b|enviado desde mi\b|sent with \w+$).*"
    r"|(?:^|\n)[ \t]*(?:--|—|__)[ \t]*\n.*",
    re.IGNORECASE | re.DOTALL,
)
# "STOP", an empty line, "Jane Doe", "CFO": lines of capitalised words after an empty line, or "-Jane".
_NAME = r"(?!Thank|Please|Regards|Best|Cheers)[A-Z][\w.'’&-]{0,20}(?:,? [A-Z(+\d][\w.'’&()-]{0,20}){0,4}"
_NAMED = re.compile(
    rf"(?:\n[ \t]*\n[ \t]*-?[ \t]?{_NAME}(?:\n+[^\n]{{1,60}}){{0,4}}|(?: |\n)[-–—~]+(?<!\s){_NAME}|\n[-–—~]+ ?{_NAME})\s*\Z"
)

_QUOTE = "\"“”„«»‘’'"
_MEDIA = (
    r"(?:an?|the|une?|la|el|l['’])\s?(?:image|photo|picture|pic|movie|video|gif|audio|attachment|file|link|sticker"
)
_TARGET = rf"(?:[\"“”„«‘']|{_MEDIA}|imagen|foto|v[ií]deo|voice message|contact|location|message|memoji))"
_TAPBACK = re.compile(
    r"(?:liked|loved|disliked|laughed at|emphasi[sz]ed|questioned|hearted"
    r"|removed an? [\w ]{3,20} from|reacted(?: with)? \S{1,12} to|reacted to|removed \S{1,12} from"
    r"|[^\w\s\"'“]{1,12} to|removed (?:a )?reaction \S{1,12} from"
    r"|(?:n['’]a pas |a )?(?:aim[ée]|ador[ée]|ri [àa]|mis en (?:avant|évidence)|soulign[ée]|question\w+)"
    r"|(?:no )?le (?:gust[óo]|gusta|encant[óo]|encanta|dio risa a)|se ri[óo] de|(?:enfatiz|cuestion|destac)[óo]"
    rf")\s*[\u200a-\u200f]?\s*{_TARGET}",
    re.IGNORECASE,
)
_REFUSING = "🛑⛔🚫✋🤚🖐🙅🖕❌❎✖👎🔕🔇🙊"  # emoji that may mean "no"
_LAUGHING = "😂🤣😆😜😝😅🙃"


def _clean(text: str, attachments: tuple[re.Pattern[str], ...]) -> str:
    """The text in one Unicode form, without attachments and invisible marks; letter case and lines kept."""
    if len(text) > _HEAD + _TAIL:
        text = f"{text[:_HEAD]}\n{text[-_TAIL:]}"
    text = _ENTITY.sub(lambda m: html.unescape(m[0]), text).replace("â€™", "'")
    text = re.sub(r"\\u([0-9a-fA-F]{4})", lambda m: chr(int(m[1], 16)), text)
    text = re.sub(r"\\([nrt'\"/\\])", lambda m: _ESCAPED.get(m[1], m[1]), text)
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")  # joins halves, drops lone ones
    text = re.sub(r"\r\n?|[\v\f\x85\u2028\u2029]", "\n", text)
    for pattern in attachments:
        text = pattern.sub(" ", text)
    text = "".join(char for char in text.translate(_LETTERS) if not _is_mark(char))
    return re.sub(r"[^\S\n]+", " ", unicodedata.normalize("NFKC", text)).strip()


def _own_words(text: str) -> str:
    """The text without quoted history and signature: those are not this writer's words of today."""
    text = _QUOTED_LINES.sub("\n", text)
    for cut in (_QUOTED, _SIGNATURE, _NAMED):
        text = cut.sub("", text)
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
# The patterns further down are read against text in this form: " please dont text me , i am not bob ."
# Every word and every mark (, . ! ?) has one space before it.

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
    }.items()
    for variant in variants.split()
}
_REWRITES = tuple(
    (re.compile(rf"(?<![\w#']){pattern}(?![\w'])"), to)
    for pattern, to in (
        (r"i'?m", "i am"),
        (r"i'?ve", "i have"),
        (r"i'd|id(?= like)", "i would"),
        (r"(\w+)'ll", r"\1 will"),
        (r"(that|it|who|this)'?s", r"\1 is"),
        (r"thank you(?: (?:so|very) much)?", "thanks"),
        (r"por favor|s'?il (?:vous|te) plait|svp", "please"),
        (r"do not|do nt|don t", "dont"),
        (r"any more|any longer", "anymore"),
        (r"anymore(?= (?:texts?|messages?|sms|msgs|mensajes)(?!\w))", "more"),
        (r"(?<=arrete )stp", "please"),
        (r"no ?more", "no more"),
        (r"never ?mind|nvm", "nevermind"),
        (r"(?:text|sms|txt) (?:message|msg)s", "texts"),
        (r"(?:text|sms|txt) (?:message|msg)", "text"),
        (r"(?:phone|cell|mobile|cell ?phone) (?:number|phone|#)", "number"),
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
_FEDERAL = "stop quit end revoke optout cancel unsubscribe"  # 47 CFR 64.1200(a)(10)
_TYPO_OF = ("stop", "quit", "cancel", "revoke", "remove", "unsubscribe", "optout", "arret")
# One edit away, yet words, names or tools of their own, which people do text to a helpdesk.
_NOT_TYPOS = frozenset(
    ["shop", "slop", "snop", "sop", "step", "stol", "stomp", "stoop", "stops", "stopt", "stoup", "stow", "strop", "swop", "stap", "stob", "stor", "stot", "stope", "stopa", "quid", "quiet", "quilt", "quint", "quip", "quirt", "quite", "quito", "quits", "quiz", "quoit", "quot", "qubit", "quin", "cancels", "cancer", "cancelo", "cancelar", "revoked", "revoker", "revokes", "revote", "remote", "remover", "removed", "removes", "rewove", "unsubscribed", "unsubscribes", "arrest", "arrete", "output", "spot"]
)
_RUN = re.compile(r"([a-z])\1+")


def _words(text: str) -> str:
    """Lower case, no accents, one spelling of each word; marks reduced to ``, . ! ?``.

    >>> _words("Pls DON’T txt me — I'm not Bob")
    ' please dont text me , i am not bob'
    """
    text = "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if unicodedata.category(c)[0] != "M")
    text = re.sub(r"(?:https?://|www\.)\S+", " url ", text)
    text = re.sub(r"[\w.+-]{1,64}@[\w.-]{1,200}", " address ", text)
    if re.fullmatch(r"\W*\w(?:[ ._*/-]{1,3}\w){2,14}\W*", text):  # S T O P, s.t.o.p.
        text = re.sub(r"[\W_]", "", text)
    text = re.sub(r"#+ ?(?=\w)", " #", text.replace("🛑", " stop "))
    found = re.findall(r"#?[\w']+#?|[.;:\n]+|!+|\?[?!]*|[,()—–&+]|(?<!\w)-|-(?!\w)", text)
    out = "".join(f" {_one_spelling(part)}" for part in found)
    for pattern, to in _REWRITES:
        out = pattern.sub(to, out)
    return out.replace("'", "")


def _one_spelling(part: str) -> str:
    if part[0] in ".;:\n" or part == "!":
        return "."
    if part[0] in "!?":
        return part[0]
    if part in ",()—–-":
        return ","
    part = part.strip("_'") or ","
    single = _RUN.sub(r"\1", part)
    if len(part) >= len(single) + 2 and single in (*_TYPO_OF, "end", "please", "exit", "no"):
        return single
    return _SPELLINGS.get(part) or next((word for word in _TYPO_OF if _is_typo(part, word)), part)


def _is_typo(word: str, of: str) -> bool:
    """One insertion, deletion, substitution or transposition away; two for a word as long as "unsubscribe".

    The first letter must be right, and a letter missing from four ("sto", "stp") leaves too little.
    """
    if word in _NOT_TYPOS or abs(len(word) - len(of)) > 2 or (word[0] != of[0] and word[:2] != of[1::-1]):
        return False
    word = word.translate(str.maketrans("0135", "oies"))
    head = next((i for i, (a, b) in enumerate(zip(word, of, strict=False)) if a != b), min(len(word), len(of)))
    tail = next((i for i, (a, b) in enumerate(zip(word[::-1], of[::-1], strict=False)) if a != b), len(of))
    tail = min(tail, len(word) - head, len(of) - head)
    wrong, right = word[head : len(word) - tail], of[head : len(of) - tail]
    if not wrong.isalpha() and wrong:
        return False
    if len(of) > 8:
        return head > 2 and len(wrong) <= 2 and len(right) <= 2
    if len(right) == 2:
        return wrong == right[::-1]
    return len(wrong) <= 1 and len(right) <= 1 and (wrong != "" or len(of) > 4 or word == of)


# --- A small notation for phrases ------------------------------------------------------------------

_CLASSES = {
    # who and what
    "NUMBER": "(this|my|our|these) (number|numbers|phone|phones|cell|cellphone|mobile|line|device)",
    "ME": "(me|us|mine|NUMBER)",
    "ORG": "(company|office|team|business|organization|organisation|firm|clinic|school|practice|department)",
    "ALL_OF_US": "((everyone|everybody|anyone|all of us|us all|all|every one of us) [(here|(at|from|in) [(our|my|this|the)]"
    " [(whole|entire)] (ORG|acme))]|(our|my|the) (whole|entire) (ORG|staff)|our (company|office|business|firm))",
    "ADJ": "(all|any|more|of|these|those|the|this|your|such|text|automated|unwanted|spam|annoying|stupid|damn|dumb|silly"
    "|fucking|unsolicited|further|future|other|random|goddamn|bloody|constant)*",
    "TEXTS": "ADJ (texts|messages|texting|messaging|text|message)",
    "SURE_TEXTS": "(all|any|more|the|of)* ((these|those|your|text|unwanted|automated|unsolicited|spam|further) TEXTS|texts|texting|all messages)",
    "LIST": "(your|the|this|that|any|all|every|future|further)* (text|texting|texts|contact|call|calling|marketing|messaging"
    "|message|notification|subscriber|phone|blast|alert)* (list|lists|texts|messages|texting|messaging)",
    "RECORDS": "(LIST|(your|ur) (system|database|records|contacts|files|phone|file|service))",
    # what is done
    "STOP": "(stop|quit|cease|discontinue|halt|end|refrain from|desist from) (all|with|it with|it and|already|fucking|the)*",
    "TEXTING": "(texting|messaging|contacting)",
    "BOTHERING": "(bothering|bugging|spamming|harassing|pestering|annoying|hassling|disturbing|hounding|pinging|stalking|blowing up|messing with)",
    "NEVER": "(dont|never) (you|ever|dare|even|bother|continue|keep|try|please|to)*",
    "WANT": "(want|wanted|wish|need|needed|interested in|wishing)",
    "ALERTS": "(alerts|notifications|notices|reminders|surveys|announcements|broadcasts|blasts|pings|promotions|promos|ads"
    "|offers|(text|status|ticket) updates|texts|messages|texting|messaging)",
    "CHANNEL": "(email|emails|mail|phone|calls|call|voicemail|voice)",
    # small talk around a request
    "POLITE": "(please|thanks|kindly|hi|hello|hey|dear|sir|maam|madam|hola|bonjour|sorry|would you|if you would)",
    "INSISTING": "(ok|okay|no|yes|yeah|yep|now|just|already|immediately|asap|again|at once|i said|i say|i repeat|so|guys|folks|people"
    "|right now|right away|omg|god|damn|dammit|wtf|ffs|jesus|christ|good (morning|afternoon|evening)|man|bro|dude|ugh|and|or|texts?|the (hell|fuck)|fucking|it says)",
    "CHAT": "(POLITE|INSISTING|also|but|then|sure|can you|could you|i think|lets|actually|nevermind|nvm|go ahead|i (want|would like|need) to|you can|today|anymore|thats|that is|really|too|lol|um|well)",
}  # fmt: skip


def _phrase(notation: str) -> str:
    """The regular expression of a phrase: ``[a]`` optional, ``(a|b)`` choice, ``*`` repeated, ``!(a)`` not followed by.

    A word in capitals is a class above; any other word is itself a small expression (``texts?``, ``\\w+``).
    """
    out = []
    for piece in re.findall(r"!?\(|[\[\])|*]|[^\s\[\]()|*!]+", notation):
        if piece in _CLASSES:
            out.append(f"(?:{_phrase(_CLASSES[piece])})")
        else:
            out.append(_SIGNS.get(piece) or rf" {piece}(?!\S)")
    return "".join(out)


_SIGNS = {"[": "(?:", "]": ")?", "(": "(?:", "!(": "(?!", ")": ")", "|": "|", "*": "*", "...": r"(?: \w+){0,6}?"}
_Rules = tuple[tuple[str, re.Pattern[str]], ...]


def _rules(frame: str, phrases: dict[str, tuple[str, ...]]) -> _Rules:
    """Each named group of phrases as one expression, set into ``frame`` in place of ``{}``."""
    return tuple(
        (name, re.compile(frame.replace("{}", f"(?:{'|'.join(map(_phrase, group))})"))) for name, group in phrases.items()
    )


# --- Plain language: what is asked -----------------------------------------------------------------

_ASKED = _rules("{}", {
    "stop-texting": (
        "STOP [(calling|emailing|phoning|call) [me] (and|or)] TEXTING [(and|or) (calling|emailing|TEXTING)] [[to] (ME|ALL_OF_US)]",
        "STOP BOTHERING ME [up]",
        "STOP (sending|forwarding|delivering) [ME] TEXTS [to (ME|ALL_OF_US)]",
        "STOP sending ME (these|those|this (crap|shit|junk)|crap|shit)",
        "STOP SURE_TEXTS [to ME]",
        "STOP (getting|receive) TEXTS",
        "(i|we) (want|need|would like) TEXTS [to] (stop|stopped|end|cease)",
        "(SURE_TEXTS|this texting) (need|needs|must|have|has|should) [to] (stop|end|cease)",
    ),
    "do-not-text": (
        "NEVER [(call|email) (and|or|nor)] (text|message|contact|TEXTING) [(or|and|nor) (call|email|contact|message|text)] ([to] (ME|ALL_OF_US|here)|!(the|it|that|a|an|this|anything|your|codes?))",
        "(dont|never) (you|ever|dare)* (bother|spam|bug|harass|pester|disturb) ME (again|anymore)",
        "NEVER (send|sending) [[to] ME] TEXTS [to ME]",
    ),
    "not-wanted": (
        "(i|we) (really|just|also|still|would|do|have|am|are)* (dont|no longer|never|not) [(really|ever|even)] WANT [to] [be] [(get|getting|receive|have|see)] SURE_TEXTS [(from you|to ME|from this number)]",
        "(i|we) (dont|no longer|never|would rather not|prefer not) [WANT] [to] (be|being|get|getting) (texted|messaged|contacted) [by (you|text)]",
        "(i|we) (dont|no longer|never) WANT [for] you [(guys|people|all)] [to] (text|message|contact|send|TEXTING) [ME] [TEXTS]",
        "(i|we) would (prefer|rather) not [to] (be (texted|messaged|contacted)|(get|receive) TEXTS)",
        "(i|we) (dont|no longer) want to (get|receive) (these|those) anymore",
    ),
    "no-more-texts": (
        "no more ADJ (texts|messages|texting|messaging|text) [[to] ME]",
        "please no (texts|texting)",
        "no (texts|texting|messages|text) please",
        "(email|calls|phone) only [please] [,] no texts?",
    ),
    "off-the-list": (
        "(i|we) want off RECORDS",
        "(remove|removing|delete|take|taking|erase|scratch|strike|scrub|pull|get|drop) (me|us|my name|my (info|details|contact)|[this] number|NUMBER|our numbers|ALL_OF_US)"
        " [(and|or) \\w+ [\\w+]] (off|from|out of) RECORDS",
        "(take|get) (me|us|my (name|number)|NUMBER) off [this]",
        "(remove|delete|erase) (me|us|NUMBER)",
        "(lose|forget|delete) NUMBER",
        "(have|get) (me|us|NUMBER) (removed|taken off|deleted|unsubscribed) [(from|off) RECORDS]",
        "(i|we) (have|already|just)* (ask|asked|want|wanted|need|would like|wish|requested|demand) [you] to be (removed|taken off|deleted|unsubscribed|optout) [[(from|off|of)] RECORDS]",
        "(put|add|place) [ME] [(on|to|in)] [(your|the|a)] [national] dont (call|text|contact|message|disturb) [(list|registry)]",
    ),
    "unsubscribe": (
        "(unsubscribe|optout|opting out|unsubscribing) [(ME|ALL_OF_US)] [(from|of|to|for) [(receive|getting)] (LIST|TEXTS|these|this|all|everything|all of (this|these|it))]",
        "stop all (of us|for ALL_OF_US|for acme)",
    ),
    "no-consent": (
        "[(i|we)] [hereby] (revoke|withdraw|rescind|retract|revoking|withdrawing|cancel) (my|our|any|all|prior|express|previous)* (consent|permission|authori.ation|optin)"
        " [(to|for) (be|being|receive|getting|get|any|these|your|you|further|future|contact|text)* (texted|contacted|messaged|texts|messages|texting|contact|me|communications?|text)]",
        "[my] (consent|permission) (is|has been|hereby)* (revoked|withdrawn|rescinded|denied)",
        "you (dont|no longer|never|did not|didnt) [(have|had)] (my|our|any)* (permission|consent|authori.ation) [anymore] to (text|contact|message|call|send)"
        " [(or|and) \\w+] [ME] [TEXTS]",
        "(i|we) (dont|no longer|did not|never|didnt) (consent|agree) to (be|being|receive|getting|any)* (texted|contacted|messaged|SURE_TEXTS)",
        "cease [and] desist",
    ),
    "go-away": (
        "(fuck|f|fk|fck|eff|piss|bugger|sod|buzz|feck) [right] off",
        "leave (me|us|NUMBER) [the (hell|fuck)] alone",
        "go to hell", "get lost", "go away", "get bent", "go fuck yourself", "go fuck yourselves",
    ),
    "asked-before": (
        "i (have|had|already|just|literally|previously|clearly|keep|kept|even)* (said|replied|texted|sent|typed|wrote|told you|asked you|asked|responded|answered|saying|telling you|asking you)"
        " [you] [(back|with|the word|guys)] [to] (stop|unsubscribe|quit|optout|end|cancel)",
        "i (have|had|already|just)* (unsubscribed|opted out)",
        "how many times (do|must|should|have) (i|we) [have to] (say|text|reply|send|tell you|ask you|asked you|told you|said) [with] [to] (stop|unsubscribe|quit)",
        "(stop|no) means (stop|no)",
    ),
    "other-channel-only": (
        "only (contact|reach|reach out to|communicate with|write|notify|talk to) (me|us) (by|via|through|on|over|using) CHANNEL",
        "(contact|reach|notify) (me|us) (only (by|via|through) CHANNEL|(by|via) CHANNEL only)",
        "please [use] email only", "email only please", "only email me", "email me only", "by email only",
    ),
    "spanish": (
        "no mas [(texts|messages|text|message)]",
        "no (me|nos) [(vuelvan?|sigan?) a] (manden?|envien?|escriban?|escribas|contacten?|texteen?|molesten?|mandes|envies|mande|envie|mandar|enviar|escribir) [mas] [TEXTS]",
        "(dejen?|deja|parar?|paren?|dejar) de (enviarme|mandarme|escribirme|textearme|molestarme|molestar|contactarme|mandar|enviar|escribir|texting|texting me) (mas|estos|los|tantos|sus)* [TEXTS]",
        "[ya] no (quiero|deseo) (recibir|mas|que me escriban|estos|sus)* TEXTS",
        "(quiero|quisiera|deseo|necesito)* (darme|dame|denme|deme) de baja",
        "(quiten?me|quitame|borren?me|borrame|elimin.n?me|saquen?me|sacame) [de (la|su|esta|tu) lista]",
        "(borr.n?|elimin.n?|quit.n?|remueva) mi numero",
        "dejen?me en paz",
    ),
    "french": (
        "(arretez?|arreter|cessez) [de] (me|nous|m)* (texting|texte|ecrire|envoyer|contacter|deranger|harceler|menvoyer|message) (des|les|vos|ces|de)* [TEXTS]",
        "ne (me|nous) (textez|texte|text|contactez|ecrivez|envoyez|derangez) (plus|pas) [(de|des)] [TEXTS]",
        "ne menvoyez (plus|pas) [(de|des|rien)] [TEXTS]",
        "plus (de|aucun) (texts|messages|message|text)",
        "je [ne] (veux|souhaite|desire) (plus|pas) (recevoir|de|des|vos|ces|etre)* (texts|messages|contactee?)",
        "(retirez|enlevez|supprimez|otez|effacez) (me|mon numero) [de (la|votre|cette) liste]",
        "(je|veux|souhaite|voudrais|me|vous)* (desabonner|desinscrire|desabonnez|desinscrivez) [me]",
        "laissez me tranquille",
    ),
})  # fmt: skip

# --- Plain language: whose request, and how far it goes --------------------------------------------

# What may stand between the start of a clause and the request and leave it the writer's own.  Dictated texts
# have no commas, so some last words of a reason ("wrong number stop texting me") end a clause as well.
_OWN = re.compile(
    r"(?:^| [,.!?]"
    + _phrase(
        "|(so|and|then|but|because|or|number|there|here|anymore|person|again|hello|thanks|please|sorry|guys|ridiculous"
        "|enough|harassment|spam|up for this|company|already|annoying|to this|retired|moved|phone)"
    )
    + ")(?:"
    + _phrase(
        "POLITE|INSISTING|also|then|you|all|really|seriously|once again|[for the] last time|hereby|lets|team|today|me|would you mind|do me a favor and|the"
        "|(can|could|would|will|must|should|need|better|do) you [not]|you [(guys|people|all)] (need|have|must|should|better|can|will|want)* [to]"
        "|(i|we) (have|am|are|would|already|just|really|hereby|do)* (want|need|like|ask|asked|told|tell|telling|demand|demanding|insist|beg|request|requesting|appreciate it if|asking|begging|prefer|love|rather|wish|choose|trying|going|tried|decided|elect|would) [that] [you] [(guys|people|all)] [to] [be able to] [please]"
        "|(i|we) (am|are|have)|told you (\\w+ times|already|before)* to|(ask|asked|asking) you to|how many times (do|must|should) (i|we) have to (tell|ask) you to"
        "|(consider this|this is) [as] (my|a|formal|official)* (request|notice) to|go ahead and|feel free to|wrong number|to|unfortunately"
    )
    + ")*$"
)
_KINDLY = _phrase(
    "(,|POLITE|INSISTING|ever|anymore|at all|immediately|effective (immediately|today|now)|forever|for good|from now on|going forward"
    "|permanently|period|altogether|all together|entirely|completely|either|you [(people|guys|idiots|fools|assholes|morons|bitch|freaks?|perverts?)]"
    "|creeps?|idiots|everything|today|would you|will you|(on|at|to|from|for) (this number|my (number|cell|phone))|(via|by) text|as of (now|today)|all the time"
    "|constantly|in the future|for any reason|no more|(from|by) (you|this number|acme)|with (this|these|your|the|all)* (crap|shit|bs|nonsense|texts|messages|stuff|junk|spam)|i beg you|have a (good|great|nice) day"
    "|(stop|unsubscribe|optout)|remove me|ya|nunca|jamais|plus|like this|and thanks|for (our|my|the) [(whole|entire)] ORG|lists?|im serious|i am serious)"
) + "*"
_ENDS = r"(?= ?$| [,.!?])"
# After the request the sentence ends, or a reason or a second request begins.
_WHOLE_REQUEST = re.compile(
    rf"{_KINDLY}(?:{_ENDS}|(?="
    + _phrase(
        "(because|cause|cuz|bc|coz|since|as i|or (else|i|we)|i (am|dont|have|no longer|didnt|never|did not|will|said|asked|quit|left|retired|moved|hate)|we|it is|its"
        "|this is|you (are|have)|that is|thats|wrong (number|person)|not interested|and (remove|take|delete|lose|leave|stop|unsubscribe|dont|i|never)"
        "|(take|remove|leave) me|(lose|delete) my|they are|my name is|enough|fuck|before i|why|unsubscribe|never)"
    )
    + "))"
)
_NARROWED = re.compile(  # a time, a topic, another number or channel, a joke: only part of the texts is meant
    _phrase(
        "(until|till?|untill|unless|except|but|only|instead|if|when|whenever|while|during|between|after|before [!(i)]|tonight|tomorrow|this (week|weekend|month)"
        "|weekends?|night|late|early|so (much|many|often)|too (much|many)|about|regarding|every|each|call (me|us|my)|email me|busy|driving|meeting|sleeping|asleep|vacation|class|am|pm|\\d+am|\\d+pm"
        "|for (now|a while|the (day|weekend|week|moment|time)|this|\\d+|an? (hour|day|week|month|bit|few))|temporarily|on (teams|slack|whatsapp|facebook|mondays?|fridays?|sundays?|my (work|personal|other|old))"
        "|at work|, (just|please)* (call|email|phone|use)|and (call|email)|keep|send (them|it|to)|other than|apart from|besides|not (all|the)|some|hours)"
    )
)
_NOT_ASKED = re.compile(  # "dont stop texting me", "I do not want to unsubscribe", "before you unsubscribe"
    _phrase(
        "(dont|not|never|wont|cant|cannot|couldnt|doesnt|didnt|isnt|wouldnt|shouldnt|havent|hasnt|without|nor|neither|nobody|instead of|rather than|no (need|reason|plans?|desire)|before|after|unless|once)"
        " (i|we|you|they|it|want|wanted|wish|to|like|need|needed|trying|mean|meaning|meant|ask|asked|asking|for|going|ever|just|please|the|have|be|really|think|would|me|us|plan|planning|looking|wanting|request|say|said|even|yet|actually|ready|a|must|should|choose|agree|suggest|can|how)*"
    )
    + "$"
)
_ASKING = re.compile(  # a question, unless it is the polite form of a request
    r"^(?:"
    + _phrase("CHAT|,")
    + ")*"
    + _phrase(
        "(how !(many times)|what|whats|why|when|where|who|which|does|do !(not)|should|is|are|am i|can i|may i|did|has|have !(me|you|my)|if|whose|would i|could i|must i|shall|will !(you)|was|were)"
    )
)
_POLITELY_ASKING = re.compile(_phrase("((can|could|would|will) (you|someone)|please|how many times|would you mind)"))
_AT_THE_WHEEL = re.compile(_phrase("((and|while|when|whilst) [(you (are|r)|youre)] (driving|drive|walking|walk|biking|riding|working|drivin)|behind the wheel|at the wheel|in (class|church|meetings))"))
_TEXTISH = re.compile(_phrase("(texts|texting|texted|text me|contacting me|messaging me|(sending|send) me)"))
_TAKEN_BACK = re.compile(
    _phrase("(nevermind|nvm|just kidding|jk|kidding|ignore (that|this|my)|no wait|wait no|scratch that|oops|disregard|lol|lmao|haha\\w{0,9}|rofl|psych|april fools?)")
)
_OR_ELSE = re.compile(
    _phrase(
        "(if (you|i) (ever)* (text|message|contact|get another text|send|get another)|next text|next time you text|another text|one more text|any more texts|(text|contact|message) me again)"
    )
    + r"(?: [\w,]+){0,14}?"
    + _phrase("(sue|suing|report|reported|reporting|lawyer|attorney|fcc|ftc|tcpa|legal|complaint|court|police|cops|file|filing|block|blocked|blocking)")
)
_SINCE_THEN = re.compile(
    r"^(?:"
    + _phrase("(already|twice|\\d+|two|three|four|five|several|many|multiple|times|yesterday|last|before|days?|weeks?|months?|ago|a|this|morning|\\w+day|time|week|like|again|please|and over|over|texting me|everything)")
    + r")*(?: ?$| \.|"
    + _phrase("([,] (why|you|yet|and|so|still|but you)|and (you|i|still|yet)|why|yet|so why|still|but you)")
    + ")"
)


# --- About consent, but not sure -------------------------------------------------------------------

_DOUBTS_WHOLE = _rules(
    r"^(?:" + _phrase("CHAT|,|\\.|\\x21|\\?") + r")*{}(?:" + _phrase("CHAT|,|\\.|\\x21|\\?|with you|again|here|then|now|it") + r")*$", {
    "keyword-narrowed": (
        "(stop|unsubscribe|optout|quit|end) (\\d+\\w{0,9}|url|for (today|now|tonight|the (day|night|weekend)|a (while|bit)|this week)|(until|till?) \\w+ [\\w+]|today|tonight|temporarily)",
    ),
    "object-unclear": ("(cancel|cancelar|end|quit|exit|remove|revoke|finish|stop)",),
    "half-said": ("(sto|stp|stahp|stawp|shtop|s|td|pause|mute|block|resume|unfollow|silence|snooze|unsubscribed|leave|fin|para|halt|basta|no [me] moleste\\w{0,3})",),
    "soft-refusal": (
        "(goodbye|good bye|bye) [(forever|felicia|for good)] [,] [i] (dont|no longer) (need|want) [(this|these|it)]",
        "(no|nope) \\x21 [(no|nope) \\x21]", "no no no [no] [no]", "i am (done|finished|out) [with (this|you|these|it|these texts)]", "no more [of this]", "no texts?", "no texting",
        "(fuck|screw) you", "shut up", "up yours", "this is (annoying|harassment)", "(spam|spammer|scam|scammer|harassment)", "is this (a|real|legit|spam|scam)*",
        "dont (contact|bother)", "take a hike", "get a life", "bite me", "eat shit", "back off", "ew", "stop lol",
    ),
    "left-the-company": (
        "\\w+ [\\w+] (has|have|just|already|recently)* (left|resigned from|retired from) (the|our|this|acme|company|firm|us|here|team|last|week|month|year|ago|in|a|\\d+)*",
        "\\w+ [\\w+] (no longer|doesnt) works? (here|there|(at|for|with) (us|acme|the company|our company|this company|them)) [anymore]",
        "\\w+ [\\w+] is no longer (with|at|employed|working|here|by|for) (us|the|our|company|acme|this|firm|anymore|here)*",
        "\\w+ [\\w+] passed away", "(bob|jane|john|he|she) (was|got) (fired|let go|laid off)",
    ),
    "wants-texts": (
        "(texts?|texting) (are|is) (ok|okay|fine)", "(ok|okay|fine) to text [me]", "(unmute|unpause|unblock|reactivate|resubscribe|restart|renew|resume) [(me|texts|texting|messages)]",
        "i (consent|agree to (texts|texting)|give [(my|you)] (consent|permission))", "text me", "(opt|optin) me back [in]", "(i|we) (want|would like|wish|need|have) to (optin|subscribe|unstop|resubscribe)",
        "(start|subscribe|optin|unstop) (me|us|again|texts|texting|messages|my number)", "(continue|keep) (texting|sending) [me]",
    ),
})  # fmt: skip
_DOUBTS_CLAUSE = _rules(r"(?:^| [,.!?])(?:" + _phrase("CHAT") + r")*{}(?:" + _phrase("CHAT|again|here|then|at all|with you") + rf")*{_ENDS}", {
    "some-texts": (
        "(STOP|unsubscribe|optout|cancel|end|turn off|disable|no more|less|fewer|pause|mute|hold [off] [on]|suspend|snooze|silence|dont (send|need|want)|i (dont|no longer) (want|need)"
        "|enough|too many|cut down|reduce|limit) (with|sending|getting|from|of|on|the|me|us|these|those|your|my|all|any|this|more|so many|daily|weekly|text|automated|marketing|constant|annoying|survey|ticket|receive|to)* ALERTS",
        "(stop|quit) sending (these|this|them|those|me this|me stuff|me things|me anything|stuff)",
    ),
    "object-unclear": (
        "[nevermind [,]] (stop|quit|end|cancel|discontinue|remove) (it|this|that|these|those|them|this (conversation|chat|thread|crap|shit|nonsense|bs|madness)|the (conversation|chat|thread)"
        "|all|everything|(my|our|the|this|all)* (account|service|services|subscription|contract|membership|enrollment))",
    ),
    "other-channel": (
        "(email|e mail) me (instead|from now on|rather)", "(use|try|i prefer|prefer|i would (prefer|rather)) (email|emails|a call|calls|phone) (instead|rather|(over|to|not|than) texts?|texting|of)*",
        "[please] email instead", "(stop|quit) (calling|emailing)", "email only", "only call me", "calls? only",
    ),
    "soft-refusal": (
        "(i am|we are|am)* not interested", "enough (already|is enough|of this|with this|messages|texts)*", "(knock|cut) it (off|out)", "give it a rest",
        "dont need (this|these|your services?) [anymore]", "(i|we) (dont|no longer) (need|want) (this|these) [anymore]", "not (wanted|welcome)", "dont want (this|these) [anymore]",
        "i (didnt|did not|never) (sign|signed|ask|asked|subscribe|subscribed|consent|consented|agree|agreed|optin) [up] [(for|to)] (this|these|that|any of this|SURE_TEXTS|be texted)*", "i never gave you my number",
    ),
    "wrong-person": (
        "who [(the (hell|fuck|heck))] (is (this|texting)|dis|are you|sent this) [(please|texting me|anyway)]", "do i know you",
    ),
    "left-the-company": (
        "i (no longer|dont|do not|have not) (work|worked) (at|for|with|there|here|in|acme|the|that|this|company|anymore|firm|since|\\d+)* [\\w+] [anymore]",
        "i am no longer (with|at|employed|working|an employee) (at|of|with|by|for|there|here|in|the|this|that|company|anymore|acme)*  [\\w+] [anymore]",
        "i (have|just|already|recently)* (left|quit|retired from|resigned from|(was|got) (fired|let go|laid off)) (the|that|my|from|by|acme|company|job|there|last|month|year|week|firm|a|ago)*", "i (am|have) retired [now]",
    ),
    "threat": ("(i|we) will (sue|report|block) (you|this number|this)*", "[(i|we)] (am|have|will)* (reported|reporting|blocked|blocking|block) (you|this number|your number|this as|as|for|to|the|a|this)* (spam|fcc|ftc|harassment|you|number)", "see you in court"),
})  # fmt: skip
_DOUBTS_ANYWHERE = _rules("{}", {
    "some-texts": (
        "no (texts|texting|messages|alerts|notifications|reminders) (after|before|on weekends|during|between|until|unless|except|tonight|at night|past)",
        "(stop|quit) (sending|texting|messaging|contacting|bothering|bugging|spamming|pinging) (me|us) !(and|the (link|code|file|info))",
        "(dont|never) (ever|you|even|bother)* (text|message|contact) (me|us)", "(dont|never) (send|keep sending) me (anymore|any|texts|these|more|another)",
        "(only text (me|us)|just text (me|us) for|text (me|us) only|only texts?) (for|if|about|with|on|during|between|in)", "only (message|contact|notify) (me|us)", "text me less", "(fewer|less|too many|so many) texts", "texting me so (much|often|late|early)",
    ),
    "other-channel": (
        "(stop|quit) (calling|emailing|phoning|ringing|mailing) (me|us|NUMBER|my)", "(dont|never) (call|email|phone) (me|us) !(that|back|a|an|if|until|after|before|when|names)",
        "(unsubscribe|optout|remove|take) [(me|us)] (from|off|of|out of) (the|your|this|all|any|these|company|marketing|weekly|monthly)* (newsletters?|emails?|email lists?|mailing lists?|alerts|notifications|reminders|updates|surveys?|marketing|promotions|calls) !(from|for|in|on|about)",
        "(dont|not|no|never) (texts?|texting) [me] [,] [(just|please)] (call|email|phone|ring)", "(email|emails|call|calls|phone) (me|is better)* (instead of|rather than|over|not|than) (texts?|texting|a text)",
        "i (dont|cant|rarely|never) (really)* (text|texts|use texts?|use texting|like texts?|like texting|read texts|check texts) !(him|her|them|and|while|you|back|my)",
        "texting (is not|isnt|does not|doesnt|is bad|costs)", "(this is|i have|is|on) a landline", "cant (get|receive) texts", "(get charged|charged|i pay) (for|per) (texts?|each text|every text|messages)",
    ),
    "for-others": (
        "(take|remove|unsubscribe|optout|delete|drop) \\w+ [\\w+] [\\w+] (off|from|of|out of) (the|your|these|this|any|all|our)* (texts|texting|text (list|alerts))",
        "(says?|said|wants?|doesnt want|prefers|asked for) [to (get|receive|be)] (no|stop|any|more|the|these|your|sending)* (texts|texted|texting)",
        "stop \\w+ [\\w+] [\\w+] from (texting|messaging|sending) (me|us|texts)",
    ),
    "mentioned": (
        "(reply|text|texted|replied|sent|send|respond|say|type|word|hashtag|pound|hash|hash tag|replying|typed|press|texting) (with|back|the word|sign|a)* (stop|unsubscribe|optout|unstop) !(by|the|at|in|sending|over|working|it|here|to (his|her|the|my|a)|command|signal|order|job|sign|loss|button)",
        "(text|send|reply|hashtag|pound|hash|hash tag) (start|go)" + " !(to|ahead|the|over|with|live|through|\\d+)",
        "(how|what|why|does|do|should|if|can i|when|where|want|is it possible) ... (optout|unsubscribe) !(from the \\w+|from my|from a|from \\w+s? \\w+|button|link|of (the|my|a)|\\w+ from|page)" ,
        "(how (do|can|to|would)|where do|can) (i|we|to)* (stop|turn off|get rid of|end|quit|cancel|block|disable) (getting|receive|all|these|the|your)* (texts|texting|text alerts)",
    ),
    "wants-texts": (
        "(start|resume|begin|restart|unblock) (texting|sending|messaging|the|my|receive|getting)* (texts|texting|me texts|me again|messages again)", "start (texting|messaging) (me|us|this)",
        "you (can|may|are allowed to|have [my] permission to) [now] (text|message|contact) (me|us|NUMBER) (here|again|now|anytime|any time|too|on this|at this|on my|if you|for|\\.|,|now)*",
        "(i|we) [hereby] (consent|agree|give [(my|you|my)] (consent|permission)) to ... (texts|text|texted|messages|texting)", "put me back [on]", "add me back", "sign me [back] up",
        "(yes|ok|sure) (you|u) (can|may) text",
    ),
    "wrong-person": (
        "wrong (number|person|guy|girl|one number|phone|contact)", "(just|recently|only) (got|bought|have) (this|a new|my new) (number|phone)", "(got|had|have had) this number (from|last|a|recently|now|for|\\d+|this|since)",
        "(number|phone) (was|got|has been) (reassigned|recycled)", "(no one|nobody|noone) (here)* (by (that|this)|named|with (that|this))", "new phone who", "dont know (who you are|who this is|this number|any|anyone) ",
        "this (number|phone) (belongs|doesnt belong|does not belong)", "is not my name", "(is not|isnt) \\w+s (number|phone|cell)", "not the (right|correct) person",
    ),
    "soft-refusal": (
        "(why|how) ... (getting|receive|keep getting|get) (these|your|all these)* texts", "why (are|do|did|would) you (still|even|keep|always)* (texting|text|messaging|contacting) (me|this|us)", "how did you get (my|this) number",
        "who (gave|told) you ... my number", "(you|these|your|the) texts are (annoying|spam|unwanted|harassing|too|driving|not wanted|harassment)", "(unwanted|unsolicited) (texts?|messages)", "harassing me",
        "dont (like|want|appreciate|care for) (these|the|your|getting|receive|being|to|be)* (texts|texted|texting)", "texts are not wanted",
    ),
    "threat": ("my (lawyer|lawyers|attorney|attorneys) ... (contact|hear|call|touch|sue|informed)", "tcpa", "(call|contact|report|complain|complaint) ... (fcc|ftc)", "(report|reported|reporting|mark|marked|marking) (you|this number|this|it|your number|as|the|these|texts?|them|for)* (spam|harassment)"),
})  # fmt: skip
_GOODBYE = re.compile(r"^ (?:goodbye|bye|good bye|bye bye)(?: [.\x21])*$")  # alone; "thanks, bye" ends a call
_NOT_BOB = re.compile(  # needs the capital: "this is not Bob" against "this is not working"
    r"(?:^|[.!?,\n] ?)(?:(?:hi|no|sorry|hello|hey),? )?(?:(?:this|it)(?: is|['’]?s)?|i['’]?m|i am|you have)? ?(?:not|isn['’]?t|is not) (?-i:[A-Z][a-z]+)(?:,| anymore|[.!]|$|['’]s)",
    re.IGNORECASE,
)


# --- Texts that no person typed --------------------------------------------------------------------

_MACHINE = re.compile(
    r"(?<![a-z])auto[ -]?(?:reply|response|responder)"
    + _phrase(
        "|(automatic|automated) (reply|response|message|text|answer|notice|notification)|this is an? automat\\w+|respuesta automatica|reponse automatique"
        "|you (have|ve|are|were) (been|successfully|now|already)* (unsubscribed|subscribed|opted (in|out)|removed from|added to|resubscribed)"
        "|you (will|ll) (not|no longer) (receive|get|be (contacted|receive|texted))|you will receive no|no (more|further) messages will be sent"
        "|(number|line|mailbox|inbox|account|phone|service|address|subscriber|recipient) (you are \\w+|you have \\w+|you \\w+)* (does not|doesnt|cannot|cant|is not|isnt|is unable to|no longer) [able to] (accept|accepts|receive|monitored|support|supports|in service|configured|equipped|reachable)"
        "|(please)* dont reply to this|(not|could not be|couldnt be|cannot be|failed to be|was not|wasnt) (delivered|sent) (to|\\.)|undeliverable|undelivered|delivery (failed|failure|status|receipt)|message blocking|unable to deliver"
        "|failed to (send|deliver)|mailbox is full|rates (may)* apply|freemsg|free msg|verification code|(code|otp|pin|passcode) is \\d+|is your ... (code|otp|pin|passcode)"
        "|(reply|text|send|respond) [with] (yes|y|and|\\d|c) to (confirm|subscribe|optin)|thanks for (texting|contacting|messaging|subscribing to) \\w+ \\w+ (\\.|,|we|our|text|reply|\\w+)|do not disturb while driving|with do not disturb"
    ).replace("do not disturb", "dont disturb")
)
_FOOTER = re.compile(  # "Reply STOP to opt out" below somebody's advertising
    _phrase(
        "(reply|text|send|respond|rply|type|txtng) (with|back|the word)* (stop|unsubscribe|end|optout|quit|cancel|unsub|remove|arret|out) [to \\d+] (to|2|for|4|and|if|for) \\w+"
        "|(to|2) (optout|unsubscribe|stop|end|cancel|unsub|quit|be removed|stop (texts|messages|receive)) ... [,] (reply|text|send|call|visit|click|go to|respond|message) \\S+"
        "|(reply|text|send|respond) (stop|unsubscribe) to \\d+|unsubscribe (at|here|url)|(reply|text|send) (stop|go|start|yes) (to|for) (optin|subscribe|join|\\w+)"
    )
)
_AWAY = re.compile(
    r"(?:^| [.!,])(?:"
    + _phrase("CHAT|this is \\w+|for (your|the) \\w+")
    + ")*"
    + _phrase(
        "(i am (currently)* (driving|out of [the] office|away from|on (vacation|leave|annual leave|pto)|unable to|not available|unavailable)|i will (get back|reply|respond|return your|see your)|out of [the] office"
        "|[i] cant talk [right] now|(we|our office) ... (closed|will get back|will respond)|our (office)* hours)"
    )
)


# --- Reading ---------------------------------------------------------------------------------------

_OUT_WORDS = frozenset(
    # The federal list and the carriers', then the same words in French and Spanish (Canada and Miami do text them).
    f"{_FEDERAL} stopall unsubscribeall optoutall unsub remove exit dnc arret arrete arretez arreter desabonner"
    " desabonnement desinscrire desinscription parar pare alto detener detente desuscribir desuscribirme cancelar".split()
)
_IN_WORDS = frozenset(("start", "unstop", "optin", "subscribe"))
_HELP_WORDS = frozenset(("help", "info", "aide", "ayuda", "informacion", "information"))
_ABOUT_WORK = frozenset(("cancel", "cancelar"))  # "cancel please": the appointment?  Sure only when alone
_TO_A_TECHNICIAN = _ABOUT_WORK | {"quit", "end", "exit", "remove", "revoke"}  # "ok quit": the app?
_POLITELY, _INSISTENTLY = (re.compile(_phrase(name)) for name in ("POLITE", "INSISTING"))
_REASON = re.compile(
    _phrase(
        "(wrong (number|person)|not interested|i (dont|no longer) work (there|here|for them) [anymore]|who is this|i (did not|didnt|never) (sign|signed|ask|asked) [up] [for this]"
        "|i dont (want|need) (this|these)|leave me alone|i am not interested|i moved [away])"
    )
)
_COPIED = re.compile(  # the keyword with words of our own instruction: "Reply STOP", "STOP to opt out"
    _phrase("(reply|text|send|type|respond|texting|replying|answer) [(with|back)]")
    + r"(?= \w+)|(?<= stop) to(?= (?:optout|unsubscribe|stop|end|cancel|quit)$)"
)
_COMMAND_BENT = re.compile(  # before a command in its sentence: told, asked, denied or quoted
    _phrase("(he|she|they|the|a|his|her|says?|called|word|command|keyword|use|used|about|or|not|dont|didnt|never|without|if|when)")
)
_IN_COMMAND_BENT = re.compile(_phrase("(texts?|texting|reply|send|sent|type|say|said|me|message|messages|press|ready to|to)"))
_AFTER_IN_COMMAND = re.compile(_phrase("(POLITE|now|again|#\\w+)*") + _ENDS)
_AFTER_OUT_COMMAND = re.compile(
    _phrase("(#\\w+|stop)* [(TEXTING|sending|BOTHERING)] [to] [ME] [TEXTS] [(for|to)] [ALL_OF_US]") + _KINDLY + _ENDS
)


@dataclass(frozen=True)
class _Known:
    """A vocabulary in the form in which texts are read."""

    attachments: tuple[re.Pattern[str], ...]
    out_commands: frozenset[str]
    in_commands: frozenset[str]
    out_words: frozenset[str]
    in_words: frozenset[str]


@lru_cache(maxsize=8)
def _known(vocabulary: Vocabulary) -> _Known:
    out = {_words(keyword).strip() for keyword in vocabulary.opt_out_keywords} - {""}
    into = {_words(keyword).strip() for keyword in vocabulary.opt_in_keywords} - {""} - out
    commands = re.compile(r"#\w+")
    return _Known(
        attachments=tuple(re.compile(pattern, re.IGNORECASE) for pattern in vocabulary.attachment_patterns),
        out_commands=frozenset(filter(commands.fullmatch, out)),
        in_commands=frozenset(filter(commands.fullmatch, into)),
        out_words=frozenset(word for word in out if not commands.fullmatch(word)),
        in_words=frozenset(word for word in into if not commands.fullmatch(word)),
    )


def read(text: str, vocabulary: Vocabulary = Vocabulary()) -> Reading:
    """What ``text`` means for consent, and which rule says so.  Never raises; linear in the length of ``text``."""
    known = _known(vocabulary)
    clean = _clean(text, known.attachments)
    if tapback := _TAPBACK.match(clean):
        refusing = any(char in tapback[0] for char in _REFUSING)
        return Reading(Intent.UNCLEAR, "refusing-emoji") if refusing else Reading(Intent.ORDINARY, "tapback")
    own = _own_words(clean)
    words = _words(own)
    if not re.search(r"\w", words):
        refusing = any(char in own for char in _REFUSING)
        return Reading(Intent.UNCLEAR, "refusing-emoji") if refusing else Reading(Intent.ORDINARY, "empty")
    if reading := _command(words, known) or _keyword(words, own, known):
        return reading
    if _MACHINE.search(words) or (_FOOTER.search(words) and "?" not in words and not _ASKING.search(words)):
        return Reading(Intent.ORDINARY, "auto-reply")
    if reading := _plain_request(words, own):
        if reading.intent is Intent.OPT_OUT and not vocabulary.plain_language_opt_out:
            return Reading(Intent.UNCLEAR, reading.rule)
        return reading
    if _KEEP_TEXTING.search(words):
        return Reading(Intent.ORDINARY, "words")
    for name, pattern in _DOUBTS_WHOLE + _DOUBTS_CLAUSE + _DOUBTS_ANYWHERE:
        if pattern.search(words):
            return Reading(Intent.UNCLEAR, name)
    if _GOODBYE.search(words):
        return Reading(Intent.UNCLEAR, "soft-refusal")
    if _NOT_BOB.search(own):
        return Reading(Intent.UNCLEAR, "wrong-person")
    return Reading(Intent.ORDINARY, "auto-reply" if _AWAY.search(words) else "words")


def _command(words: str, known: _Known) -> Reading | None:
    """A configured command such as ``#Stop``: reserved, so it counts anywhere unless its sentence bends it."""
    tokens = list(re.finditer(r"#\w+|\w+#", words))
    outs = [token for token in tokens if token[0] in known.out_commands]
    ins = [token for token in tokens if token[0] in known.in_commands]
    others = set(words.split()) - known.out_commands - known.in_commands
    if not outs and not ins:
        near = any(_near_command(token[0].strip("#"), token[0][0] == "#", known) for token in tokens)
        return Reading(Intent.UNCLEAR, "near-command") if near else None
    if (outs and (ins or others & _IN_WORDS)) or (ins and others & {"stop", "unsubscribe", "optout", "cancel", "end", "quit"} - set()):
        return Reading(Intent.UNCLEAR, "conflict")
    for token in outs or ins:
        before = re.split(r" [.!?](?!\S)", words[max(0, token.start() - 160) : token.start()])[-1]
        after = re.split(r" [.!](?!\S)", words[token.end() : token.end() + 160])[0]
        bent = _COMMAND_BENT if outs else _IN_COMMAND_BENT
        fits = (_AFTER_OUT_COMMAND if outs else _AFTER_IN_COMMAND).match(after)
        asked = ("?" in after and (ins or re.search(r"\w", before + after))) or _ASKING.match(before)
        near = "".join(re.findall(r" \S+", before)[-3:])
        if bent.search(near) or _COMMAND_BENT.search(near) or asked or not fits:
            return Reading(Intent.UNCLEAR, "command-in-doubt")
    return Reading(Intent.OPT_OUT if outs else Intent.OPT_IN, "command")


def _near_command(word: str, hashed: bool, known: _Known) -> bool:
    """``#Stp``, ``#G0``, ``Go#``: a slip on the way to a command, for a hashtag has no other use with a helpdesk."""
    commands = {command[1:] for command in known.out_commands | known.in_commands}
    if {word, _RUN.sub(r"\1", word.replace("0", "o"))} & commands:
        return True
    return hashed and any(_is_typo(word, of) or _is_typo(of, word) for of in commands if len(of) > 3 and len(word) > 2)


def _keyword(words: str, own: str, known: _Known) -> Reading | None:
    """A keyword with nothing around it but politeness, insistence, or itself again."""
    asked = words.endswith("?")
    text = re.sub(r" [,.!?](?!\S)|#", "", words[:200])
    if text.strip() in known.out_words:
        return Reading(Intent.OPT_OUT, "keyword")
    if text.strip() in known.in_words and not asked:
        return Reading(Intent.OPT_IN, "keyword")
    text, me = re.subn(r"( (?:unsubscribe|optout|remove|unsub|subscribe|optin)) (?:me|us)(?!\S)", r"\1", text)
    text = re.sub(r"( (?:stop|optout|unsubscribe)) all(?!\S)", r"\1", text)
    text, copied = _COPIED.subn("", text)
    text, polite = _POLITELY.subn("", text)
    text, reasons = _REASON.subn("", text)
    text, insisting = _INSISTENTLY.subn("", text)
    left = text.split()
    if len(left) > 1 and "".join(left) in _OUT_WORDS:  # "st op"
        left = ["".join(left)]
    outs = {word for word in left if word in _OUT_WORDS | known.out_words}
    ins = {word for word in left if word in _IN_WORDS | known.in_words}
    helps = {word for word in left if word in _HELP_WORDS}
    if not left or set(left) - outs - ins - helps or len(words) > 200:
        return None
    if outs and ins:
        return Reading(Intent.UNCLEAR, "conflict")
    if outs:
        joking = any(char in own for char in _LAUGHING)
        at_work = (outs <= _TO_A_TECHNICIAN and (insisting or reasons) and not me) or (outs <= _ABOUT_WORK and (polite or copied or reasons))
        questioned = asked and (insisting or polite)
        doubt = "joking" if joking else "object-unclear" if at_work else "question" if questioned else ""
        return Reading(Intent.UNCLEAR, doubt) if doubt else Reading(Intent.OPT_OUT, "keyword")
    if ins:  # never read from a doubtful text; "please start" may mean the work
        doubtful = asked or reasons or helps or copied or insisting or len(ins) > 1 or (polite and ins <= {"start"})
        return Reading(Intent.UNCLEAR, "opt-in-in-doubt") if doubtful else Reading(Intent.OPT_IN, "keyword")
    return None if insisting or reasons else Reading(Intent.HELP, "keyword")


def _plain_request(words: str, own: str) -> Reading | None:
    """A revocation in plain words: certain if some phrase is the writer's own request and goes all the way."""
    joking = _TAKEN_BACK.search(words) or any(char in own for char in _LAUGHING)
    doubt: Reading | None = None
    if _OR_ELSE.search(words):
        return Reading(Intent.UNCLEAR if joking else Intent.OPT_OUT, "threat")
    for name, pattern in _ASKED:
        for match in pattern.finditer(words):
            if match.end() < len(words) and words[match.end()] != " ":
                continue
            before = re.split(r" [.!?](?!\S)", words[max(0, match.start() - 160) : match.start()])[-1]
            after = re.split(r" [.!](?!\S)", words[match.end() : match.end() + 160])[0]
            intent = _weigh(name, before, after)
            if intent is Intent.OPT_OUT and not joking:
                return Reading(Intent.OPT_OUT, name)
            if intent is not Intent.ORDINARY:
                doubt = doubt or Reading(Intent.UNCLEAR, f"{name}-in-doubt")
    return doubt


_KEEP_TEXTING = re.compile(
    _phrase("(dont|never|not) (i|we|you|want|wish|to|need|ever|just|please|like|ask|mean|trying|going|me)* (stop|unsubscribe|optout|remove me|cancel|quit|take me)")
)
_PLAINLY_TEXTS = frozenset(("stop-texting", "do-not-text", "not-wanted"))  # others may concern other lists


def _weigh(name: str, before: str, after: str) -> Intent:
    """How sure a phrase is, given its sentence before and after it."""
    if _AT_THE_WHEEL.match(after) or _NOT_ASKED.search(before.rpartition(" ,")[2]):
        return Intent.ORDINARY
    if not _OWN.search(before):
        return Intent.UNCLEAR if name in _PLAINLY_TEXTS else Intent.ORDINARY
    if name in ("asked-before", "off-the-list", "unsubscribe") and _SINCE_THEN.match(after):
        return Intent.UNCLEAR if _ASKING.match(before) else Intent.OPT_OUT
    if not _WHOLE_REQUEST.match(after) and name not in _PLAINLY_TEXTS:
        return Intent.ORDINARY
    if _NARROWED.search(after) or not _WHOLE_REQUEST.match(after):
        return Intent.UNCLEAR
    asked = _ASKING.match(before) or "?" in after
    return Intent.UNCLEAR if asked and not _POLITELY_ASKING.search(before) else Intent.OPT_OUT
