// The client sends some octets, then one that is urgent, then some more.

--needs="urgent data"

server: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
server: bind(3, server:80) = 0
server: listen(3, 128) = 0
server: accept(3, ..., ...) = 4
server: setsockopt(4, SOL_SOCKET, SO_OOBINLINE, [1], 4) = 0 // urgent octets stay where they are in the data
server: recvall(4, 11) = 11
server: recvall(4) = 0
server: close(4) = 0

client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: connect(3, server:80) = 0
client: 1 send(3, ..., 5, 0) = 5
client: send(3, ..., 1, MSG_OOB) = 1
client: send(3, ..., 5, 0) = 5
client: close(3) = 0
