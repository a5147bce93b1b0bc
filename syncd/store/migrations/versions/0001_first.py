"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make every table."""
    op.create_table(
        "companies",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("listed", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "company_steps",
        sa.Column("company", sa.String(length=64), nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.String(length=27), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("company", "seq"),
    )
    op.create_table(
        "contact_numbers",
        sa.Column("number", sa.String(length=20), nullable=False),
        sa.Column("contact", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("number", "contact"),
    )
    op.create_index("contact_numbers_contact", "contact_numbers", ["contact"], unique=False)
    op.create_table(
        "contacts",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("company", sa.String(length=64), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("gone", sa.Boolean(), nullable=False),
        sa.Column("shown", sa.String(length=16), nullable=True),
        sa.Column("pending", sa.String(length=16), nullable=True),
        sa.Column("echoes", sa.String(length=64), nullable=False),
        sa.Column("stale", sa.Boolean(), nullable=False),
        sa.Column("desired", sa.String(length=16), nullable=True),
        sa.Column("cause", sa.String(length=16), nullable=False),
        sa.Column("clause", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("held", sa.Boolean(), nullable=False),
        sa.Column("review", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("trouble", sa.Text(), nullable=True),
        sa.Column("wanted_since", sa.String(length=27), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("contacts_company", "contacts", ["company"], unique=False)
    op.create_index("contacts_stale", "contacts", ["stale"], unique=False)
    op.create_index("contacts_waiting", "contacts", ["wanted_since", "id"], unique=False)
    op.create_table(
        "conversations",
        sa.Column("line", sa.String(length=20), nullable=False),
        sa.Column("id", sa.String(length=200), nullable=False),
        sa.Column("theirs", sa.String(length=120), nullable=False),
        sa.Column("marker", sa.Text(), nullable=False),
        sa.Column("changed_poll", sa.Integer(), nullable=False),
        sa.Column("rereads", sa.Integer(), nullable=False),
        sa.Column("due_poll", sa.Integer(), nullable=True),
        sa.Column("read_at", sa.String(length=27), nullable=False),
        sa.Column("missing", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("line", "id"),
    )
    op.create_index("conversations_due_poll", "conversations", ["line", "due_poll"], unique=False)
    op.create_index("conversations_read_at", "conversations", ["line", "read_at"], unique=False)
    op.create_table(
        "facts",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "ledger",
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.String(length=27), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("number", sa.String(length=120), nullable=True),
        sa.Column("contact", sa.String(length=64), nullable=True),
        sa.Column("company", sa.String(length=64), nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
    )
    op.create_index("ledger_company", "ledger", ["company", "kind"], unique=False)
    op.create_index("ledger_contact", "ledger", ["contact", "kind"], unique=False)
    op.create_index("ledger_kind", "ledger", ["kind"], unique=False)
    op.create_index("ledger_number", "ledger", ["number", "kind"], unique=False)
    op.create_table(
        "lines",
        sa.Column("number", sa.String(length=20), nullable=False),
        sa.Column("first_poll", sa.String(length=27), nullable=False),
        sa.Column("polls", sa.Integer(), nullable=False),
        sa.Column("complete", sa.Boolean(), nullable=False),
        sa.Column("last_good_pass", sa.String(length=27), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("gap", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_table(
        "memberships",
        sa.Column("contact", sa.String(length=64), nullable=False),
        sa.Column("since", sa.String(length=27), nullable=False),
        sa.Column("company", sa.String(length=64), nullable=True),
        sa.Column("until", sa.String(length=27), nullable=True),
        sa.PrimaryKeyConstraint("contact", "since"),
    )
    op.create_table(
        "messages",
        sa.Column("line", sa.String(length=20), nullable=False),
        sa.Column("conversation", sa.String(length=200), nullable=False),
        sa.Column("id", sa.String(length=200), nullable=False),
        sa.Column("digest", sa.String(length=32), nullable=False),
        sa.Column("theirs", sa.String(length=120), nullable=False),
        sa.Column("direction", sa.String(length=8), nullable=False),
        sa.Column("sent", sa.String(length=27), nullable=False),
        sa.PrimaryKeyConstraint("line", "conversation", "id", "digest"),
    )
    op.create_index("messages_theirs", "messages", ["theirs", "direction", "sent"], unique=False)
    op.create_table(
        "reviews",
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("decision", sa.String(length=8), nullable=False),
        sa.Column("decided", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
    )
