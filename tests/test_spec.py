"""The specification says what the code does: blocks, links, names, numbers and tables are compared with it."""

from __future__ import annotations

import ast
import itertools
import re
import sys
from collections import Counter
from pathlib import Path

import pytest
from reference import ecdh, frames, parameters, vole
from reference.frames import Kind, control

from psi import errors, terms, wire
from psi.session.states import State, table

ROOT = Path(__file__).parent.parent
SPECIFICATION = ROOT / "protocol_spec"
PAGES = sorted(SPECIFICATION.rglob("*.md"))
REFERENCE = sorted((SPECIFICATION / "reference").glob("*.py"))


def rows(page: str, heading: str) -> list[list[str]]:
    """Return the body of the first table below a heading, cell by cell."""
    text = (SPECIFICATION / page).read_text()
    below = text.split(f" {heading}\n", 1)[1]
    lines = re.search(r"(?:^\|.*\n)+", below, re.MULTILINE)
    assert lines is not None, heading
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[0].splitlines()[2:]]


def names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def sources(text: str) -> dict[str, str]:
    """Return the source of each function and class of a file by its name."""
    lines = text.splitlines()
    return {
        node.name: "\n".join(lines[node.lineno - 1 : node.end_lineno])
        for node in ast.parse(text).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(SPECIFICATION).as_posix())
def test_a_block_that_names_a_function_is_its_source(page: Path) -> None:
    blocks = re.findall(r"^```python (\S+):(\w+)\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
    for file, name, block in blocks:
        assert block.rstrip("\n") == sources((SPECIFICATION / file).read_text())[name], f"{file}:{name}"


def test_blocks_show_the_functions_that_a_second_implementation_needs() -> None:
    shown = {
        name
        for page in PAGES
        for name in re.findall(r"^```python \S+:(\w+)$", page.read_text(), re.MULTILINE)
    }
    functions = {name for file in ("ecdh.py", "randomness.py") for name in sources(file_text(file))}
    helpers = {"Receiver", "Sender", "chunks", "next_count", "entries", "append_elements", "append_tags"}
    assert functions - helpers <= shown


def file_text(name: str) -> str:
    return (SPECIFICATION / "reference" / name).read_text()


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(SPECIFICATION).as_posix())
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        path, _, anchor = target.partition("#")
        linked = (page.parent / path) if path else page
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked), target


@pytest.mark.repo
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(SPECIFICATION).as_posix())
def test_every_file_that_is_named_exists(page: Path) -> None:
    folders = (page.parent, SPECIFICATION, SPECIFICATION / "vectors", ROOT)
    for named in re.findall(r"`([\w/]+(?:\.(?:json|py|md|toml)|/))`", page.read_text()):
        assert any((folder / named).exists() for folder in folders) or named == "test_vectors.json", named


@pytest.mark.repo
def test_every_section_that_code_and_texts_refer_to_exists() -> None:
    headings = {
        page.name: set(re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE))
        for page in SPECIFICATION.glob("*.md")
    }
    files = [
        path
        for folder, kinds in (
            ("protocol_spec", ("md", "py")),
            ("psi", ("py", "pyi")),
            ("core/src", ("rs",)),
            ("tests", ("py",)),
        )
        for kind in kinds
        for path in (ROOT / folder).rglob(f"*.{kind}")
    ]
    assert len(files) > 50
    for path in files:
        for page, heading in re.findall(r'\b(psi|ecdh|security)\.md[`)\]]*, "([^"]+)"', path.read_text()):
            assert heading in headings[f"{page}.md"], f"{path.relative_to(ROOT)}: {page}.md, {heading}"


def test_the_reference_needs_nothing_of_psi() -> None:
    allowed = {*sys.stdlib_module_names, "numpy", "cryptography", "nacl"}
    for path in REFERENCE:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                assert {alias.name.split(".")[0] for alias in node.names} <= allowed, path.name
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                assert (node.module or "").split(".")[0] in allowed, path.name


def test_frame_types_are_those_of_psi_and_of_the_reference() -> None:
    specified = {int(kind, 16): name for kind, name, *_ in rows("psi.md", "Frames")}
    assert specified == {kind.value: kind.label for kind in wire.FrameType}
    assert specified == {kind.value: kind.name.lower().replace("_", "-") for kind in Kind}


def test_codes_and_phases_are_those_of_psi_and_of_the_reference() -> None:
    bodies = {name: names(body) for _, name, _, body in rows("psi.md", "Frames")}
    assert bodies["refuse"] == [code.value for code in wire.Refusal] == list(frames.CODES)
    assert bodies["alive"] == [phase.value for phase in wire.Phase] == list(frames.PHASES)


def test_fields_of_terms_are_those_of_psi() -> None:
    specified = {name: set(names(fields)) for name, fields in rows("psi.md", "Terms digest")}
    structs = {
        "terms": terms.Terms,
        "party": terms.Party,
        "rule": terms.ColumnRule,
        "key": terms.Key,
        "key column": terms.KeyColumn,
    }
    assert specified == {name: set(struct.__struct_fields__) for name, struct in structs.items()}


def test_exit_codes_of_errors_are_those_of_psi() -> None:
    for cell, _, _, _, code in rows("psi.md", "Errors"):
        error = getattr(errors, names(cell)[0])("a test")
        assert errors.exit_code(error) == int(code)


def test_limits_are_those_of_psi_and_of_the_reference() -> None:
    assert parameters.MAX_ITEMS == wire.MAX_ITEMS == 2**28
    assert parameters.MAX_FRAME_BYTES == 1 + wire.MAX_BODY_BYTES == 1 + 2**20
    assert parameters.MAX_CONTROL_FRAME_BYTES == 1 + wire.MAX_CONTROL_BODY_BYTES == 1 + 1024
    assert parameters.PROTOCOL == wire.PROTOCOL
    assert list(parameters.SUITES) == [suite.value for suite in wire.Suite]


def test_lengths_in_the_text_are_right() -> None:
    longest_hello = control(Kind.HELLO, "psi/1", "ecdh-cardinality", *[bytes(32)] * 4)
    assert f"a hello, has {len(longest_hello) - 5} |" in (SPECIFICATION / "psi.md").read_text()
    lengths = [len(ecdh.suite_dst(suite, bytes(32))) for suite in parameters.ECDH_SUITES]
    text = " ".join((SPECIFICATION / "ecdh.md").read_text().split())
    assert "It has {} bytes in `ecdh` and {} in `ecdh-cardinality`".format(*lengths) in text
    assert parameters.TAGS_PER_FRAME * 12 == 786_432 < 2**20
    assert parameters.ELEMENTS_PER_FRAME * parameters.ELEMENT_BYTES == 2**20


def test_the_table_of_tag_lengths_is_right() -> None:
    def number(cell: str) -> int:
        return 1 << int(cell[2:]) if cell.startswith("2^") else int(cell.replace(",", ""))

    for n_sender, n_receiver, needed, tag_bytes, bound in rows("security.md", "Tag length"):
        pairs = number(n_sender) * number(n_receiver)
        length = parameters.tag_bytes(n_sender=number(n_sender), n_receiver=number(n_receiver))
        assert length == int(tag_bytes)
        assert pairs <= 2 ** (8 * length - 40)  # the union bound at 2^-40
        assert pairs <= 2 ** (8 * length + int(bound[2:]))  # and at what the table says
        assert abs(2 ** (float(needed) - 40) / pairs - 1) < 0.05


def test_states_are_those_of_psi() -> None:
    by_label = {state.value: state for state in State}
    kinds: dict[str, wire.FrameType] = {kind.label: kind for kind in wire.FrameType}
    kinds |= {
        "frames of its role": wire.FrameType.BLINDED,
        "frames of the peer's role": wire.FrameType.EVALUATED,
    }
    moves = {
        (party, direction): outside_the_table(direction)
        for party in ("initiator", "acceptor")
        for direction in ("sends", "receives")
    }
    who, state = "", State.START
    for cell, sent, then_sent, received, then_received in rows("psi.md", "States"):
        if marked := re.match(r"\*(\w+):\* ", cell):
            who = marked[1]
        state = by_label.get(cell.split("* ")[-1], state)
        for party in ("initiator", "acceptor") if who == "both" else (who,):
            for direction, frame, then in (("sends", sent, then_sent), ("receives", received, then_received)):
                if frame:
                    kind = kinds[frame.removesuffix(", if the transcripts are equal")]
                    moves[party, direction][state, kind] = by_label[then]
    for (party, direction), specified in moves.items():
        psi = table(
            initiator=party == "initiator",
            sends=[wire.FrameType.BLINDED],
            receives=[wire.FrameType.EVALUATED],
        )
        assert specified == dict(getattr(psi, direction))


def outside_the_table(direction: str) -> dict[tuple[State, wire.FrameType], State]:
    """Return what the paragraph below the table says of alive and refuse."""
    waiting = State.FINISH_RECEIVED if direction == "sends" else State.FINISH_SENT
    alive = {
        (state, wire.FrameType.ALIVE): state for state in (State.AGREED, State.SIZED, State.SUITE, waiting)
    }
    going_on = [state for state in State if state not in (State.FINISHED, State.ENDED)]
    return alive | {(state, wire.FrameType.REFUSE): State.ENDED for state in going_on}


def definitions(path: Path) -> set[str]:
    """Return the names that a file of Rust or Python defines."""
    text = path.read_text()
    rust = re.findall(r"\b(?:fn|struct|enum|trait|const|static)\s+(\w+)", text)
    python = re.findall(r"^\s*(?:def|class)\s+(\w+)|^(\w+)\s*[:=]", text, re.MULTILINE)
    return {*rust, *(name for pair in python for name in pair)}


@pytest.mark.repo
def test_every_place_that_the_review_names_exists() -> None:
    places = re.findall(r"`([^`]+)::(\w+)`", (SPECIFICATION / "review.md").read_text())
    assert len(places) > 100
    for file, name in places:
        assert name in definitions(ROOT / file), f"{file}::{name}"


@pytest.mark.repo
def test_every_context_of_a_hash_has_one_use() -> None:
    """Each stands once in the reference and once in psi or its core: no hash is of use for another purpose."""
    find = re.compile(r'"(psi/1 [a-z0-9 ]+)"').findall
    reference = Counter(name for path in REFERENCE for name in find(path.read_text()))
    code = [path.read_text() for path in (ROOT / "psi").rglob("*.py")]
    code += [
        path.read_text().split("#[cfg(test)]\n", 1)[0]
        for path in (ROOT / "core" / "src").rglob("*.rs")
        if "tests" not in path.stem
    ]
    assert reference == Counter(name for text in code for name in find(text))
    assert len(reference) > 20
    assert set(reference.values()) == {1}


@pytest.mark.repo
def test_the_failures_of_a_run_sum_to_the_budget() -> None:
    by_okvs = sum(
        2.0 ** float(bound[2:]) for _, bound, _ in rows("okvs.md", "8. What it hides, and what fails")
    )
    assert by_okvs < 2 * 2.0**-43
    for suite, n_receiver, n_sender in itertools.product(
        (vole.MALICIOUS, vole.SEMI_HONEST), (1, 2**16, 2**23, 2**28), (1, 2**18, 2**23, 2**23 + 1, 2**28)
    ):
        small = suite == vole.SEMI_HONEST and n_sender <= vole.SMALL_FIELD_ITEMS
        tag_bits = 8 * vole.tag_bytes(suite, n_receiver=n_receiver, n_sender=n_sender)
        fits = n_sender * 2.0 ** -(64 if small else 128)
        tags = n_receiver * n_sender * 2.0**-tag_bits
        equal = n_sender**2 * 2.0**-129 if suite == vole.MALICIOUS else 0
        assert fits + tags + equal + 2 * 2.0**-43 <= 2.0**-40, (suite, n_receiver, n_sender)


@pytest.mark.repo
def test_no_file_of_the_specification_is_too_long_to_read() -> None:
    for path in SPECIFICATION.rglob("*"):
        if path.suffix in (".py", ".md"):
            assert len(path.read_text().splitlines()) <= 600, path.name
