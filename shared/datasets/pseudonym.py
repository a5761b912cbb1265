"""Patients by a digest of their name: cards, reports and logs are for people who may not know who was in a study."""

import hashlib


def pseudonym(patient: str) -> str:
    """Stable, so that two models can be asked whether they learned from the same patient."""
    return "p-" + hashlib.sha256(patient.encode()).hexdigest()[:12]
