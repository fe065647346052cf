"""Each way out against a real server on this machine; SNS against moto."""

import io
import logging

import pytest
from moto.sns.models import sns_backends

from drportal.aws.scope import Account, Scope
from drportal.aws.session import Use, client
from drportal.errors import InvalidInput
from drportal.notify import mail, service, topic
from drportal.notify.message import ChannelFailed, Message, Urgency
from tests.worlds import EAST, HUB

MESSAGE = Message("k-1", "[DRILL] Plan: wave 2\nfailed", "This is a DRILL.\nZürich", Urgency.BAD)
SECRET = "TIiajkdnlazkcOXrIdevi7FQ"
TEAMS = (
    "https://prod-1.westus.logic.azure.com:443/workflows/643e69f83c8944438d68119179a10a64/"
    f"triggers/manual/paths/invoke?api-version=2016-06-01&sp=a&sv=1.0&sig={SECRET}"
)
SLACK = f"https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/{SECRET}"


def test_a_mail_arrives_as_it_was_written(post, settings):
    settings.DEFAULT_FROM_EMAIL = "DR portal <portal@example.com>"
    mail.send("ops@example.com", MESSAGE)
    [(recipient, found)] = post.mails
    assert recipient == "ops@example.com"
    assert found["Subject"] == "[DRILL] Plan: wave 2 failed"
    assert found["Message-ID"] == "<k-1@example.com>"
    assert found["Auto-Submitted"] == "auto-generated"
    assert found.get_content().splitlines() == ["This is a DRILL.", "Zürich"]


@pytest.mark.parametrize(
    ("answers", "said", "away"),
    [
        ({"RCPT": "550 nobody s3cret"}, "The mail server refuses this address (550).", False),
        ({"MAIL": "553 not you s3cret"}, "refuses the portal's own address (553).", True),
        ({"DOT": "554 spam s3cret"}, "did not take the message (554).", False),
        ({"CONNECT": "421 busy s3cret"}, "did not let the portal in (421).", True),
    ],
)
def test_what_a_mail_server_refuses_is_told_by_its_number_only(post, answers, said, away):
    post.answers = answers
    with pytest.raises(ChannelFailed) as failure:
        mail.send("ops@example.com", MESSAGE)
    assert said in failure.value.detail
    assert "s3cret" not in failure.value.detail
    assert failure.value.away is away
    assert not post.mails or "DOT" in answers


def test_a_mail_server_that_does_not_answer_is_not_waited_for(post, settings):
    post.silent, settings.EMAIL_TIMEOUT = True, 0.2
    with pytest.raises(ChannelFailed, match="did not answer in time") as failure:
        mail.send("ops@example.com", MESSAGE)
    assert failure.value.away


def test_without_a_mail_server_it_is_said_that_there_is_none(settings):
    settings.EMAIL_HOST = ""
    with pytest.raises(ChannelFailed, match="No mail server is set"):
        mail.send("ops@example.com", MESSAGE)


def test_a_webhook_gets_the_message_as_json(hook):
    service.send(f"{hook.url}/in/secret", MESSAGE)
    [(path, body)] = hook.posts
    assert path == "/in/secret"
    assert body["title"] == "[DRILL] Plan: wave 2 failed"
    assert body["message"] == "This is a DRILL.\nZürich"
    assert body["type"] == "failure"


def test_a_service_is_never_asked_to_try_again_by_itself(hook):
    hook.status = 500
    with pytest.raises(ChannelFailed, match=r"HTTP 500"):
        service.send(f"{hook.url}/in?retry=5&wait=30", MESSAGE)
    assert len(hook.posts) == 1


def test_a_redirect_is_not_followed(hook):
    hook.status, hook.location = 302, "/elsewhere"
    with pytest.raises(ChannelFailed, match=r"HTTP 302"):
        service.send(f"{hook.url}/in", MESSAGE)
    assert [path for path, _ in hook.posts] == ["/in"]


def test_a_service_that_hangs_is_left_after_a_while(hook, monkeypatch):
    hook.silent = True
    monkeypatch.setattr(service, "ANSWER_SECONDS", 0.2)
    with pytest.raises(ChannelFailed, match="did not answer in time"):
        service.send(f"{hook.url}/in", MESSAGE)


def test_nothing_of_an_address_gets_into_a_log_or_an_error(hook, caplog):
    caplog.set_level(logging.DEBUG)  # whatever is written at all
    written = io.StringIO()
    handler = logging.StreamHandler(written)  # where the portal's own handler is, but masks nothing
    logging.getLogger().addHandler(handler)
    try:
        address = f"{hook.url}/path-{SECRET}?+X-Token={SECRET}"
        service.send(address, MESSAGE)
        hook.status = 404
        with pytest.raises(ChannelFailed) as failure:
            service.send(address, MESSAGE)
        logging.getLogger("drportal").warning("it is listened to")
    finally:
        logging.getLogger().removeHandler(handler)
    assert SECRET not in repr(failure.value) + failure.value.detail
    assert failure.value.__cause__ is None
    assert "it is listened to" in written.getvalue()
    assert SECRET not in written.getvalue()


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        (SLACK, "Slack [masked]"),
        (f"slack://T1JJ3T3L2/A1BRTD4JD/{SECRET}/#dr", "Slack [masked]"),
        (f"discord://4174216298/{SECRET}", "Discord [masked]"),
        (
            f"jsons://user:{SECRET}@hooks.example.com/{SECRET}?+X-Key={SECRET}",
            "Webhook, JSON at hooks.example.com [masked]",
        ),
        (
            TEAMS,
            "Microsoft Teams at prod-1.westus.logic.azure.com [masked]",
        ),
    ],
)
def test_of_an_address_only_the_service_and_its_host_are_shown(address, shown):
    assert service.masked(address) == shown


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("", "not_understood"),
        (f"https://example.com/{SECRET}", "not_understood"),
        ("file:///etc/passwd", "not_understood"),
        ("syslog://", "not_supported"),
        (f"mailto://user:{SECRET}@gmail.com", "not_supported"),
    ],
)
def test_where_the_portal_does_not_send_is_refused_without_quoting_it(address, code, caplog):
    with pytest.raises(InvalidInput) as refusal:
        service.masked(address)
    [complaint] = refusal.value.errors
    assert (complaint["field"], complaint["code"]) == ("address", code)
    assert SECRET not in str(complaint)
    assert SECRET not in caplog.text


def a_topic(region: str = EAST) -> str:
    made = client("sns", Use.WRITE, Scope(Account(HUB), region)).create_topic(Name="dr")
    return str(made["TopicArn"])


def test_a_topic_gets_the_message_in_its_own_region(aws):
    arn = a_topic("us-west-2")
    topic.send(arn, MESSAGE)
    account = arn.split(":")[4]
    [(_, body, subject, *_)] = sns_backends[account]["us-west-2"].topics[arn].sent_notifications
    assert subject == "[DRILL] Plan: wave 2 failed"
    assert body == "This is a DRILL.\nZürich"


def test_a_long_subject_is_cut_for_sns_with_a_mark(aws):
    arn = a_topic()
    topic.send(arn, Message("k", "[DRILL] Zürich " + "x" * 200, "Whole: " + "y" * 300))
    account = arn.split(":")[4]
    [(_, body, subject, *_)] = sns_backends[account][EAST].topics[arn].sent_notifications
    told = str(subject)
    assert (len(told), told[:14], told[-4:]) == (100, "[DRILL] Z?rich", "x...")
    assert body.endswith("y" * 300)


def test_a_topic_that_is_not_there_says_so(aws):
    with pytest.raises(ChannelFailed, match=r"Publish in .*/us-east-1"):
        topic.send("arn:aws:sns:us-east-1:123456789012:gone", MESSAGE)
    with pytest.raises(ChannelFailed, match="no ARN"):
        topic.send("arn:aws:sqs:us-east-1:123456789012:queue", MESSAGE)
