from __future__ import annotations

import pytest

from host_exporter.procfs.sockets import Queues, sum_queues

HEADING = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
SOCKET = "   0: 00000000:0016 00000000:0000 0A {queues} 00:00000000 00000000     0        0 2740 1 0 100 0\n"


def test_the_queues_of_all_sockets_are_summed_up() -> None:
    queues = ("00000015:00000001", "00000000:00000000", "0000000A:00000100")
    sockets = "".join(SOCKET.format(queues=waiting) for waiting in queues)

    assert sum_queues(HEADING + sockets) == Queues(sent=0x1F, received=0x101)


def test_without_sockets_nothing_waits() -> None:
    assert sum_queues(HEADING) == Queues(0, 0)


@pytest.mark.parametrize("queues", ["00000015", "x:y", "1:2:3"])
def test_a_socket_without_two_queues_is_an_error(queues: str) -> None:
    with pytest.raises(ValueError, match="expected tx_queue:rx_queue in column 5"):
        sum_queues(HEADING + SOCKET.format(queues=queues))


def test_a_short_line_is_an_error() -> None:
    with pytest.raises(ValueError, match="got '0: 1 2'"):
        sum_queues(HEADING + "0: 1 2\n")
