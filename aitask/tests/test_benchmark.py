"""The benchmark, with few rows and wide bounds: what it measures must not grow with what has been done."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from aitask.tests.benchmark import changes, intake, pages, plot, previews
from aitask.tests.benchmark.__main__ import PARTS, main
from aitask.tests.benchmark.rows import Row, line


class TestRows:
    @pytest.mark.parametrize(
        ("row", "is_met"),
        [
            (Row("a", "b", 12.0, "ms", floor=2.0, most=6), True),
            (Row("a", "b", 12.1, "ms", floor=2.0, most=6), False),
            (Row("a", "b", 40.0, "kB", most=40), True),
            (Row("a", "b", 1999.0, "/s", at_least=2000), False),
            (Row("a", "b", 7.0, "ms"), None),
        ],
    )
    def test_a_goal_is_of_the_ratio_if_there_is_a_floor(self, row: Row, is_met: bool | None) -> None:
        assert row.is_met is is_met

    def test_a_line_says_what_was_missed_and_what_it_was_before(self) -> None:
        row = Row("pages", "the board", 30.0, "ms", floor=3.0, most=6)
        text = line(row, 83.25)
        assert "MISS" in text
        assert "10.00" in text
        assert "83.25" in text

    def test_figures_are_written_and_compared(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setitem(PARTS, "pages", lambda: iter([Row("pages", "the board", 30.0, "ms")]))
        kept = tmp_path / "figures.json"
        monkeypatch.setattr("sys.argv", ["benchmark", "pages", "--json", str(kept)])
        main()
        assert json.loads(kept.read_text())[0]["figure"] == 30.0
        monkeypatch.setattr("sys.argv", ["benchmark", "pages", "--compare", str(kept)])
        capsys.readouterr()
        main()
        assert capsys.readouterr().out.count("30.00") == 2


class TestPlot:
    def test_each_row_of_the_kept_runs_is_drawn_with_its_goal(self, tmp_path: Path) -> None:
        for name, figure in (("0.1.0", 80.0), ("0.2.0", 30.0)):
            rows = [
                Row("pages", "the <board>", figure, "ms", floor=10.0, most=6),
                Row("idle", "memory", 90.0, "MB"),
            ]
            (tmp_path / f"{name}.json").write_text(json.dumps([row.as_json() for row in rows]))
        drawn = plot.draw(tmp_path).read_text()
        root = ElementTree.fromstring(drawn)
        assert len(root.findall("{*}g")) == 2
        for text in ("pages: the &lt;board&gt;", "8 ×", "3 ×", "goal 6", "90 MB", "0.1.0", "0.2.0"):
            assert text in drawn

    def test_without_a_kept_run_it_says_so(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError, match="no kept run"):
            plot.draw(tmp_path)


@pytest.mark.alone
@pytest.mark.timeout(180)
class TestMeasured:
    def test_pages_do_not_grow_with_what_has_been_done(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(pages, "MANY", 300)
        monkeypatch.setattr(pages, "RUNS_OF_EACH", 5)
        monkeypatch.setattr(pages, "ROUNDS", 5)
        found = {row.what: row for row in pages.measure()}
        assert found["a task's page, 300 against 50 tasks"].ratio < 2  # type: ignore[operator]
        assert found["the board of 3,000 tasks"].figure < 2 * found["the board of 300 tasks"].figure
        assert found["the same on the wire, 3,000"].figure < 40

    def test_a_change_is_on_its_card_at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(changes, "MANY", 300)
        monkeypatch.setattr(changes, "CHANGES", 3)
        typical, slowest, _ = changes.measure()
        assert typical.figure < 150
        assert slowest.figure < 1000

    def test_events_are_saved_as_fast_as_they_come(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(intake, "SECONDS", 2)
        monkeypatch.setattr(intake, "RATES", (1000,))
        (row,) = intake.measure()
        assert row.figure == 1000

    def test_a_preview_of_an_ssh_host_is_compared_with_ssh_itself(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(previews, "LOADS", (("200 kB each", 200_000, 1),))
        monkeypatch.setattr(previews, "ROUNDS", 1)
        monkeypatch.setattr(previews, "ECHOES", 20)
        found = {row.what: row for row in previews.measure()}
        assert found["20 at once, 200 kB each"].ratio
        assert found["WebSocket echo"].ratio
        assert found["web process with 50 open"].is_met
