"""What people say when they ask not to be texted: the phrases that `syncd.keywords` acts upon.

They are written in the notation of `syncd.notation`.  A phrase here is only what is asked; whose request it is
and how far it goes is weighed by its sentence (the second half of this page).
"""

import re

from syncd.notation import pattern, phrase, rules

# --- Plain language: what is asked -----------------------------------------------------------------

ASKED = rules(r"""
stop-texting:
    STOP [(calling|emailing|phoning|call) [me] (and|or)] TEXTING [(and|or) (calling|emailing|TEXTING)] [[to]
        (ALL_OF_US|ME)]
    STOP BOTHERING (ALL_OF_US|ME) [up]
    STOP (sending|forwarding|delivering|send) [ME] TEXTS [to (ALL_OF_US|ME)]
    STOP sending [ME] (these|those|this (crap|shit|junk|stuff|garbage)|crap|shit|garbage|junk)
    STOP sending (stuff|things|anything) to NUMBER|STOP TEXTING it
    [to] (cancel|terminate|disable|deactivate|kill|nix|please off|shut down|end) SURE_TEXTS [(service|thing|stuff|
        program|feature)] [(to|on|for) ME]
    (make (sure|it so|certain)|ensure|fix it so|see to it|so) [that] (i|we|NUMBER) (dont|no longer|never|not)
        [ever] (get|receive|have to get) SURE_TEXTS
    if you (guys|all|people|just|would|could|please|simply|finally)* (stopped|quit|ceased) (TEXTING (ALL_OF_US|ME)|
        BOTHERING ME|sending (ME TEXTS|TEXTS [to ME]))
    (make|have) SURE_TEXTS (stop|end|cease|go away)|make it stop texting (me|us)
    STOP SURE_TEXTS [to ME]|STOP (text|message|messages) to ME
    STOP (getting|receive) TEXTS !(from !(you|your|this|here|yall))|SURE_TEXTS off
    (i|we) (want|need|would like) TEXTS [to] (stop|stopped|end|cease)
    (SURE_TEXTS|this texting) (need|needs|must|have|has|should|better|ought) [to] (stop|end|cease)
    (turn|shut|switch) (off SURE_TEXTS|SURE_TEXTS off) [(to|on|for) ME]
    (block|stop) NUMBER from (your texts|receive texts|getting texts)
do-not-text:
    NEVER contact ([to] (ME|ALL_OF_US)|!(\w+))
    NEVER [(call|email|contact) (and|or|nor)] (text|message|TEXTING) [(or|and|nor) (call|email|contact|message|
        text)] ([to] (ME|ALL_OF_US|here)|!(the|it|that|a|an|this|anything|your|codes?))
    (dont|never) (you|ever|dare)* (bother|spam|bug|harass|pester|disturb) ME (again|anymore)
    (you|mind|like|just|about|please|appreciate|prefer|rather) not (text|texting|message|messaging|contact|
        contacting) ME
    NEVER (hit (me|us) up|hmu)
    NEVER (send|sending) ([to] ME TEXTS|TEXTS to ME|SURE_TEXTS)
    [(i|we)] (have|already|just|clearly|specifically|thought)* [(i|we)] (told|asked|said|begged|instructed|
        requested|warned) [to] [you] [(guys|people|all)] (not to|to not|never to|to never|dont|never) [ever] (text|
        message|contact|bother) ME
    NEVER (send|sending) [me] (anything|stuff|things|(these|those|any|such) [\w+]) [else] to NUMBER|NEVER (text|
        message) it
    that you (no longer|not|never) (text|message|contact) ME
    (can|could|would|will) (you|yall) (guys|people|all|please|maybe|just)* not (ever)* (text|message|contact|
        texting|messaging|contacting) ME
    (dont|never) disturb [(me|us)] (by|with) (sending [(me|us)])* TEXTS
    NEVER use (NUMBER|ME) (for|to send) (texts|texting|messaging)
not-wanted:
    [(i|we)] (really|just|also|still|would|do|have|am|are)* NOT [(really|ever|even)] WANT [to] [be] [(get|getting|
        receive|have|see)] (TEXTS (from (you|nobody|anybody|anyone)|to ME|from this number)|SURE_TEXTS)
    [(i|we)] NOT [WANT] [to] (be|being|get|getting) (texted|messaged|contacted) [by (you|text)]
    (i|we) NOT WANT [for] you [(guys|people|all)] [to] (text|message|contact|send|TEXTING) [ME] [TEXTS]
    (i|we) (would)* (prefer (not to|to not)|rather not) (be (texted|messaged|contacted)|(get|getting|receive)
        TEXTS)
    [(i|we)] (would)* (prefer|rather) [that] (you|yall|you (guys|people|all)|no one|nobody) (did|do|would)* (not|
        didnt|dont|wouldnt|no longer|never|!(did|do)) (text|texted|message|messaged|contact|contacted) ME
    [(i|we)] (really|just|also|still)* NOT WANT to hear from (you|yall) (guys|people|all)*
        (by|via|over|through) (text|texts|texting)
    (appreciate|love|like|prefer|rather|grateful|obliged|glad|happy|great|nice|good|best|better|thankful) [it] if
        (i|we) (didnt|dont|no longer|never|stopped|quit) (get|getting|receive|got|received) SURE_TEXTS
    to (no longer|not|stop) (get|getting|receive) SURE_TEXTS
    (no (one|body)|nobody) ... (texts?|texting|messages|messaging|contacts|contacting) (me|us|NUMBER) (again|
        anymore|ever|further)
    [(i|we)] (dont|no longer) (want|wish|need) to (get|receive) (these|those) anymore
    (i|we) (dont|no longer|never|do not) WANT TEXTS from (your ORG|your \w+|you)
    no [(further|more|additional)] TEXTS (are|is)* (needed|necessary|required|wanted|welcome|desired) [or (needed|
        necessary|required|wanted|welcome|desired)]
    ME (should|must|may|is|are) not [to] be (texted|messaged|contacted)
    enough (with|of) [already] TEXTS|(i|we) (have had|had) enough of (your|these) TEXTS
    (i|we) (am|are|respectfully|politely|must|do|hereby|have to)* (opposed to|refusing|refuse|decline|declining)
        [to] [(get|receive|accept)] [any] TEXTS
    TEXTS (are|is) (no longer|not) (wanted|welcome|authori.ed|permitted) [(here|anymore|on NUMBER|at NUMBER|by ME)]
no-more-texts:
    # "no texts" alone may answer a question, and "no more messages in the queue" is a support text.
    no more ADJ (texts|messages|texting|messaging|text) [[to] ME]
    please no (texts|texting)|no (texts|texting|messages|text) please|no texting
    no [more] TEXTS (to|on|at|for) ME
    CHANNEL only [please] [,] [(please|and)] no [more] (texts?|texting)
    no [more] (texts?|texting) [,] [(please|just)] ONLY_CHANNEL
off-the-list:
    # Only our own lists: "take me off the rota", "delete my number from the fax header" are work for the helpdesk.
    (i|we) (want|need|would like) (off|out of|out|to (be|get) (off|out of)) RECORDS
    TAKE_OFF (ALL_OF_US|MINE|NUMBER|[the] number) [(and|or) \w+ [\w+]] [(removed|taken|deleted|dropped)] OUT_OF
        RECORDS
    (take|get|keep|leave) (me|us) off [(this|these|it|that)]|(take|leave) (out|off) ON_FILE|(take|get|keep|pull|
        drop) ON_FILE off [(here|this|these)]
    (take|get|keep) ON_FILE out [of (here|this)]
    (remove|delete|erase|purge) (me|us)|REMOVE MY_NUMBER
    (remove|take|delete|get) (it|this|that|this one|mine) (off|from|out of) (your [text] (list|lists|system|texts)|
        (the|any) texting? list)
    (should|could|would|were supposed to|was supposed to) have (removed|taken|deleted|dropped|pulled) ME (off|from)
        RECORDS
    (i|we) (want|would like) out of TEXTS|[(i|we)] (would)* (like|love|prefer|want) to be (left|kept) (off|out of)
        RECORDS
    (i|we) NOT WANT to be (on|in|part of) (LIST|RECORDS)
    [(i|we)] (have|get|want|need|(would|want to) (like|love|prefer) [(to have|for)]) MINE [to be] (removed|taken
        (off|out)|deleted|unsubscribed|opted out) [[(from|off|of)] RECORDS]
    [(i|we)] (am|would be|are)* interested in (being|getting) (removed|taken off|unsubscribed|opted out) [[(from|
        off|of)] RECORDS]
    (can|could|may) (i|we) [please] (be|get) (removed|deleted|unsubscribed|opted out|taken (off|out)) [(from|off|
        of)] RECORDS
    [me] off (the|your|this) [texting] list
    (i|we) (have|already|just|am|are|hereby|again|do)* (ask|asked|asking|want|wanted|need|would like|wish|
        requested|requesting|request|demand|prefer|demanding) [you] [that] [(ME|my name)] [to] [be] (removed|taken
        off|deleted|unsubscribed|opted out|removal) [[(from|off|of)] RECORDS]
    (make sure|be sure|see to it|see that|ensure|confirm|verify) [in writing] [that] (MINE|i|we|NUMBER) (is|am|are|
        be|get|gets|has|have|been|was|were)* (removed|taken off|off|deleted|unsubscribed|opted out) [[(from|off|
        of)] RECORDS]
    (put|add|place|include|enter|register|list|mark) [(ME|my name)] [(on|to|in|onto|as)] [(your|the|a|ur)]
        (national|internal|company|own|federal|state|permanent)* (dnc|dont (call|text|contact|message|solicit)|dont
        disturb (list|lists)|(suppression|optout|stop|block|exclusion|unsubscribe|removal|no text) (list|lists|
        registry)) [(list|lists|registry)]
    [(\w+th|second|third|2nd|3rd|last|final|formal|official|written|repeated)] request to be (removed|taken off|
        deleted|unsubscribed|opted out) [[(from|off|of)] RECORDS]
    (i|we) (asked|requested) (SINCE)* to be (removed|taken off|unsubscribed|opted out) [[(from|of)] RECORDS]
    [(i|we)] (am|are|hereby|formally|do|would like to)* (request|requesting|requested|demand|demanding|asking for)
        [(my|our)] removal [(from|off) RECORDS]
    NUMBER is (on|in) (the|a) (national)* (dnc|dont call) (list|registry)
unsubscribe:
    # With a foreign object ("opt us out of the trial") the words after it are not of this list, and nothing fires.
    [(i|we)] (hereby|formally|am|do|would like to|will be|choose to|now)* (unsubscribe|optout|opting out|
        unsubscribing) [(ALL_OF_US|ME)] [(from|of|to|for) [(receive|getting)] (this service|all of (this|these|it|
        your texts)|LIST|RECORDS|TEXTS|these|this|all|everything)]
    (unenroll?|disenroll?|unregister|deregister) (ME|ALL_OF_US) from (LIST|RECORDS|TEXTS)
    stop all (of us|for ALL_OF_US|for !(now|today|tonight|lunch|the|this|maintenance) \w+)
no-consent:
    [(i|we)] (am|are|hereby|formally|do|now|also|would like to|wish to|want to|have)* (revoke|withdraw|rescind|
        retract|revoking|withdrawing|rescinding|terminate|cancel|take back|revoked|withdrawn) (my|our|any|all|
        prior|express|previous|written|and|the|implied)* CONSENT ABOUT_CONSENT
    [this (constitutes|is|serves as)] (a|an|my|our|the|formal|official|written|notice of|immediate)* (revocation|
        withdrawal) of (my|our|any|all|prior|express)* CONSENT ABOUT_CONSENT
    consider (me|us|this) [(as|to be)] (my|an|opted out|unsubscribed|removed|optout|off (your|the) list|gone)*
    (i|we) have not [(given|ever|been)] (authorized|consented to|agreed to|permitted|approved) (this|these|your)*
        SURE_TEXTS
    [(my|our|any|all)] (prior|express|previous|written)* CONSENT ABOUT_CONSENT (is|are|has been|have been|hereby|
        now)* (revoked|withdrawn|rescinded|denied|terminated)
    you (dont|no longer|never|did not|didnt) [(have|had)] (my|our|any)* (permission|consent|authori.ation)
        [anymore] to (text|contact|message|call|send) [(or|and) \w+] [ME] [TEXTS]
    you are not (authorized|allowed|permitted) to (text|contact|message) [ME]
    no (consent|permission) to (text|contact|message) [ME]
    (i|we) (dont|no longer|never) (authorize|permit|allow|accept) (SURE_TEXTS|you to (text|contact|message)) [[to]
        ME]
    you have no (permission|consent|right) to (text|contact|message) [ME]
    (i|we) (dont|no longer|never|did not|didnt) (give|gave|given|grant) [you] [(my|any)] (permission|consent) to
        (text|contact|message|use|call and text) [ME]
    (i|we) (dont|no longer|did not|never|didnt) (consent|agree) to (be|being|receive|getting|any)* (texted|
        contacted|messaged|SURE_TEXTS)
    (i|we) (dont|no longer|never|did not|didnt) (give|gave|grant|granted) [you] [(my|any|our)] CONSENT
        ABOUT_CONSENT
    cease [and] desist [from] [(TEXTING ME|(all|any|further|future|your)* (COMMUNICATIONS|TEXTS) [(to|with) ME])]
    (stop|quit|cease|end|discontinue|halt|terminate) (all|any|further|future|your|text|electronic|and)*
        COMMUNICATIONS [(to|with) (ALL_OF_US|ME)] [(by|via) (text|texting|texts|phone)]
    (all|any|further|future|no|more|text|your)* COMMUNICATIONS (must|should|needs? to|has to|is to|shall) (stop|
        cease|end)|no (further|more) (COMMUNICATIONS|contact) [(with|to|from) (ME|you)]
    (dont|never) reach out [to ME] again
go-away:
    STOP (spamming|harassing|pestering|hounding|stalking)
    (fuck|f|fk|fck|eff|piss|bugger|sod|buzz|feck) [right] off
    leave (me|us|NUMBER) [the (hell|fuck)] alone
    go to hell|get lost|go away|get bent|go fuck (yourself|yourselves)
asked-before:
    [i] (sent|texted|replied|typed|said|wrote) [you] (stop|unsubscribe|quit|optout) (\d{1,2}x?|twice|two|three|
        four|five|six|ten|many|several|multiple|already|again|like|a (dozen|million|hundred))
    (i|we) (have|had|already|just|literally|previously|clearly|keep|kept|even)* (said|replied|texted|sent|typed|
        wrote|told you|asked you|asked|responded|answered|saying|telling you|asking you) [you] [(back|with|the
        word|guys)] [to] (stop|unsubscribe|quit|optout|end|cancel)
    (i|we) (have|had|already|just)* (unsubscribed|opted out)|(i|we) (was|were|am|are|should be)* (supposed to be)*
        (already)* (opted out|unsubscribed|taken off RECORDS|removed from RECORDS)
    [[you|u] said] (stop|no) means (stop|no)
    do you not understand (stop|the word stop)
other-channel-only:
    only (contact|reach|reach out to|communicate with|write|notify|talk to|message) (me|us) (by|via|through|on|
        over|using) CHANNEL
    (contact|reach|notify|communicate|correspond|write) [[with] (me|us)] (only (by|via|through) CHANNEL|(by|via|
        through|over) CHANNEL only)
    (i|we) (only|would|just|do)* (want|wish|prefer|like|agree) to (only)* be (contacted|reached|notified)
        [only] (by|via|through) CHANNEL [only]
    (use|only use) email only|please email only|email only please|only email me|email me only|by email only
    (communicate|contact|reach out) (only)* (by|via|through) email only
    (email|mail|phone) is the only way (to|you|i)
""")
# A request that names nothing, to be read last: it counts when the rest of the text shows what it is about, and no
# work is in sight.
NAMELESS = rules("""
by-itself:
    PLEA
stop-them:
    WEAK_PLEA
""")

# "who are you stop texting this number": no question about the request.
RHETORICAL = pattern(r"""
    who [(the|in the)] [(hell|heck)] (are you|is this|sent this)|do i know you|what is this|are you (deaf|stupid|
        serious|kidding [me])|(how|where) did you (get|find) (my|this) number|why (are|do|would) you (people|guys|
        still|keep)* (texting|text|messaging|contacting|bothering) (me|us) [again]|did you not (get|see|read|hear)
        (my|the) (stop|text|message|reply)
""")
# Said of texting itself, so that a wish for another channel puts them in doubt.
REFUSING_TEXTS = frozenset(("stop-texting", "do-not-text", "not-wanted", "no-more-texts"))
# These say "texts" themselves; the others ("take me off", "go away") may be about something else.
ABOUT_TEXTS = frozenset(("stop-texting", "do-not-text", "not-wanted"))
SEVERAL = pattern(
    "    these|those|them|any|send|no more|no mas|enough"
)  # "I don't need it": the loaner, most likely
NAMED_BESIDE = {
    "by-itself": pattern("    ABOUT_US|OUR_TEXTS"),
    "stop-them": pattern("    (these|such|all these|so many|too many) texts"),
}
WORK = re.compile(phrase("WORK"))

# --- Plain language: whose request, and how far it goes --------------------------------------------

ENDS = r"(?= ?$| [,.!?])"
# What may stand between the start of a clause and a request and leave it the writer's own.  Dictated texts have
# no commas, so some last words of a reason ("wrong number stop texting me") end a clause as well.
OWN_REQUEST = re.compile(rf"(?:^| [,.!?]|{phrase('OWN_START')}){phrase('OWN')}*$")
# Dictated and angry texts put anything before "stop texting me": it is the writer's own unless these are there.
OF_OTHERS = re.compile(
    phrase(r"""he|she|they|him|her|them|his|their|it|its|someone|people|patients|customers|clients|who|make|makes|get
        |have|has|let|wont|keeps?|how|if|whether|says?|said|saying|told|tell|ask|asked|asks|wants?|app|phone|teams|
        outlook|will|would|could|can|might|may|should|must|does|do|did|when|why|what|where|help|way|not|dont|cant""")
    + "| (?:to|a|the|my|our|your|and|or|of|for)$"
)
ASKED_FOR = re.compile(
    phrase("(asked|told|said|begged|requested) [to] [you] [(guys|people|all)] [to] [(please|not)]") + "$"
)
LONG_AGO = re.compile(phrase("asked|requested|unsubscribed|opted out|already|have|was|were"))
ONLY_CHANNEL, CHANNEL_WISH = (re.compile(phrase(name)) for name in ("ONLY_CHANNEL", "CHANNEL_WISH"))
TO_US = re.compile(phrase("me|us|NUMBER|texts|texting") + "$")
# After a request the sentence ends, or a reason or a second request begins.
KINDLY = phrase("KINDLY") + "*"
WHOLE_REQUEST = re.compile(rf"{KINDLY}(?:{ENDS}|(?={phrase('GOES_ON')}))")
# A time, a topic, another number or channel: only some of the texts are meant, if it stands close to the request.
NARROWED = pattern(r"""
    unless|except|but !(thanks)|only|instead|if !(possible|you)|when|whenever|while|during|between|before [!(i)]
    this (week|weekend|month)|so (much|many|often)|too (much|many)|about|regarding|every|each|\d+ (am|pm)|\d+am|
        \d+pm
    night|late|early|for (now|a while|the (day|weekend|week|moment|time)|this|\d+|an? (hour|day|week|month|bit|
        few))
    temporarily|on (teams|slack|whatsapp|facebook|mondays?|fridays?|sundays?|my (work|personal|other|old))
    and (call|email)|keep|send (them|it|to)|other than|apart from|besides|not (all|the)|some|hours
""")
# So does a reason that will pass, wherever it stands: "stop texting me, I am in a meeting".
PASSING = re.compile(
    phrase(
        """until|till?|untill|after|tonight|tomorrow|weekends?|busy|driving|meeting|sleeping|asleep|vacation|class
        |at work|, (just|please)* (call|email|phone|use|try|text|message)|the other|email me"""
    )
    + r"|(?<! dont)(?<! never)(?<! or)(?<! stop)"
    + phrase("call (me|us|my)")
)
TAG_QUESTION = re.compile(phrase(r"(ok|okay|alright|right|understand|understood|got it|please|thanks|yes) \?"))
AT_TIMES = pattern(r"""
    (not|only|except|please no) (during|after|before|while|when|if|(on|at|in the) (my|the|a|night|work|lunch|week~|
        mornings?|\w+days?))
""")
# "dont stop texting me", "I do not want to unsubscribe", "before you unsubscribe"
DENIED = pattern(
    r"""
    (dont|not|never|wont|cant|cannot|couldnt|doesnt|didnt|isnt|wouldnt|shouldnt|havent|hasnt|without|nor|neither|
        nobody|instead of|rather than|no (need|reason|plans?|desire)|before|after|unless|once) (i|we|you|they|it|
        want|wanted|wish|to|like|need|needed|trying|mean|meaning|meant|ask|asked|asking|for|going|ever|just|please|
        the|have|be|really|think|would|me|us|plan|planning|looking|wanting|request|say|said|even|yet|actually|
        ready|a|must|should|choose|agree|suggest|can|how)*
    i (will|shall|can|could) [(just|now|also)]
""",
    "{}$",
)
KEEP_TEXTING = pattern(r"""
    (dont|never|not) (i|we|you|want|wish|to|need|ever|just|please|like|ask|mean|trying|going|me)* (stop|
        unsubscribe|optout|remove me|cancel|quit|take me)
    (dont|never|stop|no|not) [phone] (call|calls|calling|ring|ringing) [me] [(please|just|instead|,)] [(please|
        just|,|\.)] text !(me (anymore|or))
""")
ASKING = pattern(
    r"""
    how !(many times)|what|whats|why|when|where|who|which|does|do (i|you|we|they)|should|is|are|am i|can i|may i|
        did
    has|have !(me|you|my)|if|whose|would i|could i|must i|shall|will !(you)|was|were
""",
    rf"^{phrase('CHAT|,')}*{{}}",
)
POLITELY_ASKING = pattern("""
    (can|could|would|will) (you|someone)|(can|could|may) (i|we) [please] be|pueden?|puedes|podrian?|pouvez|pourriez
    please|how many times|would you mind|would it be possible
""")
AT_THE_WHEEL = pattern(r"""
    (and|while|when|whilst) [(you are|youre)] (driving|drive|drivin|walking|walk|biking|riding|working)
    behind the wheel|at the wheel|in (class|church|meetings)
""")
TAKEN_BACK = pattern(r"""
    nevermind|nvm|just kidding|jk|kidding|ignore (that|this|my)|no wait|wait no|scratch that|oops|disregard
    lol|lmao|haha\w{0,9}|rofl|psych|april fools?
""")
# "if you text me again I will report you": the writer revokes, though he names a condition.
OR_ELSE = pattern(
    r"""
    if (you|i) (ever)* (text|message|contact|get another text|send|get another)|next (text|message)|next time
        you text
    another (text|message|one)|(one|any) more (of (these|your))* (texts?|messages?)|(text|contact|message|bother)
        me (again|one more|once more)|keep (texting|messaging) [me] and
    (any|all|every)* (further|future|more|additional) (texts?|messages?|COMMUNICATIONS) ... (will|shall|would|is|
        are)
""",
    rf"{{}}(?: [\w,]+){{0,14}}?{phrase('THREAT')}"
    rf"|{phrase('THREAT')}(?: \w+){{0,6}}?{phrase('if you [ever] (text|contact|message|send)|if i get another')}",
)
# After "I asked to be removed", "I already said stop": when, how often, and what about it.
SINCE_THEN = re.compile(rf"^{phrase('SINCE')}*(?: ?$| \.|{phrase('COMPLAINT')})")

# "What part of STOP don't you understand", "Already opted out. Why am I still getting texts": a missed opt-out.
MISSED = re.compile(
    rf"{phrase('OPTED_OUT')}(?: \S+){{0,14}}?{phrase('STILL_TEXTED')}"
    rf"|{phrase('STILL_TEXTED')}(?: \S+){{0,12}}?{phrase('OPTED_OUT')}|"
    + phrase(
        r"""
    (what|which) (part|word) of ... (stop|no|unsubscribe|optout|alone|text|texting|remove) ... (understand|get|
        hear|comprehend|grasp)|how (many times|often) (do|must|should|have|will|does|did|can)* (i|we|someone) ...
        (say|text|reply|send|type|write|tell you|ask you|told you|asked you|said|texted|replied) (with|to|the word|
        you|guys|please)* (stop|unsubscribe|optout|quit|remove me) !(the|my|it|by|in|on|into|\w+ing !(me|us))
        """
    )
)
