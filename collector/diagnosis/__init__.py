"""What does a flow owe, since when, and why? Flows to findings. Pure: `now` is an argument."""

from collector.diagnosis.debts import Debt, Owed
from collector.diagnosis.expected import Expectation, Expected
from collector.diagnosis.findings import Case, Evidence, Finding, Life, Place
from collector.diagnosis.habits import Habits
from collector.diagnosis.learned import Learner
from collector.diagnosis.lesson import Lesson
from collector.diagnosis.owed import Demands
from collector.diagnosis.record import Names, Record, record
from collector.diagnosis.rules import CAUSES, RULES, diagnose
from collector.diagnosis.states import states

__all__ = [
    "CAUSES",
    "RULES",
    "Case",
    "Debt",
    "Demands",
    "Evidence",
    "Expectation",
    "Expected",
    "Finding",
    "Habits",
    "Learner",
    "Lesson",
    "Life",
    "Names",
    "Owed",
    "Place",
    "Record",
    "diagnose",
    "record",
    "states",
]
