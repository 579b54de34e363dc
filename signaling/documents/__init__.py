"""Shared documents: Yjs over several doors, stored before they are acknowledged."""
