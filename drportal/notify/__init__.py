"""How a message leaves the portal: by mail, by an SNS topic, or by a service such as Slack.

No wording: what is said is the apps' affair. Every way raises ChannelFailed, in words that hold
no secret, whatever goes wrong.
"""
