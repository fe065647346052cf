from django.db import migrations

FORWARDS = """
CREATE FUNCTION protection_versions_never_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'protection_versions_never_change'
        USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER protection_group_versions_never_change BEFORE UPDATE ON protection_groupversion
    FOR EACH ROW EXECUTE FUNCTION protection_versions_never_change();
CREATE TRIGGER protection_settings_versions_never_change
    BEFORE UPDATE ON protection_launchsettingsversion
    FOR EACH ROW EXECUTE FUNCTION protection_versions_never_change();
"""
BACKWARDS = """
DROP TRIGGER protection_group_versions_never_change ON protection_groupversion;
DROP TRIGGER protection_settings_versions_never_change ON protection_launchsettingsversion;
DROP FUNCTION protection_versions_never_change();
"""


class Migration(migrations.Migration):
    dependencies = [("protection", "0003_data_management")]
    operations = [migrations.RunSQL(FORWARDS, BACKWARDS)]
