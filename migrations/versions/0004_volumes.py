"""What a segmentation was made from: a picture, a volume, a series of a PACS.

Revision: 0004, after: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """To the new schema."""
    with op.batch_alter_table("segmentations") as table:
        table.add_column(sa.Column("kind", sa.String(length=16), nullable=False, server_default="picture"))
    condition = sa.text("kind <> 'picture'")
    op.create_index(
        "ix_segmentations_volumes",
        "segmentations",
        ["finished_at"],
        sqlite_where=condition,
        postgresql_where=condition,
    )


def downgrade() -> None:
    """Back to the schema before."""
    op.drop_index("ix_segmentations_volumes", "segmentations")
    with op.batch_alter_table("segmentations") as table:
        table.drop_column("kind")
