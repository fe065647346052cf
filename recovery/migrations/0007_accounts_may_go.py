import django.db.models.deletion
from django.db import migrations, models

# Jobs that are there already say where they were, and live executions hold their accounts.
_NAME_ACCOUNTS = """
UPDATE recovery_launchjob job SET aws_account_id = account.account_id, account_name = account.name
FROM protection_targetaccount account WHERE account.id = job.account_id
"""
_HOLD_ACCOUNTS = """
INSERT INTO recovery_accountclaim (execution_id, account_id)
SELECT DISTINCT claim.execution_id, account.id FROM recovery_serverclaim claim
JOIN protection_targetaccount account ON account.account_id = claim.account_id
WHERE claim.released_at IS NULL
"""


class Migration(migrations.Migration):

    dependencies = [
        ('protection', '0003_data_management'),
        ('recovery', '0006_entries_of_waves'),
    ]

    operations = [
        migrations.AddField(
            model_name='launchjob',
            name='aws_account_id',
            field=models.CharField(default='', max_length=12),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name='launchjob',
            name='account_name',
            field=models.CharField(default='', max_length=64),
            preserve_default=False,
        ),
        migrations.RunSQL(_NAME_ACCOUNTS, migrations.RunSQL.noop),
        migrations.AlterField(
            model_name='launchjob',
            name='account',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='protection.targetaccount'),
        ),
        migrations.AddConstraint(
            model_name='launchjob',
            constraint=models.CheckConstraint(condition=models.Q(('account__isnull', False), models.Q(('state__in', ['INTENDED', 'QUEUED', 'STARTED']), _negated=True), _connector='OR'), name='recovery_live_job_has_its_account'),
        ),
        migrations.CreateModel(
            name='AccountClaim',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='protection.targetaccount')),
                ('execution', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='recovery.execution')),
            ],
        ),
        migrations.AddConstraint(
            model_name='accountclaim',
            constraint=models.UniqueConstraint(fields=('execution', 'account'), name='recovery_account_claimed_once'),
        ),
        migrations.RunSQL(_HOLD_ACCOUNTS, migrations.RunSQL.noop),
    ]
