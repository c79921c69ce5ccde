// The first SYN is lost. After one second the client sends it again.

--fault="drop client SYN#1"

server: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
server: bind(3, server:80) = 0
server: listen(3, 128) = 0
server: accept(3, ..., ...) = 4
server: recvall(4) = 0
server: close(4) = 0

client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: connect(3, server:80) = 0
client: close(3) = 0

.5 state(client 3) = SYN-SENT
1.015 state(server 3#1) = SYN-RECEIVED
