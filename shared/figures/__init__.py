"""Looks and drawings: the theme, the few plots that every chapter needs, pictures as files; and the live figure.

May import: figures.live.
"""
