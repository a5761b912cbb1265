"""What an alias pointed to before; what has ended lately, by status.

Revision: 0005, after: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """To the new schema."""
    op.add_column("aliases", sa.Column("previous_id", sa.String(length=64), nullable=True))
    condition = sa.text("finished_at IS NOT NULL")
    op.create_index(
        "ix_segmentations_ended",
        "segmentations",
        ["status", "finished_at"],
        sqlite_where=condition,
        postgresql_where=condition,
    )


def downgrade() -> None:
    """Back to the schema before."""
    op.drop_index("ix_segmentations_ended", "segmentations")
    op.drop_column("aliases", "previous_id")
