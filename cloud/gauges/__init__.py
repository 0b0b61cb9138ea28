"""Gauges of what is so now, for dashboards and alerts: one point a machine and period, rewritten in place.

What a machine is comes from the store, what it is used to sell from InfluxDB. docs/measurements.md has every
field.
"""
