"""The benchmark command: what it prints, and that its exit code says whether every ratio was reached."""

import numpy as np
import pytest

from tools import bench

CASES = [(1.0, False, "10.0x  at least 5x: reached"), (4.0, True, "2.5x  at least 5x: MISSED")]


@pytest.mark.parametrize("ours, missed, said", CASES)
def test_a_ratio_is_said_and_counted(tmp_path, monkeypatch, capsys, ours, missed, said):
    row = ("sums", np.float64(ours), "a loop", np.float64(10.0), 5)
    (tmp_path / "bench_toy.py").write_text(f"import numpy as np\n\ndef bench():\n    return [{row!r}, 'a line']\n")
    monkeypatch.setattr(bench, "TESTS", tmp_path)
    assert bench.main([]) is missed
    printed = capsys.readouterr().out
    assert said in printed and printed.endswith("\na line\n")


def test_an_unknown_benchmark_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(bench, "TESTS", tmp_path)
    with pytest.raises(SystemExit, match="no benchmark speed"):
        bench.main(["speed"])
