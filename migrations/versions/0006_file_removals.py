"""Folders of the file store that are to be removed, noted with the row that referred to them.

Revision: 0006, after: 0005
"""

import sqlalchemy as sa
from alembic import op

from shared.database.tables import UtcDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """To the new schema."""
    op.create_table(
        "file_removals",
        sa.Column("path", sa.String(length=300), nullable=False),
        sa.Column("requested_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("path", name=op.f("pk_file_removals")),
    )
    op.create_index(op.f("ix_file_removals_requested_at"), "file_removals", ["requested_at"])


def downgrade() -> None:
    """Back to the schema before."""
    op.drop_table("file_removals")
