"""A real worker, a real mail server and a real webhook, one of which never answers."""

import pytest
from celery import current_app
from django.db import transaction

from recovery.models import Delivery
from recovery.services import notice_channels
from recovery.services.events import note
from tests.factories.recovery import ExecutionFactory, plan_of
from tests.journeys.processes import Worker, wait_for
from tests.notify.servers import mail_server, webhook
from tests.worlds import PERSON

pytestmark = [pytest.mark.journey, pytest.mark.django_db(transaction=True)]


def ask() -> None:
    """What beat does every few seconds."""
    current_app.send_task("recovery.send_notices", retry=False)


def test_mail_gets_through_while_a_webhook_hangs(tmp_path):
    plan = plan_of(name="Payments", notification_addresses=["ops@example.com"])
    with mail_server() as post, webhook() as hook:
        hook.silent = True
        notice_channels.add(
            plan=plan,
            name="Room",
            medium="SERVICE",
            address=f"{hook.url}/in",
            kinds=["REQUESTED", "STARTED"],
            actor=PERSON,
        )
        worker = Worker(
            tmp_path / "worker.log",
            queues="notices",
            EMAIL_HOST="127.0.0.1",
            EMAIL_PORT=str(post.port),
        )
        try:
            execution = ExecutionFactory.create(plan=plan, plan_name=plan.name)
            with transaction.atomic():
                note(execution, "execution.requested", "Drill requested.")
            ask()
            wait_for(lambda: hook.posts, within=40, what=lambda: "the post to the webhook")
            with transaction.atomic():
                note(execution, "execution.running", "Drill begins.")

            def both_mails() -> bool:
                ask()
                return len(post.mails) == 2

            wait_for(both_mails, within=40, what=lambda: f"two mails, of {post.mails}")
        finally:
            worker.kill()
        assert [str(mail["Subject"]) for _, mail in post.mails] == [
            "[DRILL] Payments: requested",
            "[DRILL] Payments: started",
        ]
        assert len(hook.posts) == 1, "no second worker went into the lane of the one that hangs"
    states = Delivery.objects.filter(medium="MAIL").values_list("state", flat=True)
    assert set(states) == {"SENT"}
    assert not Delivery.objects.filter(medium="SERVICE", state="SENT").exists()
