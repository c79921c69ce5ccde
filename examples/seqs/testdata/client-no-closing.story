// Two FINs pass each other: seqs sends its ACK and is gone. RFC 9293, Section 3.10.7.4: CLOSING until its FIN is acknowledged,
// then TIME-WAIT.

server: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
server: bind(3, server:80) = 0
server: listen(3, 128) = 0
server: accept(3, ..., ...) = 4
server: 1 close(4) = 0

client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: connect(3, server:80) = 0
client: 1 close(3) = 0

1.005 state(client 3) = FIN-WAIT-1
1.015 state(client 3) = CLOSED
1.015 state(server 3#1) = CLOSING
