from benchmarks import scaling


def test_every_sink_takes_every_frame() -> None:
    figures, work = scaling.fan_out(frames=50, sinks=3)
    assert work == {"frames": 50}
    assert figures["cpu"] > 0


def test_a_file_of_so_many_nodes_is_loaded_and_checked() -> None:
    figures, _ = scaling.yaml(nodes=12, times=1)
    assert figures["load"] > 0
    assert figures["check"] > 0


def test_sessions_take_a_share_of_a_core() -> None:
    figures, _ = scaling.real_time(1, 0.2)
    assert 0 < figures["core"] < 100
