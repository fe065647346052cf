"""The page of an execution whose wave AWS keeps from launching."""

from django.urls import reverse

from recovery.models import WavePreflight
from tests.admin.conftest import recorded
from tests.api.test_wave_preflights import held
from tests.factories.users import grant

__all__ = ["held"]


def link(name: str, *ids: object) -> str:
    return reverse(f"admin:recovery_execution_{name}", args=ids)


def test_what_keeps_a_wave_from_launching_is_shown_and_overridden_with_a_reason(root, held):
    page = root.get(link("change", held.pk)).content.decode()
    for said in ("does not launch", "DRS is not initialized.", "Kept from launching"):
        assert said in page
    asks = link("override", held.pk, 1)
    assert asks in page
    assert "DRS is not initialized." in root.get(asks).content.decode()
    assert "Say why" in root.post(asks, {"reason": " "}).content.decode()
    assert recorded() == []
    root.post(asks, {"reason": "The Region is lost"})
    assert recorded() == ["recovery.wave_preflight.overridden"]
    assert WavePreflight.objects.get().overridden == ["drs"]
    page = root.get(link("change", held.pk)).content.decode()
    assert "root overrode DRS initialized: The Region is lost" in page
    assert asks not in page


def test_who_may_steer_only_may_not_override(person, browser, held):
    grant(person, "recovery.view_recoveryplan", "recovery.steer_recoveryplan", on=held.plan)
    page = browser.get(link("change", held.pk)).content.decode()
    assert link("override", held.pk, 1) not in page
    assert "You may not launch it all the same." in page
    assert browser.post(link("override", held.pk, 1), {"reason": "x"}).status_code == 403
    assert WavePreflight.objects.get().overridden == []
