// The client throws the connection away: close() with SO_LINGER at 0 seconds is ABORT, and sends a reset.

server: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
server: bind(3, server:80) = 0
server: listen(3, 128) = 0
server: accept(3, ..., ...) = 4
server: recv(4, ..., 100, 0) = -1 ECONNRESET (Connection reset by peer)
server: close(4) = 0

client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: connect(3, server:80) = 0
client: setsockopt(3, SOL_SOCKET, SO_LINGER, {onoff=1, linger=0}, 8) = 0
client: 1 close(3) = 0

.5 state(server 3#1) = ESTABLISHED
1.005 state(client 3) = CLOSED // at once, without TIME-WAIT
1.005 state(server 3#1) = ESTABLISHED
1.015 state(server 3#1) = CLOSED
