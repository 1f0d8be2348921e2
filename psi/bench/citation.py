"""Say how to cite a benchmark: as a sentence, as BibTeX, as CITATION.cff."""

from __future__ import annotations

from psi.bench.record import Results

TITLE = "psi: two-party private set intersection at million-row scale"
AUTHORS = "The psi maintainers"


def sentence(results: Results) -> str:
    """Return the citation as a sentence."""
    return (
        f"{AUTHORS}. {TITLE}, version {results.version}, commit {results.commit}. Benchmark of "
        f"{results.ended[:10]}, facts {results.facts_sha256[:16]}."
    )


def bibtex(results: Results) -> str:
    """Return the citation as BibTeX."""
    year = results.ended[:4]
    return (
        f"@misc{{psi-benchmark-{results.facts_sha256[:8]},\n"
        f"  author = {{{{{AUTHORS}}}}},\n"
        f"  title = {{{{{TITLE}}}: benchmark of {results.ended[:10]}}},\n"
        f"  year = {{{year}}},\n"
        f"  note = {{version {results.version}, commit {results.commit}, "
        f"facts {results.facts_sha256[:16]}}}\n"
        "}"
    )


def cff(results: Results) -> bytes:
    """Return the CITATION.cff of a bundle."""
    lines = [
        "cff-version: 1.2.0",
        "message: If you use these figures, please cite them as below.",
        "type: dataset",
        f'title: "{TITLE}: benchmark of {results.ended[:10]}"',
        "authors:",
        f"  - name: {AUTHORS}",
        f"version: {results.version}",
        f'commit: "{results.commit}"',
        f'date-released: "{results.ended[:10]}"',
        "license: Apache-2.0",
        "identifiers:",
        "  - type: other",
        f"    value: sha256:{results.facts_sha256}",
        "    description: digest of the facts that a second run repeats",
    ]
    return ("\n".join(lines) + "\n").encode()
