from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("mirror", "0002_sequence")]

    operations = [
        migrations.RemoveConstraint("outboxentry", "mirror_one_entry_per_object"),
        # What was a number of its own is one that no transaction has: they count from above 0.
        migrations.RenameField("outboxentry", "sequence", "transaction"),
        migrations.RunSQL(
            sql="UPDATE mirror_outboxentry SET transaction = -transaction",
            reverse_sql="UPDATE mirror_outboxentry SET transaction = -transaction",
        ),
        migrations.AddConstraint(
            "outboxentry",
            models.UniqueConstraint(
                fields=["kind", "object_id", "transaction"],
                name="mirror_one_entry_per_object_and_transaction",
            ),
        ),
    ]
