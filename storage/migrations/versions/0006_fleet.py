"""Which claim holds a row; the nodes of a fleet and the ticks they have run"""

import sqlalchemy as sa
from alembic import op

from storage.columns import UtcDateTime

revision = '0006'
down_revision = '0005'
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ('raw_message', 'ticket', 'outbox_message'):
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.add_column(sa.Column('claimed_by', sa.String(), nullable=True))
    op.create_table(
        'fleet_node',
        sa.Column('name', sa.String(), nullable=False),
        sa.Column('steps', sa.JSON(), nullable=False),
        sa.Column('started_at', UtcDateTime(), nullable=False),
        sa.Column('seen_at', UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint('name', name=op.f('pk_fleet_node')),
    )
    op.create_table(
        'fleet_tick',
        sa.Column('step', sa.String(), nullable=False),
        sa.Column('tick', sa.BigInteger(), nullable=False),
        sa.Column('failures', sa.Integer(), nullable=False),
        sa.Column('not_before', UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint('step', name=op.f('pk_fleet_tick')),
    )
