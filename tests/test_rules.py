"""Every rule has a page whose wrong example gives the finding, shown as in its golden, and whose right one does not."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rulepages import examples, lay_out

from kalecompiler import catalogue, commands, diagnostics, packages, report
from kalecompiler.diagnostics import RULES, Diagnostic, Rule

ROOT = Path(__file__).parent.parent
GOLDENS = Path(__file__).parent / "golden" / "rules"
SIZES = ("KC501", "KC502", "KC503")


def findings(code: str, section: str) -> list[Diagnostic]:
    """What the compiler finds in the example of that section, in the current folder."""
    path = lay_out(code, section)
    if path is None:
        pytest.skip("the right example is a folder without what is wrong in the other")
    found = commands.check([path], {})
    assert not found.unreadable
    assert not found.count("failed"), found.files
    return list(found.diagnostics)


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    packages._environment.cache_clear()
    yield
    packages._environment.cache_clear()


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_the_page_of_a_rule_says_what_why_wrong_and_right(rule: Rule) -> None:
    page = catalogue.page(rule.code)
    assert page.startswith(f"# {rule.code} {rule.name} ({rule.severity.value})\n")
    assert re.search(r"\A.*\n\S.*\.\n\n## Why\n", page), "one sentence, then why"
    assert re.findall(r"^## (.*)$", page, re.MULTILINE) == ["Why", "Wrong", "Right"]
    assert examples(rule.code, "Wrong")
    assert examples(rule.code, "Right")


@pytest.mark.parametrize("code", RULES)
def test_the_wrong_example_gives_the_finding_as_its_golden_shows_it_in_the_house_style(
    code: str, golden: Callable[[Path, str], None]
) -> None:
    found = findings(code, "Wrong")
    assert code in {d.rule.code for d in found}
    text = report.render(found)
    if code in SIZES:  # they depend on the runtime that the steps carry
        text = re.sub(r"\d[\d,.]*(?= bytes| MB| kB| MiB)", "N", text)
    golden(GOLDENS / f"{code}.txt", text)
    for message in (text for finding in found for text in (finding.message, finding.hint) if text):
        assert not message.endswith("."), message
        assert "\n" not in message
        assert not re.match(r"[A-Z][a-z]", message), f"begins with a capital: {message}"


@pytest.mark.parametrize("code", RULES)
def test_the_right_example_is_free_of_the_finding_and_of_errors(code: str) -> None:
    found = findings(code, "Right")
    assert code not in {d.rule.code for d in found}
    assert not [d for d in found if d.severity is diagnostics.Severity.ERROR]


def test_no_rule_is_without_a_page_and_no_page_without_a_rule() -> None:
    assert {path.stem for path in catalogue.FOLDER.glob("*.md")} == set(RULES)


def test_codes_and_names_are_given_once() -> None:
    rules = [value for value in vars(diagnostics).values() if isinstance(value, Rule)]
    assert len({rule.code for rule in rules}) == len(rules)
    assert len({rule.name for rule in rules}) == len(rules)


def test_every_rule_belongs_to_a_section_of_the_document() -> None:
    assert not [code for code in RULES if code[:3] not in catalogue.SECTIONS]


def test_the_document_is_current() -> None:
    assert (ROOT / "docs" / "rules.md").read_text(encoding="utf-8") == catalogue.document(), (
        "python -m kalecompiler.catalogue > docs/rules.md"
    )


def test_the_document_shows_each_page_once_and_links_to_it() -> None:
    text = catalogue.document()
    for rule in RULES.values():
        heading = f"\n### {rule.code} {rule.name} ({rule.severity.value})\n"
        assert text.count(heading) == 1
        anchor = re.sub(r"[^a-z0-9 -]", "", heading.strip("#\n ").lower()).replace(" ", "-")
        assert f"](#{anchor})" in text


def test_headings_in_examples_stay_as_they_are() -> None:
    assert "\n# %% step:" in catalogue.document()


def test_json_of_a_finding_has_the_code_of_its_rule() -> None:
    rows = json.loads(report.render(findings("KC112", "Wrong"), format="json"))
    assert [row["code"] for row in rows if row["severity"] == "error"] == ["KC112"]
