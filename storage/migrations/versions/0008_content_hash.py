"""What a mail says and holds, as a hash: a mail that is sent again by hand has the same"""

import sqlalchemy as sa
from alembic import op

revision = '0008'
down_revision = '0007'
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table('inbound_message', schema=None) as batch_op:
        batch_op.add_column(
            sa.Column('content_hash', sa.String(), nullable=False, server_default='')
        )
        batch_op.create_index(
            batch_op.f('ix_inbound_message_content_hash'), ['content_hash'], unique=False
        )
