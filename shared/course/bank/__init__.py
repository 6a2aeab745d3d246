"""The answers: one file per chapter, `chNN.py`, imported by `shared.course.exercises` at a chapter's first check."""
