"""Flows to findings: what is owed, since when, and why. Pure: `now` is an argument."""

from collector.diagnosis.expectations import Expectation, Learner
from collector.diagnosis.findings import Case, Cause, Evidence, Finding, Life, Place
from collector.diagnosis.habits import Habits
from collector.diagnosis.owed import Debt, Expected, Owed
from collector.diagnosis.record import Names, Record, record
from collector.diagnosis.rules import RULES, diagnose
from collector.diagnosis.states import State, states

__all__ = [
    "RULES",
    "Case",
    "Cause",
    "Debt",
    "Evidence",
    "Expectation",
    "Expected",
    "Finding",
    "Habits",
    "Learner",
    "Life",
    "Names",
    "Owed",
    "Place",
    "Record",
    "State",
    "diagnose",
    "record",
    "states",
]
