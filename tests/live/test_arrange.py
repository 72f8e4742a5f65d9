from nbflow.live.arrange import DOT, arrange


def test_layers_stand_from_left_to_right() -> None:
    arrangement = arrange([0, 1, 2], [1, 2, 3], [0, 0, 0])
    assert arrangement.x[0] < arrangement.x[1] < arrangement.x[2]
    assert arrangement.y[0] == arrangement.y[1] == arrangement.y[2]


def test_marks_of_one_app_stand_in_a_block_filled_column_by_column() -> None:
    arrangement = arrange([0] * 10, [1] * 10, [0] * 10, rows=8)
    x, y = arrangement.x, arrangement.y
    assert len(set(x[:8])) == 1
    assert x[8] == x[9] == x[0] + DOT.width
    assert y[8] == y[0]
    assert [block.count for block in arrangement.blocks] == [10]


def test_apps_of_one_layer_stand_apart() -> None:
    arrangement = arrange([0, 0, 0, 0], [1, 2, 1, 2], [0] * 4)
    first, second = arrangement.blocks
    assert (first.app, second.app) == (1, 2)
    assert first.y + first.height < second.y
    assert first.x == second.x


def test_marks_keep_their_places_in_a_block_that_grows() -> None:
    small = arrange([0] * 100, [1] * 100, [0] * 100)
    large = arrange([0] * 130, [1] * 130, [0] * 130, rows=small.rows)
    assert small.rows == large.rows
    assert small.x == large.x[:100]
    assert small.y == large.y[:100]


def test_large_blocks_get_higher_so_that_all_can_be_seen() -> None:
    arrangement = arrange([0] * 10_000, [1] * 10_000, [0] * 10_000)
    (block,) = arrangement.blocks
    assert 1 < block.width / block.height < 6


def test_blocks_never_get_lower_than_before() -> None:
    assert arrange([0], [1], [0], rows=64).rows >= 64


def test_nothing_can_be_arranged() -> None:
    assert arrange([], [], []).blocks == ()


def test_a_layer_of_many_apps_stands_in_columns() -> None:
    arrangement = arrange([0] * 12 + [1], list(range(13)), [0] * 13)
    width = max(arrangement.x) - min(arrangement.x)
    height = max(arrangement.y) - min(arrangement.y)
    assert width > height
    assert max(arrangement.x[:12]) < arrangement.x[12]
    assert len(set(zip(arrangement.x, arrangement.y, strict=True))) == 13


def test_few_layers_stand_wide_apart_and_many_do_not() -> None:
    few = arrange([0, 1], [1, 2], [0, 0])
    many = arrange(list(range(50)), [1] * 50, [0] * 50)
    assert few.x[1] - few.x[0] > 1.5 * (many.x[1] - many.x[0])
