"""Several processes that become one: they meet at an address before JAX joins them."""

import math
import socket
import time

import jax

from ._arguments import real_number, whole_number


def connect(address: str, *, processes: int, process: int, timeout: float = 60.0) -> None:
    """Join this process with others, so that `evolve(..., devices=...)` has the devices of all of them.

    Call it in every process before anything else of JAX or widelimit; each then makes the same calls, and each has the
    whole trajectory. A checkpoint's folder must be one that all can read; the first process writes it.

    - `address`: "host:port" of the first process, with a port that is free there.
    - `processes`: how many there are; `process`: which is this one, 0, 1, ...
    - `timeout`: seconds to wait for the others.

    Raises `ValueError` for other input, `TimeoutError` with the address and who is missing, `OSError` where the
    address cannot be listened at.
    """
    processes = whole_number(processes, "connect(processes=...)", least=1)
    process = whole_number(process, "connect(process=...)", least=0)
    timeout = real_number(timeout, "connect(timeout=...), in seconds", above=0.0)
    if process >= processes:
        raise ValueError(f"connect(process=...): expected 0 to {processes - 1}, got {process}.")
    host, _, port = address.rpartition(":") if isinstance(address, str) else ("", "", "")
    if not host or not port.isdigit() or not 0 < int(port) < 2**16:
        raise ValueError(f'connect(address=...): expected "host:port", got {address!r}.')
    # JAX ends the whole process, without an exception, when its own start waits in vain: so all meet before.
    deadline = time.monotonic() + timeout
    if process == 0:
        _gather(host, int(port), processes, deadline)
    else:
        _present(host, int(port), process, deadline)
    jax.distributed.initialize(
        address, num_processes=processes, process_id=process, initialization_timeout=max(5, math.ceil(timeout))
    )


def _left(deadline: float) -> float:
    return max(deadline - time.monotonic(), 1e-3)


def _gather(host: str, port: int, processes: int, deadline: float) -> None:
    """Wait at the address until all others have come; then let them go."""
    come: dict[int, socket.socket] = {}
    with socket.create_server((host, port)) as server:
        while len(come) < processes - 1:
            server.settimeout(_left(deadline))
            try:
                peer, _ = server.accept()
                peer.settimeout(_left(deadline))
                come[int.from_bytes(peer.recv(4), "big")] = peer
            except TimeoutError:
                missing = ", ".join(str(i) for i in range(1, processes) if i not in come)
                raise TimeoutError(f"connect: waited at {host}:{port} in vain for the process(es) {missing}.") from None
        for peer in come.values():
            peer.sendall(b"go")
        for peer in come.values():
            # They close first: a port that this side closes stays taken for a while.
            peer.recv(1)
            peer.close()


def _present(host: str, port: int, process: int, deadline: float) -> None:
    """Tell the first process that this one is there, and wait until all are."""
    while True:
        try:
            with socket.create_connection((host, port), timeout=_left(deadline)) as peer:
                peer.sendall(process.to_bytes(4, "big"))
                peer.settimeout(_left(deadline))
                if peer.recv(2) == b"go":
                    return
        except OSError:
            pass
        if time.monotonic() >= deadline:
            raise TimeoutError(f"connect: process {process} waited in vain for the first process at {host}:{port}.")
        time.sleep(0.05)
