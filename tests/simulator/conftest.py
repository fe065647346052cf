from tests.simulated_aws import aws, aws_server  # noqa: F401 - fixtures
