// Both sides connect at once, and two SYNs pass each other (RFC 9293, Figure 7). Nobody listens, nobody accepts.

server: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
server: bind(3, server:80) = 0
server: connect(3, client:80) = 0

client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: bind(3, client:80) = 0
client: connect(3, server:80) = 0

.005 state(client 3) = SYN-SENT
.005 state(server 3) = SYN-SENT
.015 state(client 3) = SYN-RECEIVED
.015 state(server 3) = SYN-RECEIVED

// In Figure 7 the SYN,ACK ends it. A stack may find the SYN in it old, acknowledge that, and wait for an ACK.
.025 state(client 3)
.025 state(server 3)
.035 state(client 3) = ESTABLISHED
.035 state(server 3) = ESTABLISHED

// One connection came of it, which carries data as any other.
client: 1 sendall(3, 5) = 5
client: close(3) = 0
server: recvall(3) = 5
server: close(3) = 0
