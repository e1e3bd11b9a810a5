# Sends datagrams in others' names, by the kernel's routes and past them, then one in its own; says its own address.
import socket
import struct
import sys

to, *froms = sys.argv[1:]
PORT = 7000


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def packet(source, text):
    payload = struct.pack("!HHHH", PORT, PORT, 8 + len(text), 0) + text
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 1, 0, 64, 17, 0,
                       socket.inet_aton(source), socket.inet_aton(to))
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


honest = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
honest.connect((to, PORT))
honest.send(b"first")
own = honest.getsockname()[0]
routed = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
for source in froms:
    try:
        routed.sendto(packet(source, b"forged"), (to, 0))
    except OSError:
        pass
# Past the routes: to whoever answers at the gateway's link address, and to everybody.
addresses = [b"\xff" * 6]
with open("/proc/net/arp") as table:
    addresses += [bytes.fromhex(line.split()[3].replace(":", "")) for line in table.readlines()[1:]]
link = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
name = next(name for _, name in socket.if_nameindex() if name != "lo")
for address in addresses:
    for source in froms:
        try:
            link.sendto(packet(source, b"forged on the link"), (name, 0x0800, 0, 0, address))
        except OSError:
            pass
for _ in range(3):
    honest.send(b"over")
print(own)
