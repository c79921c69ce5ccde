// Nobody listens on the port: the server's stack answers the SYN with a reset.

client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: connect(3, server:80) = -1 ECONNREFUSED (Connection refused)
client: close(3) = 0

.015 state(client 3) = SYN-SENT
.025 state(client 3) = CLOSED
