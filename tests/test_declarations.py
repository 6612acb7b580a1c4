"""What does a file of declared expectations say, and what does its reader say about a wrong one?"""

import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from collector.declaring import DeclarationError, json_schema, read
from collector.diagnosis.declared import Declared, DeclaredJoin, DeclaredReaction, Responsible
from tests.schema_copying import SCHEMA, written

PAGE = (SCHEMA.parent / "expectations.md").read_text(encoding="utf-8")
FILE = "expectations.yaml"
REACTION = "reactions: [{after: OrderPlaced, service: inventory, "
JOINS = "joins: [{service: a, needs: [B, C], publishes: D}]"
ORDER = "after: OrderPlaced, service: inventory"


def declared(text: str) -> Declared:
    return read(text.encode(), FILE)


def refused(content: str | bytes) -> str:
    """The line that tells what is wrong with *content*."""
    with pytest.raises(DeclarationError) as caught:
        read(content if isinstance(content, bytes) else content.encode(), FILE)
    told = str(caught.value)
    assert told.isprintable()
    return told


def documented() -> str:
    """The example of the manual."""
    return PAGE.split("```yaml\n")[1].split("```")[0]


def test_the_example_of_the_manual_can_be_used() -> None:
    """People start from it."""
    shop = declared(documented())

    assert len(shop.reactions) == 8
    assert shop.joins == (
        DeclaredJoin("shipping", ("PaymentCaptured", "OrderCleared"), ("ShipmentPrepared",), 120_000),
    )
    assert shop.ends == {"OrderShipped", "OrderCancelled"}
    assert shop.ignored_services == {"analytics"}
    assert shop.services["payment"].owner == "Team Payments"
    jsonschema.validate(yaml.safe_load(documented()), json_schema())


def test_the_error_that_the_manual_shows_is_the_one_that_is_told() -> None:
    promised = next(line for line in PAGE.splitlines() if line.startswith(f"{FILE}, line 3"))

    told = refused(
        "reactions:\n"
        "  - after: OrderPlaced\n"
        "    publish: StockReserved\n"
        "    service: inventory\n"
        "  - after: StockReserved\n"
        "    service: payment\n"
        "    within: soon\n"
    )

    assert told == promised


def test_every_key_is_read() -> None:
    text = """
reactions:
  - after: A
    service: one
    group: workers
    publishes: [B, C]
    within: 1500ms
    optional: true
  - {after: B, service: two, publishes: []}
joins:
  - {service: three, needs: [B, C], publishes: D, within: 2d}
ends: D
ignore: {events: E, services: [four, five]}
services:
  one: {owner: "Team: One", runbook: "https://wiki.example.com/one?x=1#top"}
  two: {}
"""
    assert declared(text) == Declared(
        reactions=(
            DeclaredReaction("A", "one", "workers", ("B", "C"), 1500, optional=True),
            DeclaredReaction("B", "two", publishes=()),
        ),
        joins=(DeclaredJoin("three", ("B", "C"), ("D",), 172_800_000),),
        ends=frozenset({"D"}),
        ignored_events=frozenset({"E"}),
        ignored_services=frozenset({"four", "five"}),
        services={
            "one": Responsible("Team: One", "https://wiki.example.com/one?x=1#top"),
            "two": Responsible(),
        },
    )


def test_what_is_left_out_is_not_said() -> None:
    """Nothing published and nothing said about it are different: the second is learned."""
    (reaction,) = declared(f"reactions: [{{{ORDER}}}]").reactions

    assert reaction == DeclaredReaction("OrderPlaced", "inventory")
    assert reaction.publishes is None


@pytest.mark.parametrize(
    ("written", "milliseconds"),
    [("500ms", 500), ("90s", 90_000), ("15m", 900_000), ("12h", 43_200_000), ("366d", 366 * 86_400_000)],
)
def test_durations_have_a_unit(written: str, milliseconds: float) -> None:
    (reaction,) = declared(f"{REACTION}within: {written}}}]").reactions

    assert reaction.within_ms == milliseconds


# What is wrong, and what is told about it. The first group is refused by the schema as well.
WRONG = [
    (f"{REACTION}within: soon}}]", "line 1: within is 'soon': expected a duration such as 90s, 15m, 2d."),
    (f"{REACTION}within: 30}}]", "line 1: within is '30': expected a duration"),
    (f"{REACTION}within: 0s}}]", "line 1: within is '0s': expected a duration"),
    (f"{REACTION}within: -1s}}]", "line 1: within is '-1s': expected a duration"),
    (f"{REACTION}within: 1h30m}}]", "line 1: within is '1h30m': expected a duration"),
    (f"{REACTION}within: [1s]}}]", "line 1: within is a list with one entry: expected a duration"),
    (f"{REACTION}optional: maybe}}]", "line 1: optional is 'maybe': expected true or false."),
    (f"{REACTION}publish: X}}]", "line 1: 'publish' is no key of a reaction: expected after, service, .*"),
    ("reaction: []", "line 1: 'reaction' is no key of the file: .* Did you mean 'reactions'?"),
    ("zzz: []", "line 1: 'zzz' is no key of the file: .* Correct or remove it."),
    ("reactions:\n- after: A", "line 2: a reaction has no 'service': .* Add 'service: ...'."),
    ("reactions:\n  - text", "line 2: an entry of reactions is 'text': expected a reaction, such as"),
    ("reactions: {a: b}", "line 1: reactions is a mapping: expected a list of reactions."),
    ("ends:", "line 1: ends is empty: expected an event type, such as OrderPlaced, or a list of them."),
    ("ends: []", "line 1: ends is an empty list: expected an event type"),
    ("ends: ~", "line 1: ends is '~': expected an event type"),
    ("ends: [A, A]", "line 1: 'A' is twice in ends: expected it once. Remove one."),
    ("ends: 404", "line 1: ends is '404': .* YAML reads it as int: put it in quotes, '404'."),
    ("ends: [2024-01-01]", "line 1: an entry of ends is '2024-01-01': .* timestamp: put it in quotes"),
    ("ends: no", "line 1: ends is 'no': .* YAML reads it as bool: put it in quotes, 'no'."),
    (f"ends: {'x' * 201}", "line 1: ends is 'x{80}...': .* It has 201 characters, of 200."),
    ("joins: [{service: a, needs: [B], publishes: C}]", "line 1: needs is a list with one entry: .* two"),
    ("joins: [{service: a, needs: [B, C]}]", "line 1: a join has no 'publishes': expected"),
    ("ignore: analytics", "line 1: ignore is 'analytics': expected a mapping with events, services or both."),
    ("services: {a: {runbook: 'javascript:alert(1)'}}", "line 1: runbook is 'javascript:.*': .* https addre"),
    ("services: {a: {runbook: 'https://user:pw@example.com'}}", "line 1: runbook is '.*': expected an http"),
    ("services: {a: Team}", "line 1: a is 'Team': expected a mapping with owner, runbook or both."),
    ("- a", "line 1: the file is a list with one entry: expected reactions, joins, ends, ignore or services"),
    ("{}", "{file}: it is empty: expected reactions, joins, ends, .* Write at least 'reactions: \\[\\]'."),
    ("# nothing yet\n", "{file}: it is empty: expected"),
]
# The schema cannot know these, or a YAML library has made something else of them before it is asked.
BEYOND = [
    (f"{REACTION}within: 367d}}]", "line 1: within is '367d': expected a duration .* At most 366 days."),
    (f"{REACTION}optional: yes}}]", "line 1: optional is 'yes': expected true or false."),
    ("ends: A\nends: B", "line 2: 'ends' is there already, in line 1: expected it once. Remove one."),
    ("services: {a: {}, a: {}}", "line 1: 'a' is there already, in line 1"),
    ("services:\n  yes: {}", "line 2: a key of services is 'yes': .* put it in quotes, 'yes'."),
    ('ends: "a\\tb"', r"line 1: ends is 'a\\tb': .* Leave out line breaks, invisible characters"),
    ('ends: " a"', "line 1: ends is ' a': .* spaces around it."),
    (
        f"reactions:\n- {{{ORDER}}}\n- {{{ORDER}, group: b}}",
        "line 3: the reaction of inventory to OrderPlaced is there already, in line 2",
    ),
    (
        f"reactions:\n- {{{ORDER}, group: b}}\n- {{{ORDER}}}",
        "line 3: the reaction of inventory to OrderPlaced is there already, in line 2",
    ),
    (
        "joins:\n- {service: a, needs: [B, C], publishes: D}\n- {service: a, needs: [C, B], publishes: E}",
        "line 3: a join of a with the same 'needs' is there already, in line 2",
    ),
    (
        f"reactions: [{{after: B, service: a, publishes: D}}]\n\n{JOINS}",
        "line 1: D needs more than B by the join in line 3: expected either of the two.",
    ),
    (
        f"ignore: {{services: inventory}}\nreactions:\n- {{{ORDER}}}",
        "line 3: inventory is ignored in line 1: expected either of the two. Remove one.",
    ),
    (
        f"ignore: {{events: B}}\n{JOINS}",
        "line 2: B is ignored in line 1: expected either of the two.",
    ),
    ("ends: [&a A, *a]", r"line 1: '\*a' is an alias: expected the value itself. Write it out."),
    ("ends: !!str A", "line 1: the tag '!!str' has no meaning here: expected the bare value. Remove it."),
    ("ends: !!python/object/apply:os.system [ls]", "line 1: the tag '!!python/object/apply:os.system' has"),
    ("? [a]\n: b", "line 1: a list or a mapping is a key: expected a name."),
    ("ends: A\n---\nends: B", "line 2: a second document begins here: expected one. Remove the line '---'."),
    ("ends: A\n  x: y", "line 2: 'x: y' is not YAML \\(.*\\): expected .* Check indentation, quotes"),
    ("ends: A\nx: 'y", "line 2: 'x: 'y' is not YAML \\(.*end.*\\): expected"),
    ("ends: A\nx: \x01", r"line 2: the character U\+0001 is not text: expected YAML. Remove it."),
    (b"ends: A\nx: \xff", "line 2: the byte 0xff is not UTF-8: expected UTF-8. Save the file as such."),
    ("[" * 500_000, "line 1: nested in more than 8 levels: expected at most 4."),
    ("ends: [" + "a," * 60_000, "line 1: more than 50,000 values so far: expected less."),
    ("#" * 1024 * 1024 + "\n", "{file}: it is larger than 1,048,576 bytes: expected less."),
]


@pytest.mark.parametrize(("content", "told"), [*WRONG, *BEYOND], ids=[f"{n}" for n in range(55)])
def test_a_mistake_is_told_with_its_line_and_what_was_expected(content: str | bytes, told: str) -> None:
    """Whoever reads it at night should not have to look anything up."""
    pattern = told.replace("{file}", FILE) if told.startswith("{file}") else f"{FILE}, {told}"

    assert re.match(pattern, refused(content))


@pytest.mark.parametrize("content", [content for content, _ in WRONG])
def test_the_schema_refuses_what_the_reader_refuses(content: str) -> None:
    """Otherwise an editor calls a file right that the collector will refuse."""
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(content), json_schema())


def test_the_schema_is_valid_and_the_one_that_is_checked_in() -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())

    assert SCHEMA.read_text(encoding="utf-8") == written(), "make schema"


def test_the_manual_has_every_key() -> None:
    properties = json_schema()["properties"]
    for key in properties:
        assert f"### {key}" in PAGE
    for records in ("reactions", "joins"):
        keys = properties[records]["items"]["properties"]
        rows = PAGE.split(f"### {records}")[1].split("\n#")[0]
        assert re.findall(r"^\| `(\w+)` \|", rows, re.MULTILINE) == list(keys)


def test_all_mistakes_are_found_at_once_and_the_first_twenty_are_told() -> None:
    """One at a time, a file with ten of them would be rolled out ten times."""
    lines = [f"  - {{after: A{number}, service: b, within: soon}}" for number in range(24)]

    told = refused("\n".join(["reactions:", *lines, "ends:"]))

    assert told.count("within is 'soon'") == 20
    assert "\n" not in told
    assert told.startswith(f"{FILE}, line 2: ")
    assert told.endswith(" And 5 more.")


def test_a_mistake_hides_no_other() -> None:
    with pytest.raises(DeclarationError) as caught:
        declared("ends: *x\nzzz: 1\nignore: {services: b}\nreactions:\n- {after: 1, service: b}\n")

    assert [mistake.line for mistake in caught.value.mistakes] == [1, 2, 5, 5]


def test_aliases_that_stand_for_billions_of_values_cost_nothing() -> None:
    levels = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]

    assert "is an alias" in refused("\n".join(["a0: &a0 [x]", *levels]))


@given(st.binary(max_size=400) | st.text(max_size=400).map(lambda text: text.encode(errors="replace")))
@example(b"\xef\xbb\xbfends: A")
@example(b"\xff\xfee\x00")
@example(b'ends: "\\ud800"')
@example(b'ends: "\\U00110000"')
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    """The live part reads the file: anything else would stop it."""
    try:
        told = str(read(data, FILE))
    except DeclarationError as error:
        told = str(error)
    assert told.isprintable()


NAMES = st.sampled_from(["A", "B", "", "404", "a\nb", "x" * 300]) | st.text(max_size=5)
VALUES: st.SearchStrategy[Any] = st.recursive(
    NAMES | st.integers() | st.booleans() | st.none() | st.sampled_from(["1s", "https://a.example"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=2),
    max_leaves=4,
)
KEYS = ["after", "service", "group", "publishes", "within", "optional", "needs", "owner", "runbook", "events"]
RECORDS = st.dictionaries(st.sampled_from(KEYS), NAMES | VALUES, max_size=4)
FILES = st.fixed_dictionaries(
    {},
    optional={
        "reactions": st.lists(RECORDS, max_size=3) | VALUES,
        "joins": st.lists(RECORDS, max_size=3) | VALUES,
        "ends": VALUES,
        "ignore": RECORDS | VALUES,
        "services": st.dictionaries(NAMES, RECORDS, max_size=2) | VALUES,
        "other": VALUES,
    },
)


@given(FILES)
def test_what_the_reader_takes_the_schema_takes_as_well(content: Any) -> None:
    text = yaml.safe_dump(content, allow_unicode=True)
    try:
        declared(text)
    except DeclarationError:
        return
    jsonschema.validate(yaml.safe_load(text), json_schema())


def test_a_path_is_told_whole() -> None:
    """The name of a file is at the end of its path."""
    path = str(Path("/etc") / ("long" * 40) / FILE)
    with pytest.raises(DeclarationError, match=f"^{path}: "):
        read(b"", path)
