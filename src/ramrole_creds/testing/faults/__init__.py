"""Scripted faults and odd answers."""
