"""What people say about being texted: the phrases that `syncd.keywords` looks for, and nothing else.

Phrases are separated by a bar or a line end, in a small notation made to be read aloud and argued about:

    [a]          optional                       (a|b)        either
    ...          up to six other words          (a|b)*       up to nine of them
    NAME         a class, defined below         !(a|b)       only if neither follows

Any other word is matched as it stands (a small regular expression such as ``texts?`` is allowed).
A line that is indented twice continues the line above.  The text has been brought into one spelling before
(`wording.one_spelling`): "opt-out" is ``optout``, "don't" is ``dont``, "text messages" is ``texts``,
"pls" is ``please``; every word and every mark (``, . ! ?``) has one space before it.
"""

import re

Rules = tuple[tuple[str, re.Pattern[str]], ...]


def _table(text: str) -> dict[str, str]:
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


_CLASSES = _table(r"""
NUMBER:
    (this|my|our|these) (number|numbers|phone|phones|cell|cellphone|mobile|line|device)
ME:
    me|us|mine|NUMBER
ORG:
    company|office|team|business|organization|organisation|firm|clinic|school|practice|department
ALL_OF_US:
    (everyone|everybody|anyone|all of us|us all|all|every one of us) [(here|in (our|my) ORG|at [(our|my|this|the)]
        [(whole|entire)] (ORG|\w+))]
    (our|my|the) (whole|entire) (ORG|staff)|our (company|office|business|firm)
ADJ:
    (all|any|more|of|these|those|the|this|your|such|text|automated|unwanted|spam|annoying|stupid|damn|dumb|silly|
        fucking|unsolicited|further|future|other|random|goddamn|bloody|constant)*
TEXTS:
    ADJ (texts|messages|texting|messaging|text|message)
SURE_TEXTS:
    ADJ (texts|texting)
    ADJ (these|those|your|text|unwanted|automated|unsolicited|spam|further) (messages|message|text|messaging)
    all messages
LIST:
    (your|the|this|that|any|all|every|future|further)* (text|texting|texts|contact|call|calling|marketing|
        messaging|message|notification|subscriber|phone|blast|alert)* (list|lists|texts|messages|texting|
        messaging)
RECORDS:
    LIST|(your|the) text system|(your|ur) (system|database|records|contacts|files|phone|file|service)
STOP:
    (stop|quit|cease|discontinue|halt|end|refrain from|desist from) (all|with|it with|it and|already|fucking|the)*
TEXTING:
    texting|messaging|contacting
BOTHERING:
    bothering|bugging|spamming|harassing|pestering|annoying|hassling|disturbing|hounding|pinging|stalking
    blowing up|messing with
NEVER:
    (dont|never) (you|ever|dare|even|bother|continue|keep|try|please|to)*
WANT:
    want|wanted|wish|need|needed|interested in|wishing
ALERTS:
    alerts|notifications|notices|reminders|surveys|announcements|broadcasts|blasts|pings|promotions|promos
    ads|offers|(text|status|ticket) updates|texts|messages|texting|messaging
CHANNEL:
    email|emails|mail|phone|calls|call|voicemail|voice
POLITE:
    please|thanks|kindly|hi|hello|hey|dear|sir|maam|madam|hola|bonjour|sorry|would you|if you would|regards
    best regards|cheers
INSISTING:
    ok|okay|no|yes|yeah|yep|now|just|already|immediately|asap|again|at once|i said|i say|i repeat|so|guys
    folks|people|right now|right away|omg|god|damn|dammit|wtf|ffs|jesus|christ
    good (morning|afternoon|evening)|man|bro|dude|ugh|and|or|texts?|the (hell|fuck)|fucking|yo|um|well|look
    listen
CHAT:
    POLITE|INSISTING|also|but|then|sure|can you|could you|i think|lets|actually|nevermind|nvm|go ahead
    i (want|would like|need) to|you can|today|anymore|thats|that is|really|too|lol|um|well
OWN_START:
    so|and|then|but|because|or|number|there|here|anymore|person|again|hello|thanks|please|sorry|guys
    interested|only|this|ridiculous|enough|harassment|spam|up for this|company|already|annoying|to this|retired|
        moved|phone
OWN:
    POLITE|INSISTING|also|then|you|all|really|seriously|once again|[for the] last time|hereby|lets|team
    today|me|would you mind|do me a favor and|the
    (can|could|would|will|must|should|need|better|do) you [not]
    you [(guys|people|all)] (need|have|must|should|better|can|may|will|want)* [to]
    (i|we) (have|am|are|would|already|just|really|hereby|do)* (want|need|like|ask|asked|told|tell|telling|demand|
        demanding|insist|beg|request|requesting|appreciate it if|asking|begging|prefer|love|rather|wish|choose|
        trying|going|tried|decided|elect|would) [that] [you] (guys|people|all|nicely|before|already|\w+ times)*
        [to] [be able to] [please]
    (i|we) (am|are|have)|(have)* (told|asked) you (\w+ times|already|before|nicely|guys|people)* [to]
    this is [a]|stop|(ask|asked|asking) you to
    how many times (do|must|should) (i|we) have to (tell|ask) you to
    (consider this|this is) [as] (my|a|formal|official)* (request|notice) to|go ahead and|feel free to
    wrong number|to|unfortunately
KINDLY:
    ,|further|POLITE|INSISTING|ever|anymore|at all|immediately|effective (immediately|today|now)|forever
    for good|from now on|going forward|permanently|period|altogether|all together|entirely|completely|either
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
    and (remove|take|delete|lose|leave|stop|unsubscribe|dont|i|never)|(take|remove|leave) me
    (lose|delete) my|they are|my name is|enough|fuck|before i|why|unsubscribe|never
SINCE:
    already|twice|\d{1,2}|two|three|four|five|several|many|multiple|times|yesterday|last|before|days?|weeks?
    months?|ago|a|this|morning|\w+day|time|week|like|again|please|and over|over|texting me|everything
COMPLAINT:
    [,] (why|you|yet|and|so|still|but you)|and (you|i|still|yet)|why|yet|so why|still|but you
THREAT:
    sue|suing|report|reported|reporting|lawyer|attorney|fcc|ftc|tcpa|legal|complaint|court|police|cops|file
    filing|block|blocked|blocking
AROUND:
    CHAT|,|\.|\x21|\?
LAUGHING:
    lol|lmao|haha\w{0,9}|hehe|rofl|jk|just kidding
""")
_SIGNS = {
    "[": "(?:",
    "]": ")?",
    "(": "(?:",
    "!(": "(?!",
    ")": ")",
    "|": "|",
    "*": "{0,9}",
    "...": r"(?: \w+){0,6}?",
}


def phrase(notation: str) -> str:
    """The regular expression of a phrase in the notation above."""
    out = []
    for piece in re.findall(r"!?\(|[\[\])|*]|[^\s\[\]()|*!]+", notation):
        if piece in _CLASSES:
            out.append(f"(?:{phrase(_CLASSES[piece])})")
        else:
            out.append(_SIGNS.get(piece) or rf" {piece}(?!\S)")
    return f"(?:{''.join(out)})"


def _rules(text: str, frame: str = "{}") -> Rules:
    """Each named group of phrases as one expression, set into ``frame`` in place of ``{}``."""
    groups = _table(text).items()
    return tuple((name, re.compile(frame.replace("{}", phrase(notation)))) for name, notation in groups)


def _pattern(text: str, frame: str = "{}") -> re.Pattern[str]:
    """Indented phrases as alternatives of one expression, set into ``frame``."""
    return _rules("any:\n" + text.strip("\n"), frame)[0][1]


# --- Plain language: what is asked -----------------------------------------------------------------

ASKED = _rules(r"""
stop-texting:
    STOP [(calling|emailing|phoning|call) [me] (and|or)] TEXTING [(and|or) (calling|emailing|TEXTING)] [[to] (ME|
        ALL_OF_US)]
    STOP BOTHERING ME [up]
    STOP (sending|forwarding|delivering) [ME] TEXTS [to (ME|ALL_OF_US)]
    STOP sending ME (these|those|this (crap|shit|junk)|crap|shit)
    STOP SURE_TEXTS [to ME]
    STOP (getting|receive) TEXTS
    (i|we) (want|need|would like) TEXTS [to] (stop|stopped|end|cease)
    (SURE_TEXTS|this texting) (need|needs|must|have|has|should) [to] (stop|end|cease)
do-not-text:
    NEVER contact ([to] (ME|ALL_OF_US)|!(\w+))
    NEVER [(call|email|contact) (and|or|nor)] (text|message|TEXTING) [(or|and|nor) (call|email|contact|message|
        text)] ([to] (ME|ALL_OF_US|here)|!(the|it|that|a|an|this|anything|your|codes?))
    (dont|never) (you|ever|dare)* (bother|spam|bug|harass|pester|disturb) ME (again|anymore)
    NEVER (send|sending) ([to] ME TEXTS|TEXTS to ME|SURE_TEXTS)
not-wanted:
    [(i|we)] (really|just|also|still|would|do|have|am|are)* (dont|no longer|never|not) [(really|ever|even)] WANT
        [to] [be] [(get|getting|receive|have|see)] (TEXTS (from you|to ME|from this number)|SURE_TEXTS)
    [(i|we)] (dont|no longer|never|would rather not|prefer not) [WANT] [to] (be|being|get|getting) (texted|
        messaged|contacted) [by (you|text)]
    (i|we) (dont|no longer|never) WANT [for] you [(guys|people|all)] [to] (text|message|contact|send|TEXTING) [ME]
        [TEXTS]
    (i|we) (would)* (prefer (not to|to not)|rather not) (be (texted|messaged|contacted)|(get|receive) TEXTS)
    (i|we) (dont|no longer) want to (get|receive) (these|those) anymore
no-more-texts:
    # "no texts" alone may answer a question, and "no more messages in the queue" is a support text.
    no more ADJ (texts|messages|texting|messaging|text) [[to] ME]
    please no (texts|texting)|no (texts|texting|messages|text) please
    (email|calls|phone) only [please] [,] no texts?
off-the-list:
    # Only our own lists: "take me off the rota", "delete my number from the fax header" are work for the helpdesk.
    (i|we) want off RECORDS
    (remove|removing|delete|take|taking|erase|scratch|strike|scrub|pull|get|drop) (me|us|my name|my [contact]
        (info|details|contact)|[this] number|NUMBER|our numbers|ALL_OF_US) [(and|or) \w+ [\w+]] (off|from|out of)
        RECORDS
    (take|get) (me|us|my (name|number)|NUMBER) off [this]
    (remove|delete|erase) (me|us|NUMBER)
    (lose|forget|delete) NUMBER
    (have|get) (me|us|NUMBER) (removed|taken off|deleted|unsubscribed) [(from|off) RECORDS]
    (i|we) (have|already|just)* (ask|asked|want|wanted|need|would like|wish|requested|demand) [you] to be
        (removed|taken off|deleted|unsubscribed|optout) [[(from|off|of)] RECORDS]
    (put|add|place) [ME] [(on|to|in)] [(your|the|a)] [national] dont (call|text|contact|message|disturb) [(list|
        registry)]
unsubscribe:
    # With a foreign object ("opt us out of the trial") the words after it are not of this list, and nothing fires.
    [(i|we)] (unsubscribe|optout|opting out|unsubscribing) [(ME|ALL_OF_US)] [(from|of|to|for) [(receive|getting)]
        (all of (this|these|it|your texts)|LIST|TEXTS|these|this|all|everything)]
    stop all (of us|for ALL_OF_US|for !(now|today|tonight|lunch|the|this|maintenance) \w+)
no-consent:
    [(i|we)] [hereby] (revoke|withdraw|rescind|retract|revoking|withdrawing|cancel|take back) (my|our|any|all|
        prior|express|previous)* (consent|permission|authori.ation|optin) [(to|for) (be|being|receive|getting|get|
        any|these|your|you|further|future|contact|text)* (texted|contacted|messaged|texts|messages|texting|
        contact|me|communications?|text) [ME]]
    [my] (consent|permission) (is|has been|hereby)* (revoked|withdrawn|rescinded|denied)
    you (dont|no longer|never|did not|didnt) [(have|had)] (my|our|any)* (permission|consent|authori.ation)
        [anymore] to (text|contact|message|call|send) [(or|and) \w+] [ME] [TEXTS]
    you are not (authorized|allowed|permitted) to (text|contact|message) [ME]
    no (consent|permission) to (text|contact|message) [ME]
    (i|we) (dont|no longer|never) (authorize|permit|allow|accept) (SURE_TEXTS|you to (text|contact|message)) [[to]
        ME]
    you have no (permission|consent|right) to (text|contact|message) [ME]
    (i|we) (dont|no longer|never|did not|didnt) (give|gave|given|grant) [you] [(my|any)] (permission|consent) to
        (text|contact|message) [ME]
    (i|we) (dont|no longer|did not|never|didnt) (consent|agree) to (be|being|receive|getting|any)* (texted|
        contacted|messaged|SURE_TEXTS)
    cease [and] desist|cease (all|any)* (communications?|contact|contacting) [with ME]
    (dont|never) reach out [to ME] again
go-away:
    (fuck|f|fk|fck|eff|piss|bugger|sod|buzz|feck) [right] off
    leave (me|us|NUMBER) [the (hell|fuck)] alone
    go to hell|get lost|go away|get bent|go fuck (yourself|yourselves)
asked-before:
    i (have|had|already|just|literally|previously|clearly|keep|kept|even)* (said|replied|texted|sent|typed|wrote|
        told you|asked you|asked|responded|answered|saying|telling you|asking you) [you] [(back|with|the word|
        guys)] [to] (stop|unsubscribe|quit|optout|end|cancel)
    i (have|had|already|just)* (unsubscribed|opted out)
    how many times (do|must|should|have) (i|we) [have to] (say|text|reply|send|tell you|ask you|asked you|told
        you|said) [with] [to] (stop|unsubscribe|quit)
    (stop|no) means (stop|no)
other-channel-only:
    only (contact|reach|reach out to|communicate with|write|notify|talk to) (me|us) (by|via|through|on|over|using)
        CHANNEL
    (contact|reach|notify) (me|us) (only (by|via|through) CHANNEL|(by|via) CHANNEL only)
    please [use] email only|email only please|only email me|email me only|by email only
spanish:
    [quiero] cancelar (los|estos|sus) TEXTS
    no mas [(texts|messages|text|message)]
    no (me|nos) [(vuelvan?|sigan?) a] (manden?|envien?|escriban?|escribas|contacten?|texteen?|molesten?|mandes|
        envies|mande|envie|mandar|enviar|escribir) [mas] [TEXTS]
    (dejen?|deja|parar?|paren?|dejar) de (enviarme|mandarme|escribirme|textearme|molestarme|molestar|contactarme|
        mandar|enviar|escribir|texting|texting me) (mas|estos|los|tantos|sus)* [TEXTS]
    [ya] no (quiero|deseo) (receive|recibir|mas|que me escriban|estos|sus)* TEXTS
    (quiero|quisiera|deseo|necesito)* (darme|dame|denme|deme) de baja
    (quiten?me|quitame|borren?me|borrame|elimin.n?me|saquen?me|sacame) [de (la|su|esta|tu) lista]
    (borr.n?|elimin.n?|quit.n?|remueva) mi numero
    dejen?me en paz
french:
    (arretez?|arreter|cessez) [de] (me|nous|m)* (texting|texte|ecrire|envoyer|contacter|deranger|harceler|
        menvoyer|message) (des|les|vos|ces|de)* [TEXTS]
    ne (me|nous) (textez|texte|text|contactez|ecrivez|envoyez|derangez) (plus|pas) [(de|des)] [TEXTS]
    ne (mecrivez|mappelez|mecris) plus
    ne menvoyez (plus|pas) [(de|des|rien)] [TEXTS]
    plus (de|aucun) (texts|messages|message|text)
    je [ne] (veux|souhaite|desire) (plus|pas) (recevoir|de|des|vos|ces|etre)* (texts|messages|contactee?)
    (retirez|enlevez|supprimez|otez|effacez) (me|mon numero) [de (la|votre|cette) liste]
    (je|veux|souhaite|voudrais|me|vous)* (desabonner|desinscrire|desabonnez|desinscrivez) [me]
    laissez me tranquille
""")
# These say "texts" themselves; the others ("take me off", "go away") may be about something else.
ABOUT_TEXTS = frozenset(("stop-texting", "do-not-text", "not-wanted"))

# --- Plain language: whose request, and how far it goes --------------------------------------------

ENDS = r"(?= ?$| [,.!?])"
# What may stand between the start of a clause and a request and leave it the writer's own.  Dictated texts have
# no commas, so some last words of a reason ("wrong number stop texting me") end a clause as well.
OWN_REQUEST = re.compile(rf"(?:^| [,.!?]|{phrase('OWN_START')}){phrase('OWN')}*$")
# After a request the sentence ends, or a reason or a second request begins.
KINDLY = phrase("KINDLY") + "*"
WHOLE_REQUEST = re.compile(rf"{KINDLY}(?:{ENDS}|(?={phrase('GOES_ON')}))")
# A time, a topic, another number or channel: only some of the texts are meant.
NARROWED = _pattern(r"""
    until|till?|untill|unless|except|but|only|instead|if|when|whenever|while|during|between|after
    before [!(i)]|tonight|tomorrow|this (week|weekend|month)|weekends?|night|late|early|so (much|many|often)
    too (much|many)|about|regarding|every|each|call (me|us|my)|email me|busy|driving|meeting|sleeping|asleep
    vacation|class|\d+ (am|pm)|\d+am|\d+pm
    for (now|a while|the (day|weekend|week|moment|time)|this|\d+|an? (hour|day|week|month|bit|few))
    temporarily|on (teams|slack|whatsapp|facebook|mondays?|fridays?|sundays?|my (work|personal|other|old))
    at work|, (just|please)* (call|email|phone|use)|and (call|email)|keep|send (them|it|to)|other than
    apart from|besides|not (all|the)|some|hours
""")
# "dont stop texting me", "I do not want to unsubscribe", "before you unsubscribe"
DENIED = _pattern(
    r"""
    (dont|not|never|wont|cant|cannot|couldnt|doesnt|didnt|isnt|wouldnt|shouldnt|havent|hasnt|without|nor|neither|
        nobody|instead of|rather than|no (need|reason|plans?|desire)|before|after|unless|once) (i|we|you|they|it|
        want|wanted|wish|to|like|need|needed|trying|mean|meaning|meant|ask|asked|asking|for|going|ever|just|
        please|the|have|be|really|think|would|me|us|plan|planning|looking|wanting|request|say|said|even|yet|
        actually|ready|a|must|should|choose|agree|suggest|can|how)*
""",
    "{}$",
)
KEEP_TEXTING = _pattern(r"""
    (dont|never|not) (i|we|you|want|wish|to|need|ever|just|please|like|ask|mean|trying|going|me)* (stop|
        unsubscribe|optout|remove me|cancel|quit|take me)
""")
ASKING = _pattern(
    r"""
    how !(many times)|what|whats|why|when|where|who|which|does|do !(not)|should|is|are|am i|can i|may i|did
    has|have !(me|you|my)|if|whose|would i|could i|must i|shall|will !(you)|was|were
""",
    rf"^{phrase('CHAT|,')}*{{}}",
)
POLITELY_ASKING = re.compile(phrase("(can|could|would|will) (you|someone)|please|how many times|would you mind"))
AT_THE_WHEEL = _pattern(r"""
    (and|while|when|whilst) [(you are|youre)] (driving|drive|drivin|walking|walk|biking|riding|working)
    behind the wheel|at the wheel|in (class|church|meetings)
""")
TAKEN_BACK = _pattern(r"""
    nevermind|nvm|just kidding|jk|kidding|ignore (that|this|my)|no wait|wait no|scratch that|oops|disregard
    lol|lmao|haha\w{0,9}|rofl|psych|april fools?
""")
# "if you text me again I will report you": the writer revokes, though he names a condition.
OR_ELSE = _pattern(
    r"""
    if (you|i) (ever)* (text|message|contact|get another text|send|get another)|next text|next time you text
    another text|one more text|any more texts|(text|contact|message) me again
""",
    rf"{{}}(?: [\w,]+){{0,14}}?{phrase('THREAT')}"
    rf"|{phrase('THREAT')}(?: \w+){{0,6}}?{phrase('if you [ever] (text|contact|message|send)|if i get another')}",
)
# After "I asked to be removed", "I already said stop": when, how often, and what about it.
SINCE_THEN = re.compile(rf"^{phrase('SINCE')}*(?: ?$| \.|{phrase('COMPLAINT')})")

# --- About consent, but not sure -------------------------------------------------------------------

DOUBTS = (
    *_rules(
        r"""
keyword-narrowed:
    (stop|unsubscribe|optout|quit|end) (,|please|just)* (\d+\w{0,9}|url|for (today|now|tonight|the (day|night|
        weekend)|a (while|bit)|this week)|(until|till?) \w+ [\w+]|today|tonight|temporarily)
object-unclear:
    cancel|cancelar|end|quit|exit|remove|revoke|finish|stop
half-said:
    sto|stp|stahp|stawp|shtop|s|td|pause|mute|block|resume|unfollow|silence|snooze|unsubscribed|leave|fin|para|
        halt|basta
soft-refusal:
    (goodbye|good bye|bye) [(forever|felicia|for good)] [,] [i] (dont|no longer) (need|want) [(this|these|it)]
    (no|nope) \x21 [(no|nope) \x21]|no no no [no] [no]|no more [of this]|no texts?|no texting
    i am (done|finished|out) [with (this|you|these|it|these texts)]
    (fuck|screw) you|shut up|stfu|up yours|take a hike|get a life|bite me|eat shit|back off
    this is (annoying|harassment|spam|a scam)|[i] wish you would stop|[(you are|youre)] blocked
    spam|spammer|scam|scammer|harassment|is this (a|real|legit|spam|scam)*
left-the-company:
    \w+ [\w+] (has|have|just|already|recently)* (left|resigned from|retired from) (us|(the|our|this) (company|
        firm|team|organization)) (last|week|month|year|ago|in|a|\d+)*
    \w+ [\w+] (no longer|doesnt) works? (here|there|(at|for|with) (us|them|(the|our|this) company)) [anymore]
    \w+ [\w+] no longer works at \w+
    \w+ [\w+] is no longer (with|at|employed|working|here|by|for) (us|the|our|company|this|firm|anymore|here)*
    \w+ [\w+] passed away|\w+ (was|got) (fired|let go|laid off)
wants-texts:
    (texts?|texting) (are|is) (ok|okay|fine)
    (it is|its|feel)* (ok|okay|fine|free) to text [(me|us)] [(anytime|(at|on) this number)]
    (unpause|resubscribe) [(me|texts|texting|messages)]
    i (consent|agree to (texts|texting)|give [(my|you)] (consent|permission))|text me [(anytime|any time)]
    (opt|optin) me back [in]|(i|we) (want|would like|wish|need|have) to (optin|subscribe|unstop|resubscribe)
    (start|subscribe|optin|unstop) (me|us|again|texts|texting|messages|my number)
    (continue|keep) (texting|sending) [me]
""",
        rf"^{phrase('AROUND')}*{{}}{phrase('(AROUND|with you|again|here|then|now|it)')}*$",
    ),
    *_rules(
        r"""
some-texts:
    (STOP|unsubscribe|optout|cancel|end|turn off|disable|no more|less|fewer|pause|mute|hold [off] [on]|suspend|
        snooze|silence|dont (send|need|want)|i (dont|no longer) (want|need)|enough|too many|cut down|reduce|limit)
        (with|sending|getting|from|of|on|the|me|us|these|those|your|my|all|any|this|more|so many|daily|weekly|
        text|automated|marketing|constant|annoying|survey|ticket|receive|to)* ALERTS [(to|on|for) ME]
    (stop|quit) sending (these|this|them|those|me this|me stuff|me things|me anything|stuff)
object-unclear:
    [nevermind [,]] (stop|quit|end|cancel|discontinue|remove) (it|this|that|these|those|them|this (conversation|
        chat|thread|crap|shit|nonsense|bs|madness)|the (conversation|chat|thread)|all|everything|(my|our|the|this|
        all)* (account|service|services|subscription|contract|membership|enrollment))
other-channel:
    (email|e mail) me (instead|from now on|rather)
    (use|try|i prefer|prefer|i would (prefer|rather)) (email|emails|a call|calls|phone) (instead|rather|(over|to|
        not|than) texts?|texting|of)*
    [please] email instead|(stop|quit) (calling|emailing)|email only|only call me|calls? only
soft-refusal:
    (i am|we are|am)* (not interested|no interest) [in (this|these|your \w+)]
    enough (already|is enough|of this|with this|messages|texts)*|(knock|cut) it (off|out)|give it a rest
    dont need (this|these|your services?) [anymore]
    (i|we) (dont|no longer) (need|want) (this|these) [anymore]|not (wanted|welcome)
    dont want (this|these) [anymore]
    [i] (didnt|did not|never) (sign|signed|ask|asked|subscribe|subscribed|consent|consented|agree|agreed|optin)
        [up] [(for|to)] (this|these|that|any of this|SURE_TEXTS|be texted)*
    i never gave you my number
wrong-person:
    who [(the (hell|fuck|heck))] (is (this|texting)|dis|are you|sent this) [(please|texting [me]|anyway|me)]
    do i know you
left-the-company:
    i (no longer|dont|have not) (work|worked) (there|here|for them|with them|(at|for|with|in) (the|that|this|your|
        our)* \w+) (since \w+|anymore)*
    [i am] no longer (with|at|employed|working|an employee) (at|of|with|by|for|there|here|in|the|this|that|
        company|anymore)* [\w+] [anymore]
    i (have|just|already|recently)* (left|quit|retired from|resigned from|(was|got) (fired|let go|laid off)) (the|
        that|my|from|by|company|job|there|last|month|year|week|firm|a|ago)*
    i (am|have) retired [now]|(i am|we are) (not|no longer) (a|your) (client|customer)|i dont live there
    our company no longer uses you|we (switched|changed) it (companies|providers)|we fired you [guys]
threat:
    (i|we) will (sue|report|block) (you|this number|this)*
    [(i|we)] (am|have|will)* (reported|reporting|blocked|blocking|block) (you|this number|your number|this as|as|
        for|to|the|a|this)* (spam|fcc|ftc|harassment|you|number)
    see you in court
""",
        rf"(?:^| [,.!?]){phrase('CHAT')}*{{}}{phrase('(CHAT|again|here|then|at all|with you)')}*{ENDS}",
    ),
    *_rules(r"""
some-texts:
    no (texts|texting|messages|alerts|notifications|reminders) (after|before|on weekends|during|between|until|
        unless|except|tonight|at night|past)
    (stop|quit) (sending|texting|messaging|contacting|bothering|bugging|spamming|pinging) (me|us) !(and|the (link|
        code|file|info))
    (dont|never) (ever|you|even|bother)* (text|message|contact) (me|us)
    (dont|never) (send|keep sending) me (anymore|any|texts|these|more|another)
    (only text (me|us)|just text (me|us) for|text (me|us) only|only texts?) (for|if|about|with|on|during|between|
        in)
    only (message|contact|notify) (me|us)|text me less|texting me so (much|often|late|early)
    (fewer|less|too many|so many) texts|(emergency|urgent) texts only|texts only (for|during|if|when)
    (hold|pause|stop|stopping|turn off|shut off|cancel|end|disable|limit|suspend|unwanted) (the|all|my|your|any|
        these|those|automated|sending|getting)* (texts|texting|text alerts) !(while|and|in|when|behind|app|apps|
        history)
other-channel:
    (email|calling|a call|phone) (is|works) better|(rather|prefer) you (email|call|phone)
    (stop|quit) (calling|emailing|phoning|ringing|mailing) (me|us|NUMBER|my)
    (dont|never) (call|email|phone) (me|us|this number) !(that|back|a|an|if|until|after|before|when|names)
    (unsubscribe|optout|remove|take) [(me|us)] (from|off|of|out of) (the|your|this|all|any|these|company|
        marketing|weekly|monthly)* (newsletters?|emails?|email lists?|mailing lists?|alerts|notifications|
        reminders|updates|surveys?|marketing|promotions|calls) !(from|for|in|on|about)
    (text|message) \w+ ... instead|use my (other|work|personal|new) (number|phone|cell)|text me (on|at) my
    (dont|not|no|never) (texts?|texting) [me] [,] [(just|please)] (call|email|phone|ring)
    (email|emails|call|calls|phone) (me|is better)* (instead of|rather than|over|not|than) (texts?|texting|a text)
    i (dont|cant|rarely|never) (really)* (text|texts|use texts?|use texting|like texts?|like texting|read texts|
        check texts) !(him|her|them|and|while|you|back|my)
    texting (is not|isnt|does not|doesnt|is bad|costs)|(this is|i have|is|on) a landline
    cant (get|receive) texts|(get charged|charged|i pay) (for|per) (texts?|each text|every text|messages)
for-others:
    # The writer's authority to opt somebody else out has to be checked by a person.
    (stop|quit) BOTHERING (my|our|him|her|them)
    (take|remove|unsubscribe|optout|delete|drop) \w+ [\w+] [\w+] (off|from|of|out of) (the|your|these|this|any|
        all|our)* (texts|texting|text (list|alerts))
    (says?|said|wants?|prefers|asked for) [to] (no|stop) (more|the|these|your|sending|any)* (texts|texting)
    (doesnt|dont|didnt) want [to] (get|receive|be|any|more|the|these|your|sending)* (texts|texted|texting)
    stop \w+ [\w+] [\w+] from (texting|messaging|sending) (me|us|texts)
mentioned:
    (reply|text|texted|replied|sent|send|respond|say|type|word|hashtag|pound|hash|hash tag|replying|typed|texting)
        (with|back|the word|sign|a)* (stop|unsubscribe|optout|unstop) !(by|the|at|in|sending|over|working|it|here|
        to (his|her|the|my|a)|command|signal|order|job|sign|loss|button)
    (does|will|if|is) [i] [(send|say)] (stop|#stop) (work|working|enough)
    (text|send|reply|hashtag|pound|hash|hash tag) (start|go) !(to|ahead|the|over|with|live|through|\d+)
    (how|what|why|does|do|should|if|can i|when|where|want|possible|way|thinking|think|considering|maybe) ...
        (optout|unsubscribe|opting out|unsubscribing) !(from the \w+|from my|from a|from \w+s? \w+|button|link|of
        (the|my|a)|\w+ from|page)
    (how (do|can|to|would)|where do|can) (i|we|to)* (stop|turn off|get rid of|end|quit|cancel|block|disable)
        (getting|receive|all|these|the|your)* (texts|texting|text alerts)
    (am i|did i|i think i) (still|already|now)* (subscribed|opted in|opted out|unsubscribed|optout|unsubscribe)
wants-texts:
    (start|resume|begin|restart|unblock) (texting|sending|messaging|the|my|receive|getting)* (texts|texting|me
        texts|me again|messages again)
    start (texting|messaging) (me|us|this)
    you (can|may|are allowed to|have [my] permission to) [now] (text|message|contact) (me|us|NUMBER) (here|again|
        now|anytime|any time|too|on this|at this|on my|if you|for|\.|,|now)*
    (i|we) [hereby] (consent|agree|give [(my|you|my)] (consent|permission)) to ... (texts|text|texted|messages|
        texting)
    (receive|get|getting) texts again|texts back on|put me back [on]|add me back|sign me [back] up
wrong-person:
    # Not a revocation, but sending on to a stranger is unsafe.
    wrong (number|person|guy|girl|one number|phone|contact)
    (just|recently|only) (got|have) this (number|phone)
    (got|had|have had) this number (from|last|a|recently|now|for|\d+|this|since)
    (number|phone) (was|got|has been) (reassigned|recycled)
    (no one|nobody|noone) (here)* (by (that|this)|named|with (that|this))
    dont know (who you are|who this is|this number|any|anyone)
    this (number|phone) (no longer|doesnt) belongs?|is no longer \w+s? (number|phone|cell)
    is not my name|new phone who
    this is my (kids|sons|daughters|wifes|husbands|moms) (phone|number|cell)|(is not|isnt) \w+s (number|phone|
        cell)|not the (right|correct) person
soft-refusal:
    (why|how) ... (getting|receive|keep getting|get) (these|your|all these)* texts
    i keep getting (these|your)
    why (are|do|did|would) you (still|even|keep|always)* (texting|text|messaging|contacting) (me|this|us)
    how did you get (my|this) number|who (gave|told) you ... my number|why am i getting (this|these)
    (you|these|your|the) texts are (annoying|spam|unwanted|harassing|too|driving|not wanted|harassment)
    (unwanted|unsolicited) (texts?|messages)|harassing me
    dont (like|want|appreciate|care for) (these|the|your|getting|receive|being|to|be)* (texts|texted|texting)
    (done|fed up|sick|tired) (with|of) (you people|you guys|these texts|your texts|texts|texting|the texts)
threat:
    (calling|contacting|call|contact|from) my (lawyer|attorney)
    my (lawyer|lawyers|attorney|attorneys) ... (contact|hear|call|touch|sue|informed)|tcpa
    (call|contact|report|complain|complaint) ... (fcc|ftc)
    (report|reported|reporting|mark|marked|marking) (you|this number|this|it|your number|as|the|these|texts?|them|
        for)* (spam|harassment)
"""),
    # Alone it may mean "leave me alone"; "thanks, bye" ends any conversation.
    ("soft-refusal", re.compile(r"^ (?:goodbye|bye|good bye|bye bye)(?: [.\x21])*$")),
)

# --- Texts that no person typed --------------------------------------------------------------------

MACHINE = _pattern(r"""
    autoreply|autoresponse|autoresponder|auto (reply|response|responder)|(auto|automatic|automated) text reply
    (automatic|automated) (reply|response|message|text|answer|notice|notification)|this is an? automat\w+
    respuesta automatica|reponse automatique
    you (have|ve|are|were) (been|successfully|now|already)* (unsubscribed|subscribed|opted (in|out)|removed from|
        added to|resubscribed)
    you (will|ll) (not|no longer) (receive|get|be (contacted|receive|texted))|you will receive no
    no (more|further) messages will be sent
    (this|the|that|your) [\w+] [\w+] (number|line|mailbox|inbox|account|phone|service|address|subscriber|
        recipient) (you are \w+|you have \w+|you \w+)* (does not|doesnt|cannot|cant|is not|isnt|is unable to|no
        longer) [able to] (accept|accepts|receive|monitored|support|supports|in service|configured|equipped|
        reachable)
    (please)* dont reply to this
    (not|could not be|couldnt be|cannot be|failed to be|was not|wasnt) (delivered|sent) (to|\.)
    undeliverable|undelivered|delivery (failed|failure|status|receipt)|message blocking|unable to deliver
    failed to (send|deliver)|mailbox is full|rates (may)* apply|freemsg|free msg|verification code
    (code|otp|pin|passcode) is \d+|is your ... (code|otp|pin|passcode)
    (reply|text|send|respond) [with] (yes|y|and|\d|c) to (confirm|subscribe|optin)
    thanks for (texting|contacting|messaging|subscribing to) \w+ \w+ (\.|,|we|our|text|reply|\w+)
    dont disturb while driving|with dont disturb
""")
FOOTER = _pattern(r"""
    # "Reply STOP to opt out" below somebody's advertising
    (reply|text|send|respond|rply|type|txtng) (with|back|the word)* (stop|unsubscribe|end|optout|quit|cancel|
        unsub|remove|arret|out) [to \d+] (to|2|for|4|and|if|for) \w+
    (to|2) (optout|unsubscribe|stop|end|cancel|unsub|quit|be removed|stop (texts|messages|receive)) ... [,]
        (reply|text|send|call|visit|click|go to|respond|message) (with|us|at|to|keyword)* (stop|unsubscribe|end|
        optout|quit|cancel|unsub|remove|out|no|here|url|\d\S+)
    (reply|text|send|respond) (stop|unsubscribe) to \d+|unsubscribe (at|here|url)
    (reply|text|send) (stop|go|start|yes) (to|for) (optin|subscribe|join|\w+)
""")
AWAY = _pattern(
    r"""
    i am (currently)* (driving|out of [the] office|away from|on (vacation|leave|annual leave|pto)|unable to|not
        available|unavailable)
    i will (get back|reply|respond|return your|see your)|out of [the] office|[i] cant talk [right] now
    (we|our office) ... (closed|will get back|will respond)|our (office)* hours
""",
    r"(?:^| [.!,])" + phrase(r"(CHAT|this is \w+|for (your|the) \w+)*") + "{}",
)

# --- Around a keyword or a command -----------------------------------------------------------------

POLITELY, INSISTENTLY, LAUGHING = (re.compile(phrase(name)) for name in ("POLITE", "INSISTING", "LAUGHING"))
REASON = _pattern(r"""
    this is the wrong number|[you have] [the] wrong (number|person)|not interested|i (dont|no longer) work (there|
        here|for them) [anymore]|who is this
    i (did not|didnt|never) (sign|signed|ask|asked) [up] [for this]|i dont (want|need) (this|these)
    leave me alone|i am not interested|i moved [away]|why (are|do) you [(still|keep)] texting me
""")
# The keyword with words of our own instruction: "Reply STOP", "STOP to opt out".
COPIED = re.compile(
    phrase("(reply|text|send|type|respond|texting|replying|answer) [(with|back)]")
    + r"(?= \w+)|(?<= stop) to(?= (?:optout|unsubscribe|stop|end|cancel|quit)$)"
)
# Before a command in its sentence: somebody else's, quoted, or denied.
TOLD = re.compile(
    phrase("he|she|they|the|a|his|her|says?|called|word|command|keyword|use|used|about|or|if|when")
    + "|"
    + phrase("(not|dont|didnt|never|without) (to|use|send|sent|text|say|want|mean|do)*")
    + "$"
)
TOLD_TO_OPT_IN = re.compile(phrase("texts?|texting|reply|send|sent|type|say|said|me|messages?|press|to"))
AFTER_OPT_IN = re.compile(phrase(r"(POLITE|now|again|#\w+)*") + ENDS)
AFTER_OPT_OUT = re.compile(
    phrase(r"(#\w+|stop)* [(TEXTING|sending|BOTHERING)] [to] [ME] [TEXTS] [(for|to)] [ALL_OF_US]") + KINDLY + ENDS
)
