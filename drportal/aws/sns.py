"""SNS: publishing to a topic."""

import re
from typing import Final

from drportal.aws.roles import own_account
from drportal.aws.scope import Account, Scope
from drportal.aws.session import Use, client, translated
from drportal.transactions import reaches_outside

# Bounds of SNS (API reference, Publish): a subject is ASCII on one line.
LONGEST_SUBJECT: Final = 100
LONGEST_MESSAGE: Final = 256 * 1024

_TOPIC = re.compile(r"arn:aws[a-z-]*:sns:(?P<region>[a-z0-9-]+):\d{12}:[A-Za-z0-9_-]{1,256}")


def is_topic(arn: str) -> bool:
    """Whether this is the ARN of a topic; not of a FIFO one, which takes no mail addresses."""
    return _TOPIC.fullmatch(arn) is not None


@reaches_outside
def publish(topic: str, *, subject: str, body: str) -> str:
    """Publish to a topic with the portal's own credentials, and return SNS's id of the message.

    Published twice, it is sent twice: SNS has no token for it. So boto tries once; whoever calls
    tries again, and knows that it does. Raises AwsError.
    """
    found = _TOPIC.fullmatch(topic)
    if found is None:
        raise ValueError("this is no ARN of a topic")
    region = found["region"]
    scope = Scope(Account(own_account(region)), region)
    with translated("Publish", scope):
        answer = client("sns", Use.WRITE_ONCE, scope).publish(
            TopicArn=topic, Subject=subject, Message=body
        )
        return str(answer["MessageId"])
