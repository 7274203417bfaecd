"""Alarms; gaps that a comparison found; counts and indexes for the metrics"""

import sqlalchemy as sa
from alembic import op

from storage.columns import UtcDateTime

revision = '0007'
down_revision = '0006'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        'alarm',
        sa.Column('next_attempt_at', UtcDateTime(), nullable=True),
        sa.Column('claimed_until', UtcDateTime(), nullable=True),
        sa.Column('claimed_by', sa.String(), nullable=True),
        sa.Column('attempts', sa.Integer(), nullable=False),
        sa.Column('problem', sa.String(), nullable=True),
        sa.Column('id', sa.Integer(), nullable=False),
        sa.Column('kind', sa.String(), nullable=False),
        sa.Column('key', sa.String(), nullable=False),
        sa.Column('detail', sa.JSON(), nullable=False),
        sa.Column('opened_at', UtcDateTime(), nullable=False),
        sa.Column('counts_from', UtcDateTime(), nullable=False),
        sa.Column('told_at', UtcDateTime(), nullable=True),
        sa.Column('closed_at', UtcDateTime(), nullable=True),
        sa.Column('webhook_told', sa.String(), nullable=False),
        sa.Column('mail_told', sa.String(), nullable=False),
        sa.CheckConstraint(
            "webhook_told IN ('', 'open', 'closed')", name=op.f('ck_alarm_webhook_told_is_known')
        ),
        sa.CheckConstraint(
            "mail_told IN ('', 'open', 'closed')", name=op.f('ck_alarm_mail_told_is_known')
        ),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_alarm')),
    )
    with op.batch_alter_table('alarm', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_alarm_next_attempt_at'), ['next_attempt_at'])
    op.create_index(
        'ix_one_open_alarm',
        'alarm',
        ['key'],
        unique=True,
        sqlite_where=sa.text('closed_at IS NULL'),
        postgresql_where=sa.text('closed_at IS NULL'),
    )
    op.create_table(
        'stored_count',
        sa.Column('name', sa.String(), nullable=False),
        sa.Column('word', sa.String(), nullable=False),
        sa.Column('count', sa.BigInteger(), nullable=False),
        sa.Column('counted_at', UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint('name', 'word', name=op.f('pk_stored_count')),
    )
    with op.batch_alter_table('mailbox_cursor', schema=None) as batch_op:
        batch_op.add_column(sa.Column('gaps', sa.Integer(), nullable=False, server_default='0'))
    with op.batch_alter_table('outbox_message', schema=None) as batch_op:
        batch_op.create_index('ix_outbox_message_state', ['state', 'created_at'])
    with op.batch_alter_table('raw_message', schema=None) as batch_op:
        batch_op.drop_index('ix_raw_message_outcome')
        batch_op.create_index('ix_raw_message_outcome', ['outcome', 'fetched_at'])
