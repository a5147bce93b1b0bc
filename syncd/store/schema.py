"""The tables.

Times are text: UTC, ISO 8601 with microseconds and `Z`, so that they sort and mean the same on every database.
Phone numbers are E.164, or the marked form of `syncd.model.party` for anything else.
"""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, Integer, MetaData, String, Table, Text

metadata = MetaData()

# Evidence, append-only and chained by hashes; `body` is the canonical JSON that the hash covers. The other columns
# repeat parts of the body for look-ups.
ledger = Table(
    "ledger",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("at", String(27), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("number", String(120)),
    Column("contact", String(64)),
    Column("company", String(64)),
    Column("body", Text, nullable=False),
    Column("hash", String(64), nullable=False),
    Index("ledger_number", "number", "kind"),
    Index("ledger_contact", "contact", "kind"),
    Index("ledger_company", "company", "kind"),
    Index("ledger_kind", "kind"),
)

# Our own numbers. `polls` counts polls that reached PrimeVOX's list; `first_poll` divides history from live texts.
lines = Table(
    "lines",
    metadata,
    Column("number", String(20), primary_key=True),
    Column("first_poll", String(27), nullable=False),
    Column("polls", Integer, nullable=False),
    Column("last_good_pass", String(27)),
    Column("error", Text),
    Column("gap", Text),
)

# `marker` is what the list showed before the read whose messages are stored: the cursor. `due_poll` is the poll at
# which the conversation is read again although its marker stands still: `changed_poll + 4 ** rereads`.
conversations = Table(
    "conversations",
    metadata,
    Column("line", String(20), primary_key=True),
    Column("id", String(200), primary_key=True),
    Column("theirs", String(120), nullable=False),
    Column("marker", Text, nullable=False),
    Column("changed_poll", Integer, nullable=False),
    Column("rereads", Integer, nullable=False),
    Column("due_poll", Integer),
    Column("read_at", String(27), nullable=False),
    Column("missing", Boolean, nullable=False),  # known, but no longer listed
    Index("conversations_read_at", "line", "read_at"),
    Index("conversations_due_poll", "line", "due_poll"),
)

# Every text ever seen, without its words; `digest` tells a changed text under the same id.
messages = Table(
    "messages",
    metadata,
    Column("line", String(20), primary_key=True),
    Column("conversation", String(200), primary_key=True),
    Column("id", String(200), primary_key=True),
    Column("digest", String(32), primary_key=True),
    Column("theirs", String(120), nullable=False),
    Column("direction", String(8), nullable=False),
    Column("sent", String(27), nullable=False),
    Index("messages_theirs", "theirs", "direction", "sent"),
)

# What people decided in review; `seq` is the ledger entry of the text, `decided` that of the decision.
reviews = Table(
    "reviews",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("decision", String(8), nullable=False),
    Column("decided", Integer, nullable=False),
)

# The mirror of the PSA. `state` is the raw one last recorded; `listed` whether the last good list had it.
companies = Table(
    "companies",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("listed", Boolean, nullable=False),
)

company_steps = Table(
    "company_steps",
    metadata,
    Column("company", String(64), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("at", String(27), nullable=False),
    Column("state", String(16), nullable=False),
)

# `shown`, `pending`, `echoes`: see `syncd.plan.Mirror`. `stale`: the verdict must be made again. The verdict's
# columns are a cache of what the ledger says, for delivery and `status`.
contacts = Table(
    "contacts",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("company", String(64)),
    Column("name", Text, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("gone", Boolean, nullable=False),
    Column("shown", String(16)),
    Column("pending", String(16)),
    Column("echoes", String(64), nullable=False),
    Column("stale", Boolean, nullable=False),
    Column("desired", String(16)),
    Column("cause", String(16), nullable=False),
    Column("clause", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("evidence", Text, nullable=False),
    Column("held", Boolean, nullable=False),
    Column("review", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("trouble", Text),  # why the last write did not succeed
    Column("wanted_since", String(27)),  # since when the desired value differs from the shown one
    Index("contacts_company", "company"),
    Index("contacts_stale", "stale"),
    Index("contacts_waiting", "wanted_since", "id"),
)

contact_numbers = Table(
    "contact_numbers",
    metadata,
    Column("number", String(20), primary_key=True),
    Column("contact", String(64), primary_key=True),
    Index("contact_numbers_contact", "contact"),
)

# Which company a contact belongs to since which ledger entry, until its next row. The order is that of `seq`: a
# date may go back, when somebody sets the clock.
memberships = Table(
    "memberships",
    metadata,
    Column("contact", String(64), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("at", String(27), nullable=False),
    Column("company", String(64)),
)

# Small facts: the brake, when a pass of the PSA last worked, what it last complained about.
facts = Table(
    "facts",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("value", Text, nullable=False),  # JSON
)
