// The last ACK of the handshake is lost. The client is connected, the server does not know it yet.

--fault="drop client ACK#1"

server: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
server: bind(3, server:80) = 0
server: listen(3, 128) = 0
server: accept(3, ..., ...) = 4
server: recvall(4) = 0
server: close(4) = 0

// The client says nothing for three seconds. So the server sends its SYN,ACK again.
client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: connect(3, server:80) = 0
client: +3 close(3) = 0

.5 state(client 3) = ESTABLISHED
.5 state(server 3#1) = SYN-RECEIVED
2 state(server 3#1) = ESTABLISHED
