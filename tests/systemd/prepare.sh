# Runs on the booted machine: lays out what every user may write, read and run, for probe.py.
set -eu
mkdir -p /srv/open /opt/open /var/lib/open /home/open
chmod 1777 /srv/open /opt/open /var/lib/open
echo open | tee /home/open/file >/tmp/file
chmod 0644 /home/open/file /tmp/file
cp /usr/bin/id /srv/open/id
chmod 4755 /srv/open/id
mknod -m 0666 /dev/open c 1 3
# A link-local address that can be reached: on loopback.
python3 - <<'END'
import fcntl, socket, struct
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
    address = struct.pack("=16sH2x4s8x", b"lo:1", socket.AF_INET, socket.inet_aton("169.254.169.254"))
    fcntl.ioctl(line, 0x8916, address)  # SIOCSIFADDR
END
