"""Grafana as code: tables of panels and alerts, printed as provisioning files.

`python -m deploy.grafana --out deploy/grafana/provisioning` writes the files that are in the repository. They
are never edited: a test holds them equal to these tables.
"""
