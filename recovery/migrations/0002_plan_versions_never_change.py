from django.db import migrations

FORWARDS = """
CREATE FUNCTION recovery_plan_versions_never_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'recovery_plan_versions_never_change'
        USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER recovery_plan_versions_never_change BEFORE UPDATE ON recovery_planversion
    FOR EACH ROW EXECUTE FUNCTION recovery_plan_versions_never_change();
"""
BACKWARDS = """
DROP TRIGGER recovery_plan_versions_never_change ON recovery_planversion;
DROP FUNCTION recovery_plan_versions_never_change();
"""


class Migration(migrations.Migration):
    dependencies = [("recovery", "0001_initial")]
    operations = [migrations.RunSQL(FORWARDS, BACKWARDS)]
