"""Whole families of plain requests: what is certain, what a person must look at, and what only resembles them.

The rows are samples of a grammar, not its list: a family that reads only its rows would be of no use.
"""

from itertools import product

import pytest

from syncd.keywords import read
from syncd.model import Intent

FAMILIES: dict[str, dict[Intent, tuple[str, ...]]] = {
    "asked in a roundabout way": {
        Intent.OPT_OUT: (
            "Would it be possible to no longer receive these messages? Many thanks",
            "I would appreciate it if I didn't receive any further texts.",
            "Would rather you didn't text me again.",
            "can you guys not text me. like at all",
            "I really don't want to hear from you people by text anymore",
            "I'd prefer to be contacted only by email from now on, not by text. My email is in the system.",
            "Please abstain from any additional messaging to this line.",
            "Please do not disturb me by sending messages",
            "This is my second request to be removed",
            "Please unenroll me from text messaging",
            "unregister this phone from your texts",
            "please quick sending me messages",
            "Next message I get from you goes straight to my solicitor, so don't send one",
            "Quiero darme de baja de sus mensajes",
            "Me pueden sacar de la lista de textos? gracias",
            "favor de quitar mi numero de su lista",
            "please keep me out of any future text blasts",
        ),
        Intent.UNCLEAR: (
            "is it possible to no longer receive these texts?",
            "Would it be possible to not receive these messages on weekends?",
            "can you not text me the code?",
            "Texts are too much. Off please.",
            "please deregister me from your message alerts",
            "please cancel my SMS alerts, all of them",
            "I am on the DND list",
            "how do i opt out of this crap",
            "Please don't send me anything else",
            "do i have to get these?",
            "no reminders please",
        ),
        Intent.ORDINARY: (
            "would it be possible to no longer receive the backup report by email",
            "I put in a request to be removed from the on-call rota",
            "please unregister this phone from Intune",
            "My phone is on DND",
            "I'd like Friday off please",
            "turn it off please",
            "favor de quitar mi numero de la lista de la impresora",
            "can you guys not reboot it before 5",
            "You can retire my number.",
            "please don't send me anything until Monday",
            "Next message said the disk was full",
        ),
    },
    "a bare plea beside a reason": {
        Intent.OPT_OUT: (
            "I am no longer interested please stop",
            "This is an invasion of my privacy. Please stop at once.",
            "Stop please. I do not do texting.",
            "Unsubscribe, I never signed up for this",
            "you have the wrong number please stop",
            "I don't use this number for work so stop pls",
        ),
        Intent.UNCLEAR: (
            "Please stop. It's embarrassing.",
            "Stop - not needed anymore",
            "Stop, I changed my mind, let's keep it",
            "Got your texts. Please turn it off.",
            "I get these at night. Please make them stop",
            "not me bro stop",
        ),
        Intent.ORDINARY: (
            "Please stop. The backup is still running",
            "omg stop that fixed it ur amazing",
            "Please stop. I told you the printer is fine",
            "Stop, I have a file open",
            "it won't stop",
            "hit stop",
            "we get off at the next stop",
        ),
    },
    "the keyword in capitals as the last word": {
        Intent.OPT_OUT: (
            "Not interested STOP",
            "you people keep bothering me STOP",
            "These texts are costing me STOP",
        ),
        Intent.UNCLEAR: ("I got a new job STOP", "Mike already told you I retired STOP"),
        Intent.ORDINARY: ("The printer says STOP", "Please don't STOP", "waiting at the bus STOP"),
    },
    "taken out of what holds our numbers": {
        Intent.OPT_OUT: (
            "take my number off whatever list you got it from",
            "Please strike my mobile from your records",
            "pull my number",
            "Take my contact info off please",
            "I want to confirm that I have been removed from your contacts",
            "please take my number off the text notifications",
            "Can I please be taken off of the list! thanks",
            "off the list pls",
            "Please remove me from whatever this is",
            "Please add my number to your suppression list",
        ),
        Intent.UNCLEAR: (
            "remove me from this",
            "my number got in here by mistake, take it out",
            "Get my cell off whatever group text this is",
            "I should have been taken off by now",
            "leave me out of this",
        ),
        Intent.ORDINARY: (
            "please remove my old phone",
            "delete this device",
            "please delete my contact",
            "put my phone on do not disturb",
            "Take me off hold",
            "Take my name off the door sign",
            "Please remove me as the approver for Jason's ticket",
            "remove me from the Sales distribution list",
            "get my number off the website",
        ),
    },
    "texting that is not wanted": {
        Intent.OPT_OUT: (
            "I ain't interested in no texts",
            "I'd rather you did not text me",
            "Would you mind not texting this number anymore?",
            "No further texts are necessary or welcome",
            "Please make sure I don't get any more text messages",
            "Please see that no one from your firm texts me again",
            "Sir, I respectfully decline any further texts",
            "knock it off with the texts already",
            "Please put a stop to these texts",
            "Turn off sms for this number",
        ),
        Intent.UNCLEAR: (
            "Texting me is not appropriate",
            "We kindly ask that all texting to this line be stopped",
            "Nope. Not doing texts.",
            "Stand down with the texts",
            "Kindly do not include me in any more of these texts",
            "I'd like these text alerts turned off",
            "I changed my mind about the texts, I don't want them",
            "Please just email me from now on instead of texting",
            "Please amend your records so that I am not texted",
        ),
        Intent.ORDINARY: (
            "texts stopped working on my phone",
            "Parents say they are no longer getting the attendance texts",
            "I never got a text with the code",
            "no need to text back",
            "I'll stop texting now, sorry for the book",
            "You didn't text me back like you promised",
            "I can't open the link in your text",
            "can you text me the link instead",
            "Please remove my number lock, it types digits",
        ),
    },
    "consent and legal words": {
        Intent.OPT_OUT: (
            "I am exercising my right to opt out of text messaging",
            "This constitutes a revocation of consent under the TCPA",
            "Demand is hereby made that you cease all communications to this telephone number.",
            "Effective immediately, discontinue any and all electronic messages to this number.",
            "I hereby opt-out.",
            "Consider me unsubscribed.",
            "I am instructing you to stop texting this number",
            "Text me one more time and I'm calling a lawyer",
        ),
        Intent.UNCLEAR: (
            "I never gave consent to be texted by anyone",
            "we're opting out of text support",
            "You are blocked, this number is on the registry and I have a lawyer",
        ),
        Intent.ORDINARY: (
            "Our lawyer needs her mailbox exported",
            "please be informed that we're opting out of the Clio trial",
            "I did not agree to the restart",
            "How many people unsubscribed from the last campaign?",
            "Please revoke the sharing link I sent by mistake",
        ),
    },
    "a stranger, or somebody who is gone": {
        Intent.UNCLEAR: (
            "who tf is this",
            "You have the wrong Tasha",
            "reckon you got the wrong fella",
            "I believe these are meant for someone else",
            "This was my mother's number. She passed away in April.",
            "My wife passed away. Please take her number off your records",
            "I do not recognize this number",
            "C'est qui?",
            "I left that office in June",
            "wrong # bro",
        ),
        Intent.ORDINARY: (
            "who do I talk to about new phones",
            "wrong cable, do you have a usb c one",
            "I don't recognize this device in my account list",
            "You sent the wrong password",
        ),
    },
    "Spanish": {
        Intent.OPT_OUT: (
            "Ya no me envíen textos",
            "No me vuelvan a mandar mensajes",
            "Plz no me textees mas",
            "dejen de escribirme",
            "Oigan me pueden dejar de mandar mensajes?",
            "sácame de la lista",
            "Borre mi número de su base de datos.",
            "quiero darme de baja",
            "BAJA",
            "basta de mensajes",
            "remove my numero por favor",
            "no quiero mas texts ok",
        ),
        Intent.UNCLEAR: (
            "no me manden nada",
            "Dar de baja",
            "Cancelar suscripción",
            "no me llamen mas",
            "¿Quién es? No conozco este número",
        ),
        Intent.ORDINARY: (
            "no me llegó nada, no me mandaste nada",
            "no me contactaron nunca más",
            "no se molesten, ya quedó",
            "No más, ya quedó arreglado, gracias",
            "No me deja mandar mensajes desde la computadora",
            "No me mande la factura",
            "Quítame de la cita del martes",
            "necesito dar de baja a un empleado",
        ),
    },
    "French": {
        Intent.OPT_OUT: (
            "Arrêtez de m'envoyer des textos svp",
            "Ne m'envoyez plus de messages",
            "merci de ne plus me contacter par texto",
            "Veuillez me retirer de votre liste",
            "Je ne souhaite plus recevoir vos SMS",
            "Je retire mon consentement",
            "Plus de SMS, je travaille plus là",
        ),
        Intent.UNCLEAR: ("Vous avez le mauvais numéro", "arrête les messages d'erreur, c'est plus que je veux"),
        Intent.ORDINARY: (
            "Pas de messages",
            "Ça n'arrête pas de planter",
            "Je ne reçois pas le texto avec le code",
            "Le son a arrêté dans Teams",
        ),
    },
    "our own instruction quoted": {
        Intent.OPT_OUT: (
            "> Reply STOP to opt out\nSTOP",
            "Per your message: STOP",
            "Stop. I already replied STOP to opt out, as it says",
        ),
        Intent.UNCLEAR: (
            "It says reply stop to opt out so stop",
            "It says reply STOP to opt out but what happens if I do",
        ),
        Intent.ORDINARY: ("Sale ends Friday! Reply STOP to opt out", "Liked “Reply STOP to opt out”"),
    },
    "hasty thumbs and voices": {
        Intent.OPT_OUT: (
            "plese stop texitng me",
            "no mroe texts plz",
            "pls remvoe me form your list",
            "sto txting me",
            "stop textinggg meeee",
            "dude. no. more. texts.",
            "delete my # pls",
            "plz stop blowin up my phone",
            "y'all need to quit hittin me up on this phone",
            "I said no more texts, understood?",
        ),
        Intent.UNCLEAR: ("stop tecting me", "please no send me message more", "dont msg dis number lol"),
        Intent.ORDINARY: ("my msgs arent sycning to my lappy", "cnat get the text code", "form is not loading"),
    },
}
ROWS = [
    pytest.param(text, intent, id=f"{family}-{intent}-{text[:40]!a}")
    for family, intents in FAMILIES.items()
    for intent, texts in intents.items()
    for text in texts
]


@pytest.mark.parametrize(("text", "intent"), ROWS)
def test_text_of_a_family_is_read_as_it_should(text: str, intent: Intent) -> None:
    assert read(text).intent is intent, read(text)


def test_a_plain_request_counts_however_it_is_introduced_and_closed() -> None:
    leads = (
        "",
        "Please ",
        "Hey, ",
        "For the last time, ",
        "I'm not interested, ",
        "I moved away. ",
        "Sir, kindly ",
    )
    requests = (
        "stop texting me",
        "don't text me again",
        "remove me from your list",
        "take my number off",
        "unsubscribe me",
        "lose this number",
        "no more texts",
        "cease all contact",
        "quit sending me these texts",
        "opt me out",
    )
    ends = (
        "",
        "!!",
        " thanks",
        " immediately",
        ", I mean it",
        " or I'll report you",
        ". This is harassment.",
        ", ok?",
    )
    texts = [lead + request + end for lead, request, end in product(leads, requests, ends)]
    assert [text for text in texts if read(text).intent is not Intent.OPT_OUT] == []


def test_a_request_for_some_texts_or_some_hours_is_never_an_opt_out() -> None:
    requests = ("stop texting me", "don't text me", "please no texts", "quit messaging this number")
    limits = (
        "until Monday",
        "after 6pm",
        "about the printer",
        "so often",
        "unless it's urgent",
        "on my work phone, use the other one",
        "tomorrow, text Friday",
        ", I'm in a meeting",
        ", call me",
        "while I'm driving",
    )
    texts = [f"{request} {limit}" for request, limit in product(requests, limits)]
    assert [text for text in texts if read(text).intent is Intent.OPT_OUT] == []


EVERYDAY = """
    My laptop fell and the screen is cracked | The link in the text expired | Can you take Dave off the mailbox
    I did not change anything, it just stopped | No one here knows the admin password | don't forget about me lol
    Our lease ends so we need the phones moved by the 30th | The call quality is terrible, drops every minute
    Hey can someone look at my Outlook, it's been stuck on loading for 20 min | printer in suite 200 says offline
    Thanks Mike! | Yes I can do 2:30 | No luck, same error | Restarted, seems ok now. Thank you!
    I'm locked out again | The code is not working, can you send another | Where do I find the VPN icon | ok
    it's asking for admin password | Can you add Dana to the shared calendar please | My second monitor is black
    Please call me at my desk when free | We lost power last night and now the phones are down
    Can't hear anyone on Teams calls | I'll try after lunch
    I got a weird email from our CEO asking for gift cards | I have a meeting at 10, can we do 11
    It happened again | do I need to be at my desk for this | sure go ahead and remote in | that's the one
    it says my license expired | Scanner is not sending to email | we're closed Friday fyi
    I sent you a picture of the screen | Did you get my email? | My phone died so I couldn't get the code
    Will do | Not sure, it was working yesterday | Is there an outage? | I need to reset my MFA, got a new phone
    She's out today, try tomorrow | it's the same thing as last week
    Please have someone call the front desk, the kiosk is frozen | just following up on ticket 55120
    Sounds good | I'm on the road today, can this wait til tomorrow | we moved desks and now nothing is connected
    Yep all set | it's saying wrong username or password but I know it's right | Fax line has no dial tone
    it just spins | I gave it to Ron to bring to you
    Could you stop the sync for now? It's eating all our bandwidth | Any update? | I stopped it like you said
    ok it stopped beeping | Cancel my last request please, Dana handled it | No thanks
    You can remove my old laptop from the system | I was on the wrong network, sorry! | No more errors so far
    I'm done with the call if you want to remote in now | Take Susan off the distribution list please
    text is fine | Please don't reboot until 5, we're still working | I got your text, thanks | Didn't get a text
    End of day is ok | Not interested in the new plan right now | Never mind, it fixed itself
    leave it for now, I'm with a client | Got a spam call pretending to be you guys
    I don't need it anymore, I found mine | Wrong printer, I meant upstairs
    I quit the program and reopened, same thing | Her last day is the 14th, please disable her account at 5pm
    the number you gave me doesn't work | I tried calling, nobody answered
    Please update my cell to 202-555-0188 | I can't get to the website, says blocked
    I need this site unblocked asap | ticket can be closed | Close it out | That's it for now
    Nothing else, thanks | Who am I speaking with? | Is Mike still with you guys? | nope still broken
    I replied to the text but nobody answered | Please stop by when you can, no rush | It stops at 42%
    Please close | Please end the session, I have a call | How do I block a number on the desk phone?
    My MFA texts go to my old number | No one told me about the outage | Not sure who to text about this
    Sorry to keep texting you | Don't worry about it | Leave a voicemail if I don't pick up
    all good now please close the ticket and stop the timer | done and done
"""


def test_everyday_traffic_is_left_alone() -> None:
    """A false opt-out silences a client; and a helpdesk that must look at one text in fifty stops looking."""
    texts = [text.strip() for text in EVERYDAY.replace("\n", "|").split("|") if text.strip()]
    read_as = {text: read(text).intent for text in texts}
    assert len(texts) > 100
    assert [text for text, intent in read_as.items() if intent is not Intent.ORDINARY] == []
