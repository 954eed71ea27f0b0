"""The report of a run: its findings as tables (CSV, LaTeX), figures (PNG, SVG) and one HTML page.

    from xltransfer.report.write import write_report

    write_report(xltransfer.open_run("runs/mine"), Path("runs/mine/report"))

`findings` computes every frame, once; `tables`, `charts`, `heatmaps` and `sentences` say what is shown of them, as
data or as words; `page` and `write` put that on disk. No number is computed in a template, nothing here needs torch.

The page of a transfer run is made in this room itself, those of the other protocols in rooms of their own,
`interaction` and `alignment`. What they share is `tables`, `declared`, `page`, `blocks`, `pictures` and `options`.
"""
