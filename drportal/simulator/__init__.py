"""Simulated AWS: Elastic Disaster Recovery (DRS) as one more service of moto.

Used by tests, the demo and its own server command; production code never imports it.
Facts come from botocore's model of `drs` and from the DRS user guide; where neither says what AWS
does, the choice is a member of `drportal.simulator.settings.Settings`.
"""
