"""An operator exports the configuration, and imports a document after a dry run."""

import json

import pytest
from playwright.sync_api import expect

from protection.models import ProtectionGroup
from recovery.documents.text import read
from recovery.models import ImportRun, RecoveryPlan
from tests.factories.recovery import plan_of

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

LEGACY = {
    "metadata": {"schemaVersion": "1.0"},
    "protectionGroups": [
        {
            "groupName": "Databases",
            "region": "us-east-1",
            "accountId": "210000000001",
            "serverSelectionTags": {"Tier": "database"},
        }
    ],
    "recoveryPlans": [
        {
            "planName": "Everything",
            "waves": [{"waveNumber": 0, "protectionGroupName": "Databases"}],
        }
    ],
}


def test_a_document_is_tried_mended_and_imported(desk, shoot, tmp_path):
    file = tmp_path / "from-the-old-system.json"
    wrong = json.loads(json.dumps(LEGACY))
    wrong["recoveryPlans"][0]["waves"][0]["protectionGroupName"] = "Database"
    file.write_text(json.dumps(wrong))

    desk.goto("/admin/")
    desk.get_by_role("link", name="Export and import").click()
    desk.goto("/admin/recovery/importrun/add/")
    desk.set_input_files("input[name=file]", file)
    desk.get_by_role("button", name="Dry run").click()
    outcome = desk.get_by_label("Dry run", exact=True)
    expect(outcome).to_contain_text("Parts would be refused")
    expect(outcome).to_contain_text("There is no protection group 'Database'")
    shoot("import-refused")
    assert not ProtectionGroup.objects.exists()

    text = desk.locator("textarea[name=text]")
    text.fill(text.input_value().replace('"Database"', '"Databases"'))
    desk.get_by_role("button", name="Dry run").click()
    expect(outcome).to_contain_text("It would be taken whole")
    shoot("import-dry-run")
    assert not ProtectionGroup.objects.exists()

    desk.get_by_role("button", name="Import", exact=True).last.click()
    expect(desk.get_by_label("Outcome")).to_contain_text("Everything")
    expect(desk.get_by_label("Import", exact=True)).to_contain_text("Imported")
    shoot("import-done")
    assert RecoveryPlan.objects.get().waves.get().groups.get().name == "Databases"
    assert ImportRun.objects.filter(dry_run=False).count() == 1


def test_the_configuration_is_downloaded(desk):
    plan = plan_of()
    desk.goto("/admin/recovery/importrun/")
    with desk.expect_download() as download:
        desk.get_by_role("link", name="Export as YAML").click()
    document = read(download.value.path().read_bytes())
    assert [each["name"] for each in document["plans"]] == [plan.name]
