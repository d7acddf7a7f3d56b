"""The data of the pictures of the neurons."""

import dataclasses
import re

import numpy as np
import pytest


def test_densities_have_the_mass_inside_the_frame(run):
    from widelimit.report._neuron_section import ages
    from widelimit.report._spread import blocks_of, few_times

    trajectory = run(400)
    index = few_times(trajectory)
    assert index[0] == 0
    assert index[-1] == 32
    for block in blocks_of(trajectory):
        data = ages(trajectory, block, index)
        for row in data.rows:
            if row.heights is not None:
                mass = float(np.sum(row.heights * np.diff(row.edges)))
                assert 1.0 - data.outside - 1e-12 <= mass <= 1.0 + 1e-12
        assert 0.0 <= data.outside < 0.01


def test_weights_count(run):
    from widelimit.report._neurons import marginal
    from widelimit.report._spread import Spread

    values = np.array([0.0, 1.0])
    data = marginal("a", "a", [Spread("x", values, np.array([0.25, 0.75]))])
    assert data.rows[0].mean == pytest.approx(0.75)
    assert data.rows[0].deviation == pytest.approx(np.sqrt(3) / 4)


def test_neurons_in_one_place_are_no_histogram(run):
    from widelimit.report._neuron_section import ages
    from widelimit.report._spread import blocks_of

    trajectory = run()
    bias = ages(trajectory, blocks_of(trajectory)[2], [0, 32])
    assert bias.rows[0].heights is None
    assert bias.rows[0].mean == 0.0
    assert bias.rows[1].heights is not None


def test_the_few_times_split_the_way_into_thirds(run):
    from widelimit.report._spread import few_times

    trajectory = run(points=1001)
    steps = np.sqrt(np.mean(np.sum(np.diff(trajectory.positions, axis=0) ** 2, axis=2), axis=1))
    way = np.concatenate([[0.0], np.cumsum(steps)])
    np.testing.assert_allclose(way[few_times(trajectory)] / way[-1], [0, 1 / 3, 2 / 3, 1], atol=2e-3)


def test_pair_and_inputs(run):
    from widelimit.report._neurons import inputs, pair

    trajectory = run(5000, points=3)
    both = pair(trajectory)
    assert both.labels == ("output", "|weight|")
    assert both.start.shape == (2000, 2)
    assert both.total == 5000
    np.testing.assert_allclose(both.end[:, 0], 9.0 * both.start[:, 0])
    top, rest = both.heavy[0]
    assert top == pytest.approx(rest, rel=0.1)

    moved = trajectory.positions.copy()
    moved[-1, :, 2] *= 3.0
    seen = inputs(dataclasses.replace(trajectory, positions=moved), ("age", "mass", "height"))
    assert seen.names[0] == "mass"
    assert seen.end[0] == pytest.approx(3 * seen.start[0])
    assert inputs(trajectory, ("a", "b")) is None
    assert inputs(trajectory, ()) is None


def test_a_panel_a_time_and_the_start_behind_each(run):
    from matplotlib.figure import Figure

    from widelimit.report._neuron_section import ages, density_words
    from widelimit.report._neurons import draw_ages
    from widelimit.report._spread import blocks_of, few_times

    trajectory = run(400)
    data = ages(trajectory, blocks_of(trajectory)[0], few_times(trajectory))
    figure = Figure()
    draw_ages(figure, data)
    drawn = [[line.get_ydata() for line in axes.lines] for axes in figure.axes]
    assert [len(lines) for lines in drawn] == [1, 2, 2, 2]
    np.testing.assert_array_equal(drawn[3][0], drawn[0][0])
    assert not np.array_equal(drawn[3][1], drawn[0][0])
    # Nine tenths of a normal law lie within 1.64 of its centre.
    words = re.fullmatch(r".*nine tenths between .(\d\.\d+) and (\d\.\d+)", density_words(data.rows[0]))
    assert [float(word) for word in words.groups()] == pytest.approx([1.64, 1.64], abs=0.3)


def test_a_mean_that_does_not_move_is_said_to_stay(run):
    from widelimit.report._neuron_section import neuron_section

    moved = run(400)
    captions = [picture.caption for picture in neuron_section(moved, ()).pictures]
    assert "|weight| does not change: its mean over the neurons is 1.59, its standard deviation 0.674" in captions[1]
    assert "and its mean goes from 0 to " in captions[2]
    moved.positions[-1, :, 1:4] *= 1.001
    captions = [picture.caption for picture in neuron_section(moved, ()).pictures]
    assert "and its mean stays near 1.59" in captions[1]


def test_a_pair_with_a_number_that_never_moves(run):
    """The level of a particle: the last level is held beside the first, not a tenth of the neurons beside others."""
    from widelimit.report._neurons import pair

    trajectory = run(400)
    moved = trajectory.positions.copy()
    moved[:, :, 0] = np.arange(400) % 3
    moved[-1, :, 1:4] += 1.0
    levels = pair(dataclasses.replace(trajectory, positions=moved))
    assert levels is not None
    assert levels.still
    lengths = np.linalg.norm(moved[-1, :, 1:4], axis=1)
    np.testing.assert_allclose(levels.heavy[1], [lengths[2::3].mean(), lengths[::3].mean()])
    # One number for all says nothing: the bias stands in its place.
    moved[:, :, 0] = 2.0
    alike = pair(dataclasses.replace(trajectory, positions=moved))
    assert alike is not None
    assert alike.labels == ("bias", "|weight|")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.0123456, "0.0123"),
        (0.1, "0.100"),
        (-0.5, "\N{MINUS SIGN}0.500"),
        (12345.0, "12300"),
        (0.0, "0"),
        (float("nan"), "\N{EN DASH}"),
        (9.996, "10.0"),
        (2.5e-5, "2.50\xa0\N{MULTIPLICATION SIGN}\xa010⁻⁵"),
    ],
)
def test_numbers_read_well(value, expected):
    from widelimit.report.words import number

    assert number(value) == expected


def test_errors_set_the_digits():
    from widelimit.report.words import with_error

    assert with_error(0.0037261, 0.0000204) == "0.003726 ± 0.000020"
    assert with_error(12.3456, 0.12) == "12.35 ± 0.12"
    assert with_error(0.5, 0.0) == "0.5000"
    assert "±" in with_error(1e-9, 1e-10)


def test_a_distribution_that_is_known_is_drawn_as_it_is(run):
    """200 quantiles of the exponential law, unevenly spaced, and a row that is room for more."""
    from widelimit.measure import Block
    from widelimit.report._spread import mass_between, spread_of

    level = np.append(np.linspace(0.0, 1.0, 202)[1:-1] ** 2, 0.9)
    x = -np.log1p(-level)
    weights = np.append(np.diff(np.concatenate([[0.0], level[:-1]])), 0.0)
    x[-1] = 0.0
    made = dataclasses.replace(
        run(201),
        positions=np.broadcast_to(x[:, None], (33, 201, 1)),
        weights=np.broadcast_to(weights, (33, 201)),
        blocks=(Block("radius", ()),),
        counts=np.full(33, 200),
        observables={"level": np.broadcast_to(level, (33, 201))},
    )
    part = spread_of(made, made.blocks[0], -1, "limit")
    edges = np.linspace(0.1, 3.0, 40)
    exact = -np.diff(np.exp(-edges))
    np.testing.assert_allclose(mass_between(part, part.weights, edges) * np.sum(weights), exact, atol=2e-4)
    # The same points counted one by one are ten times as far off.
    counted = np.histogram(part.values, bins=edges, weights=part.weights)[0]
    assert np.max(np.abs(counted - exact)) > 2e-3
