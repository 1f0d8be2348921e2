"""What is made from a benchmark: a page, tables, a citation, and a manifest that names what was changed."""

from __future__ import annotations

import csv
import io
import json
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import jsonschema
import msgspec
import pytest

from psi import identity
from psi.bench import bundle, growth, making, page, peers, record, tables
from psi.bench.record import Spread
from psi.errors import TermsError, UsageError
from tests.bench_kit import line, results
from tests.conftest import ROOT

if TYPE_CHECKING:
    from pathlib import Path

FILES = {
    "results.json",
    "results.schema.json",
    "results.csv",
    "report.html",
    "report.md",
    "CITATION.cff",
    "manifest.dsse.json",
}


@pytest.fixture
def made(tmp_path: Path) -> Path:
    making.write_bundle(tmp_path / "bundle", results())
    return tmp_path / "bundle"


def test_a_bundle_has_its_files_and_holds(made: Path) -> None:
    assert {path.name for path in made.iterdir()} == FILES
    assert bundle.verify(made).files == len(FILES) - 1


@pytest.mark.parametrize("name", sorted(FILES))
def test_one_changed_byte_is_found_and_its_file_is_named(made: Path, name: str) -> None:
    data = bytearray((made / name).read_bytes())
    data[len(data) // 2] ^= 1
    (made / name).write_bytes(data)
    with pytest.raises(TermsError, match=re.escape(name)):
        bundle.verify(made)


@pytest.mark.slow
def test_no_byte_of_the_manifest_can_be_changed(tmp_path: Path) -> None:
    bundle.write_files(tmp_path / "small", {"results.json": record.dumps(results())}, signer=None)
    path = tmp_path / "small" / bundle.MANIFEST
    data = path.read_bytes()
    for place in range(len(data)):
        path.write_bytes(data[:place] + bytes([data[place] ^ 1 << place % 8]) + data[place + 1 :])
        with pytest.raises(TermsError, match="changed since it was signed"):
            bundle.verify(tmp_path / "small")


def test_a_file_too_few_or_too_many_is_named(made: Path) -> None:
    (made / "more.txt").write_text("")
    with pytest.raises(TermsError, match=r"more\.txt is not in the manifest"):
        bundle.verify(made)
    (made / "more.txt").unlink()
    (made / "report.md").unlink()
    with pytest.raises(TermsError, match=r"report\.md is missing"):
        bundle.verify(made)


def test_another_spelling_of_a_manifest_is_refused(made: Path) -> None:
    path = made / bundle.MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text())))
    with pytest.raises(TermsError, match="changed"):
        bundle.verify(made)


def test_an_organisation_can_sign_and_a_key_of_its_own_is_made_otherwise(made: Path, tmp_path: Path) -> None:
    assert bundle.verify(made).signer == bundle.ONE_TIME
    who = identity.create(tmp_path / "keys", "Statistics Office")
    making.write_bundle(tmp_path / "signed", results(), signer=tmp_path / "keys")
    verified = bundle.verify(tmp_path / "signed")
    assert (verified.signer, verified.name) == (bundle.ORGANISATION, "Statistics Office")
    assert verified.public_key == who.signing_public


def test_a_bundle_never_replaces_a_folder(made: Path) -> None:
    with pytest.raises(UsageError, match="not empty"):
        making.write_bundle(made, results())


def test_results_are_read_back_as_they_were_and_fit_the_schema(made: Path) -> None:
    assert record.load(made / bundle.RESULTS) == results()
    jsonschema.validate(
        json.loads((made / bundle.RESULTS).read_text()), json.loads((made / bundle.SCHEMA_FILE).read_text())
    )


@pytest.mark.repo
def test_the_schema_that_is_kept_is_the_one_that_is_made() -> None:
    assert (ROOT / "benchmarks" / "results" / "schema.json").read_bytes() == record.schema()


class Seen(HTMLParser):
    """Collect what a page is made of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [str(value) for name, value in attrs if name in ("src", "href", "xlink:href")]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_has_no_script_and_asks_for_nothing() -> None:
    seen = Seen(page.html(results()).decode())
    assert not {"script", "link", "img", "iframe", "object"} & set(seen.tags)
    assert all(link.startswith("#") for link in seen.links)
    assert "<processor>" in seen.text  # escaped where it stands


def test_every_number_of_every_table_is_on_the_page_and_in_the_markdown_and_in_the_csv() -> None:
    record_made = results()
    text = re.sub(r"\s+", " ", Seen(page.html(record_made).decode()).text)
    marked = page.markdown(record_made).decode()
    cells = {row[5] for row in csv.reader(io.StringIO(page.comma_separated(record_made).decode()))}
    for table in tables.all_tables(record_made):
        for row in table.rows:
            for cell in row:
                assert cell in text
                assert cell in marked
                assert cell in cells


def test_every_row_says_where_its_record_is() -> None:
    made = results()
    for table in tables.all_tables(made):
        for row, source in zip(table.rows, table.sources, strict=True):
            found = re.fullmatch(r"(lines|relay|reversal)\[(\d+)\]", source)
            assert found is not None
            meant = getattr(made, found[1])[int(found[2])]
            assert getattr(meant, "title", None) in (None, *row)


def test_every_chart_says_in_words_what_it_shows() -> None:
    made = results()
    charts = re.findall(r'<svg role="img" aria-label="([^"]*)"', page.html(made).decode())
    assert len(charts) == 3
    for each in made.lines[:3]:
        assert all(each.title in chart for chart in charts)


def test_other_systems_and_growth_stand_on_the_page_and_in_the_bundle(tmp_path: Path) -> None:
    point = growth.Point(
        suite="vole-malicious",
        items=4096,
        wall_s=0.5,
        cpu_s=0.25,
        bytes_total=440_000,
        repetitions=3,
        correct=True,
    )
    grown = growth.Growth(
        commit="0", machine={}, points=(point, msgspec.structs.replace(point, items=65_536, wall_s=1.75))
    )
    (tmp_path / "growth.json").write_bytes(msgspec.json.encode(grown))
    beside = peers.Peers(
        schema=peers.SCHEMA,
        version="0.1.0",
        commit="0",
        measured="2026-01-01",
        rows=10,
        matches=1,
        inputs={},
        machine={},
        packages={},
        lines=(
            peers.System(
                system="x",
                title="Another system",
                settings="its own",
                adversary="semi-honest",
                learners=("requester", "holder"),
                version="1",
                measured=True,
                repetitions=1,
                wall_s=Spread(median=3.5, min=3.5, max=3.5, all=(3.5,)),
                cpu_s=Spread(median=2.5, min=2.5, max=2.5, all=(2.5,)),
                bytes_on_the_wire=1000,
                peak_memory_bytes={"requester": 1, "holder": 2},
                count=1,
                correct=True,
            ),
        ),
    )
    (tmp_path / "peers.json").write_bytes(msgspec.json.encode(beside))
    out = tmp_path / "bundle"
    making.write_bundle(out, results(), beside=tmp_path / "peers.json", growth=tmp_path / "growth.json")
    assert bundle.verify(out).files == len(FILES) + 1
    text = Seen((out / "report.html").read_text()).text
    for cell in ("Another system (1)", "3.50", "65,536", "1.75"):
        assert cell in text
        assert cell in (out / "report.md").read_text()
    assert "0.50 s at 4,096, 1.75 s at 65,536" in (out / "report.html").read_text()
    (tmp_path / "peers.json").write_text("{}")
    with pytest.raises(UsageError, match="no record of peers"):
        peers.load(tmp_path / "peers.json")


def test_a_wrong_result_is_said_and_not_hidden() -> None:
    made = results(line("list-to-holder"), line("vole-malicious/holder-first", correct=False))
    text = page.markdown(made).decode()
    assert "Not every way found the people of the truth" in text
    assert "| NO |" in text


def test_slower_is_said_as_it_is() -> None:
    made = results(line("list-to-holder", wall_s=1.0), line("vole-malicious/holder-first", wall_s=3.0))
    assert "takes 3.00 s instead of 1.00 s" in tables.answer(made)


def test_the_citation_names_version_commit_and_facts(made: Path) -> None:
    text = (made / bundle.CITATION).read_text()
    whole = results()
    for value in (whole.version, whole.commit, whole.facts_sha256):
        assert value in text
        assert value[:8] in (made / bundle.PAGE).read_text()
