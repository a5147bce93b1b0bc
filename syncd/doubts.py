"""What is about consent but not sure: it goes to a person, who looks at it.

`DOUBTS` are phrases of doubts that people often have.  `caught` is the safety net below them: people find words
that no phrase foresees, so whatever speaks in one breath of being texted and of refusing, of one's own number
being taken out, of consent not given, or of not being the right person is never passed over, unless that
sentence is about something that a helpdesk looks after.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from syncd import phrases
from syncd.notation import pattern, phrase, rules

# --- The safety net --------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Net:
    """Catches a passage that has each of ``signs`` and nothing of ``unless``."""

    rule: str
    signs: tuple[re.Pattern[str], ...]
    unless: re.Pattern[str]


def _net(rule: str, *signs: str, unless: str) -> _Net:
    return _Net(rule, tuple(pattern(sign) for sign in signs), pattern(unless))


_NETS = (
    _net(
        "refusal-near-texts",
        "    REFUSING",
        "    OUR_TEXTS",
        unless=r"""
    FEATURE|OTHERS|i (will|can|could|should|would|have) stop~
    (no need|dont (need|have)) to text (me|us) !(anymore|again|ever|after \w+ !(\w+))
""",
    ),
    _net(
        "refusal-near-texts",
        "    not|dont|never|aint|cant|wont|nothing|neither|nor|isnt|arent|shouldnt",
        "    (texting|messaging|contacting|bothering) (me|us|my|our)|(texts|messages|contacts) me",
        unless="    FEATURE|OTHERS|forget|sure|nobody|why|(need|have) to text|text me",
    ),
    _net("refusal-near-texts", "    TOO_MUCH", unless="    FEATURE|OTHERS|WORK"),
    _net(
        "refusal-near-texts",
        """
    texts|texting|text (support|service|updates|thing)|(these|such|any) (messages|notices|notes|alerts)|telephone
        messages
    (my|this|our) (own|cell|mobile|personal)* (number|cell|telephone|mobile)
""",
        """
    no|not|never|dont|cant|wont|stop~|quit|cease|halt|end|remov~|delet~|take|off|out|without|mistake|nobody|enough|
        leave|left
    rather|unsub~|opt~|cancel|none|zero
""",
        # Texts that do not come or are not understood, and numbers that are new, are no refusals.
        unless=r"""
    FEATURE|OTHERS|WORK|answer~|reply|replied|yet|change~|update~|got (a|the|your|my|two|it)|getting your|i (will|
        can|cant|should) (text|stop)|lost|serial
    ending|end in|back|open|understand|worry|time|why|friends?|sure|problem|miss|day|night|get any|number is (\d~|
        the same|now)|new
""",
    ),
    _net(
        "refusal-near-texts",  # in Spanish and in French
        r"""
    (no|nunca|dejen?|basta|paren?|alto|dejar) ... [(me|nos|que|de)] (ES_WRITE|ES_SEND) !(a|al|la|el|lo|todavia)
    (no|nunca|dejen?|basta|paren?) (quiero|deseo|necesito|me|mas|de|que)* ... (messages?|texts?)
    (plus|pas|jamais|arret~|cess~|ne) ... (messages?|texts?|ecri~|mecri~|menvoy~|texte~|deran~|contact~)
""",
        "    me|nos|mi|su|sus|mas|que|les|vos|nous|je|quiero|por|los|recibir|please|ne|ces",
        unless="""
    FEATURE|WORK|deja|puedo|puede|pude|llega~|recibo|recibe~|recibi~|sale|recois|recoit|arrive|peux|peut|appel~|
        mappel~
""",
    ),
    _net(
        "off-the-list-in-doubt",
        r"""
    (REMOVE|removed|deleted|take|taken|taking|get|getting|pulled|keep|cross|opt) (MINE|NUMBER|all of us|us all|
        mine|the number) [\w+] [\w+] (off|from|outta|out of) (of|your|the|this|these|all|any|that|whatever|there|
        !(\w+))
    (have|get) (me|mine) (removed|taken off|deleted)|REMOVE [\w+] (ON_FILE|mine|this contact)
    (i|we|ON_FILE) (had|have|has|am|was|are|is|be|been|get|to|gets|should|must|already|want|would like|need|ask|
        asked|demand|believe)* (removed|taken off)
    off (your|the text|this) [\w+] (list|lists|system|records|file)|(want|get me|let me) (off|out) [of (this|it)]
        !(\w+)|NOT WANT to be (on|in|part of) (this|it)
""",
        unless="    WORK",
    ),
    _net(
        "number-refused",
        r"""
    (dont|never|not|stop|quit|no|nobody) ... (on|to|at|use|using|with|bother|bothering|give|share|have) (my|this)
        (own|private|personal|home|cell|mobile|phone)* (number|phone|cell|mobile|channel)
    (my|this) (personal|private|home|cell|mobile|phone)* (number|cell|mobile) is (not|private|personal|mine|no
        longer|for)
    (my|this) (number|cell|mobile) [\w+] (not|never) [be]|(never|not) (gave|give|given) (you|anyone|yall) (my|this)
        number
    leave (me|us|NUMBER) (be|alone|out [of])|leave (me|us) outta
    (how|where|why) ... (you|yall) [(guys|people)] (get|got|have|find|found) (my|this) (number|phone|cell|name|
        info)
""",
        unless="    WORK",
    ),
    _net(
        "no-consent-in-doubt",
        r"""
    (dont|not|never|no|without|didnt|havent|nor) ... (consent~|permission|authori~|agree~ to|sign (me)* up|signed
        (me)* up|signing up|subscribed?|optin|opted in|opting in)
    (consent|permission|authorization) ... (withdraw~|revok~|rescind~|cancel~|expired)|revocation|(withdraw|
        withdrawing) (my|our)
""",
        unless="    WORK|change~|purchase~|order~|charge~|quote|renewal",
    ),
    _net(
        "unsubscribe-in-doubt",
        r"""
    unsubscrib~ !(from !(this|these|it|all|your|here)|button|link|page)|opting out !(of !(texts?|texting|the texts|
        these|this))|optout (of|from) (this|these|your) !(trial|plan|meeting|feature|policy|plans)|optout
        !(of|from|\w+ (out|of|from)|the \w+ \w+ (out|of|from))
""",
        unless="    WORK",
    ),
    _net(
        "unsubscribe-in-doubt",
        "    unsubscrib~|opting out|optout|opted out|unenroll~|deregister~|unregister~",
        "    texts?|texting|OUR_TEXTS",
        unless="    FEATURE",
    ),
    _net(
        "threat",
        r"""
    lawyers?|attorneys?|solicitors?|legal (
        action|counsel|department|team)|sue|suing|fcc|ftc|tcpa|harassment|stalking
    (file|filing|filed) ... (complaint|report|suit)|(report|reporting|reported|block|blocking|blocked) (you|yall|
        this number|your)
""",
        "    you|your|yall|texts|texting|text|message|messages|this number|contact",
        unless="    WORK|scam|clients?|opposing|case|can you|could you|should (i|we)|how|matter|discovery",
    ),
    _net(
        "wrong-person",
        r"""
    (dont|do not|no idea|not) [\w+] (know|recogni~) (you !(\w+)|who (you|this|that|is)|(this|the|your) number|
        anyone|any (\w+) !(of|how|more))|(no|not a|isnt a|aint no) \w+ (here|at this number|lives here|on this
        (number|phone))|never heard of \w+
    who (this|dis)|who [\w+] [\w+] (is|r|are) (this|you) !(\w+)|(cest|c est) qui !(que)|qui est ce|quien (es|eres|
        habla|escribe)
    you (have|got) [the] wrong \w+ !(\w+)|(you|have|has|got|its|this is) [the] wrong (fella|lady|dude|man|woman|
        mate|one|somebody)
    (these|this|they|texts|messages|it) [\w+] [\w+] (intended|meant|supposed to be) for|(not|pas) [le] (right|bon|
        my) number
    (meant|intended|looking|probably|must be) for (someone|somebody|a different|another|the wrong)
    (was|used to be|belonged to|belongs to|is) my [late] (mothers?|fathers?|moms?|dads?|husbands?|wifes?|sons?|
        daughters?|brothers?|sisters?|grand~|kids?) [(old|late)] (number|phone|cell)|(this|it) is not \w+s (phone|
        number|cell)|number is not of \w+
    passed away|deceased|(my|her|his) late (husbands?|wifes?|mothers?|fathers?|sons?)
""",
        unless="    WORK",
    ),
    _net(
        "other-channel",
        """
    (email|call|phone|ring) (me|us) ... (instead|rather|not|over) [(of|than)] [(by|via)] (texts?|texting)
    (all|any|only|further|future) COMMUNICATIONS ... (by|via|through|in) (CHANNEL|writing)
""",
        unless="    FEATURE",
    ),
    _net(
        "stop-it-in-doubt",
        r"    (stop|quit) \w+ing (me|us) !(\w+)|(keep|why) ... BOTHERING (me|us)",
        unless="    WORK|(wont|doesnt|dont|cant|to|it|how|never|and|i|will) [(please|just|ever)] (stop|quit)",
    ),
)
_NAMED, _MEANT, _FEATURE = pattern("    OUR_TEXTS"), pattern("    WEAK_PLEA"), pattern("    FEATURE")


def caught(words: str) -> str | None:
    """The rule of the net that ``words`` are caught in, if any."""
    for passage in _passages(words):
        for net in _NETS:
            if all(sign.search(passage) for sign in net.signs) and not net.unless.search(passage):
                return net.rule
    # "I get texts at night. I would like it to end."
    if _NAMED.search(words) and _MEANT.search(words) and not _FEATURE.search(words):
        return "refusal-near-texts"
    return None


def _passages(words: str) -> Iterator[str]:
    """The sentences; dictated ones, which have no end, in overlapping parts."""
    for sentence in re.split(r" [.!?](?!\S)", words):
        part = sentence.split()
        for start in range(0, max(len(part) - 12, 1), 12):
            yield " " + " ".join(part[start : start + 24])


# --- Doubts that people often have -----------------------------------------------------------------

# These do not arise when the text names something that a helpdesk looks after.
ABOUT_PRODUCTS = frozenset(("mentioned",))
PRODUCTS = pattern("""
    FEATURE|excel|in word|pdf|popups?|emails?|server|printer|laptop|desktop|calendar|spam filter|windows|software|
        website|zoom|pc
    microsoft|by mistake how
""")

DOUBTS = (
    *rules(
        r"""
keyword-narrowed:
    (stop|unsubscribe|optout|quit|end) (,|please|just)* (\d+\w{0,9}|url|for (today|now|tonight|the (day|night|
        weekend)|a (while|bit)|this week)|(until|till?) \w+ [\w+]|today|tonight|temporarily)
object-unclear:
    (cancelar|cancela|annuler|annulez) (mi|la|mon|l)* (suscripcion|abonnement)|dar de baja|(arret~|cess~) (ca|
        cela)|cancel|cancelar|end|quit|exit|remove|revoke|finish|stop
half-said:
    sto|stp|stah{1,9}p{1,9}|stawp|shtop|s|td|pause|mute|block|resume|unfollow|silence|snooze|unsubscribed|leave
        !(it)|fin|para|halt|basta|st|ste|opt|uns|unsu|unsubs|canc|cance|dnd|dont disturb|block me|(quiet|silence)
        please|hush|shush|opted out|discontinue
    (mute|silence|snooze|pause|hush) (this|that|it|me|these|us) [(for|until) ...]
soft-refusal:
    (goodbye|good bye|bye|adios|farewell|au revoir|adieu|so long) (,|and|i|we)* (forever|felicia|for good|good
        (luck|riddance)|(dont|no longer|wont|will not) (be)* (need|want|needing) [(this|these|it|you|your
        services)]) [anymore]
    no me interesa|no estoy interesad~|pas interesse|(no longer|not) (interested|needed|necessary|wanted) [in
        (this|these|it|your \w+)]|[(you|ca|this|that)] (basta|suffit)|(i am|we are|am)* (done|finished|over|
        through|fed up|sick) [(with|of)] (this|it|these|you|all this)
    this is (illegal|unlawful|against the law)|you [people] are (so|very)* annoying|this is (getting|so|really)*
        annoying
    (no|nope) \x21 [(no|nope) \x21]|no no no [no] [no]|no more [of this]|no texts?|no texting
    i am (done|finished|out) [with (this|you|these|it|these texts)]
    (fuck|screw) you|shut up|stfu|up yours|take a hike|get a life|bite me|eat shit|back off
    this is (annoying|harassment|spam|a scam)|[i] wish you would stop|[(you are|youre)] blocked
    spam|spammer|scam|scammer|harassment|(a|total|what a|such a) (scam|spam)|is this (a|real|legit|spam|scam)*
left-the-company:
    \w+ [\w+] (has|have|just|already|recently)* (left|resigned from|retired from) (us|(the|our|this) (company|firm|
        team|organization)) (last|week|month|year|ago|in|a|\d+)*
    \w+ [\w+] (no longer|doesnt) works? (here|there|(at|for|with) (us|them|(the|our|this) company)) [anymore]
    \w+ [\w+] no longer works at \w+
    \w+ [\w+] is no longer (with|at|employed|working|here|by|for) (us|the|our|company|this|firm|anymore|here)*
    [my] \w+ [\w+] (passed away|is deceased) (in|on|last|this|a|ago|\w+day|month|year|week|\w+)*|((mr|mrs|ms|dr)
        \w+|he|she|my (wife|husband|mother|father|mom|dad|boss|partner|brother|sister)) (has)* died (in|on|last|
        this|a|\w+)*
    i (dont|no longer) work (for|at|with) \w+ [\w+] [\w+] [(anymore|now)] [fyi]|i (retired|resigned) (in|on|last|as
        of) \w+ [\w+]|(i am|we are) (not|no longer) (a|your) (customer|client|patient) [of] [(yours|\w+)] [anymore]
    \w+ (was|got) (fired|let go|laid off)
wants-texts:
    (texts|texting) (are|is) (ok|okay|fine)
    (it is|its|feel)* (ok|okay|fine|free) to text [(me|us)] [(anytime|(at|on) this number)]
    (unpause|resubscribe) [(me|texts|texting|messages)]
    i (consent|agree to (texts|texting)|give [(my|you)] (consent|permission))|text me [(anytime|any time)]
    (opt|optin|add|sign|put) (me|us)* back (in|on|up)|undo [(that|my|the)] [last] (stop|optout|unsubscribe)
    (reactivate|reinstate|unmute|unblock|reenable|sign me up) [(me|us|my number|my texts|texts)]|(i|we) (want|would
        like|wish|need|have) to (optin|subscribe|unstop|resubscribe)
    (start|subscribe|optin|unstop) (me|us|again|texts|texting|messages|my number)
    (continue|keep) (texting|sending) [me]
""",
        rf"^{phrase('AROUND')}*{{}}{phrase('(AROUND|with you|again|here|then|now|it)')}*$",
    ),
    *rules(
        r"""
some-texts:
    (STOP|unsubscribe|optout|cancel|end|turn off|disable|no more|less|fewer|pause|mute|hold [off] [on]|suspend|
        snooze|silence|dont (send|need|want)|i (dont|no longer) (want|need)|enough|too many|cut down|reduce|limit)
        (with|sending|getting|from|of|on|the|me|us|these|those|your|my|all|any|this|more|so many|daily|weekly|text|
        automated|marketing|constant|annoying|survey|ticket|receive|to)* ALERTS [(to|on|for) ME]
    no (reminders?|notifications?|alerts?|notices|surveys) please|please no (reminders?|notifications?|alerts?|
        notices|surveys)
    (get|have|receive) (fewer|less) (of (these|those)|texts|messages)|[can you] (stop|pause) (these|those) (while|
        until|during|for) \w+ [\w+] [\w+]
    (do|must) (i|we) have to (get|receive|have) (these|those|them)
    (stop|quit) sending (these|this|them|those|me this|me stuff|me things|me anything|stuff) [to (me|us)]
    (stop|quit|end|no) [more] (marketing|promotions|solicit\w+|reminding (me|us)|notifying (me|us)|alerting (me|
        us))
    (these|the|your|all these|daily|text|those)* ALERTS (need|have|has|needs|must|should|better) [to] (stop|end|
        cease)
object-unclear:
    (stop|quit) doing (that|this|it)|(make|let) it (stop|end)|i quit|quit playing|[please] end (chat|call|it all)
    [nevermind [,]] (stop|quit|end|cancel|discontinue|remove|terminate) (it|this|that|these|those|them|this
        (conversation|chat|thread|crap|shit|nonsense|bs|madness)|the (conversation|chat|thread)|all|everything|(my|
        our|the|this|all)* (account|service|services|subscription|contract|membership|enrollment|plan|agreement|
        chat|relationship|registration))
other-channel:
    text ... not (me|us)|(direct|send|address) all COMMUNICATIONS to|(email|e mail) me (instead|from now on|rather)
    (use|try|i prefer|prefer|i would (prefer|rather)) (email|emails|a call|calls|phone) (instead|rather|(over|to|
        not|than) texts?|texting|of)*
    [please] email instead|(stop|quit) (calling|emailing)|email only|only call me|calls? only
soft-refusal:
    (i am|we are|am)* (not interested|no interest) [in (this|these|your \w+)]
    enough (already|is enough|of this|with this|messages|texts)*|(knock|cut) it (off|out)|give it a rest
    dont need (this|these|your services?) [anymore]
    [i (would like|want)] off please|please off|(dont|never) (send|text) (me|us) anything [else] [(ever|again)]
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
    [i am] no longer (with|at|employed|working|an employee) (at|of|with|by|for|there|here|in|the|this|that|company|
        anymore)* [\w+] [anymore]
    i [am] not [anymore] (in|with|at|part of) (this|the|that|your) ORG [anymore]|i (have|just|already|recently)*
        (left|quit|retired from|resigned from|(was|got) (fired|let go|laid off)) (ORG|in|january|february|march|
        april|may|june|july|august|september|october|november|december|the|that|my|from|by|company|job|there|last|
        month|year|week|firm|a|ago)*
    i (am|have) retired [now]|[(i am|we are)] (not|no longer) (a|your) (client|customer)|i dont live there
    we (have)* (switched|changed|moved|went|gone|found) (to|with|over|a|another|an|different|new|it|other)*
        (provider|company|msp|companies|providers)
    (we|i) (no longer|dont) use (you|your (company|services?))|our company no longer uses you|we (switched|changed)
        it (companies|providers)|we fired you [guys]
threat:
    (i|we) will (sue|report|block) (you|this number|this)*|blocked and reported|reported and blocked|spam [,]
        report~
    [this is] (spam|illegal|harassment) [,] [i am] (reporting|reported|blocking) [(it|you|this)]
    [(i|we)] (am|have|will)* (reported|reporting|blocked|blocking|block) (you|this number|your number|this as|as|
        for|to|the|a|this)* (spam|fcc|ftc|harassment|you|number)
    see you in court
""",
        rf"(?:^| [,.!?]){phrase('CHAT')}*{{}}{phrase('(CHAT|again|here|then|at all|with you)')}*{phrases.ENDS}",
    ),
    *rules(r"""
some-texts:
    no (texts|texting|messages|alerts|notifications|reminders) (after|before|on weekends|during|between|until|
        unless|except|tonight|at night|past)
    (stop|quit) (sending|texting|messaging|contacting|bothering|bugging|spamming|pinging) (me|us) !(and|the (link|
        code|file|info))
    (dont|never) (ever|you|even|bother)* (text|message|contact) (me|us)
    (dont|never) (send|keep sending) me (anymore|any|texts|these|more|another)
    (only text (me|us)|just text (me|us) for|text (me|us) only|only texts?) (for|if|about|with|on|during|between|
        in)
    (no|stop|pause|mute|hold|suspend|silence) [more] [(the|all|my|any|your|these)] [\w+] [\w+] ALERTS [please]
        [from you] (until|till?|this (week|month|weekend|evening)|today|tonight|tomorrow|for (a|the|\d+|two|three|
        now)|after|before|while|during|on (the)* (weekends?|\w+days?))
    (stop|quit) (reminding|notifying|alerting|nagging|updating) (me|us)|(turn|shut) (these|those) off|only send
        (me|us)|(i|we) only (want|need|like|care about) ... (texts|alerts|messages)
    (optout|unsubscribe|remove|take|drop) (me|us|NUMBER) (off|from|out of|of) [(the|your|these|all|any)] [\w+]
        [\w+] [\w+] (alerts?|notifications|reminders|updates|surveys|texts|messages) !(from|for|in|on)
    text (me|us) ... not (every|each|all|for every|at every)|(pause|mute|hold|suspend|snooze) (my|the|all|these)*
        (texts|messages|alerts|notifications)|(turn|shut|switch) (off)* (the|these|those|my|all|your)* [\w+] [\w+]
        (alerts|texts|text (alerts|updates)|reminders) (off|for|please|!(\w+))
    (fewer|less|not so many|cut down on|too many) [of] (these|your|the)* (texts|messages|alerts|notifications)
        !((from|in|on) (outlook|teams|windows|slack|the \w+|my \w+))
    only (message|contact|notify) (me|us)|text me less|texting me so (much|often|late|early)
    (fewer|less|too many|so many) texts|(emergency|urgent) texts only|texts only (for|during|if|when)
other-channel:
    no [me] (llam~ !(manana|hoy|todavia|aun)|llamadas)|solo (correo|email)
    (no|dont want [any]|stop sending) [(me|us)] more (emails|calls)|stop sending [(me|us)] emails !(\w+)
    no more (voicemails?|calls|phone calls|robocalls|emails) !(from|in)|(texts?|texting|messages|they) (costs?|
        charges?) (me|us)|(plan|carrier|phone) (charges|bills) ... (texts?|messages)|(charges?|charged|pay|paying|
        billed) (me|us)* (for|per) (each|every|all|these|the|your|incoming)* (texts?|messages?)
    (email|calling|a call|phone) (is|works) better|(rather|prefer) you (email|call|phone)
    (stop|quit) (calling|emailing|phoning|ringing|mailing) (me|us|NUMBER|my)
    (dont|never) (call|email|phone) (me|us|this number) !(that|back|a|an|if|until|after|before|when|names)
    (unsubscribe|optout|remove|take) [(me|us)] (from|off|of|out of) (the|your|this|all|any|these|company|marketing|
        weekly|monthly)* (newsletters?|emails?|email lists?|mailing lists?|alerts|notifications|reminders|updates|
        surveys?|marketing|promotions|calls) !(from|for|in|on|about)
    (text|message) !(me|us) \w+ ... instead !(of (calling|call|calls|phoning|email|emailing))|use my (other|work|
        personal|new|office|desk|business) (number|phone|cell|line)|text me (on|at) my
    (dont|not|no|never) (texts?|texting) [me] [,] [(just|please)] (call|email|phone|ring)
    (email|emails|call|calls|phone) (me|is better)* (instead of|rather than|over|not|than) (texts?|texting|a text)
    i (dont|cant|rarely|never) (really)* (text|texts|use texts?|use texting|like texts?|like texting|read texts|
        check texts) !(him|her|them|and|while|you|back|my)
    texting (is not|isnt|does not|doesnt|is bad|costs)|(this is|i have|is|on) a landline
    cant (get|receive) texts|(get charged|charged|i pay) (for|per) (texts?|each text|every text|messages)
for-others:
    # The writer's authority to opt somebody else out has to be checked by a person.
    (stop|quit) BOTHERING (my|our|him|her|them)
    (take|remove|unsubscribe|optout|delete|drop) \w+ [\w+] [\w+] (off|from|of|out of) (the|your|these|this|any|all|
        our)* (texts|texting|text (list|alerts))
    (says?|said|wants?|prefers|asked for) [to] (no|stop) (more|the|these|your|sending|any)* (texts|texting)
    (doesnt|dont|didnt) want [to] (get|receive|be|any|more|the|these|your|sending)* (texts|texted|texting)
    stop \w+ [\w+] [\w+] from (texting|messaging|sending) (me|us|texts)
    (asked|wants?|wanted|needs|prefers|requested|would like|says|said) (to|be|him|her|them|us|you)* (off|out of|
        removed from|taken off|remove|take) (him|her|them|off|the|your|these|all)* (texts|texting|text (list|
        alerts))
    (doesnt|dont|does not) want (us|him|her|them|me|anyone|people|staff) [to] (getting|receive|get|be|having) ...
        texts
    (optout|unsubscribe) (my|our|his|her|\w+s) (employees?|assistant|wife|husband|receptionist|boss|coworkers?|
        mother|father|mom|dad|son|daughter|partner|staff|manager|team|colleague|secretary) [\w+] (!(\w+)|from
        (texts|texting))
mentioned:
    (reply|text|texted|replied|sent|send|respond|say|type|word|hashtag|pound|hash|hash tag|replying|typed|texting)
        (with|back|the word|sign|a)* (stop|unsubscribe|optout|unstop) !(by|the|at|in|sending|over|working|it|here|
        to (his|her|the|my|a)|command|signal|order|job|sign|loss|button)
    (does|will|if|is) [i] [(send|say)] (stop|#stop) (work|working|enough)
    (text|send|reply|hashtag|pound|hash|hash tag) (start|go) !(to|ahead|the|over|with|live|through|out|up|\d+)
    (how|where|is there|can|could) ... (get|take|taken|be) [(me|us)] (off|out of) (this|your|the text|these) [text]
        (list|texts|texting)|(did|have) (i|we) (just|accidentally)* (unsubscribe|unsubscribed|optout|opted out)
    (como|donde|puedo) ... (cancel\w+|salgo|dejo|paro|desuscrib\w+) (los|estos|sus|de|recibir)* [TEXTS]|comment ...
        (me|se) (desabonner|desinscrire|desabonne)|comment ... (arreter|stopper|cesser) ... TEXTS|(if|when) i stop
        (these|this)
    how [\w+] [\w+] (do|can|to) (i|we)* (stop|end|quit|cancel) these !(\w+)|(how (do|can|to|would)|where do|can)
        (i|we|to)* (stop|turn off|get rid of|end|quit|cancel|block|disable) (getting|receive|all|these|the|your)*
        (texts|texting|text alerts)
    (am i|did i|i think i) (still|already|now)* (subscribed|opted in|opted out|unsubscribed|optout|unsubscribe)
wants-texts:
    (start|resume|begin|restart|unblock) (texting|sending|messaging|the|my|receive|getting)* (texts|texting|me
        texts|me again|messages again)
    start (texting|messaging) (me|us|this)|(unstop|resubscribe|reactivate|reenroll) (me|us|my number|my texts|
        NUMBER)
    (opt|optin|opted) (me|us)* back in|(turn|switch) (my|the|these|your)* texts (back|on) [on]|texts (turned|
        switched) (back on|on again)|put (me|us) (back on (the|your) [text]|on (the|your) text) list|i sent stop by
        (mistake|accident)
    you (can|may|are allowed to|have [my] permission to) [now] (text|message|contact) (me|us|NUMBER) !(when|once|
        the|your|a|what) (here|again|now|anytime|any time|too|on this|at this|on my|if you|for|\.|,|now)*
    (i|we) [hereby] (consent|agree|give [(my|you|my)] (consent|permission)) to ... (texts|text|texted|messages|
        texting)
    (receive|get|getting|want|need) texts again|texts back on|put me back [on]|add me back|sign me [back] up
wrong-person:
    # Not a revocation, but sending on to a stranger is unsafe.
    used to be \w+ (number|phone|cell)|[(you|u|i think|sorry|have|this is|texting|got)] !(gave)(the)* wrong
        (number|person|guy|girl|one number|phone|contact) !(on|for|in|when|shows?|showing|displays?|displayed|
        comes|came|is|was|listed|printed|and|of|assigned)
    (numero|number) (equivocado|incorrecto|errado)|(mauvais|faux|equivocado) number|(number|phone|cell|line) (now|
        used to)* (belong|belongs|belonged) [now] to (someone|somebody|another) [else]
    (just|recently|only) (got|have) this (number|phone)
    (got|had|have had) this number (from|last|a|recently|now|for|\d+|this|since|two|three|few|about|yesterday|only|
        just)
    (number|phone) (was|got|has been) (reassigned|recycled)
    (no one|nobody|noone) (here)* (by (that|this)|named|with (that|this))
    this (number|phone) (no longer|doesnt) belongs?|is no longer \w+s? (number|phone|cell)
    is not my name|new phone who
    this is my (kids|sons|daughters|wifes|husbands|moms) (phone|number|cell)|(is not|isnt) \w+s (number|phone|
        cell)|not the (right|correct) person
soft-refusal:
    (why|how) ... (getting|receive|keep getting|get) (these|your|all these)* texts
    on [(the|a|your)] [national] dnd (list|registry)|(registered|enrolled) (on|under|in|with|for) [the] dnd
    (still|why i am|why am i) (getting|receive) (these|them) !(\w+)|i keep getting (your|these (texts|messages|
        alerts)|these !(\w+))
    why (are|do|did|would) you (still|even|keep|always|guys|people|all)* (texting|text|messaging|contacting) (me|
        this|us)
    how (did|would|do) you get (my|this|our) number|who (gave|told) you ... my number|why am i getting (this|these)
        [(texts?|messages?|notifications|alerts)] !(\w+)
    (you|these|your|the) texts are (annoying|spam|unwanted|harassing|too|driving|not wanted|harassment)
    (unwanted|unsolicited) (texts?|messages)|harassing me
    (done|fed up|sick|tired) (with|of) (you people|you guys|these texts|your texts|texts|texting|the texts)
threat:
    (contacting|reporting|forwarding|reported|calling|sending|filing) ... (fcc|ftc|attorney general|bbb|better
        business bureau)
    (calling|contacting|call|contact|from) my (lawyer|attorney)
    my (lawyer|lawyers|attorney|attorneys) ... (contact|hear|call|touch|sue|informed)|tcpa
    (call|contact|report|complain|complaint) ... (fcc|ftc)
    (report|reported|reporting|mark|marked|marking) (you|this number|this|it|your number|as|the|these|texts?|them|
        for)* (spam|harassment)
"""),
    # Alone it may mean "leave me alone"; "thanks, bye" ends any conversation.
    (
        "soft-refusal",
        re.compile(r"^ (?:goodbye|bye|good bye|bye bye|adios|adieu|au revoir|farewell|so long)(?: [.\x21])*$"),
    ),
)
