"""What people say about being texted: the phrases that `syncd.keywords` looks for, and nothing else.

Phrases are separated by a bar or a line end, in a small notation made to be read aloud and argued about:

    [a]          optional                       (a|b)        either
    ...          up to six other words          (a|b)*       up to nine of them;  (a|b)**  up to thirty
    NAME         a class of `wording`            !(a|b)       only if neither follows

Any other word is matched as it stands (a small regular expression such as ``texts?`` is allowed).
A line that is indented twice continues the line above.  The text has been brought into one spelling before
(`wording.one_spelling`): "opt-out" is ``optout``, "don't" is ``dont``, "text messages" is ``texts``,
"pls" is ``please``; every word and every mark (``, . ! ?``) has one space before it.
"""

import re

from syncd.wording import phrase, table

Rules = tuple[tuple[str, re.Pattern[str]], ...]


def rules(text: str, frame: str = "{}") -> Rules:
    """Each named group of phrases as one expression, set into ``frame`` in place of ``{}``."""
    groups = table(text).items()
    return tuple((name, re.compile(frame.replace("{}", phrase(notation)))) for name, notation in groups)


def pattern(text: str, frame: str = "{}") -> re.Pattern[str]:
    """Indented phrases as alternatives of one expression, set into ``frame``."""
    return rules("any:\n" + text.strip("\n"), frame)[0][1]


# --- Plain language: what is asked -----------------------------------------------------------------

ASKED = rules(r"""
stop-texting:
    STOP [(calling|emailing|phoning|call) [me] (and|or)] TEXTING [(and|or) (calling|emailing|TEXTING)] [[to]
        (ALL_OF_US|ME)]
    STOP BOTHERING (ALL_OF_US|ME) [up]
    STOP (sending|forwarding|delivering|send) [ME] TEXTS [to (ALL_OF_US|ME)]
    STOP sending [ME] (these|those|this (crap|shit|junk|stuff|garbage)|crap|shit|garbage|junk)
    STOP sending (stuff|things|anything) to NUMBER|STOP TEXTING it
    (cancel|terminate|disable) SURE_TEXTS [(to|on|for) ME]
    if you (guys|all|people|just|would|could|please|simply|finally)* (stopped|quit|ceased) (TEXTING (ALL_OF_US|ME)|
        BOTHERING ME|sending (ME TEXTS|TEXTS [to ME]))
    (make|have) SURE_TEXTS (stop|end|cease|go away)|make it stop texting (me|us)
    no (need|reason) to (text|message|contact) (me|us) (anymore|further)
    STOP SURE_TEXTS [to ME]
    STOP (getting|receive) TEXTS
    (i|we) (want|need|would like) TEXTS [to] (stop|stopped|end|cease)
    (SURE_TEXTS|this texting) (need|needs|must|have|has|should|better|ought) [to] (stop|end|cease)
    (turn|shut|switch) (off SURE_TEXTS|SURE_TEXTS off) [(to|on|for) ME]
    (block|stop) NUMBER from (your texts|receive texts|getting texts)
do-not-text:
    NEVER contact ([to] (ME|ALL_OF_US)|!(\w+))
    NEVER [(call|email|contact) (and|or|nor)] (text|message|TEXTING) [(or|and|nor) (call|email|contact|message|
        text)] ([to] (ME|ALL_OF_US|here)|!(the|it|that|a|an|this|anything|your|codes?))
    (dont|never) (you|ever|dare)* (bother|spam|bug|harass|pester|disturb) ME (again|anymore)
    NEVER (send|sending) ([to] ME TEXTS|TEXTS to ME|SURE_TEXTS)
    [(i|we)] (have|already|just|clearly|specifically|thought)* [(i|we)] (told|asked|said|begged|instructed|
        requested|warned) [to] [you] [(guys|people|all)] (not to|to not|never to|to never|dont|never) [ever] (text|
        message|contact|bother) ME
    NEVER (send|sending) [me] (anything|stuff|things) [else] to NUMBER|NEVER (text|message) it
    that you (no longer|not|never) (text|message|contact) ME
    NEVER use (NUMBER|ME) (for|to send) (texts|texting|messaging)
not-wanted:
    [(i|we)] (really|just|also|still|would|do|have|am|are)* (dont|no longer|never|not) [(really|ever|even)] WANT
        [to] [be] [(get|getting|receive|have|see)] (TEXTS (from you|to ME|from this number)|SURE_TEXTS)
    [(i|we)] (dont|no longer|never|would rather not|prefer not) [WANT] [to] (be|being|get|getting) (texted|
        messaged|contacted) [by (you|text)]
    (i|we) (dont|no longer|never) WANT [for] you [(guys|people|all)] [to] (text|message|contact|send|TEXTING) [ME]
        [TEXTS]
    (i|we) (would)* (prefer (not to|to not)|rather not) (be (texted|messaged|contacted)|(get|receive) TEXTS)
    (i|we) (dont|no longer) want to (get|receive) (these|those) anymore
    (i|we) (dont|no longer|never|do not) WANT TEXTS from (your ORG|your \w+|you)
    ME (should|must|may|is|are) not [to] be (texted|messaged|contacted)
    enough (with|of) [already] TEXTS|(i|we) (have had|had) enough of (your|these) TEXTS
    (i|we) (am|are)* (opposed to|refusing|refuse|decline|declining) [to] [(get|receive|accept)] [any] TEXTS
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
    (remove|removing|delete|get rid of|clear|eliminate|take|taking|erase|scratch|strike|scrub|pull|get|drop|cross|
        wipe|purge|exclude|have) (ALL_OF_US|me|us|my name|my [contact] (info|details|contact|information)|[this]
        number|NUMBER|our numbers) [(and|or) \w+ [\w+]] [(removed|taken|deleted|dropped)] (off|from|out of|in)
        RECORDS
    (remove|take|delete|get) (it|this|that|this one|mine) (off|from|out of) (your [text] (list|lists|system|texts)|
        (the|any) texting? list)
    (should|could|would|were supposed to|was supposed to) have (removed|taken|deleted|dropped|pulled) ME (off|
        from) RECORDS
    (take|get) (me|us|my (name|number)|NUMBER) off [this]
    (remove|delete|erase) (me|us|NUMBER)
    (i|we) (want|would like) out of TEXTS
    (lose|forget|delete) NUMBER
    (have|get|want|need) (me|us|NUMBER|my name) (removed|taken off|deleted|unsubscribed|opted out) [(from|off|of)
        RECORDS]
    (i|we) (have|already|just|am|are|hereby|again|do)* (ask|asked|asking|want|wanted|need|would like|wish|
        requested|requesting|request|demand|prefer|demanding) [you] [that] [(ME|my name)] [to] [be] (removed|taken
        off|deleted|unsubscribed|opted out|removal) [[(from|off|of)] RECORDS]
    (make sure|be sure|see to it|see that|ensure|confirm|verify) [that] (ME|my name|i|we) (is|am|are|be|get)*
        (removed|taken off|off|deleted|unsubscribed|opted out) [[(from|off|of)] RECORDS]
    (put|add|place|include|enter|register|list|mark) [(ME|my name)] [(on|to|in|onto|as)] [(your|the|a|ur)]
        (national|internal|company|own|federal|state|permanent)* (dnc|dont (call|text|contact|message|disturb|
        solicit)) [(list|lists|registry)]
    (i|we) (asked|requested) (SINCE)* to be (removed|taken off|unsubscribed|opted out) [[(from|of)] RECORDS]
    [(i|we)] (am|are|hereby|formally|do|would like to)* (request|requesting|requested|demand|demanding|asking for)
        [(my|our)] removal [(from|off) RECORDS]
    NUMBER is (on|in) (the|a) (national)* (dnc|dont call) (list|registry)
unsubscribe:
    # With a foreign object ("opt us out of the trial") the words after it are not of this list, and nothing fires.
    [(i|we)] (unsubscribe|optout|opting out|unsubscribing) [(ALL_OF_US|ME)] [(from|of|to|for) [(receive|getting)]
        (this service|all of (this|these|it|your texts)|LIST|TEXTS|these|this|all|everything)]
    stop all (of us|for ALL_OF_US|for !(now|today|tonight|lunch|the|this|maintenance) \w+)
no-consent:
    [(i|we)] (am|are|hereby|formally|do|now|also|would like to|wish to|want to|have)* (revoke|withdraw|rescind|
        retract|revoking|withdrawing|rescinding|terminate|cancel|take back|revoked|withdrawn) (my|our|any|all|
        prior|express|previous|written|and|the|implied)* CONSENT ABOUT_CONSENT
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
        (text|contact|message) [ME]
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
    (i|we) (only|would|just|do)* (want|wish|prefer|like|agree) to (only)* be (contacted|reached|notified) (by|via|
        through) CHANNEL [only]
    (use|only use) email only|please email only|email only please|only email me|email me only|by email only
    (communicate|contact|reach out) (only)* (by|via|through) email only
    (email|mail|phone) is the only way (to|you|i)
spanish:
    [quiero] cancelar (los|estos|sus) TEXTS
    no mas [(texts|messages|text|message)]
    no (me|nos) [(vuelvan?|sigan?) a] (manden?|envien?|escriban?|escribas|contacten?|texteen?|molesten?|mandes|
        envies|mande|envie|mandar|enviar|escribir) [mas] [TEXTS]
    (dejen?|deja|parar?|paren?|dejar) de (enviarme|mandarme|escribirme|textearme|molestarme|molestar|contactarme|
        mandar|enviar|escribir|texting|texting me) (mas|estos|los|tantos|sus)* [TEXTS]
    [ya] no (quiero|deseo|necesito) (receive|recibir|mas|que me (escriban|manden|envien)|estos|sus|de|ustedes)*
        TEXTS
    [ya] no (quiero|deseo) que me (escriban|contacten|manden|envien|molesten) [mas] [TEXTS]
    (quiero|quisiera|deseo|necesito|favor de|puede|pueden)* (darme|dame|denme|deme|darse) de baja
    (quiero|pido|necesito|deseo) que me (quiten|saquen|borren|eliminen|remuevan) [de (la|su|esta|tu) lista]
    (quiten?me|quitame|borren?me|borrame|elimin.n?me|saquen?me|sacame) [de (la|su|esta|tu) lista]
    (borr.n?|elimin.n?|quit.n?|remuevan?|saquen?) mi (numero|number) [de (la|su|esta|tu) lista]
    (ya|por favor)* (no me|dejen? de) (molesten?|mas texts)|basta de TEXTS|[ya] alto a (los|estos) TEXTS
    dejen?me en paz
french:
    (arretez?|arretes|arrete|arreter|arret|cessez|cesse|cesser) (de|d) (me|nous|m)* (texting|texte|ecrire|envoyer|
        contacter|deranger|harceler|menvoyer|mecrire|message|denvoyer) (des|les|vos|ces|de|tes)* [TEXTS]
    (arretez|arrete|cessez) (les|vos|ces|tes) TEXTS|arretez ca|veuillez (arreter|cesser) (les|vos|ces)* [TEXTS]
    [ne] (me|nous) (textez|textes|texte|text|contactez|ecrivez|envoyez|derangez|contactes?|envoies?) (plus|pas|
        jamais) [(de|des|rien)] [TEXTS]
    [ne] (mecrivez|mappelez|mecris) plus|[ne] (menvoyez|menvoie|menvoies) (plus|pas) [(de|des|rien|vos)] [TEXTS]
    plus (de|aucun) (texts|messages|message|text)|aucun (text|message)
    stop (aux|les|a (ces|vos)|au|avec (les|vos)) TEXTS|(veuillez|merci de|pouvez vous|svp|please)* me (retirer|
        enlever|supprimer|rayer|oter) [de (la|votre|cette|vos) listes?]
    je [ne] (veux|souhaite|desire|voudrais) (plus|pas) (recevoir|de|des|vos|ces|etre|aucun|tes)* (texts?|messages?|
        contactee?)
    (retirez|retire|enlevez|enleve|supprimez|otez|effacez|rayez) (me|moi|mon (numero|nom)) [de (la|votre|cette|ta|
        vos) listes?]
    (je|veux|souhaite|voudrais|me|vous)* (desabonner|desinscrire|desabonnez|desinscrivez) [me]
    laissez me tranquille
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
TO_US = re.compile(phrase("me|us|NUMBER") + "$")
# After a request the sentence ends, or a reason or a second request begins.
KINDLY = phrase("KINDLY") + "*"
WHOLE_REQUEST = re.compile(rf"{KINDLY}(?:{ENDS}|(?={phrase('GOES_ON')}))")
# A time, a topic, another number or channel: only some of the texts are meant.
NARROWED = pattern(r"""
    until|till?|untill|unless|except|but !(thanks)|only|instead|if !(possible|you)|when|whenever|while|during|
        between|after
    before [!(i)]|tonight|tomorrow|this (week|weekend|month)|weekends?|night|late|early|so (much|many|often)
    too (much|many)|about|regarding|every|each|call (me|us|my)|email me|busy|driving|meeting|sleeping|asleep
    vacation|class|\d+ (am|pm)|\d+am|\d+pm
    for (now|a while|the (day|weekend|week|moment|time)|this|\d+|an? (hour|day|week|month|bit|few))
    temporarily|on (teams|slack|whatsapp|facebook|mondays?|fridays?|sundays?|my (work|personal|other|old))
    at work|, (just|please)* (call|email|phone|use)|and (call|email)|keep|send (them|it|to)|other than
    apart from|besides|not (all|the)|some|hours
""")
AT_TIMES = pattern("    (not|only|except|please no) (during|on|at|in the|after|before|while|when|if)")
# "dont stop texting me", "I do not want to unsubscribe", "before you unsubscribe"
DENIED = pattern(
    r"""
    (dont|not|never|wont|cant|cannot|couldnt|doesnt|didnt|isnt|wouldnt|shouldnt|havent|hasnt|without|nor|neither|
        nobody|instead of|rather than|no (need|reason|plans?|desire)|before|after|unless|once) (i|we|you|they|it|
        want|wanted|wish|to|like|need|needed|trying|mean|meaning|meant|ask|asked|asking|for|going|ever|just|please|
        the|have|be|really|think|would|me|us|plan|planning|looking|wanting|request|say|said|even|yet|actually|
        ready|a|must|should|choose|agree|suggest|can|how)*
""",
    "{}$",
)
KEEP_TEXTING = pattern(r"""
    (dont|never|not) (i|we|you|want|wish|to|need|ever|just|please|like|ask|mean|trying|going|me)* (stop|
        unsubscribe|optout|remove me|cancel|quit|take me)
""")
ASKING = pattern(
    r"""
    how !(many times)|what|whats|why|when|where|who|which|does|do !(not)|should|is|are|am i|can i|may i|did
    has|have !(me|you|my)|if|whose|would i|could i|must i|shall|will !(you)|was|were
""",
    rf"^{phrase('CHAT|,')}*{{}}",
)
POLITELY_ASKING = re.compile(phrase("(can|could|would|will) (you|someone)|please|how many times|would you mind"))
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
    if (you|i) (ever)* (text|message|contact|get another text|send|get another)|next text|next time you text
    another text|one more text|any more texts|(text|contact|message) me again|keep (texting|messaging) [me] and
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
# The safety net: a refusal next to texting is never just passed over, unless it is about something we support.
REFUSAL_NEAR_TEXTS = re.compile(phrase("REFUSING ... OUR_TEXTS|OUR_TEXTS ... REFUSING"))
PRODUCTS = re.compile(phrase("PRODUCTS"))
SUPPORT = pattern(r"""
    PRODUCTS|him|her|he|she|working|work|works|came|coming through|sync\w*|deliver\w*|screen|keyboard|mailbox|
        inbox|smtp|scammers?|login|log in|password|vpn|network|internet|wifi|backups?|updates? (to|for) (the|my)|
        someone|friend|mom|dad|love|stop (by|in|over)
""")
ABOUT_PRODUCTS = frozenset(("mentioned",))  # these doubts do not arise when the text names such a thing

# --- About consent, but not sure -------------------------------------------------------------------

DOUBTS = (
    *rules(
        r"""
keyword-narrowed:
    (stop|unsubscribe|optout|quit|end) (,|please|just)* (\d+\w{0,9}|url|for (today|now|tonight|the (day|night|
        weekend)|a (while|bit)|this week)|(until|till?) \w+ [\w+]|today|tonight|temporarily)
object-unclear:
    cancel|cancelar|end|quit|exit|remove|revoke|finish|stop
half-said:
    sto|stp|stah{1,9}p{1,9}|stawp|shtop|s|td|pause|mute|block|resume|unfollow|silence|snooze|unsubscribed|leave|
        fin|para|halt|basta|st|ste|opt|uns|unsu|unsubs|canc|cance|dnd|dont disturb|block me|(quiet|silence) please|
        hush|shush|opted out|discontinue
    (mute|silence|snooze|pause|hush) (this|that|it|me|these|us)
soft-refusal:
    (goodbye|good bye|bye|adios|farewell|au revoir|adieu|so long) (,|and|i|we)* (forever|felicia|for good|good
        (luck|riddance)|(dont|no longer|wont|will not) (be)* (need|want|needing) [(this|these|it|you|your
        services)]) [anymore]
    no me interesa|pas interesse|(no longer|not) (interested|needed|necessary|wanted) [in (this|these|it|your
        \w+)]|[(you|ca|this|that)] (basta|suffit)|(i am|we are|am)* (done|finished|over|through|fed up|sick)
        [(with|of)] (this|it|these|you|all this)
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
    i (dont|no longer) work (for|at|with) \w+ [\w+] [\w+] [(anymore|now)] [fyi]|i (retired|resigned) (in|on|last|
        as of) \w+ [\w+]|(i am|we are) (not|no longer) (a|your) (customer|client|patient) [of] [(yours|\w+)]
        [anymore]
    \w+ (was|got) (fired|let go|laid off)
wants-texts:
    (texts?|texting) (are|is) (ok|okay|fine)
    (it is|its|feel)* (ok|okay|fine|free) to text [(me|us)] [(anytime|(at|on) this number)]
    (unpause|resubscribe) [(me|texts|texting|messages)]
    i (consent|agree to (texts|texting)|give [(my|you)] (consent|permission))|text me [(anytime|any time)]
    (opt|optin|add|sign|put) (me|us)* back (in|on|up)|undo [(that|my|the)] [last] (stop|optout|unsubscribe)
    (reactivate|reinstate|unmute|unblock|reenable|sign me up) [(me|us|my number|my texts|texts)]|(i|we) (want|
        would like|wish|need|have) to (optin|subscribe|unstop|resubscribe)
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
    [i am] no longer (with|at|employed|working|an employee) (at|of|with|by|for|there|here|in|the|this|that|company|
        anymore)* [\w+] [anymore]
    i (have|just|already|recently)* (left|quit|retired from|resigned from|(was|got) (fired|let go|laid off)) (the|
        that|my|from|by|company|job|there|last|month|year|week|firm|a|ago)*
    i (am|have) retired [now]|(i am|we are) (not|no longer) (a|your) (client|customer)|i dont live there
    we (have)* (switched|changed|moved|went|gone|found) (to|with|over|a|another|an|different|new|it|other)*
        (provider|company|msp|companies|providers)
    our company no longer uses you|we (switched|changed) it (companies|providers)|we fired you [guys]
threat:
    (i|we) will (sue|report|block) (you|this number|this)*|blocked and reported|reported and blocked|spam [,]
        report\w*
    [this is] (spam|illegal|harassment) [,] [i am] (reporting|reported|blocking) [(it|you|this)]
    [(i|we)] (am|have|will)* (reported|reporting|blocked|blocking|block) (you|this number|your number|this as|as|
        for|to|the|a|this)* (spam|fcc|ftc|harassment|you|number)
    see you in court
""",
        rf"(?:^| [,.!?]){phrase('CHAT')}*{{}}{phrase('(CHAT|again|here|then|at all|with you)')}*{ENDS}",
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
    (hold|pause|stop|stopping|turn off|shut off|cancel|end|disable|limit|suspend|unwanted) (the|all|my|your|any|
        these|those|automated|sending|getting)* (texts|texting|text alerts) !(while|and|in|when|behind|app|apps|
        history)
other-channel:
    no more (voicemails?|calls|phone calls|robocalls|emails) !(from|in)|(texts?|texting|messages|they) (costs?|
        charges?) (me|us)|(plan|carrier|phone) (charges|bills) ... (texts?|messages)|(charges?|charged|pay|paying|
        billed) (me|us)* (for|per) (each|every|all|these|the|your|incoming)* (texts?|messages?)
    (email|calling|a call|phone) (is|works) better|(rather|prefer) you (email|call|phone)
    (stop|quit) (calling|emailing|phoning|ringing|mailing) (me|us|NUMBER|my)
    (dont|never) (call|email|phone) (me|us|this number) !(that|back|a|an|if|until|after|before|when|names)
    (unsubscribe|optout|remove|take) [(me|us)] (from|off|of|out of) (the|your|this|all|any|these|company|marketing|
        weekly|monthly)* (newsletters?|emails?|email lists?|mailing lists?|alerts|notifications|reminders|updates|
        surveys?|marketing|promotions|calls) !(from|for|in|on|about)
    (text|message) \w+ ... instead !(of (calling|call|calls|phoning|email|emailing))|use my (other|work|personal|
        new) (number|phone|cell)|text me (on|at) my
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
    (how|what|why|does|do|should|if|can i|when|where|want|possible|way|thinking|think|considering|maybe) ...
        (optout|unsubscribe|opting out|unsubscribing) !(from the \w+|from my|from a|from \w+s? \w+|button|link|of
        (the|my|a)|\w+ from|page)
    (how|where|is there|can|could) ... (get|take|taken|be) [(me|us)] (off|out of) (this|your|the text|these)
        [text] (list|texts|texting)|(did|have) (i|we) (just|accidentally)* (unsubscribe|unsubscribed|optout|opted
        out)
    (como|donde|puedo) ... (cancel\w+|salgo|dejo|paro|desuscrib\w+) (los|estos|sus|de|recibir)* [TEXTS]|comment
        ... (me|se) (desabonner|desinscrire|desabonne)|comment ... (arreter|stopper|cesser) ... TEXTS|(if|when) i
        stop (these|this)
    (how (do|can|to|would)|where do|can) (i|we|to)* (stop|turn off|get rid of|end|quit|cancel|block|disable)
        (getting|receive|all|these|the|your)* (texts|texting|text alerts)
    (am i|did i|i think i) (still|already|now)* (subscribed|opted in|opted out|unsubscribed|optout|unsubscribe)
wants-texts:
    (start|resume|begin|restart|unblock) (texting|sending|messaging|the|my|receive|getting)* (texts|texting|me
        texts|me again|messages again)
    start (texting|messaging) (me|us|this)|(unstop|resubscribe|reactivate|reenroll) (me|us|my number|my texts|
        NUMBER)
    (opt|optin|opted) (me|us)* back in|(turn|switch) (my|the|these|your)* texts (back|on) [on]|texts (turned|
        switched) (back on|on again)|put (me|us) (back on (the|your) [text]|on (the|your) text) list|i sent stop
        by (mistake|accident)
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
    (numero|number) (equivocado|incorrecto|errado)|(mauvais|faux) numero|(number|phone|cell|line) (now|used to)*
        (belong|belongs|belonged) [now] to (someone|somebody|another) [else]
    (just|recently|only) (got|have) this (number|phone)
    (got|had|have had) this number (from|last|a|recently|now|for|\d+|this|since|two|three|few|about|yesterday|only|
        just)
    (number|phone) (was|got|has been) (reassigned|recycled)
    (no one|nobody|noone) (here)* (by (that|this)|named|with (that|this))
    dont know (who you are|who this is|this number|any|anyone)
    this (number|phone) (no longer|doesnt) belongs?|is no longer \w+s? (number|phone|cell)
    is not my name|new phone who
    this is my (kids|sons|daughters|wifes|husbands|moms) (phone|number|cell)|(is not|isnt) \w+s (number|phone|
        cell)|not the (right|correct) person
soft-refusal:
    (why|how) ... (getting|receive|keep getting|get) (these|your|all these)* texts
    i keep getting (your|these (texts|messages|alerts)|these !(\w+))
    why (are|do|did|would) you (still|even|keep|always|guys|people|all)* (texting|text|messaging|contacting) (me|
        this|us)
    how (did|would|do) you get (my|this|our) number|who (gave|told) you ... my number|why am i getting (this|
        these) [(texts?|messages?|notifications|alerts)] !(\w+)
    (you|these|your|the) texts are (annoying|spam|unwanted|harassing|too|driving|not wanted|harassment)
    (unwanted|unsolicited) (texts?|messages)|harassing me
    dont (like|want|appreciate|care for) (these|the|your|getting|receive|being|to|be)* (texts|texted|texting)
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
