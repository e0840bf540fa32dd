"""Runs on disk, their comparison, and the page made of them."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from statistics import median

import pytest

from benchmarks import commands, page, results, suite
from benchmarks.harness import Duel, Figure, Spent
from benchmarks.results import Results
from infobase.commands import runner
from infobase.errors import BenchmarkMissed, BenchmarkSlower, BenchmarkUnreadable

ENVIRONMENT = {"cpu": "A", "cores": "2", "system": "S", "sqlite": "3", "postgresql": "15"}
ROOT = Path(__file__).parents[2]


def rounds(middle: float, spread: float, seed: int = 1) -> tuple[float, ...]:
    random = Random(seed)
    return tuple(middle * (1 + random.uniform(-spread, spread)) for _ in range(16))


def figure(value: float, samples: tuple[float, ...] = (), unit: str = "x", better: str = "lower") -> Figure:
    return Figure("posting", "file", "kernel / raw", value, unit, "<= 1.7", "a note", samples, better)


def run(*figures: Figure, **environment: str) -> Results:
    return Results("2026-01-01 10:00", ENVIRONMENT | environment, {"rows": 10}, figures)


def verdict(a: Figure, b: Figure, **environment: str) -> str:
    [change] = results.compare(run(a), run(b, **environment))
    return change.verdict


def test_a_run_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    made = run(figure(1.5, (1.4, 1.5, 1.6)), Figure("dump", "server", "peak memory", 200.0, "MB", "<= 400"))
    results.save(made, tmp_path / "run.json")
    assert results.load(tmp_path / "run.json") == made
    read = json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))
    assert [f["met"] for f in read["figures"]] == [True, True]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 2}', '{"format": 1, "figures": [{}]}'])
def test_anything_else_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.json").write_text(text, encoding="utf-8")
    with pytest.raises(BenchmarkUnreadable):
        results.load(tmp_path / "run.json")


def test_a_folder_without_runs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkUnreadable):
        results.load(tmp_path)


def test_runs_of_a_folder_are_pooled(tmp_path: Path) -> None:
    for n, value in enumerate((1.0, 3.0, 2.0)):
        results.save(run(figure(value, (value, value))), tmp_path / f"{n}.json")
    [pooled] = results.load(tmp_path).figures
    assert pooled.value == 2.0
    assert sorted(pooled.samples) == [1.0, 1.0, 2.0, 2.0, 3.0, 3.0]


@pytest.mark.parametrize(
    ("after", "better", "expected"),
    [
        (rounds(1.3, 0.1, 2), "lower", "worse"),
        (rounds(1.3, 0.1, 2), "higher", "better"),
        (rounds(0.7, 0.1, 2), "lower", "better"),
        (rounds(1.0, 0.01, 2), "lower", "same"),
        (rounds(1.1, 0.9, 2), "lower", "noise"),
    ],
)
def test_a_verdict_looks_at_the_spread(after: tuple[float, ...], better: str, expected: str) -> None:
    before = rounds(1.0, 0.9 if expected == "noise" else 0.02)
    assert verdict(figure(1.0, before, better=better), figure(sum(after) / 16, after, better=better)) == expected


def test_counts_have_no_noise() -> None:
    assert verdict(figure(2, unit=""), figure(3, unit="")) == "worse"
    assert verdict(figure(2, unit=""), figure(2, unit="")) == "same"
    assert verdict(figure(0, unit=""), figure(1, unit="")) == "worse"
    assert verdict(figure(0, unit=""), figure(0, unit="")) == "same"


def test_a_lone_measurement_is_no_verdict() -> None:
    assert verdict(figure(1.0), figure(1.4)) == "noise"
    assert verdict(figure(1.0), figure(1.01)) == "same"
    assert verdict(figure(0.95, unit=""), figure(0.7, unit="")) == "noise"


def test_the_same_code_measured_twice_is_not_found_changed() -> None:
    """Forty figures of sixteen rounds that scatter by a fifth, as on a shared machine; and half again as slow, which is found."""
    pairs = [(rounds(1.0, 0.35, 2 * n), rounds(1.0, 0.35, 2 * n + 1)) for n in range(40)]
    verdicts = [verdict(figure(median(a), a), figure(median(b), b)) for a, b in pairs]
    assert {"better", "worse"}.isdisjoint(verdicts)
    slowed = [(a, tuple(1.5 * s for s in b)) for a, b in pairs]
    found = [verdict(figure(median(a), a), figure(median(b), b)) for a, b in slowed]
    assert "better" not in found
    assert found.count("worse") >= 30


def test_times_of_different_machines_are_not_compared() -> None:
    a, b = rounds(1.0, 0.1), rounds(2.0, 0.1)
    assert verdict(figure(1, a, unit="ms"), figure(2, b, unit="ms"), cpu="B") == "incomparable"
    assert verdict(figure(1, a, unit="ms"), figure(2, b, unit="ms")) == "worse"
    assert verdict(figure(1, a), figure(2, b), cpu="B") == "worse"


def test_a_duel_tells_the_median_of_the_rounds() -> None:
    fight = Duel([Spent(2, 1), Spent(9, 1), Spent(3, 1)], [Spent(1, 1), Spent(1, 0.5), Spent(1, 0.5)])
    assert fight.ratio == 3
    assert fight.cpu_ratio == 1.5
    wall, cpu = fight.figures("s", "file", "n", "<= 2")
    assert (wall.met, wall.samples, cpu.met) == (False, (2.0, 9.0, 3.0), None)


def test_the_page_gets_the_figures_between_its_marks(tmp_path: Path) -> None:
    target = tmp_path / "page.md"
    target.write_text(f"before\n{page.BEGIN}\nold\n{page.END}\nafter\n", encoding="utf-8")
    page.put(page.rendered(run(figure(2.0, (1.9, 2.1)))), target)
    text = target.read_text(encoding="utf-8")
    assert text.startswith("before\n") and text.endswith("\nafter\n") and "old" not in text
    assert "| posting | file | kernel / raw | 2 x | <= 1.7 | **no** | a note; rounds 1.9..2.1 |" in text
    target.write_text("no marks", encoding="utf-8")
    with pytest.raises(BenchmarkUnreadable):
        page.put(page.rendered(run(figure(2.0))), target)


def test_the_documentation_shows_the_kept_run() -> None:
    kept = results.load(ROOT / "docs" / "benchmarks.json")
    assert page.rendered(kept) in (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")


def test_commands_name_every_scenario() -> None:
    assert tuple(suite.SCENARIOS) == commands.SCENARIOS
    assert suite.ENGINES == commands.ENGINES


def test_compare_fails_when_asked_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = tmp_path / "a.json", tmp_path / "b.json"
    results.save(run(figure(1.0, rounds(1.0, 0.02))), a)
    results.save(run(figure(2.0, rounds(2.0, 0.02))), b)
    assert runner.run(commands.bench, ["compare", str(a), str(b)]) == 0
    assert runner.run(commands.bench, ["compare", str(a), str(b), "--strict"]) == BenchmarkSlower.exit_code
    capsys.readouterr()
    assert runner.run(commands.bench, ["compare", str(a), str(b), "--json"]) == 0
    [change] = json.loads(capsys.readouterr().out)
    assert change["verdict"] == "worse" and change["low"] > 1.8


def test_a_run_measures_saves_and_judges(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The balance scenario on a small base: keys, figures and exit code."""
    target = tmp_path / "run.json"
    asked = ["run", "balance", "--engine", "file", "--rows", "2000", "--folder", str(tmp_path), "--save", str(target)]
    code = runner.run(commands.bench, [*asked, "--json", "--strict"])
    shown = json.loads(capsys.readouterr().out)
    assert code in (0, BenchmarkMissed.exit_code)
    made = results.load(target)
    assert [f.name for f in made.figures] == [
        "all keys, CPU",
        "five keys, CPU",
        "all keys / the driver's bare rows, CPU",
    ]
    assert shown["environment"] == made.environment and made.environment["python"]
    assert "2,000 movements, 2,000 rows" in made.figures[0].note
    assert [p.name for p in tmp_path.iterdir()] == ["run.json"]


def test_a_bounded_run_leaves_out_what_does_not_fit(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran: list[str] = []

    def quick(name: str) -> tuple[object, tuple[str, ...]]:
        def scenario(_bench: object, kind: str) -> list[Figure]:
            ran.append(name)
            return [Figure(name, kind, "x", 1.0, "x")]

        return scenario, ("file",)

    names = ("save", "dump", "banks")
    monkeypatch.setattr(suite, "SCENARIOS", {n: quick(n) for n in names})
    monkeypatch.setattr(suite, "ESTIMATES", {"save": (1.0, 0.0), "dump": (0.0, 1200.0), "banks": (1.0, 0.0)})
    assert runner.run(commands.bench, ["run", *names, "--engine", "file", "--quick", "--minutes", "1", "--json"]) == 0
    told = capsys.readouterr()
    assert ran == ["save", "banks"], "what comes later may fit"
    assert json.loads(told.out)["settings"]["skipped: dump (file)"] == "120 s"
    assert "dump (file)" in told.err
    assert runner.run(commands.bench, ["run", *names, "--engine", "file", "--quick", "--json"]) == 0
    assert ran[2:] == list(names)


def test_every_scenario_has_an_estimate() -> None:
    assert set(suite.ESTIMATES) == set(suite.SCENARIOS)
