"""How far a prediction is trusted, and why a version was promoted against the gate"""

import sqlalchemy as sa
from alembic import op


revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None


def upgrade() -> None:
    # What was stored before was chosen for the person who looked, whatever its confidence.
    with op.batch_alter_table('prediction', schema=None) as batch_op:
        batch_op.add_column(
            sa.Column('level', sa.String(), nullable=False, server_default='preselect')
        )
    with op.batch_alter_table('classifier_version', schema=None) as batch_op:
        batch_op.add_column(
            sa.Column('override_reason', sa.String(), nullable=False, server_default='')
        )
