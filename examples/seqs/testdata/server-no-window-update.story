// The window closes, the program reads, and seqs neither says so nor answers the probes. RFC 9293, Section 3.8.6.1: a probe is
// answered with the window as it is; Section 3.8.6.2.2: when it opens the peer is told.

--until=60

server: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
server: bind(3, server:80) = 0
server: listen(3, 128) = 0
server: accept(3, ..., ...) = 4
server: 1 recvall(4, 4000)

client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: connect(3, server:80) = 0
client: sendall(3, 4000) = 4000

.5 info(server 3#1, "receive buffer used") = 2048
2 info(server 3#1, "receive buffer used") = 0
2 info(client 3, "SND.WND") = 0
50 info(server 3#1, "receive buffer used") = 0
50 info(client 3, "SND.WND") = 0
