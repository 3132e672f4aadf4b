"""Notebook wizards for people who never see a terminal."""
