// A backlog of 0. What the server has to know of a SYN it puts into its sequence number, and keeps nothing.
// The client need not know how.

--needs="server SYN cookies"

server: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
server: bind(3, server:80) = 0
server: listen(3, 0) = 0
server: accept(3, ..., ...) = 4
server: recvall(4) = 5
server: close(4) = 0

client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: connect(3, server:80) = 0
client: sendall(3, 5) = 5
client: close(3) = 0

// No socket in SYN-RECEIVED: the server's new socket begins with the ACK, in ESTABLISHED.
.015 info(server 3, "SYN queue") = 0
.025 info(server 3, "SYN queue") = 0
