# Says from whom it hears what.
import socket

heard = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
heard.bind(("0.0.0.0", 7000))
print("ready", flush=True)
while True:
    text, peer = heard.recvfrom(2048)
    print(peer[0], text.decode(), flush=True)
