// A backlog of 0: the server keeps nothing of a SYN, and puts all it has to know into its sequence number.

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
