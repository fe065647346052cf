from tests.world_fixtures import aws, driver

__all__ = ["aws", "driver"]
