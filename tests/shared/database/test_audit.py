"""The audit is written with the deed or not at all."""

import pytest

from shared.database.audit import AuditLog, record


def test_an_entry_goes_with_its_transaction(database, clock):
    with pytest.raises(RuntimeError), database.write() as connection:
        record(connection, "boss", "key.create", "k1", clock=clock)
        raise RuntimeError
    assert AuditLog(database).list().items == []


def test_entries_come_newest_first_in_pages(database, clock):
    for number in range(5):
        with database.write() as connection:
            record(connection, "boss", "key.create", f"k{number}", clock=clock)
        clock.tick(1)
    log = AuditLog(database)
    first = log.list(3)
    second = log.list(3, first.next)
    assert [e.object_id for e in first.items + second.items] == ["k4", "k3", "k2", "k1", "k0"]
    assert second.next is None
