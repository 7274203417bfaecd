"""Messages that a server lists but does not hand out; comparisons with folders; restored backups"""

import sqlalchemy as sa
from alembic import op

from storage.columns import UtcDateTime

revision = '0005'
down_revision = '0004'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        'withheld_message',
        sa.Column('id', sa.Integer(), nullable=False),
        sa.Column('mailbox', sa.String(), nullable=False),
        sa.Column('folder', sa.String(), nullable=False),
        sa.Column('uidvalidity', sa.BigInteger(), nullable=False),
        sa.Column('uid', sa.BigInteger(), nullable=False),
        sa.Column('first_tried_at', UtcDateTime(), nullable=False),
        sa.Column('tries', sa.Integer(), nullable=False),
        sa.Column('next_try_at', UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_withheld_message')),
        sa.UniqueConstraint(
            'mailbox',
            'folder',
            'uidvalidity',
            'uid',
            name=op.f('uq_withheld_message_mailbox_folder_uidvalidity_uid'),
        ),
    )
    with op.batch_alter_table('instance', schema=None) as batch_op:
        batch_op.add_column(sa.Column('restored_at', UtcDateTime(), nullable=True))
    with op.batch_alter_table('mailbox_cursor', schema=None) as batch_op:
        batch_op.add_column(sa.Column('compared_at', UtcDateTime(), nullable=True))
