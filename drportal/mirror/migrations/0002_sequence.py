from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("mirror", "0001_initial")]

    operations = [
        migrations.RunSQL(
            sql="CREATE SEQUENCE mirror_sequence AS bigint",
            reverse_sql="DROP SEQUENCE mirror_sequence",
        ),
    ]
