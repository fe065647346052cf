"""A topic of SNS, whose subscribers are AWS's affair."""

from drportal.aws import sns
from drportal.aws.errors import AwsError
from drportal.notify.message import ChannelFailed, Message
from drportal.transactions import reaches_outside


@reaches_outside
def send(arn: str, message: Message) -> None:
    """Publish to the topic. Raises ChannelFailed."""
    if not sns.is_topic(arn):
        raise ChannelFailed("This is no ARN of a topic.", away=True)
    try:
        sns.publish(arn, subject=_subject(message.one_line_subject), body=_fitting(message.body))
    except AwsError as error:
        raise ChannelFailed(error.detail, away=True) from None


def _subject(text: str) -> str:
    """What SNS takes as a subject: ASCII, at most 100 characters, with a mark where it was cut."""
    ascii_text = text.encode("ascii", "replace").decode()
    if len(ascii_text) <= sns.LONGEST_SUBJECT:
        return ascii_text
    return f"{ascii_text[: sns.LONGEST_SUBJECT - 3]}..."


def _fitting(body: str) -> str:
    return body.encode()[: sns.LONGEST_MESSAGE].decode(errors="ignore")
