"""The first schema"""

import sqlalchemy as sa
from alembic import op

import storage.columns


revision = '0001'
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:

    op.create_table('classifier_version',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('version', sa.String(), nullable=False),
    sa.Column('state', sa.String(), nullable=False),
    sa.Column('shipped', sa.Boolean(), nullable=False),
    sa.Column('manifest_sha256', sa.String(), nullable=False),
    sa.Column('report', sa.JSON(), nullable=False),
    sa.Column('created_at', storage.columns.UtcDateTime(timezone=True), nullable=False),
    sa.Column('promoted_at', storage.columns.UtcDateTime(timezone=True), nullable=True),
    sa.CheckConstraint("state IN ('candidate', 'active', 'retired')", name=op.f('ck_classifier_version_state_is_known')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_classifier_version')),
    sa.UniqueConstraint('version', name=op.f('uq_classifier_version_version'))
    )
    with op.batch_alter_table('classifier_version', schema=None) as batch_op:
        batch_op.create_index('ix_one_active_version', ['state'], unique=True, sqlite_where=sa.text("state = 'active'"), postgresql_where=sa.text("state = 'active'"))

    op.create_table('instance',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('shop_id', sa.String(), nullable=False),
    sa.Column('loop_key', sa.LargeBinary(), nullable=False),
    sa.Column('created_at', storage.columns.UtcDateTime(timezone=True), nullable=False),
    sa.Column('acknowledgements_paused', sa.Boolean(), nullable=False),
    sa.Column('worker_paused', sa.Boolean(), nullable=False),
    sa.CheckConstraint('id = 1', name=op.f('ck_instance_is_single')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_instance'))
    )
    op.create_table('mailbox_cursor',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('mailbox', sa.String(), nullable=False),
    sa.Column('folder', sa.String(), nullable=False),
    sa.Column('uidvalidity', sa.BigInteger(), nullable=False),
    sa.Column('last_uid', sa.BigInteger(), nullable=False),
    sa.Column('go_live_uid', sa.BigInteger(), nullable=False),
    sa.Column('go_live_at', storage.columns.UtcDateTime(timezone=True), nullable=False),
    sa.Column('renumbered', sa.Boolean(), nullable=False),
    sa.Column('last_success_at', storage.columns.UtcDateTime(timezone=True), nullable=True),
    sa.Column('problem', sa.String(), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_mailbox_cursor')),
    sa.UniqueConstraint('mailbox', 'folder', name=op.f('uq_mailbox_cursor_mailbox_folder'))
    )
    op.create_table('person',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('email', sa.String(), nullable=False),
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('role', sa.String(), nullable=False),
    sa.Column('password_hash', sa.String(), nullable=True),
    sa.Column('language', sa.String(), nullable=False),
    sa.Column('disabled', sa.Boolean(), nullable=False),
    sa.Column('failed_sign_ins', sa.Integer(), nullable=False),
    sa.Column('locked_until', storage.columns.UtcDateTime(timezone=True), nullable=True),
    sa.CheckConstraint("role IN ('agent', 'lead', 'admin')", name=op.f('ck_person_role_is_known')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_person')),
    sa.UniqueConstraint('email', name=op.f('uq_person_email'))
    )
    op.create_table('raw_content',
    sa.Column('sha256', sa.String(), nullable=False),
    sa.Column('content', sa.LargeBinary(), nullable=False),
    sa.PrimaryKeyConstraint('sha256', name=op.f('pk_raw_content'))
    )
    op.create_table('reference_counter',
    sa.Column('year', sa.Integer(), nullable=False),
    sa.Column('last', sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint('year', name=op.f('pk_reference_counter'))
    )
    op.create_table('suppressed_address',
    sa.Column('address', sa.String(), nullable=False),
    sa.Column('until', storage.columns.UtcDateTime(timezone=True), nullable=False),
    sa.Column('reason', sa.String(), nullable=False),
    sa.PrimaryKeyConstraint('address', name=op.f('pk_suppressed_address'))
    )
    op.create_table('ticket',
    sa.Column('next_attempt_at', storage.columns.UtcDateTime(timezone=True), nullable=True),
    sa.Column('claimed_until', storage.columns.UtcDateTime(timezone=True), nullable=True),
    sa.Column('attempts', sa.Integer(), nullable=False),
    sa.Column('problem', sa.String(), nullable=True),
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('reference', sa.String(), nullable=False),
    sa.Column('status', sa.String(), nullable=False),
    sa.Column('cause', sa.String(), nullable=True),
    sa.Column('cause_confidence', sa.Float(), nullable=True),
    sa.Column('urgency', sa.String(), nullable=True),
    sa.Column('urgency_confidence', sa.Float(), nullable=True),
    sa.Column('priority', sa.Integer(), nullable=False),
    sa.Column('needs_review', sa.Boolean(), nullable=False),
    sa.Column('requester_addr', sa.String(), nullable=False),
    sa.Column('requester_name', sa.String(), nullable=False),
    sa.Column('requester_status', sa.String(), nullable=False),
    sa.Column('language', sa.String(), nullable=True),
    sa.Column('subject', sa.String(), nullable=False),
    sa.Column('received_at', storage.columns.UtcDateTime(timezone=True), nullable=False),
    sa.Column('due_at', storage.columns.UtcDateTime(timezone=True), nullable=True),
    sa.Column('due_safe', sa.Date(), nullable=True),
    sa.Column('shop', sa.String(), nullable=False),
    sa.Column('mailbox', sa.String(), nullable=False),
    sa.Column('fingerprint', sa.String(), nullable=False),
    sa.Column('order_numbers', sa.JSON(), nullable=False),
    sa.Column('remedy', sa.String(), nullable=True),
    sa.Column('classifier', sa.String(), nullable=True),
    sa.Column('acknowledged_at', storage.columns.UtcDateTime(timezone=True), nullable=True),
    sa.Column('acknowledgement_reason', sa.String(), nullable=False),
    sa.Column('related_ticket_id', sa.Integer(), nullable=True),
    sa.Column('closed_at', storage.columns.UtcDateTime(timezone=True), nullable=True),
    sa.CheckConstraint("requester_status IN ('known', 'suggested', 'missing')", name=op.f('ck_ticket_requester_status_is_known')),
    sa.CheckConstraint("status IN ('new', 'assigned', 'waiting', 'resolved', 'closed')", name=op.f('ck_ticket_status_is_known')),
    sa.CheckConstraint("urgency IN ('low', 'normal', 'high', 'critical')", name=op.f('ck_ticket_urgency_is_known')),
    sa.CheckConstraint('priority BETWEEN 1 AND 4', name=op.f('ck_ticket_priority_in_range')),
    sa.ForeignKeyConstraint(['related_ticket_id'], ['ticket.id'], name=op.f('fk_ticket_related_ticket_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_ticket')),
    sa.UniqueConstraint('fingerprint', name=op.f('uq_ticket_fingerprint')),
    sa.UniqueConstraint('reference', name=op.f('uq_ticket_reference'))
    )
    with op.batch_alter_table('ticket', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_ticket_next_attempt_at'), ['next_attempt_at'], unique=False)
        batch_op.create_index('ix_ticket_queue', ['status', 'priority', 'due_safe'], unique=False)
        batch_op.create_index(batch_op.f('ix_ticket_requester_addr'), ['requester_addr'], unique=False)

    op.create_table('outbox_message',
    sa.Column('next_attempt_at', storage.columns.UtcDateTime(timezone=True), nullable=True),
    sa.Column('claimed_until', storage.columns.UtcDateTime(timezone=True), nullable=True),
    sa.Column('attempts', sa.Integer(), nullable=False),
    sa.Column('problem', sa.String(), nullable=True),
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('ticket_id', sa.Integer(), nullable=False),
    sa.Column('kind', sa.String(), nullable=False),
    sa.Column('mandatory', sa.Boolean(), nullable=False),
    sa.Column('mailbox', sa.String(), nullable=False),
    sa.Column('sender', sa.String(), nullable=False),
    sa.Column('recipient', sa.String(), nullable=False),
    sa.Column('message_id', sa.String(), nullable=False),
    sa.Column('content', sa.LargeBinary(), nullable=False),
    sa.Column('state', sa.String(), nullable=False),
    sa.Column('created_at', storage.columns.UtcDateTime(timezone=True), nullable=False),
    sa.Column('sent_at', storage.columns.UtcDateTime(timezone=True), nullable=True),
    sa.CheckConstraint("state IN ('waiting', 'sending', 'sent', 'failed', 'unknown')", name=op.f('ck_outbox_message_state_is_known')),
    sa.ForeignKeyConstraint(['ticket_id'], ['ticket.id'], name=op.f('fk_outbox_message_ticket_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_outbox_message')),
    sa.UniqueConstraint('message_id', name=op.f('uq_outbox_message_message_id')),
    sa.UniqueConstraint('ticket_id', 'kind', name=op.f('uq_outbox_message_ticket_id_kind'))
    )
    with op.batch_alter_table('outbox_message', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_outbox_message_created_at'), ['created_at'], unique=False)
        batch_op.create_index(batch_op.f('ix_outbox_message_next_attempt_at'), ['next_attempt_at'], unique=False)
        batch_op.create_index(batch_op.f('ix_outbox_message_recipient'), ['recipient'], unique=False)

    op.create_table('prediction',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('ticket_id', sa.Integer(), nullable=False),
    sa.Column('classifier', sa.String(), nullable=False),
    sa.Column('cause', sa.String(), nullable=False),
    sa.Column('cause_confidence', sa.Float(), nullable=False),
    sa.Column('urgency', sa.String(), nullable=False),
    sa.Column('urgency_confidence', sa.Float(), nullable=False),
    sa.Column('needs_review', sa.Boolean(), nullable=False),
    sa.Column('causes', sa.JSON(), nullable=False),
    sa.Column('urgencies', sa.JSON(), nullable=False),
    sa.Column('created_at', storage.columns.UtcDateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['ticket_id'], ['ticket.id'], name=op.f('fk_prediction_ticket_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_prediction'))
    )
    with op.batch_alter_table('prediction', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_prediction_ticket_id'), ['ticket_id'], unique=False)

    op.create_table('raw_message',
    sa.Column('next_attempt_at', storage.columns.UtcDateTime(timezone=True), nullable=True),
    sa.Column('claimed_until', storage.columns.UtcDateTime(timezone=True), nullable=True),
    sa.Column('attempts', sa.Integer(), nullable=False),
    sa.Column('problem', sa.String(), nullable=True),
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('mailbox', sa.String(), nullable=False),
    sa.Column('folder', sa.String(), nullable=False),
    sa.Column('uidvalidity', sa.BigInteger(), nullable=False),
    sa.Column('uid', sa.BigInteger(), nullable=False),
    sa.Column('sha256', sa.String(), nullable=True),
    sa.Column('size', sa.BigInteger(), nullable=False),
    sa.Column('truncated', sa.Boolean(), nullable=False),
    sa.Column('archive', sa.Boolean(), nullable=False),
    sa.Column('received_at', storage.columns.UtcDateTime(timezone=True), nullable=False),
    sa.Column('fetched_at', storage.columns.UtcDateTime(timezone=True), nullable=False),
    sa.Column('outcome', sa.String(), nullable=False),
    sa.Column('reason', sa.String(), nullable=True),
    sa.Column('ticket_id', sa.Integer(), nullable=True),
    sa.CheckConstraint("outcome IN ('pending', 'ticket', 'appended', 'automatic', 'bounce', 'own', 'duplicate', 'archived', 'quarantined', 'vanished')", name=op.f('ck_raw_message_outcome_is_known')),
    sa.CheckConstraint("sha256 IS NOT NULL OR outcome = 'vanished'", name=op.f('ck_raw_message_has_bytes')),
    sa.ForeignKeyConstraint(['ticket_id'], ['ticket.id'], name=op.f('fk_raw_message_ticket_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_raw_message')),
    sa.UniqueConstraint('mailbox', 'folder', 'uidvalidity', 'uid', name=op.f('uq_raw_message_mailbox_folder_uidvalidity_uid'))
    )
    with op.batch_alter_table('raw_message', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_raw_message_next_attempt_at'), ['next_attempt_at'], unique=False)
        batch_op.create_index(batch_op.f('ix_raw_message_outcome'), ['outcome'], unique=False)
        batch_op.create_index(batch_op.f('ix_raw_message_sha256'), ['sha256'], unique=False)
        batch_op.create_index(batch_op.f('ix_raw_message_ticket_id'), ['ticket_id'], unique=False)

    op.create_table('sign_in_link',
    sa.Column('token_sha256', sa.String(), nullable=False),
    sa.Column('person_id', sa.Integer(), nullable=False),
    sa.Column('expires_at', storage.columns.UtcDateTime(timezone=True), nullable=False),
    sa.Column('used_at', storage.columns.UtcDateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_sign_in_link_person_id')),
    sa.PrimaryKeyConstraint('token_sha256', name=op.f('pk_sign_in_link'))
    )
    op.create_table('ticket_event',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('ticket_id', sa.Integer(), nullable=False),
    sa.Column('at', storage.columns.UtcDateTime(timezone=True), nullable=False),
    sa.Column('actor', sa.String(), nullable=False),
    sa.Column('kind', sa.String(), nullable=False),
    sa.Column('detail', sa.JSON(), nullable=False),
    sa.ForeignKeyConstraint(['ticket_id'], ['ticket.id'], name=op.f('fk_ticket_event_ticket_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_ticket_event'))
    )
    with op.batch_alter_table('ticket_event', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_ticket_event_ticket_id'), ['ticket_id'], unique=False)

    op.create_table('web_session',
    sa.Column('token_sha256', sa.String(), nullable=False),
    sa.Column('person_id', sa.Integer(), nullable=False),
    sa.Column('csrf_token', sa.String(), nullable=False),
    sa.Column('created_at', storage.columns.UtcDateTime(timezone=True), nullable=False),
    sa.Column('last_seen_at', storage.columns.UtcDateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_web_session_person_id')),
    sa.PrimaryKeyConstraint('token_sha256', name=op.f('pk_web_session'))
    )
    op.create_table('inbound_message',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('raw_message_id', sa.Integer(), nullable=False),
    sa.Column('ticket_id', sa.Integer(), nullable=True),
    sa.Column('message_id', sa.String(), nullable=False),
    sa.Column('fingerprint', sa.String(), nullable=False),
    sa.Column('kind', sa.String(), nullable=False),
    sa.Column('from_addr', sa.String(), nullable=False),
    sa.Column('from_name', sa.String(), nullable=False),
    sa.Column('subject', sa.String(), nullable=False),
    sa.Column('body', sa.String(), nullable=False),
    sa.Column('text', sa.String(), nullable=False),
    sa.Column('comment', sa.String(), nullable=False),
    sa.Column('language', sa.String(), nullable=True),
    sa.Column('sent_at', storage.columns.UtcDateTime(timezone=True), nullable=True),
    sa.Column('received_at', storage.columns.UtcDateTime(timezone=True), nullable=False),
    sa.Column('defects', sa.JSON(), nullable=False),
    sa.CheckConstraint("kind IN ('person', 'auto_reply', 'bounce', 'list', 'own', 'report')", name=op.f('ck_inbound_message_kind_is_known')),
    sa.ForeignKeyConstraint(['raw_message_id'], ['raw_message.id'], name=op.f('fk_inbound_message_raw_message_id')),
    sa.ForeignKeyConstraint(['ticket_id'], ['ticket.id'], name=op.f('fk_inbound_message_ticket_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_inbound_message')),
    sa.UniqueConstraint('raw_message_id', name=op.f('uq_inbound_message_raw_message_id'))
    )
    with op.batch_alter_table('inbound_message', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_inbound_message_fingerprint'), ['fingerprint'], unique=False)
        batch_op.create_index(batch_op.f('ix_inbound_message_from_addr'), ['from_addr'], unique=False)
        batch_op.create_index(batch_op.f('ix_inbound_message_message_id'), ['message_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_inbound_message_ticket_id'), ['ticket_id'], unique=False)

    op.create_table('label',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('ticket_id', sa.Integer(), nullable=False),
    sa.Column('cause', sa.String(), nullable=False),
    sa.Column('urgency', sa.String(), nullable=False),
    sa.Column('source', sa.String(), nullable=False),
    sa.Column('author', sa.String(), nullable=False),
    sa.Column('prediction_id', sa.Integer(), nullable=True),
    sa.Column('created_at', storage.columns.UtcDateTime(timezone=True), nullable=False),
    sa.CheckConstraint("source IN ('person', 'import')", name=op.f('ck_label_source_is_known')),
    sa.CheckConstraint("urgency IN ('low', 'normal', 'high', 'critical')", name=op.f('ck_label_urgency_is_known')),
    sa.ForeignKeyConstraint(['prediction_id'], ['prediction.id'], name=op.f('fk_label_prediction_id')),
    sa.ForeignKeyConstraint(['ticket_id'], ['ticket.id'], name=op.f('fk_label_ticket_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_label'))
    )
    with op.batch_alter_table('label', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_label_ticket_id'), ['ticket_id'], unique=False)

    op.create_table('attachment',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('message_id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('type', sa.String(), nullable=False),
    sa.Column('size', sa.Integer(), nullable=False),
    sa.Column('sha256', sa.String(), nullable=False),
    sa.Column('inline', sa.Boolean(), nullable=False),
    sa.ForeignKeyConstraint(['message_id'], ['inbound_message.id'], name=op.f('fk_attachment_message_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_attachment'))
    )
    with op.batch_alter_table('attachment', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_attachment_message_id'), ['message_id'], unique=False)


