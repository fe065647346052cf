"""What the frame and the mirror want done over and over."""

from drportal.jobs import Schedule

SCHEDULES = (
    Schedule("Send changes to DynamoDB", task="mirror.drain", every=1, queue="mirror", expires=5),
    Schedule("Heartbeat", task="drportal.heartbeat", every=5, queue="default", expires=30),
)
