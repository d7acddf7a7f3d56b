"""The band of each width in a run: drawn around the limit, with the networks counted, or a sentence that says why."""

import numpy as np

from .conftest import TOML, call, numbers_of, write_tiny

WARM = TOML.replace("order = 0", "order = 1") + "temperature = 0.1\n"
FLOWS = """
[[networks]]
widths = [4, 16]
seeds = 2
dynamics = "gradient_flow"
"""


def test_every_width_has_its_band(tmp_path):
    path = write_tiny(tmp_path, WARM + FLOWS)
    done = call("run", path, "--out", tmp_path / "out")
    assert done.code == 0, done.err
    numbers = numbers_of(tmp_path / "out")
    bands = numbers["predicted"]["bands"]
    assert [(band["width"], band["dynamics"]) for band in bands] == [(4, "gradient flow"), (16, "gradient flow")]
    for band in bands:
        lower, upper, mean = (np.array(band[name]) for name in ("lower", "upper", "mean"))
        assert np.all(lower <= mean)
        assert np.all(mean <= upper)
        networks = next(
            one for one in numbers["networks"] if one["width"] == band["width"] and one["dynamics"] == band["dynamics"]
        )
        inside = [lower[-1] <= value <= upper[-1] for value in networks["risk"]["values"]]
        assert (band["inside"], band["trained"]) == (sum(inside), 2)
    # Around the limit of the run itself.
    np.testing.assert_allclose(bands[0]["limit"][-1], numbers["limit"]["risk"], rtol=1e-6)
    ratio = (bands[0]["upper"][0] - bands[0]["lower"][0]) / (bands[1]["upper"][0] - bands[1]["lower"][0])
    assert 1.5 < ratio < 4.5
    assert set(bands[0]["parts"]) == {"width"}
    assert bands[0]["halving"] in ({"width": 8.0}, {})
    (reason,) = numbers["predicted"]["reasons"].values()
    assert "SGD without temperature" in reason
    count = f"{sum(band['inside'] for band in bands)} of 4 trained networks end inside the predicted 90% bands."
    assert count in done.out
    # (1/(2 K))^(1/2) of K = 32 directions.
    assert "by 32 directions: their width is known to about 12%" in done.out
    page = (tmp_path / "out" / "report.html").read_text()
    assert count in page
    assert "Predicted from the limit" in page
    assert "SGD without temperature" in page
