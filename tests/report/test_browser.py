"""The page in a headless Chromium: real events on real elements; the small page of ``conftest.py``."""

import re
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from headless_chromium import Browser

Ask = Callable[..., Any]

COLUMN = """
const column = (j) => [...document.querySelectorAll("tbody tr")].map((row) => row.children[j].textContent);
const heads = [...document.querySelectorAll("thead tr:first-child th")];
const click = (node) => node.dispatchEvent(new MouseEvent("click", { bubbles: true }));
const type = (node, text) => { node.value = text; node.dispatchEvent(new Event("input", { bubbles: true })); };
"""


def test_sorting_is_by_number_with_undefined_last_in_both_directions(ask: Ask) -> None:
    up, down, state = ask(
        COLUMN
        + """
        type(document.querySelector("[type=search]"), "العربية");
        const size = document.querySelector(".pager select");
        size.value = "500"; size.dispatchEvent(new Event("change"));
        const button = heads[3].querySelector("button");
        click(button); const up = column(3);
        click(button); return [up, column(3), heads.map((head) => head.getAttribute("aria-sort"))];
        """
    )
    values = [float(text.replace("\u2212", "-")) for text in up if text != "–"]
    assert len(values) > 20 and min(values) < 0 < max(values)
    assert values == sorted(values)
    # The small page has nine undefined cells, all from the language in Arabic letters.
    assert up[-9:] == ["–"] * 9 and down[-9:] == ["–"] * 9
    assert up[:-9] == down[:-9][::-1]
    assert state[:5] == ["none", "none", "none", "descending", "none"]


def test_filters_by_column_globally_and_by_the_size_of_a_number(ask: Ask) -> None:
    of_k, below, both, page, status, none = ask(
        COLUMN
        + """
        const status = () => document.querySelector("[role=status]").textContent;
        const [toggle] = [...document.querySelectorAll(".tools button")];
        click(toggle);
        const [from, , k, ts] = [...document.querySelectorAll("tr.filters input, tr.filters select")];
        type(k, "= 10"); const of_k = column(2);
        type(ts, "\u2212100..-1"); const below = column(3);
        from.value = "=" + [...from.options].map((o) => o.textContent).find((t) => t.includes("العربية"));
        from.dispatchEvent(new Event("change", { bubbles: true }));
        const both = column(0), page = status();
        type(document.querySelector("[type=search]"), "no such text");
        return [of_k, below, both, page, status(), column(0)];
        """
    )
    assert set(of_k) == {"10"}
    assert below and all(text.startswith("\u2212") for text in below)
    assert set(both) == {"العربية (bbb)"}
    assert re.fullmatch(r"9 rows, filtered from 99", page)
    assert status.startswith("0 rows") and none == []


def test_long_tables_have_pages_that_the_keyboard_reaches(ask: Ask) -> None:
    first, second, status, focusable = ask(
        COLUMN
        + """
        const first = column(3);
        const next = [...document.querySelectorAll(".pager button")].find((b) => b.textContent === "Next");
        click(next);
        const buttons = [...document.querySelectorAll("thead button, .pager button")];
        return [first, column(3), document.querySelector("[role=status]").textContent,
                buttons.every((b) => b.tabIndex === 0)];
        """
    )
    assert len(first) == len(second) == 25 and first != second
    assert status == "rows 26 to 50 of 99 rows"
    assert focusable


def test_heatmap_tells_values_on_hover_and_by_arrow_keys(ask: Ask) -> None:
    script = """
    const host = document.querySelector("#heatmap-heat-10"), canvas = host.querySelector("canvas[tabindex]");
    const tip = document.getElementById("tip"), box = canvas.getBoundingClientRect();
    const pen = canvas.getContext("2d"), ratio = canvas.width / box.width;
    // Cells are square up to a height of 24; below them lies the legend.
    const w = Math.min(34, Math.floor((box.width - 4) / 3));
    const at = (i, j) => [w * (j + 0.5), box.height - 46 - 24 * (2 - i) + 12];
    const shade = (i, j) => {
      const [x, y] = at(i, j);
      return [...pen.getImageData(x * ratio, y * ratio, 1, 1).data].slice(0, 3);
    };
    const hover = (i, j) => {
      const [x, y] = at(i, j);
      const place = { clientX: box.left + x, clientY: box.top + y, bubbles: true };
      canvas.dispatchEvent(new MouseEvent("mousemove", place));
      return tip.hidden ? "" : tip.textContent;
    };
    const texts = [0, 1].flatMap((i) => [0, 1, 2].map((j) => hover(i, j)));
    const shades = [0, 1].flatMap((i) => [0, 1, 2].map((j) => shade(i, j)));
    canvas.dispatchEvent(new MouseEvent("mouseleave"));
    const hidden = tip.hidden;
    canvas.focus();
    canvas.dispatchEvent(new FocusEvent("focus"));
    const key = (name) => canvas.dispatchEvent(new KeyboardEvent("keydown", { key: name, bubbles: true }));
    key("ArrowRight"); key("ArrowDown");
    const told = host.querySelector(".readout").textContent;
    key("ArrowUp"); key("ArrowUp"); key("ArrowLeft"); key("ArrowLeft");
    return [texts, shades, hidden, told, host.querySelector(".readout").textContent];
    """
    texts, shades, hidden, told, corner = ask(script)
    assert len(set(texts)) == 6 and all("→" in text for text in texts)
    (measured,) = [text for text in texts if "العربية (bbb), text-bbb\u2069 → \u2068العربية (bbb), UD_bbb" in text]
    lines = measured.split("\n")
    assert lines[1:] == [
        "ts \u221212.50\u00a0%", "95\u00a0% interval \u221213.50 to \u221211.50",
        "p < 0.001, adjusted (Benjamini-Hochberg) 0.200", "score 50.00 → 51.00", "n = 3 replicates, 120 clusters",
    ]  # fmt: skip
    assert sum("not measured" in text for text in texts) == 1
    for text, (red, _, blue) in zip(texts, shades, strict=True):
        if "not measured" not in text:
            assert (red > blue) == ("ts \u2212" in text), text
    assert hidden
    assert told.split("; ")[0] == texts[4].split("\n")[0]
    assert corner.split("; ")[0] == texts[0].split("\n")[0]


def test_an_undefined_cell_tells_why_and_panels_change_places(ask: Ask) -> None:
    hidden, told, now = ask(
        """
        const panels = [...document.querySelectorAll(".panel")], hidden = panels.map((p) => p.hidden);
        const tabs = [...document.querySelectorAll("[role=tab]")];
        tabs[1].dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowLeft", bubbles: true }));
        const canvas = document.querySelector("#heatmap-heat-1 canvas[tabindex]");
        canvas.dispatchEvent(new FocusEvent("focus"));
        const key = (name) => canvas.dispatchEvent(new KeyboardEvent("keydown", { key: name, bubbles: true }));
        const told = [];
        for (const row of ["", "ArrowDown"]) {
          if (row) key(row);
          for (const step of ["ArrowLeft", "ArrowLeft", "ArrowRight", "ArrowRight"]) {
            key(step);
            told.push(document.querySelector("#heatmap-heat-1 .readout").textContent);
          }
        }
        return [hidden, told, panels.map((p) => p.hidden)];
        """
    )
    assert hidden == [True, False] and now == [False, True]
    undefined = {text for text in told if "undefined" in text}
    (text,) = undefined
    assert "ts –; no interval (undefined baseline); p –" in text


def test_text_from_data_stays_text_and_nothing_is_loaded(ask: Ask, small_page: Path) -> None:
    title, loaded, bold, isolated, scripts = ask(
        """
        return [document.title, performance.getEntriesByType("resource").length,
                document.querySelectorAll("b").length,
                [...document.querySelectorAll(".points bdi")].map((n) => n.textContent),
                [...document.scripts].filter((s) => s.type !== "application/json").length];
        """
    )
    assert title.startswith("Title <script>") and "broken" != title
    assert loaded == 0
    assert bold == 0
    assert isolated[1] == "العربية" and isolated[0].startswith("Bold <b>&</b> <script>")
    # The page's own and the test's.
    assert scripts == 2
    html = small_page.read_text(encoding="utf-8")
    assert "default-src 'none'" in html
    assert not re.search(r"(?:src|href|url)\s*[=(]\s*[\"']?\s*(?:https?:|//)", html, re.IGNORECASE)


def test_the_page_fits_a_telephone(ask: Ask) -> None:
    over = ask("return document.documentElement.scrollWidth - document.documentElement.clientWidth;", width=500)
    assert over <= 0


def test_prints_to_several_pages_with_their_text(browser: Browser, small_page: Path) -> None:
    pdf = browser.print_pdf(small_page)
    assert pdf.startswith(b"%PDF-")
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) > 1
    # Text is there as text: fonts, and operators that show glyphs.
    streams = [part.split(b"endstream")[0].strip(b"\r\n") for part in pdf.split(b"stream\r\n")[1::1]]
    streams += [part.split(b"endstream")[0].strip(b"\r\n") for part in pdf.split(b"stream\n")[1:]]
    shown = 0
    for stream in streams:
        try:
            shown += zlib.decompress(stream).count(b"Tj")
        except zlib.error:
            continue
    assert b"/Font" in pdf and shown > 50


def test_the_page_of_a_run_draws_all_it_has_and_fits(
    browser: Browser, html: Callable[..., str], tmp_path: Path
) -> None:
    path = tmp_path / "report.html"
    path.write_text(html("odd names"), encoding="utf-8")
    hosts, tables, drawn, told, over, title = browser.ask(
        path,
        """
        window.dispatchEvent(new Event("beforeprint"));
        const canvas = document.querySelector(".heatmap canvas[tabindex]");
        canvas.dispatchEvent(new FocusEvent("focus"));
        return [document.querySelectorAll("[data-table]").length, document.querySelectorAll("tbody").length,
                [...document.querySelectorAll(".heatmap")].map((h) => h.querySelectorAll("canvas").length),
                canvas.closest(".heatmap").querySelector(".readout").textContent,
                document.documentElement.scrollWidth - document.documentElement.clientWidth, document.title];
        """,
        width=500,
    )
    assert hosts == tables > 20
    assert drawn == [2] * 4
    assert "→" in told and "clusters" in told
    assert over <= 0
    assert title == "Transfer report: simulated"
