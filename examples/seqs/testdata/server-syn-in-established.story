// A rebooted peer connects from its old port. seqs takes the SYN for an octet of the connection, whatever its number, and says
// nothing. RFC 9293, Section 3.10.7.4, fourth: a challenge ACK, so that the peer finds out (Figure 9).

server: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
server: bind(3, server:80) = 0
server: listen(3, 128) = 0
server: accept(3, ..., ...) = 4
server: recv(4, ..., 100, 0)

client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: bind(3, client:5000) = 0
client: connect(3, server:80) = 0

1 reboot client

client: 2 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: bind(3, client:5000) = 0
client: connect(3, server:80) = -1 ETIMEDOUT (Connection timed out)

100 state(server 3#1) = ESTABLISHED
