"""The page as text: what cannot end a script, where names are isolated, what the policy lets run."""

import base64
import hashlib
import json
import re

import pandas as pd

from xltransfer.report.names import isolated
from xltransfer.report.page import (
    Collapsed,
    Facts,
    Page,
    Picture,
    Prose,
    Section,
    ShownTable,
    Switch,
    Verbatim,
    all_blocks,
    render,
    script_json,
    with_bdi,
)
from xltransfer.report.tables import Column, Table

NASTY = "</script><script>alert(1)</script>\u2028<!-- &amp;"


def page(text: str) -> Page:
    table = Table("t", text, text, pd.DataFrame({"name": [text]}), (Column("name", text),))
    blocks = [
        Prose([text], heading=text), Facts([(text, text)]), Verbatim(text), ShownTable(table, ("t.csv", "t.tex")),
        Switch(text, [(text, [Picture("p", text, text, absent=text)])]), Collapsed(text, [Prose([text])]),
    ]  # fmt: skip
    return Page(text, text, [text], [Section("s", text, blocks)])


def test_json_in_a_script_cannot_end_it_and_reads_back() -> None:
    text = script_json({"name": NASTY})
    assert not set(text) & set("<>&\u2028\u2029")
    assert json.loads(text) == {"name": NASTY}


def test_text_from_data_is_escaped_everywhere() -> None:
    html = render(page(NASTY))
    assert NASTY.split("\u2028")[0] not in html
    # The page's data and its script, nothing else.
    assert len(re.findall(r"<script", html)) == 2 and len(re.findall(r"</script>", html)) == 2
    assert "&lt;/script&gt;&lt;script&gt;" in html


def test_only_the_script_of_the_page_may_run() -> None:
    html = render(page("x"))
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)
    script = re.search(r"<script>(.*?)</script>", html, re.DOTALL)
    assert policy and script
    digest = base64.b64encode(hashlib.sha256(script.group(1).encode()).digest()).decode()
    assert policy.group(1).startswith("default-src 'none'; img-src data:;")
    assert f"script-src 'sha256-{digest}'" in policy.group(1)
    assert "unsafe-inline" not in policy.group(1).split("script-src")[1]


def test_isolated_names_become_bdi_and_leave_attributes() -> None:
    assert with_bdi(f"a {isolated('<b>')} c") == "a <bdi>&lt;b&gt;</bdi> c"
    html = render(page(f"see {isolated('עברית')}"))
    assert "see <bdi>עברית</bdi>" in html
    assert "\u2068" not in html.split("<script")[0]
    assert "<title>see עברית</title>" in html


def test_names_cannot_close_their_isolate() -> None:
    assert with_bdi(isolated("a\u2069b\u2068c")) == "<bdi>abc</bdi>"


def test_tables_within_panels_and_details_are_found() -> None:
    table = ShownTable(Table("t", "t", "t", pd.DataFrame({"a": [1]}), (Column("a", "a", "integer"),)))
    blocks = [Collapsed("c", [Switch("s", [("p", [table])])])]
    assert [type(block).__name__ for block in all_blocks(blocks)] == ["Collapsed", "Switch", "ShownTable"]
    html = render(Page("t", "t", [], [Section("s", "s", blocks)]))
    data = re.search(r'id="page-data">(.*?)</script>', html)
    assert data and json.loads(data.group(1))["tables"]["t"]["values"] == [[1]]


def test_the_same_page_has_the_same_bytes() -> None:
    assert render(page("x")) == render(page("x"))
