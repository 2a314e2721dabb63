"""Several processes on gloo: one model, one sum of gradients, one state."""

import json
import os
import signal
import threading

import pytest
import torch

from made_training import ALONE, cube_of, differences, made, make_step, run_ranks
from spectralgpt.errors import OptionError
from spectralgpt.interruption import Interruption
from spectralgpt.nn import bare, draw_mask
from spectralgpt.training import distributed
from spectralgpt.training.checkpoints import load_checkpoint, save_checkpoint
from spectralgpt.training.distribution import VARIABLES, Placement, placement
from spectralgpt.training.ema import Average

RANKS = """
    import dataclasses, json
    from spectralgpt.nn import draw_mask
    from spectralgpt.training.checkpoints import DamagedError, load_checkpoint, save_checkpoint
    from spectralgpt.nn import bare
    from spectralgpt.training.distribution import distributed
    from spectralgpt.training.ema import Average

    def gradients(model):
        return [each.grad.clone() for each in model.parameters()]

    def loss(model, rows):
        cube = cube_of(4)
        mask = draw_mask("random", 0.5, (4, 1, 4, 16), torch.arange(4))
        cube = dataclasses.replace(
            cube, values=cube.values[rows], days=cube.days[rows], gsd=cube.gsd[rows],
            scaling=dataclasses.replace(cube.scaling, centre=cube.scaling.centre[rows], scale=cube.scaling.scale[rows]),
        )
        mask = dataclasses.replace(mask, order=mask.order[rows], hidden=mask.hidden[rows])
        places = torch.arange(8).expand(len(cube.values), -1)
        return model(cube, mask, places).square().sum()

    def measured(world, folder):
        rank = world.rank
        said = {"is_main": world.is_main, "rank": rank, "ranks": world.ranks, "device": str(world.device)}
        said["sum"] = world.sum_(torch.tensor([1.0 + rank, 10.0])).tolist()
        said["sum_int"] = int(world.sum_(torch.tensor(3 + rank)))
        said["any"] = [world.any(False), world.any(rank == 1), world.any(True)]
        said["largest"], said["mean"] = world.largest([rank, 5 - rank]), world.mean([rank, 0.5])
        said["gathered"] = world.gathered({"rank": rank})

        inside, optimizer = made(rank)
        model, optimizer = world.made(inside, lambda _: optimizer)
        said["inside"] = bare(model) is inside and model is not inside

        # rank 0 has samples 0, 1 and 2, rank 1 sample 3, and nothing in its first micro-batch
        parts = [slice(0, 2), slice(2, 3)] if rank == 0 else [slice(3, 4), slice(3, 4)]
        with world.accumulating(model, last=False):
            (loss(model, parts[0]) * (rank == 0)).backward()
        local = gradients(model)
        with world.accumulating(model, last=True):
            loss(model, parts[1]).backward()
        said["local"] = float(sum(each.abs().sum() for each in local))
        if world.is_main:
            torch.save([each * world.ranks for each in gradients(model)], folder / "gradients.pt")
        optimizer.step()
        average = Average(model, 0.5)
        save_checkpoint(folder / "two", 7, model, optimizer, {"epoch": 1.5}, world, average)
        if world.is_main:
            torch.save([inside.state_dict(), optimizer.state_dict()], folder / "two.pt")

        other, other_optimizer = made(5 + rank)
        wrapped, other_optimizer = world.made(other, lambda _: other_optimizer)
        said["extra"] = load_checkpoint(folder / "one/step-00000003", wrapped, other_optimizer, world)
        wanted = torch.load(folder / "one.pt")
        said["differences"] = differences(wanted, [other.state_dict(), other_optimizer.state_dict()])
        try:
            load_checkpoint(folder / "damaged/step-00000003", wrapped, other_optimizer, world)
        except DamagedError as error:
            said["damaged"] = str(error)
        world.barrier()
        return said

    # what DDP holds is gone before its processes part, as in a run
    with distributed("cpu") as world:
        said = measured(world, Path(sys.argv[1]))
    print(json.dumps(said))
"""


LATE = """
    import datetime, os, time
    import torch.distributed as dist
    from spectralgpt.training.distribution import distributed

    # short, as nobody waits for half an hour here
    dist.distributed_c10d.default_pg_timeout = dist.rendezvous.__globals__["default_pg_timeout"] = datetime.timedelta(
        seconds=4
    )
    said = []
    for number in range(2):
        time.sleep(9 * (os.environ["RANK"] == "0"))
        with distributed("cpu") as world:
            said.append(world.gathered(10 * number + world.rank))
    print(said)
"""


def test_a_process_without_all_variables_of_torchrun_is_alone(monkeypatch):
    for name in VARIABLES:
        monkeypatch.setenv(name, "1")
    assert placement() == Placement(1, 1, 1)
    for name in VARIABLES:
        with monkeypatch.context() as context:
            context.delenv(name)
            assert placement() == Placement()


def test_they_wait_for_a_late_one_for_longer_than_a_group_does():
    assert run_ranks(LATE) == ["[[0, 1], [10, 11]]\n"] * 2


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """The folder, and what two processes said."""
    folder = tmp_path_factory.mktemp("two")
    model, optimizer = made(3)
    make_step(model, optimizer)
    for name in ("one", "damaged"):
        save_checkpoint(folder / name, 3, model, optimizer, {"epoch": 0.5}, ALONE)
    torch.save([model.state_dict(), optimizer.state_dict()], folder / "one.pt")
    next((folder / "damaged").glob("*/*.distcp")).write_bytes(b"")
    return folder, [json.loads(each) for each in run_ranks(RANKS, [folder])]


def test_they_know_of_each_other(two):
    _, said = two
    assert [each["rank"] for each in said] == [0, 1]
    assert [each["is_main"] for each in said] == [True, False]
    for each in said:
        assert (each["ranks"], each["device"]) == (2, "cpu")
        assert (each["sum"], each["sum_int"], each["any"]) == ([3.0, 20.0], 7, [False, True, True])
        assert (each["largest"], each["mean"]) == ([1.0, 5.0], [0.5, 0.5])
        assert each["gathered"] == [{"rank": 0}, {"rank": 1}]
        assert each["inside"]


def test_gradients_are_one_process_s_and_go_around_once(two):
    folder, said = two
    model, _ = made(0)
    mask = draw_mask("random", 0.5, (4, 1, 4, 16), torch.arange(4))
    model(cube_of(4), mask, torch.arange(8).expand(4, -1)).square().sum().backward()
    for one, other in zip(model.parameters(), torch.load(folder / "gradients.pt"), strict=True):
        torch.testing.assert_close(one.grad, other, rtol=1e-4, atol=1e-4)
    assert said[0]["local"] > 0
    assert said[1]["local"] == 0, "a micro-batch that is not the last one stays where it is"


def test_saved_by_two_loaded_by_one(two):
    folder, _ = two
    model, optimizer = made(9)
    average = Average(model, 0.5)
    assert load_checkpoint(folder / "two/step-00000007", model, optimizer, ALONE, average) == {"epoch": 1.5}
    assert not differences(torch.load(folder / "two.pt"), [model.state_dict(), optimizer.state_dict()])
    assert not differences(average.weights, {name: each.detach() for name, each in model.named_parameters()})
    files = {path.name for path in (folder / "two/step-00000007").glob("*.distcp")}
    assert files == {"__0_0.distcp", "__1_0.distcp"}, "each process writes its share"


def test_saved_by_one_loaded_by_two(two):
    _, said = two
    for each in said:
        assert each["extra"] == {"epoch": 0.5}
        assert each["differences"] == []


def test_all_of_them_refuse_what_is_damaged(two):
    _, said = two
    assert all("step-00000003: found __0_0.distcp, which is not as it was written" in each["damaged"] for each in said)


def make_optimizer_of(model):
    return torch.optim.AdamW(model.parameters())


def test_one_alone_does_the_same_without_processes():
    model, _ = made(0)
    with distributed("cpu") as world:
        assert not torch.distributed.is_initialized()
        assert (world.rank, world.ranks, world.device.type, world.is_main) == (0, 1, "cpu", True)
        trained, optimizer = world.made(model, make_optimizer_of)
        assert bare(trained) is trained is model
        assert optimizer.param_groups[0]["params"][0] is next(iter(model.parameters()))
        assert world.whole(model).keys() == model.state_dict().keys()
        with world.accumulating(model, last=False):
            pass
        tensor = torch.tensor([1.0, 2.0])
        assert world.sum_(tensor) is tensor
        assert (world.any(True), world.any(False), world.gathered(3)) == (True, False, [3])
        assert world.largest([1, 2.5]) == world.mean([1, 2.5]) == [1.0, 2.5]
        world.barrier()


def test_a_device_that_is_not_there_is_refused():
    for name, reason in (
        ("cuda:99", "found no such device here"),
        ("gpu", "unknown kind of device; expected cpu, cuda, cuda:1, mps or auto"),
        ("xla", "unknown kind of device"),
    ):
        with pytest.raises(OptionError, match=f"^device='{name}': {reason}"), distributed(name):
            pass


def test_the_model_inside_is_found_through_all_that_is_around():
    model, _ = made(0)
    around = torch.nn.Module()
    around.module = torch.nn.Module()
    around.module._orig_mod = model
    assert bare(around) is model


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_asked_for_and_nothing_else_happens(number):
    before = signal.getsignal(number)
    with Interruption() as interruption:
        assert not interruption.asked
        os.kill(os.getpid(), number)
        assert interruption.asked
        os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(number) is before


def test_a_second_ctrl_c_ends_at_once():
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), Interruption():  # noqa: PT012
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_outside_of_the_main_thread_nothing_is_asked():
    asked = []

    def enter():
        with Interruption() as interruption:
            asked.append(interruption.asked)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert asked == [False]
