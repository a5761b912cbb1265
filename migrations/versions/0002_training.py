"""Training over the API: datasets, runs, their events; aliases that change over once a model is warm.

Revision: 0002, after: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """To the new schema."""
    op.create_table(
        "datasets",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("format", sa.String(length=32), nullable=False),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("folder", sa.String(length=200), nullable=True),
        sa.Column("archive_bytes", sa.BigInteger(), nullable=True),
        sa.Column("archive_sha256", sa.String(length=64), nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("gone_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("files_removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error_code", sa.String(length=64), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("request_id", sa.String(length=200), nullable=False),
        sa.Column("report", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("findings", sa.JSON(), nullable=False),
        *_lease_columns(),
        sa.CheckConstraint("status IN ('validating', 'ready', 'failed')", name="ck_datasets_status"),
        sa.PrimaryKeyConstraint("id", name="pk_datasets"),
    )
    op.create_index("ix_datasets_owner_created_at_id", "datasets", ["owner", "created_at", "id"])
    op.create_index("ix_datasets_status_lease_until", "datasets", ["status", "lease_until"])
    op.create_table(
        "training_runs",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("dataset_id", sa.String(length=64), nullable=False),
        sa.Column("recipe", sa.String(length=64), nullable=True),
        sa.Column("specification", sa.JSON(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("progress", sa.JSON(), nullable=False),
        sa.Column("epochs", sa.JSON(), nullable=False),
        sa.Column("checkpoint", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("model_id", sa.String(length=64), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error_code", sa.String(length=64), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("request_id", sa.String(length=200), nullable=False),
        *_lease_columns(),
        sa.Column("fruitless", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "status IN ('queued', 'running', 'cancelling', 'cancelled', 'succeeded', 'failed')",
            name="ck_training_runs_status",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_training_runs"),
    )
    op.create_index("ix_training_runs_owner_created_at_id", "training_runs", ["owner", "created_at", "id"])
    op.create_index("ix_training_runs_status_created_at", "training_runs", ["status", "created_at"])
    op.create_index("ix_training_runs_created_at_id", "training_runs", ["created_at", "id"])
    op.create_table(
        "training_events",
        sa.Column("run_id", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["training_runs.id"], name="fk_training_events_run_id"),
        sa.PrimaryKeyConstraint("run_id", "number", name="pk_training_events"),
    )
    with op.batch_alter_table("aliases") as aliases:
        aliases.add_column(sa.Column("serving_id", sa.String(length=64), nullable=True))
    op.execute("UPDATE aliases SET serving_id = model_id")
    with op.batch_alter_table("aliases") as aliases:
        aliases.alter_column("serving_id", existing_type=sa.String(length=64), nullable=False)
        aliases.create_foreign_key("fk_aliases_serving_id", "models", ["serving_id"], ["id"])
        aliases.create_index("ix_aliases_serving_id", ["serving_id"])


def downgrade() -> None:
    """Back to the schema before."""
    with op.batch_alter_table("aliases") as aliases:
        aliases.drop_index("ix_aliases_serving_id")
        aliases.drop_constraint("fk_aliases_serving_id", type_="foreignkey")
        aliases.drop_column("serving_id")
    for table in ("training_events", "training_runs", "datasets"):
        op.drop_table(table)


def _lease_columns() -> list[sa.Column]:
    return [
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("lease_owner", sa.String(length=200), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
    ]
