from tests.world_fixtures import aws

__all__ = ["aws"]
