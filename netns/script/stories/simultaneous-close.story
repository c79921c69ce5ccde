// Both sides close at once, and two FINs pass each other (RFC 9293, Figure 13).

server: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
server: bind(3, server:80) = 0
server: listen(3, 128) = 0
server: accept(3, ..., ...) = 4
server: 1 close(4) = 0

client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: connect(3, server:80) = 0
client: 1 close(3) = 0

1.005 state(client 3) = FIN-WAIT-1
1.005 state(server 3#1) = FIN-WAIT-1
1.015 state(client 3) = CLOSING
1.015 state(server 3#1) = CLOSING
1.025 state(client 3) = TIME-WAIT
1.025 state(server 3#1) = TIME-WAIT
