"""Which telephone numbers of a contact are its own.

Seen live by third parties: `communicationItems` holds e-mail addresses, fax and phone numbers as people typed
them; it is missing where a contact has none; nothing but the tenant's own type name tells a mobile from a main
line; and `defaultPhoneNbr` may be the number of the *site*, so it is never read.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from syncd.connector.answers import Row, rows_in
from syncd.connector.fields import folded

# Without `phone_types` every phone counts but those whose type says that many people share it: a number left out
# would miss an opt-out, one that is shared reaches the wrong people. When in doubt it counts.
_SHARED = re.compile(r"\b(company|main|fax|switchboard|reception|receptionist|front desk)\b", re.IGNORECASE)
_PERSONAL = re.compile(r"\b(mobile|cell|cellular|direct|personal|home|private|text|sms)\b", re.IGNORECASE)


def is_shared(type_name: str) -> bool:
    """Whether a type of phone items is, by its name, a line that many people share."""
    return bool(_SHARED.search(type_name)) and not _PERSONAL.search(type_name)


def phone_items(row: Row) -> list[tuple[str, str]]:
    """The phone items of a contact as (type name, text); one of no kind that is no e-mail address counts too."""
    items = row.get("communicationItems")
    if items is None:
        return []
    found = []
    for item in rows_in(items, "communicationItems of a contact"):
        value, kind = item.get("value"), item.get("communicationType")
        if not isinstance(value, str | int) or isinstance(value, bool):
            continue
        if folded(kind) == "phone" or (kind is None and "@" not in str(value)):
            named = item.get("type")
            found.append((str(named.get("name") or "") if isinstance(named, dict) else "", str(value)))
    return found


def phone_texts(row: Row, types: Collection[str] | None) -> list[str]:
    """What stands in the contact's own phone items; `types` are folded type names, None: all but shared lines."""
    return [
        text
        for name, text in phone_items(row)
        if (folded(name) in types if types is not None else not is_shared(name))
    ]
