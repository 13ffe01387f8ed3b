"""Tests of the presence floor."""
