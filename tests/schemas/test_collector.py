"""The collector waits, then takes what was made for old."""

import gc

from sysgraph_schemas.collector import no_collection


def test_what_was_made_is_old_when_the_collector_goes_on():
    with no_collection():
        assert not gc.isenabled()
        made = [[number] for number in range(100_000)]
    assert gc.isenabled()
    young = {id(one) for age in (0, 1) for one in gc.get_objects(generation=age)}
    assert young.isdisjoint(map(id, made))
    assert gc.get_freeze_count() == 0
    assert gc.is_tracked(made[0])


def test_it_stays_as_whoever_calls_had_it():
    kept = [[]]
    gc.freeze()
    try:
        count = gc.get_freeze_count()
        with no_collection():
            kept.append([])
        assert gc.get_freeze_count() >= count > 0
        gc.disable()
        with no_collection():
            pass
        assert not gc.isenabled()
    finally:
        gc.unfreeze()
        gc.enable()
