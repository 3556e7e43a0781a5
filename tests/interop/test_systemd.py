"""What systemd sees: readiness, a watchdog fed by a real self-check, sockets it hands over."""
import os
import socket
import subprocess

from conftest import BINARY, Bridge


def messages(receiver, wanted: str, seconds: float = 20) -> str:
    """Everything that was notified until `wanted` is among it."""
    receiver.settimeout(seconds)
    told = ""
    while wanted not in told:
        told += receiver.recv(4096).decode() + "\n"
    return told


def test_ready_watchdog_and_stopping_are_notified(tmp_path):
    bridge = Bridge(tmp_path, '[[dicom.peer]]\nname = "CT"\nae_title = "CT1"\naddress = "10.1.2.3"\n')
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(path)
        environment = {**os.environ, "NOTIFY_SOCKET": path, "WATCHDOG_USEC": "2000000"}
        daemon = subprocess.Popen([BINARY, "serve", "--config", str(bridge.config)], env=environment, stderr=subprocess.DEVNULL)
        try:
            assert "READY=1" in messages(receiver, "READY=1")
            # Twice: the self-check goes on, though nobody on this machine is a listed peer.
            messages(receiver, "WATCHDOG=1")
            messages(receiver, "WATCHDOG=1")
            daemon.terminate()
            messages(receiver, "STOPPING=1")
            assert daemon.wait(timeout=45) == 0
        finally:
            daemon.kill()


def test_a_socket_that_systemd_passes_is_used(tmp_path):
    bridge = Bridge(tmp_path)
    with socket.create_server(("127.0.0.1", bridge.dicom)) as listening:
        def hand_over():
            os.dup2(listening.fileno(), 3)
            os.set_inheritable(3, True)

        command = f'LISTEN_PID=$$ LISTEN_FDS=1 exec "{BINARY}" serve --config "{bridge.config}"'
        with bridge.log.open("ab") as log:
            bridge.process = subprocess.Popen(["sh", "-c", command], preexec_fn=hand_over, close_fds=False, stderr=log)
    try:
        bridge.wait_until_ready()
        # Our own listener is closed; only the daemon's copy can answer, and nobody else could have bound the port.
        done = subprocess.run(["echoscu", "-aec", "BLUEBRIDGE", "127.0.0.1", str(bridge.dicom)], capture_output=True, timeout=30)
        assert done.returncode == 0, bridge.log.read_text()
    finally:
        assert bridge.stop() == 0
