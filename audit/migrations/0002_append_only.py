from django.db import migrations

# TRUNCATE stays possible: a test database is emptied by it, and a role that may not truncate
# can be given to the portal in production.
REFUSE = """
CREATE FUNCTION audit_record_is_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit records are append-only: % is refused', TG_OP
        USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER audit_record_is_final
    BEFORE UPDATE OR DELETE ON audit_auditrecord
    FOR EACH ROW EXECUTE FUNCTION audit_record_is_final();
"""
ALLOW = """
DROP TRIGGER audit_record_is_final ON audit_auditrecord;
DROP FUNCTION audit_record_is_final();
"""


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_initial")]

    operations = [migrations.RunSQL(sql=REFUSE, reverse_sql=ALLOW)]
