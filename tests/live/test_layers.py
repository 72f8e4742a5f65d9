from nbflow.live.layers import Layers


def of(count: int) -> Layers:
    layers = Layers()
    for _ in range(count):
        layers.add()
    return layers


def test_a_chain_has_a_layer_for_each() -> None:
    layers = of(4)
    for node in range(3):
        layers.link(node, node + 1)
    assert layers.of == [0, 1, 2, 3]


def test_the_longest_path_counts() -> None:
    layers = of(4)
    layers.link(0, 3)
    layers.link(0, 1)
    layers.link(1, 2)
    layers.link(2, 3)
    assert layers.of == [0, 1, 2, 3]


def test_what_takes_a_joins_result_comes_after_its_offspring() -> None:
    join, user, child, grandchild = 0, 1, 2, 3
    layers = of(4)
    layers.link(join, user)
    assert layers.of[user] == 1
    layers.spawn(join, child)
    layers.link(child, grandchild)
    layers.spawn(join, grandchild)
    assert layers.of == [0, 3, 1, 2]


def test_offspring_of_offspring_pushes_on_too() -> None:
    outer, user, inner, leaf = 0, 1, 2, 3
    layers = of(4)
    layers.link(outer, user)
    layers.spawn(outer, inner)
    layers.spawn(inner, leaf)
    assert layers.of == [0, 3, 1, 2]


def test_offspring_moves_with_its_join() -> None:
    layers = of(4)
    layers.spawn(1, 2)
    layers.link(0, 1)
    assert layers.of == [0, 1, 2, 0]


def test_edges_back_and_cycles_move_nothing_for_ever() -> None:
    layers = of(3)
    layers.link(1, 2)
    layers.link(2, 1)
    assert layers.of == [0, 0, 1]
    layers = of(3)
    layers.spawn(0, 2)
    layers.link(0, 1)
    layers.link(1, 2)  # the offspring waits for what waits for its join
    assert all(layer < 3 for layer in layers.of)
