// The handshake's last ACK is lost, and the SYN,ACK comes again: seqs says nothing to it. RFC 9293, Section 3.10.7.4, fourth: a
// challenge ACK, which would complete the handshake.

--until=20
--fault="drop client ACK#1"

server: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
server: bind(3, server:80) = 0
server: listen(3, 128) = 0
server: accept(3, ..., ...)

client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: connect(3, server:80) = 0

15 state(client 3) = ESTABLISHED
15 state(server 3#1) = SYN-RECEIVED
