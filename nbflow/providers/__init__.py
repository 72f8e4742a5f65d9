"""Providers ask one batch system for jobs; batch systems are tables and templates."""
