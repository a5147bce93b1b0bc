"""The same requests in Spanish and in French, and in the mixtures that people text.

Verbs are given by their stems, for people conjugate them freely and phones drop the accents.  `one_spelling` has
turned "mensajes", "texto", "numéro", "lista", "por favor" and "merci" into their English words, and the "ya" of
"ya no" into "you".
"""

from syncd.notation import rules

ASKED = rules(r"""
spanish:
    (no|nunca|jamas) [you] (vuelv~ a|siga~|sigu~|please)* (me|nos) (vuelv~ a|siga~|sigu~|este|esten)* (ES_WRITE
        (nunca|jamas|mas|otra vez|a|al|este|mi|number)* [TEXTS]|ES_SEND (mas|ADJ TEXTS) [TEXTS])
    (no|nunca|jamas) [you] (please|vuelv~ a|siga~|sigu~)* (ES_WRITE|ES_SEND) (ADJ TEXTS|nunca mas|mas [TEXTS]|a
        este number)
    (dejar|dejen|deja|parar|paren|para|pare|basta|alto|cesen?|stop|quit) [you] de (ES_WRITE|ES_SEND) [con] [TEXTS]
        [a (este|mi) number]
    deje de (ES_WRITE_ME|molestar~) [con] [TEXTS]|(stop|basta|alto|quit) (ES_WRITE_ME|mandando|enviando|
        escribiendo) [TEXTS]
    (no|nunca) (quiero|quisiera|queremos|deseo|necesito|acepto|autorizo|me gustan?|me interesan?) (recibir|receive|
        tener|ver|leer|mas|de|de ustedes|sus|que me (ES_WRITE|ES_SEND))* TEXTS
    (no|nunca) (quiero|deseo|autorizo|acepto|permito) que [(me|nos)] (llamen ni|busquen ni)* (me|nos)* ES_WRITE
        [mas] [TEXTS]
    (basta|alto|fuera|par~le|dejen?le) [you] (de|a|con|los|estos|tantos)* TEXTS|no mas TEXTS|[quiero] cancel~ (los|
        estos|sus) TEXTS
    ES_TAKE_ME [(de|del|off|from) (RECORDS|TEXTS|ahi|aqui|alli|esto|(la|su|esta|tu|el|sus)* (list|registros?|
        sistema|base de datos|contactos|grupo de texts?))]
    [(favor de|pueden?|podrian?)] (ES_TAKE|olvid~) (mi|este) number [de (la|su|esta|tu|sus) (list|sistema|base de
        datos|registros?|contactos)]
    (que me|me pueden?|puede|pueden|podrian?|favor de) ES_TAKE [de (la|su|esta|tu) list [de (texts?|TEXTS)]]
    (quiero|quisiera|deseo|necesito|favor de|pueden?)* (darme|darnos|dame|danos|denme|denos|deme|darse) de baja
        [(mi number|a mi number)] [(de|of) (RECORDS|TEXTS)]
    (revoco|retiro|no doy|no di|nunca di) [mi] (consentimiento|permiso|autorizacion) [(para|a) (recibir|que me)
        ...]
    (dejen?me|dejame|dejen?nos) en paz
french:
    (arret~|cess~|stop~|finissez) [(de|d)] [(me|nous)] (FR_WRITE|texting) [me] (de|des|les|vos|ces|tes)* [TEXTS]
    (arret~|cess~|stop|veuillez (arreter|cesser)) (please|les|vos|ces|tes|aux|a ces|a vos|au|avec|tous|tout)* TEXTS
    [(ne|n)] [(me|nous)] FR_WRITE [me] (plus|pas|jamais) [rien] (de|des|les|vos|ces|aucun)* [TEXTS]
    [ne] (plus|jamais) (menvoy~|mecri~) (de|des|vos|ces)* [TEXTS]
    [ne] (plus|pas|jamais) (me|nous) FR_WRITE (par|de|des|vos|ces)* [TEXTS]
    (plus|plus jamais) (de|vos|besoin de vos) TEXTS|pas de (texts|texting|vos TEXTS)
    je [(ne|n)] (veux|souhaite|desire|voudrais|aime|accepte) (plus|pas|rien) (recevoir|receive|de|des|vos|ces|etre|
        aucun|tes|que vous me)* (TEXTS|contactee?|FR_WRITE)
    (retir~|enlev~|supprim~|effac~|ray~|otez|sortez) (me|nous|mon number|notre number|ce number) [de (la|votre|
        cette|ta|vos|ces) (lists?|systeme|contacts)|de (ca|cela|la|tout|vos TEXTS)]
    (veuillez|pouvez vous|please|me voulez|je veux|voudrais)* (me|nous) (retirer|enlever|supprimer|rayer|oter|
        desabonner|desinscrire) [de (la|votre|cette|vos) lists?]
    (je|veux|souhaite|voudrais|me|vous)* (desabonner|desinscrire|desabonnez|desinscrivez|desabonne) [me]
    je (retire|revoque) mon (consentement|accord|autorisation|permission)|laiss~ (me|nous) tranquilles?
""")
