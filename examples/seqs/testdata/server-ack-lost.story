// An ACK of seqs is lost. The segment comes again, and seqs says nothing to it: its peer gives up. RFC 9293, Section 3.10.7.4,
// first: what is not acceptable is answered with an ACK.

--fault="drop server ACK#1"

server: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
server: bind(3, server:80) = 0
server: listen(3, 128) = 0
server: accept(3, ..., ...) = 4
server: recvall(4, 5) = 5
server: recvall(4)

client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: connect(3, server:80) = 0
client: sendall(3, 5) = 5
client: recvall(3) = -1 ETIMEDOUT (Connection timed out)
