// A year without a packet. The connection is still there: it is nothing but what two sockets remember.

server: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
server: bind(3, server:80) = 0
server: listen(3, 128) = 0
server: accept(3, ..., ...) = 4
server: recvall(4) = 5
server: close(4) = 0

client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: connect(3, server:80) = 0
client: +31536000 sendall(3, 5) = 5 // 365 days
client: close(3) = 0

31536000 state(client 3) = ESTABLISHED
31536000 state(server 3#1) = ESTABLISHED
