"""Acknowledgements that a person has released by confirming the requester's address"""

import sqlalchemy as sa
from alembic import op

from storage.columns import UtcDateTime

revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table('ticket', schema=None) as batch_op:
        batch_op.add_column(
            sa.Column('acknowledgement_wanted_at', UtcDateTime(), nullable=True)
        )
        batch_op.create_index(
            batch_op.f('ix_ticket_acknowledgement_wanted_at'),
            ['acknowledgement_wanted_at'],
            unique=False,
        )
