"""Read one inbound text: does its writer withdraw consent, give it, or neither?

The federal list (STOP, QUIT, END, REVOKE, OPT OUT, CANCEL, UNSUBSCRIBE) and the duty to honour "any
reasonable manner" of revoking come from 47 CFR 64.1200(a)(10).  The two errors are not alike: a missed
opt-out breaks that rule, and a false one silences a client who waits for help.  So a text is an opt-out
only when a careful person would be sure of it; whatever is about consent but not sure is *unclear* and goes
to a human; and support traffic that merely contains "stop" or "cancel" is *ordinary*.

The page is read from top to bottom as a text is: take out what the writer did not write (attachments,
quoted history, signatures), bring the rest into one spelling, then look for a tapback, a configured command,
a keyword standing alone, a machine's text, plain language (`syncd.phrases`, `syncd.tongues`), and last for any
doubt that a person should look at (`syncd.doubts`).
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from syncd import doubts, phrases, tongues
from syncd.model import Intent
from syncd.notation import pattern, phrase
from syncd.wording import RUN, TAPBACK, clean, is_typo, one_spelling, own_words

RULES_VERSION = "3"  # stored with each piece of evidence; bump it when any reading may change


@dataclass(frozen=True, slots=True)
class Reading:
    """An intent and the short, stable name of the rule that found it.

    Ordinary texts are told apart by rule: "empty", "tapback", "auto-reply", and "words".  Only "words" may
    count as a client starting a conversation: the others were not typed by a person who wants something.
    """

    intent: Intent
    rule: str


_MIME = (
    r"(?:image|video|audio)/[a-z0-9][\w.+-]{1,60}|application/[a-z0-9][\w.+-]{2,80}|multipart/[a-z]{4,20}"
    r"|text/(?:plain|html|csv|rtf|xml|calendar|directory|(?:x-)?v(?:card|calendar))"
)
_ATTACHMENT_PATTERNS = (
    # A marked run that holds a MIME type.  The vendor documents that there is one, and not how it looks.
    *(
        rf"\{a}[^\{a}\{b}]{{0,200}}?(?:{_MIME})[^\{a}\{b}]{{0,400}}\{b}(?:\([^()\s]{{0,400}}\))?"
        for a, b in ("[]", "<>", "{}", "()")
    ),
    *(rf"{a}[^\s{a}]{{0,200}}?(?:{_MIME})\S{{0,400}}{a}" for a in (r"\|", "%", "~")),
    # The same without marks: "image/jpeg:4711", "MIME_TYPE=image/png MEDIA_ID=9".
    rf"(?<![\w/])(?:[\w-]{{1,30}}[=:]\s?)?[\"']?(?:{_MIME})[:;|,=][^\s,]{{1,400}}",
    (
        r"(?<![\w/])[\"']?(?:MIME|MEDIA|CONTENT|ATTACHMENT|FILE)[_ -]?(?:TYPE|ID|URL|NAME)[\"']?\s?[=:]"
        r"\s?[^\s,;]{1,400}[,;]?"
    ),
    r"(?<![\w/])(?:image|video|audio)/(?:jpe?g|png|gif|hei[cf]|webp|bmp|mp4|3gpp2?|mpeg|amr|aac|ogg)(?![\w/])",
    # What other gateways and phones put there.
    (
        r"[\[<(]\s?(?:image|photo|picture|pic|video|audio|gif|file|attachment|media|mms|sticker|contact card"
        r"|voice ?(?:note|message))(?: (?:omitted|attached|removed|\d{1,4}))?\s?[\])>]"
    ),
    r"https?://[^\s?#]{1,500}\.(?:jpe?g|png|gif|heic|webp|mp4|mov|3gp|amr|vcf)(?:[?#]\S{0,500})?",
)


@dataclass(frozen=True)
class Vocabulary:
    """The configurable part of the rules; hashable, so that its compiled form is made once.

    ``opt_in_keywords`` and ``opt_out_keywords`` of one word that begin with ``#`` are commands and count
    anywhere in a sentence; others count when they stand alone.  The standard words always count as well.
    Without ``plain_language_opt_out`` only keywords revoke, and plain requests are unclear.
    ``attachment_patterns`` are regular expressions of what the vendor puts in place of a picture.
    """

    opt_in_keywords: tuple[str, ...] = ("#Go",)
    opt_out_keywords: tuple[str, ...] = ("#Stop",)
    plain_language_opt_out: bool = True
    attachment_patterns: tuple[str, ...] = _ATTACHMENT_PATTERNS


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


# The federal list and the carriers', then the same words in French and Spanish, as Canada and Miami text them.
_OUT_WORDS = _set("""
    stop quit end revoke optout cancel unsubscribe stopall optoutall unsubscribeall unsub remove exit dnc
    cease desist
    arret arrete arretez arreter desabonner desabonnement desinscrire desinscription
    parar pare alto detener detente desuscribir desuscribirme cancelar baja
""")
_IN_WORDS = _set("start unstop optin subscribe")
_HELP_WORDS = _set("help info aide ayuda informacion information")
_ABOUT_WORK = _set("cancel cancelar")  # "cancel please": the appointment?  Sure only when alone
_TO_A_TECHNICIAN = _ABOUT_WORK | _set("quit end exit remove revoke")  # "ok quit": the app?
_FIRMLY_OUT = _set("stop unsubscribe optout cancel end quit")

_NOT_BOB = re.compile(  # needs the capital: "this is not Bob" against "this is not working"
    r"(?:^|[.!?,\n] ?)(?:(?:hi|no|sorry|hello|hey),? )?(?:(?:this|it)(?: is|['’]?s)?|i['’]?m|i am)?"
    r" ?(?:no (?-i:[A-Z][a-z]+) (?:here|at this number|lives here)(?:[.!]|$)"
    r"|(?:not|isn['’]?t) (?-i:[A-Z][a-z]+)(?:,| anymore|[.!]|$|['’]s)"
    r"|(?:you|u|you've)(?: have| got)* (?:the )?wrong (?-i:[A-Z][a-z]+)(?:[.!,]|$))",
    re.IGNORECASE,
)
_REFUSING = frozenset("🛑⛔🚫✋🤚🖐🙅🖕❌❎✖👎🔕🔇🙊📵🚷⏹")  # emoji that may mean "no" when nothing else is said
_JOKING = frozenset("😂🤣😆😜😝😅🙃")


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
    out = {one_spelling(keyword).strip() for keyword in vocabulary.opt_out_keywords} - {""}
    into = {one_spelling(keyword).strip() for keyword in vocabulary.opt_in_keywords} - {""} - out
    command = re.compile(r"#\w+").fullmatch
    return _Known(
        attachments=tuple(re.compile(pattern, re.IGNORECASE) for pattern in vocabulary.attachment_patterns),
        out_commands=frozenset(word for word in out if command(word)),
        in_commands=frozenset(word for word in into if command(word)),
        out_words=frozenset(word for word in out if not command(word)),
        in_words=frozenset(word for word in into if not command(word)),
    )


def read(text: str, vocabulary: Vocabulary = Vocabulary()) -> Reading:
    """What ``text`` means for consent, and which rule says so.  Never raises; linear in the length of ``text``."""
    known = _known(vocabulary)
    whole = clean(text, known.attachments)
    own = own_words(whole)
    words = one_spelling(own)
    tapback = TAPBACK.match(whole)
    if tapback or not re.search(r"\w", words):
        if _REFUSING.intersection(tapback[0] if tapback else own):
            return Reading(Intent.UNCLEAR, "refusing-emoji")
        return Reading(Intent.ORDINARY, "tapback" if tapback else "empty")
    joking = bool(phrases.TAKEN_BACK.search(words) or _JOKING.intersection(own))
    if reading := _command(words, known) or _keyword(words, joking, known):
        return reading
    if _MACHINE.search(words):
        return Reading(Intent.ORDINARY, "auto-reply")
    apart, footers = _FOOTER.subn(" .", words)  # "Reply STOP to opt out": quoted by a person, or below advertising
    reading = _plain_request(apart, joking) or (_keyword(apart, joking, known) if footers else None)
    last = _last_word(words, own, joking)
    if last and last.intent is Intent.OPT_OUT:
        reading = last
    if reading:
        certain = vocabulary.plain_language_opt_out or reading.rule == "keyword"
        return reading if certain else Reading(Intent.UNCLEAR, reading.rule)
    if footers and not _asks(words) and not re.search(r" (?:i|my|me)(?!\S)", apart):
        return Reading(Intent.ORDINARY, "auto-reply")
    if not phrases.KEEP_TEXTING.search(words):  # "don't unsubscribe me": no doubt about it
        if rule := _doubt(words, own):
            return Reading(Intent.UNCLEAR, rule)
        if last:
            return last
    return Reading(Intent.ORDINARY, _kind_of_ordinary(words))


# So much of the beginning and of the end of a text is searched for doubts (characters).
_END = 1000


def _doubt(words: str, own: str) -> str | None:
    """The rule that puts a text without a certain request in doubt."""
    # Some of these phrases take time with the square of the length, and no person's text is longer.
    ends = words if len(words) <= 2 * _END else f"{words[:_END]} . {words[-_END:]}"
    for rule, said in doubts.DOUBTS:
        if said.search(ends) and not (rule in doubts.ABOUT_PRODUCTS and doubts.PRODUCTS.search(ends)):
            return rule
    if _NOT_BOB.search(own):
        return "wrong-person"
    return doubts.caught(words) or ("keyword-on-a-line" if _on_its_own_line(own) else None)


def _kind_of_ordinary(words: str) -> str:
    if not re.search(r"[^\W\d_]", words):  # "1", "2:30": nobody starts a conversation without a word
        return "empty"
    return "auto-reply" if _AWAY.search(words) else "words"


# --- Texts that no person typed --------------------------------------------------------------------

_MACHINE = pattern(r"""
    autoreply|autoresponse|autoresponder|auto (reply|response|responder)|(auto|automatic|automated) text reply
    (automatic|automated) (reply|response|message|text|answer|notice|notification)|this is an? automat\w+
    respuesta automatica|reponse automatique
    you (have|ve|are|were) (been|successfully|now|already)* (unsubscribed|subscribed|opted (in|out)|removed from|
        added to|resubscribed)
    you (will|ll) (not|no longer) (receive|get|be (contacted|receive|texted))|you will receive no
    no (more|further) messages will be sent
    (this|the|that|your) [\w+] [\w+] (number|line|mailbox|inbox|account|phone|service|address|subscriber|recipient)
        (you are \w+|you have \w+|you \w+)* (does not|doesnt|cannot|cant|is not|isnt|is unable to|no longer) [able
        to] (accept|accepts|receive|monitored|support|supports|in service|configured|equipped|reachable)
    (please)* dont reply to this
    (not|could not be|couldnt be|cannot be|failed to be|was not|wasnt) (delivered|sent) (to|\.)
    undeliverable|undelivered|delivery (failed|failure|status|receipt)|message blocking|unable to deliver
    failed to (send|deliver)|mailbox is full|rates (may)* apply|freemsg|free msg|verification code
    (code|otp|pin|passcode) is \d+|is your ... (code|otp|pin|passcode)
    (reply|text|send|respond) [with] (yes|y|and|\d|c) to (confirm|subscribe|optin)
    thanks for (texting|contacting|messaging|subscribing to) \w+ \w+ (\.|,|we|our|text|reply|\w+)
    dont disturb while driving|with dont disturb
""")
_FOOTER = pattern(r"""
    # "Reply STOP to opt out" below somebody's advertising
    (reply|text|send|respond|rply|type|txtng) (with|back|the word)* (stop|unsubscribe|end|optout|quit|cancel|unsub|
        remove|arret|out) [to \d+] (to|2|for|4|and|if|for) \w+
    (to|2) (optout|unsubscribe|stop|end|cancel|unsub|quit|be removed|stop (texts|messages|receive)) ... [,] (reply|
        text|send|call|visit|click|go to|respond|message) (with|us|at|to|keyword)* (stop|unsubscribe|end|optout|
        quit|cancel|unsub|remove|out|no|here|url|\d\S+)
    (reply|text|send|respond) (stop|unsubscribe) to \d+|unsubscribe (at|here|url)
    (reply|text|send) (stop|go|start|yes) (to|for) (optin|subscribe|join|\w+)
""")
_AWAY = pattern(
    r"""
    i am (currently)* (driving|out of [the] office|away from|on (vacation|leave|annual leave|pto)|unable to|not
        available|unavailable)
    i will (get back|reply|respond|return your|see your)|out of [the] office|[i] cant talk [right] now
    (we|our office) ... (closed|will get back|will respond)|our (office)* hours
""",
    r"(?:^| [.!,])" + phrase(r"(CHAT|this is \w+|for (your|the) \w+)*") + "{}",
)

# --- Around a keyword or a command -----------------------------------------------------------------

_POLITELY, _INSISTENTLY, _LAUGHING = (re.compile(phrase(name)) for name in ("POLITE", "INSISTING", "LAUGHING"))
_CORRECTED = pattern(
    "    not|no wait|wait|actually|instead|i meant|i mean|meant|undo|nevermind|oops|un|scratch that"
)
# The keyword with words of our own instruction: "Reply STOP", "STOP to opt out".
_COPIED = re.compile(
    phrase("(reply|text|send|type|respond|texting|replying|answer) [(with|back)]")
    + r"(?= \w+)|(?<= stop) to(?= (?:optout|unsubscribe|stop|end|cancel|quit)$)"
)
# Before a command in its sentence: somebody else's, quoted, or denied.
_TOLD = re.compile(
    phrase("he|she|they|the|a|his|her|says?|called|word|command|keyword|use|used|about|or|if|when")
    + "|"
    + phrase("(not|dont|didnt|never|without) (to|use|send|sent|text|say|want|mean|do)*")
    + "$"
)
_TOLD_TO_OPT_IN = re.compile(phrase("texts?|texting|reply|send|sent|type|say|said|me|messages?|press|to"))
_AFTER_OPT_IN = re.compile(phrase(r"(POLITE|now|again|#\w+)*") + phrases.ENDS)
_AFTER_OPT_OUT = re.compile(
    phrase(r"(#\w+|stop)* [(TEXTING|sending|BOTHERING)] [to] [ME] [TEXTS] [(for|to)] [ALL_OF_US]")
    + phrases.KINDLY
    + phrases.ENDS
)


# A keyword as the last word, unless the word before governs it: "hit stop", "the bus stop", "it will not stop".
_GOVERNING = """
    says to it wont doesnt cant dont didnt hit press pressed reply text send say said type the a full non will not
    never no and or start started bus they he she that which would should could must we i you pit truck metro train
    tram station terminal rest next last first final every each one shop its your our my his her their please
"""
_LAST_WORD = re.compile(
    "".join(rf"(?<! {word})" for word in _GOVERNING.split())
    + rf"(?<=\w) (?:stop|stopall|unsubscribe|unsub|optout){phrase('KINDLY')}{{0,3}}(?: [.!])*$"
)
_CAPITALS = re.compile(
    r"\W(?:STOP|STOPALL|UNSUBSCRIBE|UNSUB|OPT[ -]?OUT)\W{0,5}(?i:(?:thanks?|thank you|please|pls)\W{0,5})?\Z"
)
_APART = re.compile(phrase("(POLITE|just)* (stop|unsubscribe|optout|remove (me|us)|unsub) (POLITE|now)*"))


# --- Commands and keywords -------------------------------------------------------------------------


def _command(words: str, known: _Known) -> Reading | None:
    """A configured command such as ``#Stop``: reserved, so it counts anywhere unless its sentence bends it."""
    tokens = list(re.finditer(r"#\w+|(?<!\w)\w+#", words))
    outs = [token for token in tokens if token[0] in known.out_commands]
    ins = [token for token in tokens if token[0] in known.in_commands]
    if not outs and not ins:
        near = any(_near_command(token[0], known) for token in tokens)
        return Reading(Intent.UNCLEAR, "near-command") if near else None
    others = set(words.split())
    if (outs and (ins or others & _IN_WORDS)) or (ins and others & _FIRMLY_OUT):
        return Reading(Intent.UNCLEAR, "conflict")
    if any(_is_bent(words, token, opt_in=bool(ins)) for token in outs or ins):
        return Reading(Intent.UNCLEAR, "command-in-doubt")
    return Reading(Intent.OPT_OUT if outs else Intent.OPT_IN, "command")


def _is_bent(words: str, token: re.Match[str], *, opt_in: bool) -> bool:
    """Whether the sentence asks about the command, denies or quotes it, or gives it another object."""
    before, after = _sentence_around(words, token)
    near = "".join(re.findall(r" \S+", before)[-3:])
    told = _TOLD.search(near) or (opt_in and _TOLD_TO_OPT_IN.search(near))
    if told or phrases.ASKING.match(before):
        return True
    if "?" in after and (opt_in or re.search(r"\w", before + after)):  # "#Stop?" alone is still #Stop
        return True
    return not (_AFTER_OPT_IN if opt_in else _AFTER_OPT_OUT).match(after)


def _near_command(token: str, known: _Known) -> bool:
    """``#Stp``, ``#G0``, ``Go#``: a slip on the way to a command, for a helpdesk gets no other hashtags."""
    word = token.strip("#")
    commands = {command[1:] for command in known.out_commands | known.in_commands}
    if {word, RUN.sub(r"\1", word.replace("0", "o"))} & commands:
        return True
    likely = (of for of in commands if len(of) > 3 and len(word) > 2)
    if token[0] == "#" and any(_slipped(word, command) for command in commands):
        return True
    return token[0] == "#" and any(is_typo(word, of) or is_typo(of, word) for of in likely)


def _on_its_own_line(own: str) -> bool:
    """Whether "stop" or "please unsubscribe" has a line of its own among others, such as a bare name."""
    short = [line for line in own.split("\n")[:20] if len(line) < 60]
    return any(_APART.fullmatch(one_spelling(line).rstrip(" .,!")) for line in short)


def _slipped(word: str, command: str) -> bool:
    """``#Gp``: the key beside; ``#St``: sent too early."""
    beside = {"o": "ip0l", "g": "fh"}
    near = {command[:i] + key + command[i + 1 :] for i, c in enumerate(command) for key in beside.get(c, "")}
    return (
        word in near
        or sorted(word) == sorted(command)
        or (len(word) > 1 and len(command) > 2 and command.startswith(word))
    )


def _keyword(words: str, joking: bool, known: _Known) -> Reading | None:
    """A keyword with nothing around it but politeness, insistence, or itself again."""
    asked = words.endswith("?")
    text = re.sub(r" [,.!?](?!\S)|#", "", words)
    text = re.sub(r"( \S{1,30})(?:\1(?!\S))+", r"\1", text)  # "STOP STOP STOP"
    if len(text) > 200:
        return None
    if text.strip() in known.out_words | {"no mas"}:
        return Reading(Intent.OPT_OUT, "keyword")
    if text.strip() in known.in_words and not asked:
        return Reading(Intent.OPT_IN, "keyword")
    text, me = re.subn(r"( (?:unsubscribe|optout|remove|unsub|subscribe|optin)) (?:me|us)(?!\S)", r"\1", text)
    text = re.sub(r"( (?:stop|optout|unsubscribe)) all(?!\S)", r"\1", text)
    text, laughs = _LAUGHING.subn("", text)
    text, copied = _COPIED.subn("", text)
    text, polite = _POLITELY.subn("", text)
    text, insisting = _INSISTENTLY.subn("", text)
    text, corrected = _CORRECTED.subn("", text)
    left = text.split()
    if len(left) > 1 and "".join(left) in _OUT_WORDS:  # "st op"
        left = ["".join(left)]
    outs = set(left) & (_OUT_WORDS | known.out_words)
    ins = set(left) & (_IN_WORDS | known.in_words)
    helps = set(left) & _HELP_WORDS
    if not left or set(left) - outs - ins - helps:
        return None
    if (outs and ins) or (outs and corrected):
        return Reading(Intent.UNCLEAR, "conflict")
    if outs:
        at_work = insisting and not me and outs <= _TO_A_TECHNICIAN
        if at_work or ((polite or copied) and outs <= _ABOUT_WORK):
            return Reading(Intent.UNCLEAR, "object-unclear")
        puzzled = asked and (insisting or polite) and not phrases.TAG_QUESTION.search(words)
        doubt = "joking" if joking or laughs else "question" if puzzled else None
        return Reading(Intent.UNCLEAR, doubt) if doubt else Reading(Intent.OPT_OUT, "keyword")
    if ins:  # never from a doubtful text; "please start" may be about the work
        doubtful = asked or helps or copied or insisting or corrected or laughs or len(ins) > 1
        doubtful = doubtful or (polite and ins == {"start"})
        return Reading(Intent.UNCLEAR, "opt-in-in-doubt") if doubtful else Reading(Intent.OPT_IN, "keyword")
    return None if insisting or corrected else Reading(Intent.HELP, "keyword")  # "help me" is a support request


# --- Plain language --------------------------------------------------------------------------------


# A request that names nothing ("please stop") is weighed by the rest of its text, so many times in one text. Who
# asks more often may mean anything, and weighing each would take seconds.
MOST_LOOKS = 20


def _plain_request(words: str, joking: bool) -> Reading | None:
    """A revocation in plain words: certain if one phrase is the writer's own request and goes all the way."""
    for rule, said in (("threat", phrases.OR_ELSE), ("asked-before", phrases.MISSED)):
        if said.search(words):
            return Reading(Intent.UNCLEAR if joking else Intent.OPT_OUT, rule)
    doubt: Reading | None = None
    looks = 0
    for rule, asked in phrases.ASKED + tongues.ASKED + phrases.NAMELESS:
        for match in asked.finditer(words):
            intent = _weigh(rule, match[0], *_sentence_around(words, match))
            if rule in phrases.NAMED_BESIDE and intent is not Intent.ORDINARY:
                looks += 1
                if looks > MOST_LOOKS:
                    doubt = doubt or Reading(Intent.UNCLEAR, f"{rule}-in-doubt")
                    break
                rest = f"{words[: match.start()]} . {words[match.end() :]}"
                intent = _in_context(rule, match[0], intent, rest, joking)
            if intent is Intent.OPT_OUT and not joking:
                keyword = rule == "by-itself" and match[0].strip() in _OUT_WORDS
                return Reading(Intent.OPT_OUT, "keyword" if keyword else rule)
            if intent is not Intent.ORDINARY:
                doubt = doubt or Reading(Intent.UNCLEAR, f"{rule}-in-doubt")
    return doubt


def _last_word(words: str, own: str, joking: bool) -> Reading | None:
    """ "Not interested STOP": our instruction makes it the last word, and phones put no full stop before it."""
    last = _LAST_WORD.search(words)
    spelt_as_told = _CAPITALS.search(own[-60:]) and re.search("[a-z]", own)
    at_work = phrases.WORK.search(words)
    if not last or (at_work and not spelt_as_told):
        return None
    before = words[: last.start()]
    refusing = phrases.NAMED_BESIDE["by-itself"].search(before) or before.startswith(" no ")
    sure = refusing and spelt_as_told and not at_work and not joking
    return Reading(Intent.OPT_OUT if sure else Intent.UNCLEAR, "last-word")


def _in_context(rule: str, said: str, intent: Intent, rest: str, joking: bool) -> Intent:
    """What a request that names nothing ("please stop") means beside ``rest``, the other words of its text."""
    about_us = phrases.NAMED_BESIDE[rule].search(rest)
    if phrases.WORK.search(rest) or (joking and not about_us):
        return Intent.UNCLEAR if about_us else Intent.ORDINARY
    if about_us:
        return intent
    alone = rule == "by-itself" or (len(rest.split()) < 14 and phrases.SEVERAL.search(said))
    return Intent.UNCLEAR if alone else Intent.ORDINARY


def _weigh(rule: str, said: str, before: str, after: str) -> Intent:
    """How sure the phrase ``said`` is, given its sentence before and after it."""
    about_texts = rule in phrases.ABOUT_TEXTS
    before = phrases.RHETORICAL.sub("", before)
    if phrases.AT_THE_WHEEL.match(after) or phrases.DENIED.search(before.rpartition(" ,")[2]):
        return Intent.ORDINARY
    own = phrases.OWN_REQUEST.search(before) or (
        about_texts and phrases.TO_US.search(said) and not phrases.OF_OTHERS.search(before)
    )
    if not own:
        return Intent.UNCLEAR if about_texts else Intent.ORDINARY
    if phrases.SINCE_THEN.match(after):  # "I asked you to stop texting last month"
        if rule == "asked-before" or (rule in ("off-the-list", "unsubscribe") and phrases.LONG_AGO.search(said)):
            return Intent.UNCLEAR if phrases.ASKING.match(before) else Intent.OPT_OUT
        if phrases.ASKED_FOR.search(before):
            return Intent.OPT_OUT
    if only := phrases.ONLY_CHANNEL.search(after):  # "..., use email only" takes nothing back
        after = after[: only.start()]
    elif (
        rule in phrases.REFUSING_TEXTS
        and phrases.CHANNEL_WISH.search(before)
        and not phrases.ONLY_CHANNEL.search(before)
    ):
        return Intent.UNCLEAR
    goes_all_the_way = phrases.WHOLE_REQUEST.match(after)
    if rule == "asked-before" and goes_all_the_way:  # "I said stop, I didn't say reboot"
        return Intent.UNCLEAR
    if not goes_all_the_way and not about_texts:  # "take me off the on-call rota"
        return Intent.ORDINARY
    if not goes_all_the_way or phrases.AT_TIMES.search(before) or phrases.PASSING.search(after):
        return Intent.UNCLEAR
    if phrases.NARROWED.search(_beginning(after, goes_all_the_way.end())):
        return Intent.UNCLEAR
    asked = phrases.ASKING.match(before) or ("?" in after and not phrases.TAG_QUESTION.search(after))
    politely = phrases.POLITELY_ASKING.search(before + said)
    return Intent.UNCLEAR if asked and not politely else Intent.OPT_OUT


def _beginning(after: str, end: int) -> str:
    """``after`` up to ``end`` and three words more: what still belongs to the request, and not to its reason."""
    return after[:end] + "".join(re.findall(r" \S+", after[end:])[:3])


def _sentence_around(words: str, match: re.Match[str]) -> tuple[str, str]:
    """What comes before and after in the same sentence; no more than anybody says in one breath."""
    before = re.split(r" [.!?](?!\S)", words[max(0, match.start() - 160) : match.start()])[-1]
    after = re.split(r" [.!](?!\S)", words[match.end() : match.end() + 160])[0]
    return before, after


def _asks(words: str) -> bool:
    return "?" in words or phrases.ASKING.match(words) is not None
