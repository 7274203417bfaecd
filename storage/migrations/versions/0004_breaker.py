"""Since when acknowledgements go out again, and why they were paused"""

import sqlalchemy as sa
from alembic import op

from storage.columns import UtcDateTime

revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table('instance', schema=None) as batch_op:
        batch_op.add_column(sa.Column('acknowledgements_resumed_at', UtcDateTime(), nullable=True))
        batch_op.add_column(
            sa.Column('pause_reason', sa.String(), nullable=False, server_default='')
        )
