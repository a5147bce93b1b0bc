"""Memberships in the order of the ledger, not of dates; a column that nobody reads is gone."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Each membership gets the ledger entry that told of it: the contact's of that very moment.

    Those of a ledger that has lost it keep their order, before all others.
    """
    op.create_table(
        "memberships_in_order",
        sa.Column("contact", sa.String(length=64), nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.String(length=27), nullable=False),
        sa.Column("company", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("contact", "seq"),
    )
    op.execute(
        "INSERT INTO memberships_in_order (contact, seq, at, company) "
        "SELECT contact, COALESCE((SELECT MIN(ledger.seq) FROM ledger WHERE ledger.contact = memberships.contact "
        "AND ledger.kind = 'contact' AND ledger.at = memberships.since), "
        "-(SELECT COUNT(*) FROM memberships AS later WHERE later.contact = memberships.contact "
        "AND later.since >= memberships.since)), since, company FROM memberships"
    )
    op.drop_table("memberships")
    op.rename_table("memberships_in_order", "memberships")
    with op.batch_alter_table("lines") as lines:
        lines.drop_column("complete")
    op.execute("UPDATE contacts SET stale = true")  # what was decided by dates is decided again
