// seqs answers a FIN with its own at once. RFC 9293, Section 3.6: the other side may go on sending until its user closes.

server: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
server: bind(3, server:80) = 0
server: listen(3, 128) = 0
server: accept(3, ..., ...) = 4
server: recvall(4) = 0
server: sendall(4, 5) = -1 EPIPE (Broken pipe)

client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: connect(3, server:80) = 0
client: shutdown(3, SHUT_WR) = 0
client: recvall(3) = 0

.035 state(server 3#1) = LAST-ACK // and nobody has called close
